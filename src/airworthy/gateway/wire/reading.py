"""The life of a stream on its way through: careful until content came, then only listening for the end."""

from collections import deque
from typing import Any, ClassVar, Protocol

import orjson

from airworthy.gateway.errors import ModelError, ModelMalformed
from airworthy.gateway.wire.facts import ReplyFacts
from airworthy.gateway.wire.failure import ProtocolName, error_inside
from airworthy.gateway.wire.sse import DONE, complete_end, documents, events

OVERLAP_BYTES = 48  # Longer than any mark, so that one split over two chunks is met.
LATE_MAX = 64  # Events kept beyond the bound: the last few, which hold the usage.


class Assembler(Protocol):
    """Puts a reply together out of a stream's documents."""

    def take(self, name: str, body: dict[str, Any]) -> None:
        """Raises: LookupError, TypeError, ValueError, AttributeError for what is not of the protocol."""
        ...

    def reply(self) -> tuple[ReplyFacts, str]:
        """What there was, and what is wrong with it."""
        ...


class Reader:
    """Common to all protocols; each says in `_look` what an event means for the stream's state."""

    protocol: ClassVar[ProtocolName]
    mark_optional: ClassVar[bool] = (
        False  # Servers exist that close after the finish reason without an end mark.
    )
    marks: ClassVar[tuple[bytes, ...]]  # After the commit, an event without any of these is not looked at.

    def __init__(self, bytes_max: int) -> None:
        self.committed = False
        self.finish_seen = False
        self.ended = False
        self.overflowed = False
        self.error: ModelError | None = None
        self.malformed = ""
        self.bytes_max = bytes_max
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._careful = True
        self._open: list[bytes] = []  # Chunks since the last that ended with an event.
        self._open_bytes = 0
        self._tail = b""
        self._late: deque[tuple[str, dict[str, Any]]] = deque(maxlen=LATE_MAX)
        self._unreadable = False
        self._facts: ReplyFacts | None = None

    def feed(self, chunk: bytes) -> None:
        if not chunk:
            return
        if not self.overflowed:
            self._kept_bytes += len(chunk)
            if self._kept_bytes <= self.bytes_max:
                self._kept.append(chunk)
            else:
                self.overflowed = True
        if self._careful:
            self._read(chunk)
            return
        window = self._tail + chunk if self._tail else chunk
        for mark in self.marks:
            if mark in window:
                self._careful = True
                opened, self._open = self._open, []
                self._open_bytes = 0
                self._read(b"".join(opened) + chunk)
                return
        if window.endswith(b"\n\n") or window.endswith(b"\r\n\r\n"):  # noqa: PIE810  # a tuple costs more
            if self._tail:
                self._tail = b""
                self._open = []
                self._open_bytes = 0
            return
        self._wait_for_the_rest(window, chunk)

    def _wait_for_the_rest(self, window: bytes, chunk: bytes) -> None:
        self._tail = window[-OVERLAP_BYTES:]
        self._open.append(chunk)
        self._open_bytes += len(chunk)
        self._bound_the_open()

    def _read(self, chunk: bytes) -> None:
        self._open.append(chunk)
        self._open_bytes += len(chunk)
        window = self._tail + chunk
        self._tail = window[-OVERLAP_BYTES:]
        if b"\n" not in chunk and b"\r" not in chunk:
            self._bound_the_open()
            return
        pending = b"".join(self._open)
        end = complete_end(pending)
        rest = pending[end:]
        self._open = [rest] if rest else []
        self._open_bytes = len(rest)
        if end:
            self._tail = rest[-OVERLAP_BYTES:]
            self._examine(pending[:end])
        if self.committed and not self.finish_seen and not any(mark in rest for mark in self.marks):
            self._careful = False
        self._bound_the_open()

    def _bound_the_open(self) -> None:
        """No event we look at is that long; a mark that comes later is still met."""
        if self._open_bytes <= self.bytes_max:
            return
        if not self.committed:
            self._garbage(f"an event of more than {self.bytes_max} bytes came before any content")
        self._unreadable = True
        self._open = [self._tail]
        self._open_bytes = len(self._tail)

    def close(self) -> None:
        if self._careful and self._open:
            rest = b"".join(self._open)
            self._open = []
            self._examine(rest)
        if self.finish_seen and self.mark_optional and not self._unreadable:
            self.ended = self.error is None

    def _examine(self, raw: bytes) -> None:
        """Event by event until content comes; from there on, only from the first mark."""
        at = 0
        while not self.committed and at < len(raw) and b"\r" not in raw:
            end = raw.find(b"\n\n", at) + 2
            end = end if end > 1 else len(raw)
            self._weigh(raw[at:end])
            at = end
        raw = raw[at:]
        if self.committed and not self.overflowed:
            marked = [found for mark in self.marks if (found := raw.find(mark)) >= 0]
            if not marked:
                return
            raw = raw[max(raw.rfind(b"\n\n", 0, min(marked)), 0) :]
        self._weigh(raw)

    def _weigh(self, raw: bytes) -> None:
        for name, data in events(raw):
            if not data:
                continue
            if data == DONE or data.strip() == DONE:
                self._done()
                continue
            try:
                body = orjson.loads(data)
                if type(body) is not dict:
                    raise TypeError(f"a {type(body).__name__}")
                self._look(name, body)
            except (ValueError, LookupError, TypeError, AttributeError) as error:
                self._unreadable = True
                if not self.committed:
                    self._garbage(f"an event is not of the protocol ({type(error).__name__}: {error})")
                continue
            if self.overflowed:
                self._late.append((name, body))

    def _look(self, name: str, body: dict[str, Any]) -> None:
        raise NotImplementedError

    def _assembler(self) -> Assembler:
        raise NotImplementedError

    def _done(self) -> None:
        """The mark `[DONE]` came, which not all protocols have."""

    def _failed(self, error: object) -> None:
        """An error after the model said why it ended changes nothing: the answer is whole."""
        if self.error is None and not self.finish_seen:
            self.error = error_inside(self.protocol, "The model server", error)
            # What was written until then was worked for.
            self.error.billed = self.error.billed or self.committed

    def _garbage(self, why: str) -> None:
        if self.error is None:
            self.error = ModelMalformed(f"The stream cannot be read: {why}.", billed=True)

    def gist(self) -> ReplyFacts:
        """As `facts`, but where a whole answer holds nothing but text, the text is left out: to put it together costs
        more than all else that is done for a stream.
        """
        return self.facts()

    def facts(self) -> ReplyFacts:
        if self._facts is None:
            self._facts = self._assembled()
        return self._facts

    def _assembled(self) -> ReplyFacts:
        whole, wrong = documents(b"".join(self._kept))
        assembler = self._assembler()
        for name, body in [*whole, *self._late]:
            try:
                if type(body) is not dict:
                    raise TypeError(f"a {type(body).__name__}")
                assembler.take(name, body)
            except (LookupError, TypeError, ValueError, AttributeError) as error:
                wrong = wrong or f"an event is not of the protocol ({type(error).__name__}: {error})"
        reply, missing = assembler.reply()
        self.malformed = wrong or missing
        if self.overflowed:
            # The last event kept is cut, which says nothing about the stream.
            self.malformed = "" if self.finish_seen else missing
        return reply
