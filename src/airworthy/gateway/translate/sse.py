"""Server-sent events out of bytes that may be cut anywhere, and into bytes."""

from dataclasses import dataclass

import orjson

EVENT_BYTES_MAX = 16 * 1024 * 1024  # Larger than any provider's last event, which repeats the whole answer.


class EventTooLarge(Exception):
    """More than `EVENT_BYTES_MAX` came without an end of an event."""


@dataclass(frozen=True, slots=True)
class Raw:
    name: str
    data: bytes


class Splitter:
    """Lines end with LF or CRLF; comments are left out; several `data` lines of one event are one text."""

    def __init__(self) -> None:
        self._rest = b""
        self._name = ""
        self._data: list[bytes] = []
        self._bytes = 0

    def feed(self, chunk: bytes) -> list[Raw]:
        """Raises: EventTooLarge."""
        if b"\n" not in chunk:
            self._rest += chunk
            self._bound(0)
            return []
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        return [event for line in lines if (event := self._line(line.removesuffix(b"\r")))]

    def finish(self) -> list[Raw]:
        """Some servers leave out the blank line after the last event."""
        rest, self._rest = self._rest, b""
        events = [self._line(rest.removesuffix(b"\r")), self._line(b"")]
        return [event for event in events if event]

    def _line(self, line: bytes) -> Raw | None:
        if not line:
            event = Raw(self._name, b"\n".join(self._data)) if self._data else None
            self._name, self._data, self._bytes = "", [], 0
            return event
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
            self._bound(len(value))
        elif field == b"event":
            self._name = value.decode("utf-8", "replace")
        return None

    def _bound(self, more: int) -> None:
        self._bytes += more
        if self._bytes + len(self._rest) > EVENT_BYTES_MAX:
            raise EventTooLarge


def named(name: str, data: dict[str, object]) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps(data) + b"\n\n"


def unnamed(data: dict[str, object]) -> bytes:
    return b"data: " + orjson.dumps(data) + b"\n\n"


COMMENT = b": keep-alive\n\n"
DONE = b"data: [DONE]\n\n"
