"""The whole door over scripted providers in virtual time, and what must be true of it once every call has ended."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

from airworthy.core.ids import Ids
from airworthy.gateway.budget import Ledger, Standing, standing
from airworthy.gateway.cache import ExactCache
from airworthy.gateway.call import Answer, Call, Caller
from airworthy.gateway.door import Door, Shared
from airworthy.gateway.errors import ModelTimeout
from airworthy.gateway.fetch import Fetcher
from airworthy.gateway.guard import Memory
from airworthy.gateway.guard.tables import MIGRATIONS as GUARD
from airworthy.gateway.place import Place, places_of
from airworthy.gateway.records import Recorder
from airworthy.gateway.served import Served
from airworthy.gateway.tables import MIGRATIONS as GATEWAY
from airworthy.gateway.upstream import JSON_HEADERS, Reply, Sent, Upstream
from airworthy.gateway.wire.dialect import DIALECTS
from airworthy.policy import Policy
from airworthy.recorder import Payloads
from airworthy.store import Database, migrate
from airworthy.store.lease import Owner
from airworthy.store.tables import MIGRATIONS as STORE
from tests.database import memory
from tests.gateway.guard.kit import Call as ToolCall
from tests.gateway.guard.kit import read, read_stream, reply, request, stream
from tests.gateway.kit import PRICED
from tests.virtual import LoopClock

FIRST, SECOND, THIRD = "sim-large-2026-11-01", "sim-small-2026-11-01", "sim-tiny-2026-11-01"
EVENTS = {"content-type": "text/event-stream"}
Piece = bytes | Exception | float
NEVER = 1e9
LOOK = ToolCall("call_a", "look", '{"x":1}')


@dataclass(frozen=True)
class Say:
    """One answer of a provider: after `delay_s` an error, or headers and then the pieces; a number waits so long."""

    pieces: Sequence[Piece] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: JSON_HEADERS)
    delay_s: float = 0.0
    fails: Exception | None = None


def whole(dialect: str = "chat", text: str = "hi", calls: Sequence[ToolCall] = (), **changes: Any) -> Say:
    return Say((reply(dialect, calls, text),), **changes)


def streamed(dialect: str = "chat", text: str = "o|n|e", calls: Sequence[ToolCall] = ()) -> Say:
    return Say(events_of(stream(dialect, calls, text)), headers=EVENTS)


def events_of(raw: bytes) -> list[bytes]:
    return [event + b"\n\n" for event in raw.split(b"\n\n") if event]


def error(status: int, told: str = "no", **headers: str) -> Say:
    body = orjson.dumps({"error": {"message": told, "type": "error"}})
    return Say((body,), status, {**JSON_HEADERS, **headers})


class Spoken:
    def __init__(self, say: Say, timeout_s: float) -> None:
        self.status = say.status
        self.headers = say.headers
        self.closed = False
        self._say = say
        self._timeout_s = timeout_s

    async def read(self, bytes_max: int) -> bytes:
        return b"".join([piece async for piece in self.chunks()])

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self._say.pieces:
            if isinstance(piece, Exception):
                raise piece
            if isinstance(piece, float):
                await waited(piece, self._timeout_s)
            else:
                await asyncio.sleep(0)
                yield piece

    def close(self) -> None:
        self.closed = True


async def waited(delay_s: float, timeout_s: float) -> None:
    await asyncio.sleep(min(delay_s, timeout_s))
    if delay_s >= timeout_s:
        raise ModelTimeout(f"No reply within {timeout_s:g} s.", billed=True)


@dataclass
class Provider:
    """An `Upstream`: one answer a request, the last one again and again."""

    answers: list[Say]
    asked: list[Sent] = field(default_factory=list)
    replies: list[Spoken] = field(default_factory=list)

    async def send(self, sent: Sent) -> Reply:
        self.asked.append(sent)
        say = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        await asyncio.sleep(0)
        await waited(say.delay_s, sent.timeout_s)
        if say.fails is not None:
            raise say.fails
        self.replies.append(Spoken(say, sent.timeout_s))
        return self.replies[-1]

    async def aclose(self) -> None:
        return

    @property
    def bodies(self) -> list[Any]:
        return [orjson.loads(sent.body) for sent in self.asked]


@dataclass
class House:
    door: Door
    providers: dict[str, Provider]
    places: dict[str, Place]
    database: Database
    shared: Shared
    served: Served
    paused: list[str] = field(default_factory=list)
    calls: int = 0

    def __getitem__(self, model: str) -> Provider:
        return self.providers[model]

    def call(self, dialect: str = "chat", raw: bytes | None = None, **caller: Any) -> Call:
        self.calls += 1
        spoken = DIALECTS[dialect]
        raw = raw if raw is not None else ask(dialect)
        who = Caller("key_1", "support", **caller)
        return Call(f"call_{self.calls:05}", spoken, raw, spoken.read_request(raw), who)

    async def said(
        self, dialect: str = "chat", raw: bytes | None = None, **caller: Any
    ) -> tuple[Answer, bytes]:
        return await finished(await self.door.answer(self.call(dialect, raw, **caller)))

    async def records(self) -> list[dict[str, Any]]:
        """The calls as they were recorded, in their order."""
        await self.door.aclose()
        columns = (
            "id, ended_as, code, status, attempts, model, place, answered, tokens_in, tokens_out, cost_nano, estimated,"
            " first_us, notes, task_id"
        )
        rows = self.database.read_now(lambda tx: tx.rows(f"SELECT {columns} FROM calls ORDER BY id"))
        found = [dict(zip(columns.replace(",", "").split(), row, strict=True)) for row in rows]
        return [{**each, "notes": orjson.loads(each["notes"] or "[]")} for each in found]

    async def record(self) -> dict[str, Any]:
        return (await self.records())[-1]

    def standing(self, scope: str) -> Standing:
        return self.database.read_now(lambda tx: standing(tx, scope))

    def scopes(self) -> dict[str, Standing]:
        names = self.database.read_now(lambda tx: tx.rows("SELECT scope FROM spend"))
        return {name: self.standing(name) for (name,) in names}

    def check_quiet(self) -> None:
        """No call is under way: no seat, no turn and no connection is taken."""
        for place in self.places.values():
            assert place.bulkhead.running == 0, place.name
            assert place.pacer.view().under_way == 0, place.name
            assert place.pacer.view().waiting == 0, place.name
        for provider in self.providers.values():
            assert all(each.closed for each in provider.replies)

    def check_settled(self) -> None:
        """After the ledger was closed: what is reserved is what was lost, and nothing else."""
        for name, row in self.scopes().items():
            assert row.reserved_nano == row.lost_nano, (name, row)
            assert row.reserved_tokens == row.lost_tokens, (name, row)
            assert row.reserved_calls == row.lost_calls, (name, row)
            assert min(row.settled_nano, row.settled_tokens, row.calls) >= 0, (name, row)


async def finished(answer: Answer) -> tuple[Answer, bytes]:
    if isinstance(answer.body, bytes):
        return answer, answer.body
    return answer, b"".join([piece async for piece in answer.body])


def ask(dialect: str = "chat", *, model: str = FIRST, **fields: Any) -> bytes:
    bound = {"max_tokens": 50} if dialect == "messages" else {}
    more = fields.pop("more", ())
    return request(dialect, more, **{"model": model, **bound, **fields})


def header(answer: Answer, name: str) -> str | None:
    return next((value.decode() for key, value in answer.headers if key == name.encode()), None)


def text_of(dialect: str, body: bytes) -> str:
    """Raises when the answer, whole or streamed, is not well formed."""
    return (read if body.startswith(b"{") else read_stream)(dialect, body).text


def tables() -> Database:
    database = memory()
    more = [each for each in GUARD if each not in GATEWAY]
    migrate(database, [*STORE, *GATEWAY, *more])
    return database


def rule(name: str = FIRST, **settings: Any) -> dict[str, Any]:
    return {"name": name, **PRICED, "attempts": 1, "provider": "openai", **settings}


def policy_of(models: Sequence[Mapping[str, Any]], **sections: Any) -> Policy:
    return Policy.model_validate(
        {"agent": "support", "purpose": "tests of the door", "models": list(models), **sections}
    )


@asynccontextmanager
async def house(
    providers: Mapping[str, Sequence[Say] | Say],
    *,
    models: Sequence[Mapping[str, Any]] | None = None,
    database: Database | None = None,
    line: Database | None = None,
    allow_unrecorded: bool = False,
    owner: str = "gwy_1",
    ends: bool = True,
    payloads: Payloads | None = None,
    upstreams: Mapping[str, Upstream] | None = None,
    **sections: Any,
) -> AsyncIterator[House]:
    """`providers`: what each model answers. `sections`: of the policy. `ends` False: the process dies instead.

    `line`: how the door reaches its database; None: as the test does. `upstreams`: servers that are no scripts.
    """
    clock = LoopClock()
    stored = database if database is not None else tables()
    made = {
        name: Provider(list(says) if isinstance(says, Sequence) else [says])
        for name, says in providers.items()
    }
    gateway = {"guard_tools": False, **sections.pop("gateway", {})}
    policy = policy_of(
        models if models is not None else [rule(name) for name in made], gateway=gateway, **sections
    )
    reached = line if line is not None else stored
    ledger = Ledger(reached, clock, Owner(owner, "here", 1, ""))
    recorder = Recorder(clock, payloads if payloads is not None else Payloads())
    paused: list[str] = []
    shared = Shared(
        ledger, recorder, clock, Ids(), Fetcher(clock), lambda _: paused[0] if paused else None,
        ExactCache(reached, clock, recorder.later), allow_unrecorded, withheld=Memory(reached, clock),
    )  # fmt: skip
    places = places_of(policy.models, {**made, **(upstreams or {})}, clock)
    served = Served(policy, places)
    door = Door({"support": served}, shared)
    await ledger.open()
    found = House(door, made, {place.rule.name: place for place in places.values()}, stored, shared, served)
    found.paused = paused
    try:
        yield found
    except BaseException:
        _stop(ledger)
        raise
    if not ends:
        _stop(ledger)
        return
    await asyncio.sleep(0)
    found.check_quiet()
    await door.aclose()
    await ledger.close()
    found.check_settled()


def _stop(ledger: Ledger) -> None:
    for task in ledger._tasks:
        task.cancel()


def bill(tokens_in: int = 5, tokens_out: int = 2, calls: int = 1) -> int:
    return calls * (tokens_in * 1_000 + tokens_out * 4_000)


def usage_said(say: Say, change: Callable[[dict[str, Any]], Any]) -> Say:
    """The same answer with another count of tokens, wherever it says one."""

    def changed(body: Any) -> Any:
        if not isinstance(body, dict):
            return body
        return {
            name: change(value) if name == "usage" and value is not None else changed(value)
            for name, value in body.items()
        }

    def line(raw: bytes) -> bytes:
        head = b"data: " if raw.startswith(b"data: ") else b""
        return head + orjson.dumps(changed(orjson.loads(raw.removeprefix(head)))) if b"usage" in raw else raw

    pieces = [
        b"\n".join(line(each) for each in piece.split(b"\n")) if isinstance(piece, bytes) else piece
        for piece in say.pieces
    ]
    return Say(pieces, say.status, say.headers, say.delay_s, say.fails)
