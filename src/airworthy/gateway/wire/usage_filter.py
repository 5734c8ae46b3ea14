"""Takes out of a chat stream the usage event that we asked for and the caller did not."""

import orjson

from airworthy.gateway.wire.sse import complete_end, cut, events

_MARKS = (b'"choices":[]', b'"choices": []')
HELD_BYTES_MAX = 64 * 1024  # A usage event is never so long; what is longer goes on as it is.


class UsageFilter:
    """All other bytes go on as they came, though not always in the same pieces: part of an event is held back.

    The event comes after the finish reason, so the chunks before the one with which a reader's `finish_seen` became
    true need not come through here.
    """

    __slots__ = ("_held", "_passing")

    def __init__(self) -> None:
        self._held = b""
        self._passing = False  # In the middle of an event too long to be held.

    def feed(self, chunk: bytes) -> bytes:
        if not self._held and not self._passing and chunk.endswith(b"\n\n") and not _marked(chunk):
            return chunk
        held = self._held + chunk
        end = complete_end(held)
        if not end and self._passing:
            # Only enough is held to notice the blank line that ends the event.
            self._held = held[-3:]
            return held[:-3]
        self._held = held[end:]
        whole = held[:end]
        if self._passing:
            rest = cut(whole)
            self._passing = False
            whole, passed = b"".join(rest[1:]), rest[0]
            return passed + (_without(whole) if _marked(whole) else whole)
        if len(self._held) > HELD_BYTES_MAX:
            passed, self._held, self._passing = self._held[:-3], self._held[-3:], True
            return (_without(whole) if _marked(whole) else whole) + passed
        return _without(whole) if _marked(whole) else whole

    def end(self) -> bytes:
        """What was still held when the stream ended."""
        held, self._held = self._held, b""
        return held if self._passing else _without(held)


def _marked(raw: bytes) -> bool:
    return _MARKS[0] in raw or _MARKS[1] in raw


def _without(raw: bytes) -> bytes:
    return b"".join(block for block in cut(raw) if not _is_usage_only(block))


def _is_usage_only(block: bytes) -> bool:
    if not _marked(block):
        return False
    for _, data in events(block):
        try:
            body = orjson.loads(data or b"")
        except orjson.JSONDecodeError:
            return False
        # Azure's first event has no choices either, and no usage.
        if type(body) is dict and body.get("choices") == [] and type(body.get("usage")) is dict:
            return not body.get("error")
    return False
