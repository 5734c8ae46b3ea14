"""Holds a stream's tool calls back until they can be judged; everything before them goes on byte for byte. Pure."""

from dataclasses import dataclass
from typing import Final

from airworthy.gateway.guard.forms import FORMS, proposed
from airworthy.gateway.guard.forms import assembled as whole_reply
from airworthy.gateway.wire.facts import ProposedCall
from airworthy.gateway.wire.sse import complete_end, cut

HELD_BYTES_MAX: Final = 8 * 1024 * 1024
OPENING_BYTES_MAX: Final = 1024 * 1024  # Before anything is said; more of it than this is handed on.


@dataclass(frozen=True, slots=True)
class Held:
    """What a stream held back. `reply`: the same as a whole reply; empty without calls. `said`: whether something of
    the stream was handed on before. `overflowed`: the calls were too long to be held, and nothing of them is here.
    """

    raw: bytes
    said: bool
    reply: bytes = b""
    calls: tuple[ProposedCall, ...] = ()
    overflowed: bool = False


class StreamGuard:
    """Fed with a stream in the caller's protocol.

    What opens a stream (a role, an empty message) waits for the first content: a stream that opens with calls has
    shown nothing yet, and can still be replaced by another.
    """

    __slots__ = (
        "_begins",
        "_dialect",
        "_held",
        "_holding",
        "_marks",
        "_overflowed",
        "_said",
        "_says",
        "_size",
    )

    def __init__(self, dialect: str) -> None:
        form = FORMS[dialect]
        self._dialect = dialect
        self._marks, self._begins, self._says = form.marks, form.begins, form.says
        self._held: list[bytes] = []
        self._size = 0
        self._holding = False
        self._said = False
        self._overflowed = False

    def feed(self, chunk: bytes) -> bytes:
        if self._said and not self._held and (chunk[-2:] == b"\n\n" or chunk[-4:] == b"\r\n\r\n"):
            for mark in self._marks:
                if mark in chunk:
                    break
            else:
                return chunk
        return self._fed(chunk)

    def finish(self) -> Held:
        """Once the stream is over."""
        raw = b"".join(self._held)
        self._held = []
        if self._overflowed:
            return Held(b"", self._said, overflowed=True)
        if not self._holding and not self._begins.search(raw):
            return Held(raw, self._said)
        reply = whole_reply(self._dialect, raw)
        return Held(raw, self._said, reply, proposed(self._dialect, reply))

    def _fed(self, chunk: bytes) -> bytes:
        if self._overflowed:
            return b""
        self._held.append(chunk)
        self._size += len(chunk)
        if self._holding or (b"\n" not in chunk and b"\r" not in chunk and self._size <= HELD_BYTES_MAX):
            return self._bounded()
        pending = b"".join(self._held)
        end = complete_end(pending)
        whole = pending[:end]
        if any(mark in whole for mark in self._marks) and (found := self._begins.search(whole)):
            end = _event_start(whole, found.start())
            self._holding = True
        passed = pending[:end]
        if not self._said and passed and not self._says.search(passed) and len(passed) <= OPENING_BYTES_MAX:
            return self._bounded()
        self._said = self._said or bool(passed)
        self._held = [pending[end:]] if end < len(pending) else []
        self._size = len(pending) - end
        return passed + self._bounded()

    def _bounded(self) -> bytes:
        if self._size > HELD_BYTES_MAX:
            self._held = []
            self._size = 0
            self._holding = self._overflowed = True
        return b""


def _event_start(whole: bytes, at: int) -> int:
    """Where the event begins that holds this byte."""
    start = 0
    for block in cut(whole):
        if start + len(block) > at:
            return start
        start += len(block)
    return start
