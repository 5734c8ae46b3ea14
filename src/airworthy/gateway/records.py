"""What is kept of each call over HTTP, written behind the caller's back in batches; decides nothing.

The books (what was spent) travel in the same transaction as the calls they are of.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, NamedTuple

import orjson

from airworthy.core.clock import US_PER_S, Clock
from airworthy.core.errors import storable_text
from airworthy.gateway.call import Call
from airworthy.gateway.wire.dialect import Dialect
from airworthy.gateway.wire.facts import ReplyFacts
from airworthy.recorder import Payloads
from airworthy.store import StoreError, Tx

FLUSH_S = 0.1
BATCH_MAX = 256
WAITING_MAX = 20_000
ENDING_BYTES = 2_000  # Of a stream without an answer: what it ended with.
MANY, SLOWED_S_MAX = 2_000, 5.0
WAITING_BYTES_MAX = 64 * 1024 * 1024
ALSO_MAX = 1_000
FAILING_S_MAX = 10.0  # A store that takes nothing for longer than this is down.
KNOWN_MAX = 10_000
BODY_BYTES_MAX = 8 * 1024 * 1024  # Of a reply; what is longer is kept in its facts alone.
TEXT_CHARS_MAX = 200

EndedAs = Literal["answered", "cached", "failed", "stopped", "left"]

_COLUMNS = (
    "id", "task_id", "agent", "key_id", "session", "user", "feature", "operation", "streamed", "ended_as", "code",
    "finish", "status", "asked", "model", "place", "answered", "fingerprint", "started_us", "first_us", "ended_us",
    "attempts", "tokens_in", "tokens_out", "cached", "cost_nano", "estimated", "notes",
)  # fmt: skip
_QUOTED = ", ".join(f'"{column}"' for column in _COLUMNS)
ROWS_AT_ONCE = 64  # For each statement the writer gives up its turn, and waits to get it back.
SEEN = (
    "INSERT INTO sightings (place, model, answered, fingerprint, first_us, last_us, calls)"
    " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (place, model, answered, fingerprint) DO UPDATE SET"
    " last_us = excluded.last_us, calls = sightings.calls + excluded.calls"
)


Write = Callable[[Callable[[Tx], None]], Awaitable[None]]
"""Writes what it is given and the books in one transaction; the ledger's `flush`."""


class Record:
    """One call as it will stand in the table. Filled while the call is made, written once after it."""

    __slots__ = (
        "attempts", "call", "code", "cost_nano", "ended_as", "ended_us", "estimated", "facts", "first_us", "full",
        "model", "notes", "place", "reply", "reply_bytes", "started_us", "status",
    )  # fmt: skip

    def __init__(self, call: Call, started_us: int, *, full: bool) -> None:
        self.call = call
        self.started_us = started_us
        self.full = full
        self.ended_as: EndedAs = "failed"
        self.code = ""
        self.status = 0
        self.model = ""
        self.place = ""
        self.facts: ReplyFacts | None = None
        self.first_us: int | None = None
        self.ended_us = 0
        self.attempts = 0
        self.cost_nano: int | None = None
        self.estimated = False
        self.notes: list[dict[str, Any]] = []
        self.reply: list[bytes] = []
        self.reply_bytes = 0

    def kept(self, piece: bytes) -> None:
        """A piece of the answer, as long as the answer is not too long to be kept."""
        self.reply_bytes += len(piece)
        if self.full and self.reply_bytes <= BODY_BYTES_MAX:
            self.reply.append(piece)

    @property
    def size(self) -> int:
        return len(self.call.raw) + min(self.reply_bytes, BODY_BYTES_MAX) if self.full else 500

    def row(self, clean: Callable[[str], str]) -> tuple[Any, ...]:
        call, facts = self.call, self.facts
        caller = call.caller
        usage = facts.usage if facts is not None and facts.usage.known else None
        return (
            call.id, call.task, caller.agent, caller.key_id, clean(caller.session), clean(caller.user),
            clean(caller.feature), call.dialect.name, int(call.facts.stream), self.ended_as, self.code,
            facts.finish if facts else "", self.status, clean(call.facts.model), self.model, self.place,
            clean(facts.model) if facts else "", clean(facts.fingerprint) if facts else "", self.started_us,
            self.first_us, self.ended_us, self.attempts, usage.tokens_in if usage else None,
            usage.tokens_out if usage else None, usage.cached if usage else None, self.cost_nano,
            int(self.estimated), clean(orjson.dumps(self.notes).decode()) if self.notes else None,
        )  # fmt: skip


class Sighting(NamedTuple):
    """Which model a provider says it is, under which name it was asked."""

    place: str
    model: str
    answered: str
    fingerprint: str


