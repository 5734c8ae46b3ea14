"""Chance alone: what the differences of two versions would be if runs of a case were dealt out to both at random."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from math import comb, sqrt
from typing import Final

PERMUTATIONS: Final = 999  # The least p-value is 1/1000.


@dataclass(slots=True)
class Drops:
    """Pass counts of two versions, case by case, against chance. Positive is worse.

    If nothing changed, which of a case's runs came from which version is chance: after version's passes follow the
    hypergeometric law, whatever the case's own pass rate. Two statistics, since a version gets worse in two ways:
    `mean`, a little everywhere (Cochran 1954, Mantel and Haenszel 1959); `local`, wholly in a few cases. The smaller of
    their p-values is judged by its own law under chance (min-p: Westfall and Young 1993), so looking twice costs
    nothing untold.
    """

    rng: random.Random
    count: int = PERMUTATIONS
    mean: list[float] = field(init=False)
    local: list[float] = field(init=False)
    variance: float = 0.0

    def __post_init__(self) -> None:
        # The first place is what was seen; the others are chance.
        self.mean = [0.0] * (self.count + 1)
        self.local = [0.0] * (self.count + 1)

    def case(self, before: tuple[int, int], after: tuple[int, int]) -> None:
        passed, runs = before[0] + after[0], before[1] + after[1]
        if passed in {0, runs} or not before[1] or not after[1]:
            return  # However it is dealt out, it looks the same.
        expected = passed * after[1] / runs
        variance = passed * (runs - passed) * before[1] * after[1] / (runs * runs * (runs - 1))
        least, most = max(0, passed - before[1]), min(passed, after[1])
        gaps = [expected - got for got in range(least, most + 1)]
        fourth = [max(gap, 0.0) ** 4 / (variance * variance) for gap in gaps]
        ways = [comb(after[1], got) * comb(before[1], passed - got) for got in range(least, most + 1)]
        drawn = self.rng.choices(range(len(gaps)), cum_weights=list(accumulate(ways)), k=self.count)
        self.variance += variance
        mean, local = self.mean, self.local
        for place, which in enumerate([after[0] - least, *drawn]):
            mean[place] += gaps[which]
            local[place] += fourth[which]

    def worse(self) -> float:
        """The p-value of "not worse"."""
        return min_p([self.mean, self.local])

    def better(self) -> float:
        return _tail([-gap for gap in self.mean])[0]


@dataclass(slots=True)
class Shifts:
    """Amounts (steps, cost, each tool's calls) of two versions, case by case, against chance, in either direction.

    `names` of one signal may be several amounts: they are then judged together by the sum of their squared
    standardised differences. Chance is dealt inside of cases and never assumed to be normal or independent: a
    chi-square test on counts of tool calls calls one version against itself changed in up to 44 of 100 tries.
    """

    rng: random.Random
    names: Sequence[str]
    count: int = PERMUTATIONS
    sums: list[list[float]] = field(init=False)
    variances: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self.sums = [[0.0] * (self.count + 1) for _ in self.names]
        self.variances = [0.0] * len(self.names)

    def case(self, before: Sequence[Sequence[float]], after: Sequence[Sequence[float]]) -> None:
        """One row of amounts a run, in the order of `names`."""
        runs, taken = len(before) + len(after), len(after)
        if not before or not after:
            return
        rows = [*before, *after]
        columns: list[tuple[int, list[float]]] = []
        for which in range(len(self.names)):
            column = [row[which] for row in rows]
            middle = sum(column) / runs
            centred = [value - middle for value in column]
            spread = sum(value * value for value in centred)
            if spread > 1e-12:
                columns.append((which, centred))
                self.variances[which] += spread * taken * len(before) / (runs * (runs - 1))
        if not columns:
            return
        sample, places = self.rng.sample, range(runs)
        dealt = [
            list(range(len(before), runs)),
            *(sample(places, taken) for _ in range(self.count)),
        ]
        for which, centred in columns:
            target = self.sums[which]
            if taken == 1:
                for place, hand in enumerate(dealt):
                    target[place] += centred[hand[0]]
            else:
                for place, hand in enumerate(dealt):
                    target[place] += sum([centred[run] for run in hand])

    def changed(self) -> float:
        """The p-value of "nothing changed"."""
        totals = [0.0] * (self.count + 1)
        for sums, variance in zip(self.sums, self.variances, strict=True):
            if variance > 0:
                for place, value in enumerate(sums):
                    totals[place] += value * value / variance
        return _tail(totals)[0]

    def standardised(self) -> dict[str, float]:
        """How far each amount moved, in standard deviations of chance; positive is more."""
        return {
            name: sums[0] / sqrt(variance) if variance > 0 else 0.0
            for name, sums, variance in zip(self.names, self.sums, self.variances, strict=True)
        }


def min_p(statistics: Sequence[Sequence[float]]) -> float:
    """Of several statistics, each with what was seen first and chance after it: the p-value of the most telling."""
    tails = [_tail(values) for values in statistics]
    least = [-min(of_one) for of_one in zip(*tails, strict=True)]
    return _tail(least)[0]


def _tail(values: Sequence[float]) -> list[float]:
    """For each place the share of places with at least its value, itself among them: valid p-values (Phipson and Smyth
    2010). Values that differ by rounding are the same.
    """
    order = sorted(range(len(values)), key=lambda place: -values[place])
    tails = [0.0] * len(values)
    begin = 0
    while begin < len(order):
        end, edge = begin + 1, values[order[begin]] - 1e-9 * max(1.0, abs(values[order[begin]]))
        while end < len(order) and values[order[end]] >= edge:
            end += 1
        for place in order[begin:end]:
            tails[place] = end / len(values)
        begin = end
    return tails
