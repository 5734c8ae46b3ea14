"""How often two raters say the same, and how much of it is more than chance."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt
from typing import Final

from airworthy.evals.stats.rates import Rate, clustered, wilson
from airworthy.evals.stats.special import normal_quantile

Z: Final = normal_quantile(0.975)


@dataclass(frozen=True, slots=True)
class Agreement:
    """`confusion`: (one, other) -> how often. `kappa` None: a rater only ever said one thing, and so did the other."""

    rate: Rate
    kappa: float | None
    kappa_low: float
    kappa_high: float
    confusion: tuple[tuple[str, str, int], ...]


def agreement(ones: Sequence[str], others: Sequence[str], groups: Sequence[str] = ()) -> Agreement:
    """`groups`: where answers to one question hang together; the interval then counts questions."""
    pairs = list(zip(ones, others, strict=True))
    same = [one == other for one, other in pairs]
    if any(groups):
        by: dict[str, tuple[float, int]] = {}
        for place, (group, is_same) in enumerate(zip(groups, same, strict=True)):
            passed, runs = by.get(group or f"\0{place}", (0.0, 0))
            by[group or f"\0{place}"] = passed + is_same, runs + 1
        rate = clustered(by)
    else:
        low, high = wilson(sum(same), len(same))
        rate = Rate(sum(same) / len(same) if same else 0.0, low, high, len(same), len(same))
    kappa, low, high = _kappa(pairs)
    confusion = tuple((one, other, times) for (one, other), times in sorted(Counter(pairs).items()))
    return Agreement(rate, kappa, low, high, confusion)


def _kappa(pairs: Sequence[tuple[str, str]]) -> tuple[float | None, float, float]:
    """Sources: Cohen (1960), Educ. Psychol. Meas. 20:37; interval: Fleiss, Cohen and Everitt (1969), Psychol. Bull.
    72:323. Where all agree that interval has no width: it is then Wilson's of the agreement, put on kappa's scale.
    """
    count = len(pairs)
    if not count:
        return None, -1.0, 1.0
    first, second = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    observed = sum(one == other for one, other in pairs) / count
    chance = sum(first[word] * second[word] for word in first) / count**2
    if chance >= 1:
        return None, -1.0, 1.0
    kappa = (observed - chance) / (1 - chance)
    if observed >= 1:
        return 1.0, (wilson(count, count)[0] - chance) / (1 - chance), 1.0
    squares = -((kappa - chance * (1 - kappa)) ** 2)
    for (one, other), times in Counter(pairs).items():
        if one == other:
            squares += times / count * (1 - (first[one] + second[one]) / count * (1 - kappa)) ** 2
        else:
            squares += times / count * ((1 - kappa) * (second[one] + first[other]) / count) ** 2
    half = Z * sqrt(max(0.0, squares) / count) / (1 - chance)
    return kappa, max(-1.0, kappa - half), min(1.0, kappa + half)


def among_people(people: Sequence[Sequence[str]]) -> Rate:
    """How often two people say the same of one answer: what no judge can be asked to exceed by far. Each answer counts
    alike, by all its pairs of people.
    """
    by: dict[str, tuple[float, int]] = {}
    for place, said in enumerate(people):
        pairs = list(combinations(said, 2))
        if pairs:
            by[str(place)] = float(sum(one == other for one, other in pairs)), len(pairs)
    return clustered(by)
