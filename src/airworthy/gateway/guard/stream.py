"""Holds a stream's tool calls back until they can be judged; everything before them goes on byte for byte. Pure."""

from typing import Final

from airworthy.gateway.guard.forms import FORMS, assembled, proposed
from airworthy.gateway.wire.facts import ProposedCall
from airworthy.gateway.wire.sse import complete_end, cut

HELD_BYTES_MAX: Final = 8 * 1024 * 1024
OPENING_BYTES_MAX: Final = 1024 * 1024  # Before anything is said; more of it than this is handed on.


class Held:
    """What a stream held back. `said`: whether something of the stream was handed on before. `holding`: whether there
    are calls in it. `overflowed`: the calls were too long to be held, and nothing of them is here.
    """

    __slots__ = ("_calls", "_dialect", "_reply", "holding", "overflowed", "raw", "said")

    def __init__(
        self, dialect: str, raw: bytes, *, said: bool, holding: bool, overflowed: bool = False
    ) -> None:
        self.raw = raw
        self.said = said
        self.holding = holding
        self.overflowed = overflowed
        self._dialect = dialect
        self._reply: bytes | None = None
        self._calls: tuple[ProposedCall, ...] | None = None

    @property
    def reply(self) -> bytes:
        """The same as a whole reply. Read only where something is withheld, because it costs to put together."""
        if self._reply is None:
            self._reply = assembled(self._dialect, self.raw)
        return self._reply

    @property
    def calls(self) -> tuple[ProposedCall, ...]:
        if self._calls is None:
            self._calls = proposed(self._dialect, self.reply) if self.holding else ()
        return self._calls


class StreamGuard:
    """Fed with a stream in the caller's protocol.

    What opens a stream (a role, an empty message) waits for the first content: a stream that opens with calls has
    shown nothing yet, and can still be replaced by another.
    """

    __slots__ = (
        "_begins", "_dialect", "_held", "_holding", "_mark", "_overflowed", "_quick", "_said", "_says", "_size",
    )  # fmt: skip

    def __init__(self, dialect: str) -> None:
        form = FORMS[dialect]
        self._dialect = dialect
        self._mark, self._begins, self._says = form.mark, form.begins, form.says
        self._held: list[bytes] = []
        self._size = 0
        self._holding = False
        self._said = False
        self._overflowed = False
        self._quick = False  # Something was said and nothing is held: whole events without the mark pass.

    def feed(self, chunk: bytes) -> bytes:
        if self._quick and self._mark not in chunk and (chunk[-2:] == b"\n\n" or chunk[-4:] == b"\r\n\r\n"):
            return chunk
        passed = self._fed(chunk)
        self._quick = self._said and not self._held and not self._overflowed
        return passed

    def finish(self) -> Held:
        """Once the stream is over."""
        raw = b"".join(self._held)
        self._held = []
        holding = self._holding or bool(self._begins.search(raw))
        return Held(self._dialect, raw, said=self._said, holding=holding, overflowed=self._overflowed)

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
        if self._mark in whole and (found := self._begins.search(whole)):
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
