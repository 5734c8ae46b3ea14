"""Arithmetic of measurements, as plain functions: medians, percentiles, ratios; a missing figure stays missing."""

from collections.abc import Iterable, Sequence
from math import ceil
from statistics import median


def percentile(values: Sequence[float], percent: float) -> float:
    """By nearest rank, so the answer is a value that was measured."""
    if not values:
        raise ValueError("nothing was measured")
    ordered = sorted(values)
    return ordered[max(0, ceil(percent / 100 * len(ordered)) - 1)]


def median_of(values: Iterable[float | None]) -> float | None:
    """Of those that could be taken; None when none could."""
    taken = [value for value in values if value is not None]
    return median(taken) if taken else None


def ratios(ours: Sequence[float | None], theirs: Sequence[float | None]) -> list[float | None]:
    """Round by round, because the disk changes its pace between rounds."""
    return [a / b if a is not None and b else None for a, b in zip(ours, theirs, strict=True)]


def above(values: Sequence[float | None], floor: Sequence[float | None]) -> list[float | None]:
    """What each value adds to its floor of the same round. May be negative: then the floor was measured in a worse
    moment, and hiding that would be inventing a figure.
    """
    return [a - b if a is not None and b is not None else None for a, b in zip(values, floor, strict=True)]


def rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def cell(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"
