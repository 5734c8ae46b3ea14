"""Identifiers and chance, in one place: sortable by the time they were made, unguessable."""

import os
import random
import uuid

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u to misread aloud.
_PAIRS = tuple(a + b for a in _ALPHABET for b in _ALPHABET)
_LETTERS = (_ALPHABET * 8).encode()
_TIME_CHARS = 10
_RANDOM_CHARS = 16
_PAGE_BYTES = 4096


class Ids:
    """Makes ids from a source of chance; a seeded `random.Random` makes a world repeatable."""

    def __init__(self, chance: random.Random | None = None) -> None:
        self._drawn = _Drawn() if chance is None else None
        self._chance = chance if chance is not None else self._drawn or _Drawn()
        self._now_ms = -1
        self._time = ""

    def new(self, prefix: str, now_us: int) -> str:
        """`prefix_` and 26 characters: 48 bits of milliseconds, then 80 bits of chance (as a ULID)."""
        now_ms = now_us // 1000
        if now_ms != self._now_ms:  # Many are made in the same millisecond.
            self._now_ms, self._time = now_ms, _base32(now_ms, _TIME_CHARS)
        drawn = self._drawn
        chance = (
            drawn.letters(_RANDOM_CHARS)
            if drawn is not None
            else _base32(self._chance.getrandbits(80), _RANDOM_CHARS)
        )
        return f"{prefix}_{self._time}{chance}"

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
        return int.from_bytes(self._bytes(size), "big") >> (8 * size - k)

    def letters(self, length: int) -> str:
        """Of the alphabet of ids, each as likely as any other: five bits of a byte."""
        return self._bytes(length).translate(_LETTERS).decode()

    def _bytes(self, size: int) -> bytes:
        at = self._at
        # A child of fork must not draw what its parent draws.
        if at + size > len(self._page) or self._pid != os.getpid():
            self._pid, self._page, at = os.getpid(), os.urandom(max(_PAGE_BYTES, size)), 0
        self._at = at + size
        return self._page[at : at + size]


def drawn_bytes(size: int) -> bytes:
    """The system's chance, for keys."""
    return os.urandom(size)


def process_nonce() -> str:
    """16 hex digits that no other process has; tells a worker from its successor with the same pid."""
    return os.urandom(8).hex()


def _base32(value: int, length: int) -> str:
    # Two characters at a time, from a table: an id stands in every row.
    pairs = [_PAIRS[(value >> shift) & 1023] for shift in range(5 * (length - 2), -1, -10)]
    return "".join(pairs)
