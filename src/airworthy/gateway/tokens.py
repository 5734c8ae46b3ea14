"""How many tokens a request has, before it is sent: an estimate by kinds of bytes, corrected by what models count.

Never for money: a reservation takes the bytes themselves, of which no byte-level tokenizer makes more tokens.
"""

import re
from typing import Final

_LETTERS: Final = bytes(range(ord("a"), ord("z") + 1)) + bytes(range(ord("A"), ord("Z") + 1)) + b" "
_BEYOND_ASCII: Final = bytes(range(128, 256))
TOKENS_PER_LETTER, TOKENS_PER_SIGN, TOKENS_PER_BYTE_BEYOND = 0.25, 0.4, 0.5
# An image or a file comes as base64, of which models do not count the letters.
_ENCODED: Final = re.compile(rb'(?:;base64,|"data"\s*:\s*")[A-Za-z0-9+/=_-]{200,}')
TOKENS_PER_IMAGE: Final = 1600
FACTOR_MIN, FACTOR_MAX, FACTOR_FALL = 0.5, 4.0, 0.02
SMALL_TOKENS: Final = 50  # Below this a fixed preamble drowns what there is to learn.


class Estimate:
    """What one model makes of bytes. Rises at once when a count was above it, and falls slowly."""

    __slots__ = ("factor",)

    def __init__(self) -> None:
        self.factor = 1.0

    def of(self, raw: bytes) -> int:
        return round(plain_estimate(raw) * self.factor) + 1

    def learn(self, raw: bytes, tokens_in: int) -> None:
        """`tokens_in` is what the provider counted for `raw`."""
        plain = plain_estimate(raw)
        if plain < SMALL_TOKENS or tokens_in < SMALL_TOKENS:
            return
        seen = tokens_in / plain
        if seen > self.factor:
            self.factor = min(seen, FACTOR_MAX)
        else:
            self.factor = max(self.factor + FACTOR_FALL * (seen - self.factor), FACTOR_MIN)


def plain_estimate(raw: bytes) -> float:
    images = 0
    if len(raw) > 400 and (b"base64," in raw or b'"data"' in raw):
        raw, images = _ENCODED.subn(b"", raw)
    rest = raw.translate(None, _LETTERS)
    signs = len(rest.translate(None, _BEYOND_ASCII))
    letters = len(raw) - len(rest)
    return (
        letters * TOKENS_PER_LETTER
        + signs * TOKENS_PER_SIGN
        + (len(rest) - signs) * TOKENS_PER_BYTE_BEYOND
        + images * TOKENS_PER_IMAGE
    )
