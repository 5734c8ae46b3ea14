"""What the protocols' forms share: parts of JSON texts and streams, and what is kept of a dropped call. Pure."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import orjson

from airworthy.gateway.guard.judge import Withheld
from airworthy.gateway.wire.sse import DONE, cut, events

_TOKEN: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\],]', re.DOTALL)
ID_CHARS_MAX: Final = 256
CALL_BYTES_MAX: Final = (
    256 * 1024
)  # Of a dropped call; the arguments of a longer one are left out of histories.
LEFT_OUT: Final = {"left_out": "These arguments were too long to be kept."}
Body: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Dropped:
    """A call that was withheld beside others. It is found again by a sibling that was not: its id and its `mark`.

    `place`: where it stood as seen from the sibling, -1 for right before it, 1 for right after it. `call` is its JSON
    as the protocol writes it.
    """

    dialect: str
    sibling: str
    mark: str
    place: int
    call_id: str
    call: bytes
    reason: str


Memory: TypeAlias = Mapping[str, Sequence[Dropped]]


@dataclass(frozen=True, slots=True)
class Proposal:
    """One of a reply's calls: its id as the protocol has it, empty when it has none, and its JSON as it came."""

    id: str
    name: str
    arguments: str
    json: bytes


def mark_of(name: str, arguments: str) -> str:
    """Tells calls of one id apart: not every server gives every call an id of its own."""
    try:
        plain = orjson.dumps(orjson.loads(arguments or "{}"), option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONDecodeError, TypeError):
        plain = arguments.encode("utf-8", "replace")
    return hashlib.sha256(name.encode("utf-8", "replace") + b"\0" + plain).hexdigest()[:24]


def fit(call_id: object) -> bool:
    """Whether an id can be kept and looked for in every store."""
    return type(call_id) is str and 0 < len(call_id) <= ID_CHARS_MAX and call_id.isprintable()


def found(memory: Memory, dialect: str, call_id: object, name: object, arguments: str) -> tuple[Dropped, ...]:
    """What was dropped beside this call."""
    kept = memory.get(call_id) if type(call_id) is str else None
    if not kept:
        return ()
    mark = mark_of(text(name), arguments)
    return tuple(each for each in kept if each.dialect == dialect and each.mark in ("", mark))


def dropped_of(dialect: str, proposals: Sequence[Proposal], withheld: Sequence[Withheld]) -> list[Dropped]:
    """Each withheld call beside the nearest one before it that was kept, or else the first one after it."""
    gone = {each.position: each for each in withheld}
    kept = [at for at, each in enumerate(proposals) if at not in gone and fit(each.id)]
    listed = []
    for position, each in gone.items():
        before = [at for at in kept if at < position]
        if not kept or not fit(proposals[position].id):
            continue
        sibling = proposals[before[-1] if before else kept[0]]
        call = proposals[position]
        listed.append(
            Dropped(
                dialect, sibling.id, mark_of(sibling.name, sibling.arguments), 1 if before else -1, call.id,
                _bounded(call.json), each.reason,
            )
        )  # fmt: skip
    return listed


def _bounded(call: bytes) -> bytes:
    if len(call) <= CALL_BYTES_MAX:
        return call
    body = orjson.loads(call)
    inner = body.get("function") or body.get("custom") or body
    for key in ("arguments", "input"):
        if key in inner:
            inner[key] = LEFT_OUT if type(inner[key]) is dict else orjson.dumps(LEFT_OUT).decode()
    return orjson.dumps(body)


def around(middle: Any, dropped: Sequence[Dropped], make: Callable[[Dropped], Any]) -> list[Any]:
    """The sibling's part with those of the dropped calls at their places."""
    before = [make(each) for each in dropped if each.place < 0]
    return [*before, middle, *(make(each) for each in dropped if each.place > 0)]


def elements(raw: bytes) -> list[bytes]:
    """The texts of the elements of a JSON array, byte for byte."""
    listed: list[bytes] = []
    depth, start = 0, raw.index(b"[") + 1
    for match in _TOKEN.finditer(raw, start):
        byte = raw[match.start()]
        if byte in b"{[":
            depth += 1
        elif byte in b"}]":
            if not depth:
                last = raw[start : match.start()].strip()
                return [*listed, last] if last else listed
            depth -= 1
        elif byte == 0x2C and not depth:
            listed.append(raw[start : match.start()].strip())
            start = match.end()
    raise AssertionError("an array without an end in valid JSON")


def array(texts: Iterable[bytes]) -> bytes:
    return b"[" + b",".join(texts) + b"]"


def objects(value: object) -> Iterator[Body]:
    """Those of a list's elements that are objects; nothing when it is no list."""
    if type(value) is list:
        for each in value:
            if type(each) is dict:
                yield each


def text(value: object) -> str:
    return value if type(value) is str else ""


def object_text(arguments: str) -> bytes:
    """Arguments as a JSON object, which some protocols insist on."""
    try:
        if type(orjson.loads(arguments or "{}")) is dict:
            return arguments.encode() if arguments else b"{}"
    except orjson.JSONDecodeError:
        pass
    return orjson.dumps({"malformed": arguments})


@dataclass(slots=True)
class Event:
    """One event of a stream. `body` None: nothing we look at, such as a comment or the end mark."""

    raw: bytes
    name: str
    data: bytes
    body: Body | None


def read_events(held: bytes) -> list[Event]:
    listed = []
    for raw in cut(held):
        name, data = next(iter(events(raw)), ("", None))
        body: object = None
        if data and data.strip() != DONE:
            try:
                body = orjson.loads(data)
            except orjson.JSONDecodeError:
                body = None
        listed.append(Event(raw, name, data or b"", body if type(body) is dict else None))
    return listed


def written(data: bytes, name: str = "") -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data) if name else b"data: %b\n\n" % data


def rewritten(event: Event, data: bytes) -> bytes:
    """The event with other data; what else it held (an id, a comment) says nothing in these protocols."""
    return written(data, event.name)
