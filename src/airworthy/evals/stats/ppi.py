"""The rate of good answers from a judge on all of them and people on a few."""

from collections.abc import Sequence
from math import sqrt

from airworthy.core.errors import InputError
from airworthy.evals.stats.rates import Rate
from airworthy.evals.stats.special import student_quantile


def corrected_rate(
    human: Sequence[float], judge: Sequence[float], judge_elsewhere: Sequence[float], level: float = 0.95
) -> Rate:
    """`human` and `judge` of the same answers, in the same order, 0 to 1; `judge_elsewhere` of answers that no person
    saw. The answers people saw must have been drawn at random.

    PPI++ (Angelopoulos, Duchi, Zrnic 2023, arXiv 2311.01453): the judge's mean, put right by its mistakes where people
    looked, as far as it is worth listening to. With one answer of each kind added, good or bad and called good or bad:
    with few labels a judge's rare mistakes are often not among them, and as published it then covers 72 % instead of
    95 %. (Two good and two bad ones under the judge's mean, in the manner of Agresti and Coull 1998, are not enough:
    78 % with 15 labels and a judge that is right in 9 of 10. Student's quantile, for the same reason.)
    """
    count, elsewhere = len(human), len(judge_elsewhere)
    if count != len(judge):
        raise InputError(
            f"{count} answers of people and {len(judge)} of the judge do not belong together.",
            mend="Give both of the same answers.",
        )
    if not count:
        return Rate(0.0, 0.0, 1.0)
    people = [*human, 1.0, 1.0, 0.0, 0.0]
    said = [*judge, 1.0, 0.0, 1.0, 0.0]
    weight = _weight(people, said, count, elsewhere)
    rest = [y - weight * f for y, f in zip(people, said, strict=True)]
    value = sum(rest) / len(rest)
    variance = _variance(rest) / len(rest)
    if elsewhere:
        value += weight * sum(judge_elsewhere) / elsewhere
        variance += weight * weight * _variance(judge_elsewhere) / elsewhere
    half = student_quantile(0.5 + level / 2, len(rest) - 1) * sqrt(variance)
    value = min(1.0, max(0.0, value))
    return Rate(value, max(0.0, value - half), min(1.0, value + half), count, count + elsewhere)


def _weight(people: Sequence[float], said: Sequence[float], count: int, elsewhere: int) -> float:
    spread = _variance(said)
    if not elsewhere or spread <= 0:
        return 0.0
    middle_people, middle_said = sum(people) / len(people), sum(said) / len(said)
    together = sum((y - middle_people) * (f - middle_said) for y, f in zip(people, said, strict=True))
    return min(1.0, max(0.0, together / (len(people) - 1) / (spread * (1 + count / elsewhere))))


def _variance(values: Sequence[float]) -> float:
    if len(values) < 2:
        return 0.0
    middle = sum(values) / len(values)
    return sum((value - middle) ** 2 for value in values) / (len(values) - 1)