class Recorder:
    """Holds what is not written yet; one per process, used from one event loop.

    A full queue refuses further calls before they are made (`room`), so that nothing is lost silently. `dropped`
    counts what could not be written after all.
    """

    def __init__(self, clock: Clock, payloads: Payloads) -> None:
        self.dropped = 0
        self.failing_since_us: int | None = None
        self._clock = clock
        self._payloads = payloads
        self._waiting: list[Record] = []
        self._bytes = 0
        self._also: list[Callable[[Tx], None]] = []
        self._known: dict[str, str] = {}
        self._wake = asyncio.Event()
        self._eased = asyncio.Event()
        self._writing = asyncio.Lock()

    @property
    def room(self) -> bool:
        """Whether one more call will be on record: there is a place for it, and the store is there."""
        since_us = self.failing_since_us
        down = since_us is not None and self._clock.now_us() - since_us > FAILING_S_MAX * US_PER_S
        return self._has_place and not down

    @property
    def _has_place(self) -> bool:
        return len(self._waiting) < WAITING_MAX and self._bytes < WAITING_BYTES_MAX

    async def slowed(self) -> None:
        """Holds a new call back, for a bounded time, while much waits to be written: slower is better than refused."""
        if len(self._waiting) < MANY:
            return
        self._eased.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._eased.wait(), SLOWED_S_MAX)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def add(self, record: Record) -> None:
        record.ended_us = self._clock.now_us()
        if not self._has_place:
            self.dropped += 1
            return
        self._waiting.append(record)
        self._bytes += record.size
        if len(self._waiting) >= BATCH_MAX:
            self._wake.set()

    def later(self, write: Callable[[Tx], None]) -> None:
        """Goes with the next batch. For what may be lost: a full queue leaves it out."""
        if len(self._also) < ALSO_MAX:
            self._also.append(write)

    async def run(self, write: Write) -> None:
        """Writes for ever; ends when cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), FLUSH_S)
            self._wake.clear()
            await self.flush(write)

    async def flush(self, write: Write) -> bool:
        """One batch after the other until nothing waits. False: the store did not take it; it will be tried again."""
        async with self._writing:
            singly = 0  # So many records are written each for itself, because one of them cannot be.
            while self._waiting or self._also:
                size = 1 if singly else BATCH_MAX
                singly = max(singly - 1, 0)
                batch, self._waiting = self._waiting[:size], self._waiting[size:]
                also, self._also = self._also, []
                try:
                    await write(self._op(batch, also))
                except StoreError:
                    self._waiting = batch + self._waiting
                    if self.failing_since_us is None:
                        self.failing_since_us = self._clock.now_us()
                    return False
                except Exception:  # noqa: BLE001  # What no store can take must not keep all the rest from it.
                    if len(batch) > 1:
                        self._waiting = batch + self._waiting
                        singly = len(batch)
                        continue
                    self.dropped += len(batch)
                except BaseException:  # Cancelled: whoever closes the door writes what is left.
                    self._waiting = batch + self._waiting
                    raise
                self.failing_since_us = None
                if len(self._waiting) < MANY // 2:
                    self._eased.set()
                self._bytes -= sum(record.size for record in batch)
            return True

    def _op(self, batch: Sequence[Record], also: Sequence[Callable[[Tx], None]]) -> Callable[[Tx], None]:
        packed: list[tuple[bytes, bytes]] | None = None

        def op(tx: Tx) -> None:
            nonlocal packed
            if packed is None:  # On the writer's thread, so that the callers' loop does not wait for it.
                packed = [self._packed(record) for record in batch]
            rows = [record.row(self._clean) for record in batch]
            bodies = [
                (record.call.id, *both) for record, both in zip(batch, packed, strict=True) if record.full
            ]
            new = _insert(tx, f"calls ({_QUOTED})", "id", rows)
            _insert(tx, "call_bodies (call_id, request, reply)", "call_id", bodies)
            for each in also:
                each(tx)
            for seen, times in _sightings([each for each in batch if each.call.id in new]).items():
                names = (seen.place, seen.model, self._clean(seen.answered), self._clean(seen.fingerprint))
                tx.execute(SEEN, (*names, times[0], times[-1], len(times)))

        return op

    def _packed(self, record: Record) -> tuple[bytes, bytes]:
        if not record.full:
            return b"", b""
        reply = b"".join(record.reply) if record.reply_bytes <= BODY_BYTES_MAX else b""
        if record.call.facts.stream and reply:
            reply = put_together(record.call.dialect, reply)
        redact, pack = self._payloads.redactor.redact_bytes, self._payloads.pack
        return pack(redact(record.call.raw)[0]), pack(redact(reply)[0])

    def _clean(self, text: str) -> str:
        """Users, models and fingerprints come again and again, and looking for secrets costs more than remembering."""
        if not text:
            return text
        known = self._known.get(text)
        if known is None:
            known = self._payloads.redactor.redact_text(storable_text(text))
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            self._known[text] = known
        return known


def _insert(tx: Tx, into: str, key: str, rows: Sequence[tuple[Any, ...]]) -> set[str]:
    """The keys of those that were not there: a write that seemed to fail may have been done, and comes again."""
    new: set[str] = set()
    for start in range(0, len(rows), ROWS_AT_ONCE):
        some = rows[start : start + ROWS_AT_ONCE]
        one = f"({', '.join('?' * len(some[0]))})"
        values = ", ".join([one] * len(some))
        sql = f"INSERT INTO {into} VALUES {values} ON CONFLICT DO NOTHING RETURNING {key}"
        new.update(id_ for (id_,) in tx.rows(sql, [value for row in some for value in row]))
    return new


def _sightings(records: Sequence[Record]) -> dict[Sighting, list[int]]:
    """When each was seen, in order."""
    found: dict[Sighting, list[int]] = {}
    for record in records:
        facts = record.facts
        if facts is not None and record.place and facts.model:
            seen = Sighting(
                record.place, record.model, facts.model[:TEXT_CHARS_MAX], facts.fingerprint[:TEXT_CHARS_MAX]
            )
            found.setdefault(seen, []).append(record.ended_us)
    return found


def put_together(dialect: Dialect, stream: bytes) -> bytes:
    """A stream as one document: a secret that came in pieces is found only in the whole."""
    reader = dialect.stream_reader(BODY_BYTES_MAX)
    reader.feed(stream)
    reader.close()
    facts = reader.facts()
    calls = [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in facts.tool_calls]
    whole: dict[str, Any] = {
        "streamed": True, "model": facts.model, "finish": facts.finish, "text": facts.text, "tool_calls": calls,
        "refusal": facts.refusal,
    }  # fmt: skip
    if reader.error is not None or not (facts.text or calls or facts.refusal):
        whole["ended"] = stream[-ENDING_BYTES:].decode("utf-8", "replace")
    return orjson.dumps(whole)
