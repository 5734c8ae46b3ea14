"""The core of the gateway, its guard on, with a provider that answers as written and keeps what it was asked."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

from airworthy.core.ids import Ids
from airworthy.gateway.budget import Ledger, spent
from airworthy.gateway.cache import ExactCache
from airworthy.gateway.call import Answer, Call, Caller
from airworthy.gateway.door import Door, Shared
from airworthy.gateway.fetch import Fetcher
from airworthy.gateway.guard import Memory
from airworthy.gateway.guard.tables import MIGRATIONS as GUARD
from airworthy.gateway.place import places_of
from airworthy.gateway.records import Recorder
from airworthy.gateway.served import Served
from airworthy.gateway.tables import MIGRATIONS as GATEWAY
from airworthy.gateway.upstream import JSON_HEADERS, Reply, Sent
from airworthy.gateway.wire.dialect import DIALECTS
from airworthy.policy import Policy
from airworthy.recorder import Payloads
from airworthy.store import Database, migrate
from airworthy.store.lease import Owner
from airworthy.store.tables import MIGRATIONS as STORE
from tests.database import memory
from tests.gateway.guard.kit import POLICY
from tests.gateway.kit import PRICED
from tests.virtual import LoopClock

MODEL = "sim-large-2026-11-01"
Scripted = bytes | Exception | Sequence[bytes | Exception]


class Spoken:
    """A reply in pieces; an error among them breaks it."""

    def __init__(self, pieces: Sequence[bytes | Exception], headers: Mapping[str, str]) -> None:
        self.status = 200
        self.headers = headers
        self.closed = False
        self._pieces = pieces

    async def read(self, bytes_max: int) -> bytes:
        return b"".join([piece async for piece in self.chunks()])

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def close(self) -> None:
        self.closed = True


@dataclass
class Provider:
    """An `Upstream`: one answer a request, bytes for a body, a list for the pieces of a stream."""

    answers: list[Scripted]
    asked: list[bytes] = field(default_factory=list)
    replies: list[Spoken] = field(default_factory=list)

    async def send(self, sent: Sent) -> Reply:
        self.asked.append(sent.body)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        whole = isinstance(answer, bytes)
        pieces = [answer] if isinstance(answer, bytes) else list(answer)
        headers = JSON_HEADERS if whole else {"content-type": "text/event-stream"}
        self.replies.append(Spoken(pieces, headers))
        return self.replies[-1]

    async def aclose(self) -> None:
        return


@dataclass
class House:
    door: Door
    provider: Provider
    database: Database
    shared: Shared
    calls: int = 0

    def call(self, dialect: str, raw: bytes, **caller: Any) -> Call:
        self.calls += 1
        spoken = DIALECTS[dialect]
        body = orjson.loads(raw)
        raw = orjson.dumps({**body, "model": MODEL})
        who = Caller("key_1", "support", **{"run": "run_1", **caller})
        return Call(f"call_{self.calls}", spoken, raw, spoken.read_request(raw), who)

    async def said(self, dialect: str, raw: bytes, **caller: Any) -> tuple[Answer, bytes]:
        answer = await self.door.answer(self.call(dialect, raw, **caller))
        if isinstance(answer.body, bytes):
            return answer, answer.body
        return answer, b"".join([piece async for piece in answer.body])

    async def record(self) -> dict[str, Any]:
        """The last call as it was recorded."""
        await self.door.aclose()
        columns = "ended_as, code, attempts, tokens_in, cost_nano, notes"
        row = self.database.read_now(
            lambda tx: tx.row(f"SELECT {columns} FROM calls ORDER BY started_us DESC, id DESC LIMIT 1")
        )
        assert row is not None
        found = dict(zip(columns.split(", "), row, strict=True))
        notes = orjson.loads(found["notes"]) if found["notes"] else []
        # The scripted provider calls itself what it likes, which is noted and not what is tested here.
        return {**found, "notes": [note for note in notes if "answered" not in note]}

    def spent(self) -> tuple[int, int]:
        return self.database.read_now(lambda tx: spent(tx, "task:run_1"))


def tables() -> Database:
    database = memory()
    more = [each for each in GUARD if each not in GATEWAY]
    migrate(database, [*STORE, *GATEWAY, *more])
    return database


@asynccontextmanager
async def house(
    *answers: Scripted,
    database: Database | None = None,
    model: Mapping[str, Any] | None = None,
    cost_usd: float = 0.5,
    **gateway: Any,
) -> AsyncIterator[House]:
    """`gateway`: of the policy's [gateway]; `model`: of its [[models]]."""
    clock = LoopClock()
    stored = database if database is not None else tables()
    provider = Provider(list(answers))
    policy = Policy.model_validate({
        **POLICY.model_dump(exclude_unset=True), "gateway": gateway,
        "limits": {"cost_usd": cost_usd, "tokens_in": (model or {}).get("window", 32_000)},
        "models": [{"name": MODEL, **PRICED, "attempts": 1, "provider": "openai", **(model or {})}],
    })  # fmt: skip
    ledger = Ledger(stored, clock, Owner("gwy_1", "here", 1, ""))
    recorder = Recorder(clock, Payloads())
    cache = ExactCache(stored, clock, recorder.later)
    shared = Shared(
        ledger, recorder, clock, Ids(), Fetcher(clock), lambda _: None, cache, withheld=Memory(stored, clock)
    )
    door = Door({"support": Served(policy, places_of(policy.models, {MODEL: provider}, clock))}, shared)
    await ledger.open()
    try:
        yield House(door, provider, stored, shared)
    finally:
        await door.aclose()
        await ledger.close()
