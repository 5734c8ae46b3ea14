"""How many tokens a request has, before it is sent: an estimate by kinds of bytes, corrected by what models count.

It errs upward. Of 300 recorded calls of 17 addresses of 12 providers, all of whose text is in the request, none has
more tokens than estimated. Texts of 28 scripts and notations, counted with the newer vocabulary of OpenAI, have at
most 10 % more (formulas 15 %), and most have less. What a provider adds from elsewhere (pages that it searches, files
known by an id, history that it keeps) is in no request and cannot be estimated. tests/gateway/test_tokens.py measures
all of this again.

Never for money: a reservation takes the bytes themselves, of which no byte-level tokenizer makes more tokens.
"""

import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from airworthy.core.errors import ConfigError
from airworthy.gateway.attached import parted, sight_of

Counter = Callable[[bytes], int]
"""Counts the tokens of a request's bytes exactly, for one model. Called before every call to it; must not wait."""

SAMPLE_PIECES, PIECE_BYTES = 64, 128
SAMPLE_BYTES: Final = SAMPLE_PIECES * PIECE_BYTES
FACTOR_MIN, FACTOR_MAX = 0.5, 2.5
LEARN_BYTES_MIN: Final = 8192  # Below this, what a provider adds of its own drowns what there is to learn.
COUNTS_KEPT: Final = 16


@dataclass(frozen=True, slots=True)
class Rates:
    """Tokens per byte of each kind. `fixed` and `tools` are what a provider adds to every call, and to one with tools.

    `turn`: for each change between letters and digits, or from a small letter to a capital, because names and numbers
    that a machine made up fall into many tokens.
    """

    fixed: int
    tools: int
    letter: float
    capital: float
    digit: float
    sign: float
    turn: float
    latin: float  # Letters with marks: two bytes each.
    two: float  # Greek, Cyrillic, Hebrew, Arabic.
    three: float  # Indic and east Asian scripts.
    symbol: float  # Typography and mathematics, three bytes each.
    four: float  # Pictures.


# The vocabulary of 200,000 tokens that newer models of OpenAI have, and Google's, which is like it.
_WIDE: Final = Rates(90, 160, 0.235, 0.32, 0.65, 0.5, 0.65, 0.7, 0.2, 0.27, 0.9, 0.42)
_NARROW: Final = Rates(100, 640, 0.27, 0.36, 0.65, 0.5, 0.65, 0.8, 0.5, 0.42, 0.9, 0.6)
_FINE: Final = Rates(100, 860, 0.36, 0.48, 0.75, 0.6, 0.75, 0.9, 0.6, 0.5, 0.9, 0.7)
_FAMILIES: Final[Sequence[tuple[str, Rates]]] = (
    (r"gpt-4o|gpt-4\.|gpt-[5-9]|chatgpt-4o|o\d|gemini", _WIDE),
    (r"claude-(?:opus-4-[7-9]|[a-z]+-[5-9])", _FINE),
)

# Each byte's kind: a letter, capital, digit, space, sign; the lead bytes of longer characters; x, which follows them.
_KINDS: Final = bytes(
    ord("a") if 97 <= byte <= 122
    else ord("A") if 65 <= byte <= 90
    else ord("0") if 48 <= byte <= 57
    else ord(" ") if byte == 32
    else ord(".") if byte < 128
    else ord("x") if byte < 0xC0
    else ord("L") if byte < 0xCE
    else ord("T") if byte < 0xE0
    else ord("S") if byte == 0xE2
    else ord("H") if byte < 0xF0
    else ord("F")
    for byte in range(256)
)  # fmt: skip
# Some character of the same length for each escaped one; which one makes no difference to its kind.
_ESCAPES: Final = (
    (re.compile(rb"\\u[dD][89abAB]..\\u[dD][c-fC-F].."), b"\xf0\x80\x80\x80"),
    (re.compile(rb"\\u0[0-2].."), b"\xc3\x80"),
    (re.compile(rb"\\u0[3-7].."), b"\xd0\x80"),
    (re.compile(rb"\\u[0-9a-fA-F]{4}"), b"\xe4\x80\x80"),
)
_LEADS: Final = (b"L", b"T", b"H", b"S", b"F")
_ONE_CASE: Final = bytes.maketrans(b"A", b"a")
RARE: Final = 40


