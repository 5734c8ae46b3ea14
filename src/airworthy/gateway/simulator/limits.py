"""A provider's limits per minute, enforced by buckets that refill all the time; writes no header itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias, get_args

from airworthy.core.clock import US_PER_S, Clock, SystemClock
from airworthy.core.errors import ConfigError

Unit: TypeAlias = Literal["requests", "tokens", "input_tokens", "output_tokens"]
UNITS: tuple[Unit, ...] = get_args(Unit)
MINUTE_S = 60


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Per model and minute; None is no limit and no header. A full minute's worth may be used in one burst.

    A call needs one request and, in tokens, its prompt and the most it may write; it uses what it wrote. A refused
    call uses nothing. OpenAI has no word for `input_tokens` and `output_tokens`; they are enforced there unseen.
    """

    requests: int | None = None
    tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    clock: Clock = field(default_factory=SystemClock, compare=False)

    def __post_init__(self) -> None:
        for unit, limit in self.by_unit().items():
            if limit < 1:
                raise ConfigError(
                    f"{limit} {unit} per minute let nothing through.", mend="Set at least 1, or leave it out."
                )

    def by_unit(self) -> dict[Unit, int]:
        limits = (self.requests, self.tokens, self.input_tokens, self.output_tokens)
        return {unit: limit for unit, limit in zip(UNITS, limits, strict=True) if limit is not None}


class Level(NamedTuple):
    """What is left of a limit; in `full_s` it is whole again, which is at `full_us`."""

    unit: Unit
    limit: int
    left: int
    full_s: float
    full_us: int


class Shortage(NamedTuple):
    """Why a call may not be made now. `wait_s` None: it is larger than the limit and never may."""

    level: Level
    needed: int
    wait_s: float | None


class Meters:
    """The memory of `RateLimits`: one bucket for each model and unit."""

    def __init__(self, limits: RateLimits) -> None:
        self._limits = limits.by_unit()
        self._clock = limits.clock
        self._used: dict[tuple[str, Unit], tuple[float, int]] = {}

    def shortage(self, model: str, needs: Mapping[Unit, int]) -> Shortage | None:
        """Of all limits in the way the one that takes longest."""
        short = [
            Shortage(
                level, needs[level.unit], _wait_s(level, needs[level.unit], self._used_of(model, level.unit))
            )
            for level in self.levels(model)
            if self._used_of(model, level.unit) + needs[level.unit] > level.limit
        ]
        return max(short, key=lambda item: float("inf") if item.wait_s is None else item.wait_s, default=None)

    def use(self, model: str, amounts: Mapping[Unit, int]) -> None:
        now_us = self._clock.now_us()
        for unit in self._limits:
            self._used[model, unit] = (self._used_of(model, unit) + amounts[unit], now_us)

    def levels(self, model: str) -> tuple[Level, ...]:
        now_us = self._clock.now_us()
        made = []
        for unit, limit in self._limits.items():
            used = self._used_of(model, unit)
            full_s = used * MINUTE_S / limit
            left = max(0, int(limit - used))
            made.append(Level(unit, limit, left, full_s, now_us + round(full_s * US_PER_S)))
        return tuple(made)

    def _used_of(self, model: str, unit: Unit) -> float:
        used, at_us = self._used.get((model, unit), (0.0, 0))
        if not used:
            return 0.0
        passed_s = (self._clock.now_us() - at_us) / US_PER_S
        # Rounded, so that a caller who waits for exactly as long as it was told is let in.
        return max(0.0, round(used - passed_s * self._limits[unit] / MINUTE_S, 6))


def _wait_s(level: Level, needed: int, used: float) -> float | None:
    if needed > level.limit:
        return None
    return (used + needed - level.limit) * MINUTE_S / level.limit
