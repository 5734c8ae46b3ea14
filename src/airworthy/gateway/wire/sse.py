"""Server-sent events: cut out of bytes that come in any pieces, and read all at once afterwards; knows no protocol."""

import re
from typing import NamedTuple

import orjson

# A blank line ends an event; the standard lets a line end in three ways.
_BOUNDARY = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2}")
_LINE = re.compile(rb"\r\n|\n|\r")
DONE = b"[DONE]"
FINISH = re.compile(rb'"finish_reason"\s*:\s*"')


class Event(NamedTuple):
    """`data` is the lines' data joined; None: a comment or a lone field."""

    name: str
    data: bytes | None


def complete_end(pending: bytes) -> int:
    """How many of these bytes are whole events; 0 when none is whole yet."""
    end = 0
    if b"\r" not in pending:  # The usual way, without the engine of patterns.
        at = pending.rfind(b"\n\n")
        return at + 2 if at >= 0 else 0
    for match in _BOUNDARY.finditer(pending):
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
    blocks = _BOUNDARY.split(raw) if b"\r" in raw else raw.split(b"\n\n")
    found = []
    for block in blocks:
        if block.startswith(b"data: ") and b"\n" not in block and b"\r" not in block:
            found.append(Event("", block[6:]))
        elif block:
            event = _event(block)
            if event.data is not None:
                found.append(event)
    return found


def documents(raw: bytes) -> tuple[list[tuple[str, object]], str]:
    """The JSON of every event with its name, without the end mark, and what is wrong with the first that is no JSON."""
    whole = [event for event in events(raw) if event.data and event.data.strip() != DONE]
    try:
        # One parse for all of them is far cheaper. The counts agree unless an event holds more than one document.
        parsed = orjson.loads(b"[" + b",".join([event.data or b"" for event in whole]) + b"]")
        if len(parsed) == len(whole):
            return [(event.name, value) for event, value in zip(whole, parsed, strict=True)], ""
    except orjson.JSONDecodeError:
        pass
    read: list[tuple[str, object]] = []
    wrong = ""
    for event in whole:
        try:
            read.append((event.name, orjson.loads(event.data or b"")))
        except orjson.JSONDecodeError as error:
            wrong = wrong or f"an event is not JSON ({len(event.data or b'')} bytes: {error})"
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
    return Event(name, None if data is None else b"\n".join(data))