class Estimate:
    """What one model makes of bytes. `model` chooses what is assumed at first; a `counter` makes all of it needless.

    Corrected by the largest but one of the last counts, so that a single strange one (a page that the provider
    fetched by itself, a server that says nonsense) changes nothing. Below what is assumed it goes only after as many
    counts as are kept.
    """

    __slots__ = ("_counter", "_rates", "_seen", "_sight", "factor")

    def __init__(self, model: str = "", counter: Counter | None = None) -> None:
        self.factor = 1.0
        self._rates = rates_of(model)
        self._sight = sight_of(model)
        self._counter = counter
        self._seen: deque[float] = deque(maxlen=COUNTS_KEPT)

    def unlearnt(self) -> "Estimate":
        """As it was at first: what it says of the same bytes never changes."""
        fresh = Estimate(counter=self._counter)
        fresh._rates, fresh._sight = self._rates, self._sight
        return fresh

    def of(self, raw: bytes) -> int:
        """Of a whole request. Raises: ConfigError when the counter fails."""
        if self._counter is not None:
            return _counted(self._counter, raw)
        text, fixed = self._parts(raw)
        return round(text * self.factor) + fixed

    def of_text(self, raw: bytes) -> int:
        """Of a text alone, without what a provider adds."""
        return round(_sampled(raw, self._rates) * self.factor) + 1

    def learn(self, raw: bytes, tokens_in: int) -> None:
        """`tokens_in` is what the provider counted for `raw`, with what came from its cache."""
        if len(raw) < LEARN_BYTES_MIN or self._counter is not None:
            return
        text, fixed = self._parts(raw)
        if text < fixed:
            return
        seen = (tokens_in - fixed // 2) / text
        if not FACTOR_MIN <= seen <= FACTOR_MAX:
            return
        counts = self._seen
        counts.append(seen)
        if len(counts) > 1:
            upper = sorted(counts)[-2]
            self.factor = upper if len(counts) == COUNTS_KEPT else max(upper, self.factor)

    def _parts(self, raw: bytes) -> tuple[float, int]:
        """The tokens of what is text, and those of all else."""
        rates = self._rates
        # In a large request the tools' preamble is too little to look for.
        fixed = rates.tools if len(raw) > SAMPLE_BYTES or b'"tools"' in raw else rates.fixed
        text, attached = parted(raw, self._sight, encoded=len(raw) <= SAMPLE_BYTES or _encoded(raw))
        return _sampled(text, rates), fixed + attached


def rates_of(model: str) -> Rates:
    name = model.rpartition("/")[2]
    return next((rates for pattern, rates in _FAMILIES if re.match(pattern, name)), _NARROW)


def _counted(counter: Counter, raw: bytes) -> int:
    try:
        tokens = counter(raw)
    except Exception as error:  # Foreign code; what it raises says nothing to a caller.
        raise ConfigError(
            f"The token counter failed: {error!r}.",
            mend="Mend it, or leave it out: then tokens are estimated.",
        ) from error
    if type(tokens) is not int or tokens < 0:
        raise ConfigError(
            f"The token counter gave {tokens!r}.", mend="Let it give a whole number, or leave it out."
        )
    return tokens


def _sampled(raw: bytes, rates: Rates) -> float:
    """Long texts are judged by pieces of them, as many of each part."""
    size = len(raw)
    if size <= SAMPLE_BYTES:
        return _by_kind(raw, rates)
    sample = b"".join(_pieces(raw))
    if b"\\u" in sample:  # Where a piece is cut, an escape is taken for letters: so fewer cuts.
        sample = b"".join(_pieces(raw, SAMPLE_PIECES // 4))
    return _by_kind(sample, rates) * size / len(sample)


def _pieces(raw: bytes, count: int = SAMPLE_PIECES) -> list[bytes]:
    step, size = len(raw) // count, SAMPLE_BYTES // count
    return [raw[start : start + size] for start in range(0, step * count, step)]


def _encoded(raw: bytes) -> bool:
    """Whether base64 makes up a part of it that is worth looking for."""
    return any(b" " not in piece and b'"' not in piece for piece in _pieces(raw))


def _by_kind(raw: bytes, rates: Rates) -> float:
    if b"\\u" in raw:
        for escape, character in _ESCAPES:
            raw = escape.sub(character, raw)
    kinds = raw.translate(_KINDS)
    rest = kinds.translate(None, b"a ")
    capitals, digits = rest.count(b"A"), rest.count(b"0")
    beyond = 0.0
    longer = 0
    if not raw.isascii():
        latin, two, three, symbol, four = map(rest.count, _LEADS)
        longer = 2 * (latin + two) + 3 * (three + symbol) + 4 * four
        beyond = (
            2 * (latin * rates.latin + two * rates.two)
            + 3 * (three * rates.three + symbol * rates.symbol)
            + 4 * four * rates.four
        )
    # Where there are few of either, these are not worth their time.
    turns = kinds.count(b"aA") if capitals * RARE > len(kinds) else 0
    if digits * RARE > len(kinds):
        joined = kinds if turns == 0 else kinds.translate(_ONE_CASE)
        turns += joined.count(b"a0") + joined.count(b"0a")
    signs = max(len(rest) - capitals - digits - longer, 0)
    return (
        (len(kinds) - len(rest)) * rates.letter
        + capitals * rates.capital
        + digits * rates.digit
        + signs * rates.sign
        + turns * rates.turn
        + beyond
    )
