"""Server-sent events, bytes in, events out; bounded, no I/O. Source: the HTML standard, section 9.2."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from airworthy.tools.mcp.wire import MESSAGE_BYTES_MAX, Garbage

RETRY_MS_MAX: Final = 60_000


@dataclass(frozen=True, slots=True)
class Event:
    """`id` None: the event names none. `retry_ms` None: likewise."""

    data: bytes
    id: str | None = None
    retry_ms: int | None = None
    name: str = "message"


class Events:
    """One per stream. An event beyond the bound ends it: nothing after it can be trusted to begin where it seems."""

    def __init__(self, bytes_max: int = MESSAGE_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._line = bytearray()
        self._after_cr = False
        self._size = 0
        self._clear()

    def feed(self, data: bytes) -> Iterator[Event | Garbage]:
        for piece in data.replace(b"\r\n", b"\n").splitlines(keepends=True):
            ended = piece.endswith((b"\n", b"\r"))
            bare = piece.rstrip(b"\r\n")
            if self._after_cr and piece == b"\n":  # The second half of an end that came in two pieces.
                self._after_cr = False
                continue
            self._after_cr = piece.endswith(b"\r")
            self._line += bare
            self._size += len(bare)
            if self._size > self._bytes_max:
                yield Garbage(f"An event is longer than {self._bytes_max} bytes.")
                return
            if ended:
                line = bytes(self._line)
                self._line.clear()
                if not line:
                    if self._has_any:
                        yield Event(b"\n".join(self._data), self._id, self._retry_ms, self._name)
                    self._clear()
                else:
                    self._field(line)

    def _clear(self) -> None:
        self._data: list[bytes] = []
        self._id: str | None = None
        self._retry_ms: int | None = None
        self._name = "message"
        self._has_any = False
        self._size = 0

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match name:
            case b"data":
                self._data.append(value)
            case b"id" if b"\0" not in value and value.isascii():
                self._id = value.decode()
            case b"retry" if value.isdigit() and len(value) < 10:
                self._retry_ms = min(int(value), RETRY_MS_MAX)
            case b"event":
                self._name = value.decode("utf-8", "replace") or "message"
            case _:
                return
        self._has_any = True


def written(data: bytes) -> bytes:
    """One event with a message in it: JSON on one line."""
    return b"event: message\ndata: " + data + b"\n\n"


COMMENT: Final = b": still here\n\n"
