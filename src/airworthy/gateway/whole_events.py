"""Hands a stream on in whole events, so that what is said after a break begins on a line of its own. Parses no JSON."""

import re
from typing import Final

from airworthy.gateway.wire.sse import complete_end, cut

HELD_BYTES_MAX: Final = 8 * 1024 * 1024  # No event is so long; what is longer goes on as it comes.
_TELLS_ERROR: Final = re.compile(rb'^event: error|"error"\s*:\s*[^n\s]|"type"\s*:\s*"error"', re.MULTILINE)


class WholeEvents:
    """All bytes go on as they came, though not always in the same pieces."""

    __slots__ = ("_held", "_size")

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> bytes:
        if not self._held and chunk[-2:] == b"\n\n":
            return chunk
        self._held.append(chunk)
        self._size += len(chunk)
        if b"\n" not in chunk and b"\r" not in chunk and self._size <= HELD_BYTES_MAX:
            return b""
        pending = b"".join(self._held)
        end = complete_end(pending) if self._size <= HELD_BYTES_MAX else len(pending)
        self._held = [pending[end:]] if end < len(pending) else []
        self._size = len(pending) - end
        return pending[:end]

    def end(self) -> bytes:
        """What was still held when the stream ended."""
        held, self._held, self._size = b"".join(self._held), [], 0
        return held


def before_error(events: bytes) -> bytes:
    """Whole events, up to the one that tells of an error."""
    kept = []
    for block in cut(events):
        if _TELLS_ERROR.search(block):
            break
        kept.append(block)
    return b"".join(kept)
