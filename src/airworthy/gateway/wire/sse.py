"""Server-sent events: cut out of bytes that come in any pieces, and read all at once afterwards; knows no protocol."""

import re
from typing import TypeAlias

import orjson

# A blank line ends an event; the standard lets a line end in three ways.
_BOUNDARY = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2}")
# While more may come, a last \r says nothing yet: its \n may be on the way.
_SURE_BOUNDARY = re.compile(rb"(?:\r\n|\n|\r(?=[^\n])){2}")
_LINE = re.compile(rb"\r\n|\n|\r")
DONE = b"[DONE]"
FINISH = re.compile(rb'"finish_reason"\s*:\s*"')


# Name and data, whose lines are joined. None: a comment or a lone field.
Event: TypeAlias = tuple[str, bytes | None]


def complete_end(pending: bytes) -> int:
    """How many of these bytes are whole events; 0 when none is whole yet."""
    end = 0
    if b"\r" not in pending:  # The usual way, without the engine of patterns.
        at = pending.rfind(b"\n\n")
        return at + 2 if at >= 0 else 0
    for match in _SURE_BOUNDARY.finditer(pending):
        end = match.end()
    return end


def cut(raw: bytes) -> list[bytes]:
    """The events' bytes, each with the blank line that ends it; joined they are `raw` again."""
    blocks = []
    start = 0
    for match in _BOUNDARY.finditer(raw):
        blocks.append(raw[start : match.end()])
        start = match.end()
    return [*blocks, raw[start:]] if start < len(raw) else blocks


def events(raw: bytes) -> list[Event]:
    """All events in `raw`, the last one even without its blank line."""
    if b"\r" in raw:
        return [event for block in _BOUNDARY.split(raw) if block and (event := _event(block))[1] is not None]
    found: list[Event] = []
    for block in raw.split(b"\n\n"):
        name = ""
        data = block
        if block[:7] == b"event: ":
            first, _, data = block.partition(b"\n")
            name = first[7:].decode("utf-8", "replace")
        if data[:6] == b"data: " and b"\n" not in data:
            found.append((name, data[6:]))
        elif block:
            event = _event(block)
            if event[1] is not None:
                found.append(event)
    return found


def documents(raw: bytes) -> tuple[list[tuple[str, object]], str]:
    """The JSON of every event with its name, without the end mark, and what is wrong with the first that is no JSON."""
    names: list[str] = []
    data: list[bytes] = []
    for name, given in events(raw):
        if given and given != DONE and given.strip() != DONE:
            names.append(name)
            data.append(given)
    try:
        # One parse for all of them is far cheaper. The counts agree unless an event holds more than one document.
        parsed = orjson.loads(b"[" + b",".join(data) + b"]")
        if len(parsed) == len(data):
            return list(zip(names, parsed, strict=True)), ""
    except orjson.JSONDecodeError:
        pass
    read: list[tuple[str, object]] = []
    wrong = ""
    for name, given in zip(names, data, strict=True):
        try:
            read.append((name, orjson.loads(given)))
        except orjson.JSONDecodeError as error:
            wrong = wrong or f"an event is not JSON ({len(given)} bytes: {error})"
    return read, wrong


def _event(block: bytes) -> Event:
    name = ""
    data: list[bytes] | None = None
    for line in _LINE.split(block):
        field, colon, value = line.partition(b":")
        if not field and colon:
            continue  # A comment, such as a sign of life.
        value = value.removeprefix(b" ")
        if field == b"data":
            data = [value] if data is None else [*data, value]
        elif field == b"event":
            name = value.decode("utf-8", "replace")
    return name, None if data is None else b"\n".join(data)
