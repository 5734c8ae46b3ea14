"""Intervals of rates: of runs that are alike, of runs in cases, and of what was never seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from airworthy.core.errors import InputError
from airworthy.evals.stats.special import beta_quantile, normal_quantile, student_quantile


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate with its interval; `cases` and `runs`: what it rests on. Nothing at all: value 0, interval 0 to 1."""

    value: float
    low: float
    high: float
    cases: int = 0
    runs: int = 0

    def __str__(self) -> str:
        return f"{self.value:.1%} [{self.low:.1%}, {self.high:.1%}]"


def wilson(passed: float, runs: float, level: float = 0.95) -> tuple[float, float]:
    """Interval of passed/runs, of runs that do not hang together. Source: Wilson (1927), JASA 22:209."""
    _check(passed, runs)
    return _score_interval(passed, runs, normal_quantile(0.5 + level / 2))


def _score_interval(passed: float, runs: float, z: float) -> tuple[float, float]:
    if runs <= 0:
        return 0.0, 1.0
    share = passed / runs
    middle = (share + z * z / (2 * runs)) / (1 + z * z / runs)
    half = z / (1 + z * z / runs) * sqrt(share * (1 - share) / runs + z * z / (4 * runs * runs))
    # At the ends the formula gives 0 and 1 up to rounding.
    return (
        0.0 if passed <= 0 else max(0.0, middle - half),
        1.0 if passed >= runs else min(1.0, middle + half),
    )


def clopper_pearson(passed: int, runs: int, level: float = 0.95) -> tuple[float, float]:
    """Never covers less often than `level`. Source: Clopper and Pearson (1934), Biometrika 26:404. No runs: (0, 1)."""
    _check(passed, runs)
    tail = (1 - level) / 2
    low = 0.0 if passed == 0 else beta_quantile(tail, passed, runs - passed + 1)
    high = 1.0 if passed == runs else beta_quantile(1 - tail, passed + 1, runs - passed)
    return low, high


def upper_bound(bad: int, runs: int, level: float = 0.95) -> float:
    """The one-sided bound of Clopper and Pearson: with `level` the rate of bad ones is not above it. No runs: 1."""
    _check(bad, runs)
    return 1.0 if bad == runs else beta_quantile(level, bad + 1, runs - bad)


def rule_of_three(runs: int) -> float:
    """What never happened in `runs` runs may still happen in so large a share of them, with 95 %. Source: Hanley and
    Lippman-Hand (1983), JAMA 249:1743. No runs: 1.
    """
    _check(0, runs)
    return 1.0 if runs < 3 else 3 / runs


def clustered(cases: Mapping[str, tuple[float, int]], level: float = 0.95) -> Rate:
    """The pass rate over cases such as these, each counting alike, from (passed, runs) of each; cases without a run
    do not count. Runs of one case hang together, so 10 runs of 10 cases are far fewer than 100 runs.

    Wilson's interval at the effective number of runs, with Student's quantile for the number of cases. Sources: Korn
    and Graubard (1998), Survey Methodology 24:193 (effective sample); Franco et al. (2019), J. Survey Stat. Meth.
    7:334 (Wilson under it); Miller (2024), arXiv 2411.00640 (clustering in evals).
    The effective number is found with one case that always passes and one that never does added: from few failures
    nobody can tell a flaky case from one that is broken, and the variance alone would say far too little. Measured
    by simulation: tests/evals/test_stats_simulated.py, benchmarks/simulated.py.
    """
    shares = []
    for name, (passed, runs) in cases.items():
        if not 0 <= passed <= runs:
            raise InputError(f"Case {name!r} passed {passed} of {runs} runs.", mend="Count again.")
        if runs:
            shares.append(passed / runs)
    return of_shares(shares, sum(runs for _, runs in cases.values()), level)


def of_shares(shares: Sequence[float], runs: int, level: float = 0.95) -> Rate:
    """As `clustered`, from an unbiased pass rate of each case."""
    count = len(shares)
    if not count:
        return Rate(0.0, 0.0, 1.0)
    value = min(1.0, max(0.0, sum(shares) / count))
    if count == 1:
        # One case says nothing on others; its own runs are all there is to count.
        return Rate(value, *_score_interval(value, 1, normal_quantile(0.5 + level / 2)), 1, runs)
    effective = _effective(shares, runs)
    low, high = _score_interval(value * effective, effective, student_quantile(0.5 + level / 2, count - 1))
    return Rate(value, low, high, count, runs)


def _effective(shares: Sequence[float], runs: int) -> float:
    count = len(shares)
    padded = [*shares, 0.0, 1.0]
    mean = sum(padded) / len(padded)
    spread = sum((share - mean) ** 2 for share in padded) / (len(padded) - 1)
    # At most every run counts (cases do not matter), at least every case (its runs are all the same).
    return min(float(max(runs, count)), max(float(count), count * mean * (1 - mean) / spread))


def _check(passed: float, runs: float) -> None:
    if not 0 <= passed <= runs:
        raise InputError(f"{passed} of {runs} is no count.", mend="Give 0 <= passed <= runs.")
