"""What moves a judge that should not: the place where an answer stands, and its length."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, sqrt
from statistics import median
from typing import Final

from airworthy.evals.calibrate.labels import TIE, Label
from airworthy.evals.stats.rates import Rate, clopper_pearson, wilson
from airworthy.evals.stats.special import normal_quantile

Z: Final = normal_quantile(0.975)


@dataclass(frozen=True, slots=True)
class Position:
    """`consistent`: pairs whose winner stays when they are shown the other way round. `first`: of those that flip, the
    share in which the answer shown first won both times; one half is none. `p`: of no preference. `agreed`: how often a
    winner found in both orders is the people's.
    """

    consistent: Rate
    first: Rate
    p: float
    agreed: Rate


@dataclass(frozen=True, slots=True)
class Length:
    """`excess`: how much more often than people the judge favours the longer ones; 0 is no bias. Pairs: of those that
    differ in length. Answers: what it passes too often among the longer half, less the same of the shorter half.
    """

    excess: float
    low: float
    high: float
    labels: int

    @property
    def found(self) -> bool:
        return self.low > 0 or self.high < 0


def position(labels: Sequence[Label]) -> Position | None:
    """None: no pair was shown in both orders."""
    both = [label for label in labels if label.judge and label.swapped]
    if not both:
        return None
    same = [label for label in both if label.judge == label.swapped]
    # The one shown first won both times: "1" as it stands, "2" the other way round.
    first = sum(label.judge == "1" and label.swapped == "2" for label in both)
    flips = first + sum(label.judge == "2" and label.swapped == "1" for label in both)
    decided = [label for label in same if label.judge != TIE and label.human]
    return Position(
        _rate(len(same), len(both)),
        Rate(first / flips if flips else 0.5, *clopper_pearson(first, flips), flips, flips),
        sign_test(first, flips),
        _rate(sum(label.judge == label.human for label in decided), len(decided)),
    )


def _rate(passed: int, runs: int) -> Rate:
    return Rate(passed / runs if runs else 0.0, *wilson(passed, runs), runs, runs)


def sign_test(one: int, all_: int) -> float:
    """Exact and two-sided. Source: Arbuthnot (1710); Conover (1999), section 3.4. Nothing: 1."""
    tail = sum(comb(all_, k) for k in range(min(one, all_ - one) + 1))
    share: float = 2 * tail / (1 << all_)  # Whole numbers of any size divide well.
    return min(1.0, share)


def length(labels: Sequence[Label]) -> Length | None:
    """None: no lengths, or nothing both judged."""
    return _of_pairs(labels) if any(label.pair for label in labels) else _of_answers(labels)


def _of_pairs(labels: Sequence[Label]) -> Length | None:
    outcomes = []
    for label in labels:
        if label.lengths is None or label.lengths[0] == label.lengths[1]:
            continue
        longer = "1" if label.lengths[0] > label.lengths[1] else "2"
        if label.human in {"1", "2"} and label.judge in {"1", "2"}:
            outcomes.append((label.judge == longer, label.human == longer))
    if not outcomes:
        return None
    excess, error = _paired(outcomes)
    return Length(excess, excess - Z * error, excess + Z * error, len(outcomes))


def _of_answers(labels: Sequence[Label]) -> Length | None:
    known = [
        (label.length, label.judge == "good", label.human == "good")
        for label in labels
        if label.length is not None and label.judge in {"good", "bad"} and label.human in {"good", "bad"}
    ]
    if not known:
        return None
    middle = median(length for length, _, _ in known)
    longer = [(judge, human) for length, judge, human in known if length > middle]
    shorter = [(judge, human) for length, judge, human in known if length <= middle]
    if not longer:
        return None
    (long, long_error), (short, short_error) = _paired(longer), _paired(shorter)
    error = sqrt(long_error**2 + short_error**2)
    return Length(long - short, long - short - Z * error, long - short + Z * error, len(known))


def _paired(outcomes: Sequence[tuple[bool, bool]]) -> tuple[float, float]:
    """First share less second share, and its standard error. Source: Bonett and Price (2012), J. Educ. Behav. Stat.
    37:479, which adds one to each kind of disagreement.
    """
    count = len(outcomes) + 2
    more = (sum(one and not other for one, other in outcomes) + 1) / count
    less = (sum(other and not one for one, other in outcomes) + 1) / count
    return more - less, sqrt((more + less - (more - less) ** 2) / count)
