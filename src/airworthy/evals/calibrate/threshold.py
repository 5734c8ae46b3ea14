"""The confidence from which an answer may go out by itself, so that few of those are wrong, with 95 % certainty."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log
from typing import Final

from airworthy.core.errors import InputError
from airworthy.evals.stats.rates import Rate, upper_bound, wilson

LEVEL: Final = 0.95
# Fixed before any label is seen: a grid made from the labels would choose its own luck.
GRID: Final = tuple(
    [round(1 - step / 1000, 3) for step in range(10)] + [round(0.99 - step / 100, 2) for step in range(100)]
)


@dataclass(frozen=True, slots=True)
class Threshold:
    """`value` None: none holds; `why` says what is missing. `wrong` of `alone` labelled answers at or above it were
    wrong; `error_high`: the bound on their true share. `share`: of all answers that are at or above it.
    """

    value: float | None
    target: float
    level: float
    labels: int
    alone: int
    wrong: int
    error_high: float
    share: Rate
    why: str

    @property
    def sentence(self) -> str:
        if self.value is None:
            return f"No threshold holds the error under {self.target:.1%} with {self.level:.0%}: {self.why}"
        return (
            f"From {self.value:g} on, at most {self.target:.1%} of the answers that go out alone are wrong, with"
            f" {self.level:.0%}: {self.wrong} of {self.alone} were (bound {self.error_high:.1%});"
            f" {self.share} of all go out alone. It rests on {self.labels} labels and holds for answers like those."
        )


def threshold(
    confidences: Sequence[float], right: Sequence[bool], target: float, level: float = LEVEL
) -> Threshold:
    """Learn then test (Angelopoulos, Bates, Candès, Jordan, Lei 2021, arXiv 2110.01052) by a fixed sequence: thresholds
    from the strictest down, each accepted while the bound of Clopper and Pearson on the error above it is at most
    `target`; the first that is not ends it, so that the many looks cost nothing. Begins where so many labels lie above
    that no error at all would prove it. The labelled answers must be a random sample of those to come.
    """
    if not 0 < target < 1 or not 0 < level < 1:
        raise InputError(
            f"An error of {target} with {level} is no target.", mend="Give both as shares, like 0.05."
        )
    pairs = list(zip(confidences, right, strict=True))
    least = ceil(log(1 - level) / log(1 - target))
    best: tuple[float, int, int, float] | None = None
    stopped = ""
    for value in GRID:
        above = [is_right for confidence, is_right in pairs if confidence >= value]
        if len(above) < least:
            continue
        wrong = len(above) - sum(above)
        bound = upper_bound(wrong, len(above), level)
        if bound > target:
            stopped = f"from {value:g} on {wrong} of {len(above)} were wrong, so their true share may be {bound:.1%}."
            break
        best = value, len(above), wrong, bound
    count = len(pairs)
    if best is None:
        why = stopped or f"at least {least} labels are needed and {count} are here."
        return Threshold(
            None, target, level, count, 0, 0, 1.0, Rate(0.0, *wilson(0, count), count, count), why
        )
    value, alone, wrong, bound = best
    share = Rate(alone / count, *wilson(alone, count), count, count)
    return Threshold(value, target, level, count, alone, wrong, bound, share, stopped)
