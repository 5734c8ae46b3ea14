"""Identifiers and chance, in one place: sortable by the time they were made, unguessable."""

import os
import random
import uuid

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u to misread aloud.
_TIME_CHARS = 10
_RANDOM_CHARS = 16


class Ids:
    """Makes ids from a source of chance; a seeded `random.Random` makes a world repeatable."""

    def __init__(self, chance: random.Random | None = None) -> None:
        self._chance = chance if chance is not None else random.SystemRandom()

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


def process_nonce() -> str:
    """16 hex digits that no other process has; tells a worker from its successor with the same pid."""
    return os.urandom(8).hex()


def _base32(value: int, length: int) -> str:
    chars = []
    for _ in range(length):
        chars.append(_ALPHABET[value & 31])
        value >>= 5
    return "".join(reversed(chars))
