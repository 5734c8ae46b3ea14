"""Identifiers and chance, in one place: sortable by the time they were made, unguessable."""

import os
import random
import uuid

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u to misread aloud.
_PAIRS = tuple(a + b for a in _ALPHABET for b in _ALPHABET)
_TIME_CHARS = 10
_RANDOM_CHARS = 16
_PAGE_BYTES = 4096


class Ids:
    """Makes ids from a source of chance; a seeded `random.Random` makes a world repeatable."""

    def __init__(self, chance: random.Random | None = None) -> None:
        self._chance = chance if chance is not None else _Drawn()

    def new(self, prefix: str, now_us: int) -> str:
        """`prefix_` and 26 characters: 48 bits of milliseconds, then 80 bits of chance (as a ULID)."""
        return f"{prefix}_{_base32(now_us // 1000, _TIME_CHARS)}{_base32(self._chance.getrandbits(80), _RANDOM_CHARS)}"

    def trace(self) -> str:
        """A W3C trace id: 32 lower-case hex digits, never all zero."""
        return f"{self._chance.getrandbits(128) or 1:032x}"

    def uuid(self) -> str:
        return str(uuid.UUID(int=self._chance.getrandbits(128), version=4))

    def random(self) -> float:
        """Uniform in [0, 1)."""
        return self._chance.random()


class _Drawn(random.SystemRandom):
    """The system's chance, fetched by the page: asking the kernel for each id costs more than the id."""

    def __init__(self) -> None:
        super().__init__()
        self._pid = 0
        self._page = b""
        self._at = 0

    def getrandbits(self, k: int) -> int:
        size = (k + 7) // 8
        # A child of fork must not draw what its parent draws.
        if self._at + size > len(self._page) or self._pid != os.getpid():
            self._pid, self._page, self._at = os.getpid(), os.urandom(max(_PAGE_BYTES, size)), 0
        drawn = int.from_bytes(self._page[self._at : self._at + size], "big")
        self._at += size
        return drawn >> (8 * size - k)


def process_nonce() -> str:
    """16 hex digits that no other process has; tells a worker from its successor with the same pid."""
    return os.urandom(8).hex()


def _base32(value: int, length: int) -> str:
    # Two characters at a time, from a table: an id stands in every row.
    pairs = [_PAIRS[(value >> shift) & 1023] for shift in range(5 * (length - 2), -1, -10)]
    return "".join(pairs)
