"""How often a case is repeated: until its results are clear, and never beyond a bound."""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from math import log

from airworthy.core.errors import ConfigError, InputError


class Next(StrEnum):
    AGAIN = "again"
    PASSES = "passes"
    FAILS = "fails"
    UNDECIDED = "undecided"  # The bound is reached: flaky, neither shown to be good nor to be bad.


@dataclass(frozen=True, slots=True)
class Repeats:
    """Wald's sequential test of "the case passes in at least `good` of its runs" against "in at most `bad`".

    A bad case is called passing with a chance of at most `error`. That any good case of the suite's `cases` is called
    failing has a chance of at most `error` as well: it is shared between them, which costs little, as failures speak
    loudly. Both hold wherever the run is broken off, since the ratio of likelihoods is a martingale (Ville 1939; Wald
    1945, Ann. Math. Statist. 16:117); what lies between `good` and `bad` may come out either way, or undecided.
    `at_least`: made of every case whatever it shows, so that these runs are a fair sample (see `compare`).
    """

    good: float = 0.95
    bad: float = 0.5
    error: float = 0.05
    cases: int = 1
    at_least: int = 5
    at_most: int = 15

    def __post_init__(self) -> None:
        if not 0 < self.bad < self.good < 1 or not 0 < self.error < 0.5:
            raise ConfigError(
                f"Repeats cannot tell {self.good} from {self.bad} with error {self.error}.",
                mend="Give 0 < bad < good < 1 and 0 < error < 0.5.",
            )
        if not 1 <= self.at_least <= self.at_most <= 1000 or self.cases < 1:
            raise ConfigError(
                f"Repeats from {self.at_least} to {self.at_most} of {self.cases} cases cannot be made.",
                mend="Give 1 <= at_least <= at_most <= 1000 and at least one case.",
            )


DEFAULT = Repeats()


def next_repeat(passed: int, runs: int, rule: Repeats = DEFAULT) -> Next:
    """Whether the case needs another run, after `passed` of `runs`."""
    if not 0 <= passed <= runs:
        raise InputError(f"{passed} of {runs} is no count.", mend="Give 0 <= passed <= runs.")
    if runs < rule.at_least:
        return Next.AGAIN
    evidence = passed * log(rule.good / rule.bad) + (runs - passed) * log((1 - rule.good) / (1 - rule.bad))
    if evidence >= log(1 / rule.error):
        return Next.PASSES
    if evidence <= -log(rule.cases / rule.error):
        return Next.FAILS
    return Next.AGAIN if runs < rule.at_most else Next.UNDECIDED


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What the rule does to a case of a known pass rate: chances of each decision, and the runs it takes on average."""

    passes: float
    fails: float
    undecided: float
    runs: float


def foreseen(rate: float, rule: Repeats = DEFAULT) -> Foreseen:
    """Exact, by going through every way that the runs can go."""
    chances = {Next.PASSES: 0.0, Next.FAILS: 0.0, Next.UNDECIDED: 0.0}
    expected, open_at = 0.0, {0: 1.0}
    for runs in range(1, rule.at_most + 1):
        reached: dict[int, float] = {}
        for passed, chance in open_at.items():
            reached[passed + 1] = reached.get(passed + 1, 0.0) + chance * rate
            reached[passed] = reached.get(passed, 0.0) + chance * (1 - rate)
        open_at = {}
        for passed, chance in reached.items():
            decision = next_repeat(passed, runs, rule)
            if decision is Next.AGAIN:
                open_at[passed] = chance
            else:
                chances[decision] += chance
                expected += chance * runs
    return Foreseen(chances[Next.PASSES], chances[Next.FAILS], chances[Next.UNDECIDED], expected)


def fair_rate(passed: int, runs: int, rule: Repeats = DEFAULT) -> float:
    """The case's pass rate without the favour of having stopped when it looked clear: passed/runs would be too high for
    cases that stop after a lucky start. The share of the ways to this end that began with a pass; unbiased. Source:
    Girshick, Mosteller and Savage (1946), Ann. Math. Statist. 17:13.
    """
    if runs <= rule.at_least:
        return passed / runs if runs else 0.0
    every = _ways(passed, runs, rule, 0, 0)
    return _ways(passed, runs, rule, 1, 1) / every if every else passed / runs


@lru_cache(maxsize=4096)
def _ways(passed: int, runs: int, rule: Repeats, from_passed: int, from_runs: int) -> int:
    """Ways from one count to another that the rule did not stop before."""
    ways = {from_passed: 1}
    for made in range(from_runs, runs):
        if made:
            ways = {have: n for have, n in ways.items() if next_repeat(have, made, rule) is Next.AGAIN}
        further: dict[int, int] = {}
        for have, n in ways.items():
            further[have] = further.get(have, 0) + n
            further[have + 1] = further.get(have + 1, 0) + n
        ways = further
    return ways.get(passed, 0)
