"""How far two versions' success lies apart on the same cases, how small a drop would be seen, what is missing."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, inf, sqrt
from typing import Final

from airworthy.evals.stats.special import normal_quantile

POWER: Final = 0.8
RUNS_MAX: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Difference:
    """`value`: after minus before, each case counting alike. `low`, `high`: 95 %. `spread_before`, `spread_after`: what
    the noise of each side's runs adds to the variance of the summed difference. `between`: the noise is that of the
    differences between cases, as no case was repeated.
    """

    before: float
    after: float
    value: float
    low: float
    high: float
    low_one_sided: float
    smallest_drop: float
    cases: int
    spread_before: float
    spread_after: float
    runs_after: int
    runs_before: int

    def missing(self, margin: float) -> tuple[int | None, int]:
        """Further runs of the new version that would show it to be within the margin in 8 of 10 tries, if it is equal;
        None where no number does. Then the second: of each version, on as many cases.
        """
        if not self.cases:
            return None, 0
        z = normal_quantile(0.95) + normal_quantile(POWER)
        allowed = (margin * self.cases / z) ** 2
        total = self.spread_before + self.spread_after
        both = ceil(max(self.runs_after, self.runs_before) * max(0.0, total / allowed - 1))
        if allowed <= self.spread_before:
            return None, min(RUNS_MAX, both)
        factor = self.spread_after / (allowed - self.spread_before)
        return min(RUNS_MAX, max(1, ceil(self.runs_after * (factor - 1)))), min(RUNS_MAX, both)


NOTHING: Final = Difference(0.0, 0.0, 0.0, -1.0, 1.0, -1.0, 1.0, 0, inf, inf, 0, 0)


def difference(
    counts: Mapping[str, tuple[tuple[int, int], tuple[int, int]]], alpha: float = 0.05
) -> Difference:
    """From (passed, runs) before and after, of each case; the cases are fixed, only the runs are chance.

    The variance is that within cases (Miller 2024, arXiv 2411.00640), plus z^2 pseudo-runs a side: where no run
    fails the bound is then z^2/runs, as Wilson's is, and never 0. Cases run once have no variance within: it is then
    that between the cases' differences, which is too large rather than too small.
    """
    if not counts:
        return NOTHING
    z, one_sided = normal_quantile(0.975), normal_quantile(0.95)
    cases = len(counts)
    runs_before = sum(before[1] for before, _ in counts.values())
    runs_after = sum(after[1] for _, after in counts.values())
    share_before = sum(before[0] / before[1] for before, _ in counts.values()) / cases
    share_after = sum(after[0] / after[1] for _, after in counts.values()) / cases
    value = share_after - share_before
    pad_before, pad_after = (one_sided * cases / runs_before) ** 2, (one_sided * cases / runs_after) ** 2
    if all(before[1] > 1 and after[1] > 1 for before, after in counts.values()):
        spread_before = sum(_within(*before) for before, _ in counts.values()) + pad_before
        spread_after = sum(_within(*after) for _, after in counts.values()) + pad_after
    else:
        each = [after[0] / after[1] - before[0] / before[1] for before, after in counts.values()]
        squares = sum((one - value) ** 2 for one in each) * cases / max(1, cases - 1)
        spread_before, spread_after = squares / 2 + pad_before, squares / 2 + pad_after
    error = sqrt(spread_before + spread_after) / cases
    return Difference(
        share_before, share_after, value,
        max(-1.0, value - z * error), min(1.0, value + z * error), max(-1.0, value - one_sided * error),
        _smallest_drop(
            share_before, cases, (spread_before * runs_before / cases, runs_before / cases),
            (spread_after * runs_after / cases, runs_after / cases), alpha,
        ),
        cases, spread_before, spread_after, runs_after, runs_before,
    )  # fmt: skip


# Looking for broken cases as well costs the test of the mean a part of its level: this much remains.
MIN_P_SHARE: Final = 0.6
SOLVING: Final = 40


def _smallest_drop(
    share: float, cases: int, before: tuple[float, float], after: tuple[float, float], alpha: float
) -> float:
    """The drop, in proportion in every case, that is found in 8 of 10 tries. `before`, `after`: (variance of one run,
    summed over cases; runs of a case). A lower rate is noisier, so the drop stands in its own noise: solved by
    repetition. Checked by simulation: `power_at_smallest_drop` in benchmarks/simulated.py.
    """
    if share <= 0:
        return 1.0
    noise = min((before[0] * before[1] + after[0] * after[1]) / (before[1] + after[1]), cases / 4)
    squares = max(0.0, cases * share - noise)  # The sum of the cases' squared rates.

    def at(factor: float) -> float:
        return max(noise, factor * cases * share - factor * factor * squares)

    critical, power = normal_quantile(1 - alpha * MIN_P_SHARE), normal_quantile(POWER)
    drop = 0.0
    for _ in range(SOLVING):
        factor = 1 - drop / share
        # Permutation deals out the runs of both versions, so chance is as wide as both together are.
        null = at((before[1] + factor * after[1]) / (before[1] + after[1])) * (1 / before[1] + 1 / after[1])
        true = noise / before[1] + at(factor) / after[1]
        drop = min(share, (critical * sqrt(null) + power * sqrt(true)) / cases)
    return drop


def _within(passed: int, runs: int) -> float:
    share = passed / runs
    return share * (1 - share) / (runs - 1)
