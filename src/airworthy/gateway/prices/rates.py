"""Prices as values: integers in nano-USD for a million tokens, so that no sum ever rounds before its end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal

from airworthy.gateway.wire.facts import TOKENS_MAX

NANO_PER_USD = 1_000_000_000
MTOK = 1_000_000


def nano_per_mtok(usd: Decimal | float | str) -> int:
    """Exact to a billionth of a dollar for a million tokens; what is finer is rounded up."""
    return int((Decimal(str(usd)) * NANO_PER_USD).to_integral_value(ROUND_CEILING))


@dataclass(frozen=True, slots=True)
class Rates:
    """One price for each kind of token. `cached_audio` is audio read from the cache."""

    input: int
    output: int
    cached: int
    cache_write: int
    cache_write_1h: int
    audio_in: int
    cached_audio: int
    audio_out: int
    reasoning: int

    @property
    def dearest_in(self) -> int:
        return max(
            self.input, self.cached, self.cache_write, self.cache_write_1h, self.audio_in, self.cached_audio
        )

    @property
    def dearest_out(self) -> int:
        return max(self.output, self.audio_out, self.reasoning)


def rates(given: Mapping[str, int]) -> Rates:
    """From prices by the names of the fields; `input` and `output` must be there.

    What is left out costs what providers charge then: the plain price of the same direction.
    """
    plain, out = given["input"], given["output"]
    read, write = given.get("cached", plain), given.get("cache_write", plain)
    return Rates(
        input=plain,
        output=out,
        cached=read,
        cache_write=write,
        cache_write_1h=given.get("cache_write_1h", write),
        audio_in=given.get("audio_in", plain),
        cached_audio=given.get("cached_audio", read),
        audio_out=given.get("audio_out", out),
        reasoning=given.get("reasoning", out),
    )


@dataclass(frozen=True, slots=True)
class Tier:
    """The rates of a whole call, every token of it, that has more than `tokens_in_above` tokens of input."""

    tokens_in_above: int
    rates: Rates


@dataclass(frozen=True, slots=True)
class Schedule:
    """Rates by the length of the input; `tiers` go up in length."""

    base: Rates
    tiers: tuple[Tier, ...] = ()
    # (tokens of input above, dearest input, dearest output) so far up: worked out once, asked before every call.
    _ceilings: tuple[tuple[int, int, int], ...] = field(init=False, repr=False, compare=False, hash=False)

    def __post_init__(self) -> None:
        into, out = self.base.dearest_in, self.base.dearest_out
        made = [(-1, into, out)]
        for tier in self.tiers:
            into, out = max(into, tier.rates.dearest_in), max(out, tier.rates.dearest_out)
            made.append((tier.tokens_in_above, into, out))
        object.__setattr__(self, "_ceilings", tuple(reversed(made)))

    def at(self, tokens_in: int) -> Rates:
        found = self.base
        for tier in self.tiers:
            if tokens_in <= tier.tokens_in_above:
                break
            found = tier.rates
        return found

    def dearest(self, tokens_in_max: int) -> tuple[int, int]:
        """The dearest input and the dearest output that a call of at most so many input tokens can meet."""
        for above, into, out in self._ceilings:
            if tokens_in_max > above:
                return into, out
        raise ValueError(f"a call of {tokens_in_max} input tokens")

    def times(self, numerator: int, denominator: int) -> "Schedule":
        return Schedule(
            _times(self.base, numerator, denominator),
            tuple(
                Tier(tier.tokens_in_above, _times(tier.rates, numerator, denominator)) for tier in self.tiers
            ),
        )


def _times(one: Rates, numerator: int, denominator: int) -> Rates:
    names = Rates.__slots__
    # -(-a // b) rounds up: a factor must not make a call a nano cheaper than it is.
    return Rates(**{name: -(-getattr(one, name) * numerator // denominator) for name in names})


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs. `services` holds other rates by the provider's word for its service tier.

    `source`: "policy", or "list of" and its day. `window` 0: the list does not say.
    """

    standard: Schedule
    source: str
    provider: str = ""
    name: str = ""
    window: int = 0
    services: tuple[tuple[str, Schedule], ...] = ()
    _by_service: dict[str, Schedule] = field(init=False, repr=False, compare=False, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_service", dict(self.services))

    def schedule(self, service: str) -> Schedule:
        """A word that is not known, to the list or at all, costs the standard price."""
        return self._by_service.get(service, self.standard)

    @property
    def base(self) -> Rates:
        return self.standard.base

    @property
    def free(self) -> bool:
        return not any(self.standard.dearest(TOKENS_MAX))
