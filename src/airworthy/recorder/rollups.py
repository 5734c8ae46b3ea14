"""Sums and histograms of traces by five minutes and by hour, kept in the transaction of what they count.

A histogram's bins grow by 2^(1/16), so a quantile read from one is off by at most 2.2 % of its value when the middle
of the bin is told; bins of any times, agents and machines add up. Bin 0 holds zero and below.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from airworthy.store import Tx

WIDTHS_S: Final = (300, 3_600)
BINS_PER_OCTAVE: Final = 16
COUNTS: Final = (
    "opened", "answered", "declined", "escalated", "dead_lettered", "cancelled", "failed", "ended", "steps",
    "model_calls", "tool_calls", "errors", "retries", "tokens_in", "tokens_out", "cost_nano", "priced", "unpriced",
    "duration_us",
)  # fmt: skip

_ADD: Final = (
    f"INSERT INTO rollups (width_s, bucket_us, series_id, {', '.join(COUNTS)})"
    f" VALUES (?, ?, ?{', ?' * len(COUNTS)}) ON CONFLICT (width_s, bucket_us, series_id)"
    f" DO UPDATE SET {', '.join(f'{name} = rollups.{name} + excluded.{name}' for name in COUNTS)}"
)
_ADD_BINS: Final = (
    "INSERT INTO rollup_bins (width_s, bucket_us, series_id, measure, bin, count) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (width_s, bucket_us, series_id, measure, bin)"
    " DO UPDATE SET count = rollup_bins.count + excluded.count"
)
_SERIES: Final = "SELECT id FROM series WHERE agent = ? AND release = ? AND feature = ?"
_NEW_SERIES: Final = (
    "INSERT INTO series (agent, release, feature) SELECT CAST(? AS VARCHAR), CAST(? AS VARCHAR), CAST(? AS VARCHAR)"
    f" WHERE NOT EXISTS ({_SERIES})"
)


@dataclass(slots=True)
class Change:
    """What to add for one series at one moment. Counts may be negative: a closed task was opened again."""

    counts: dict[str, int] = field(default_factory=dict)
    # Measure (duration in microseconds, steps, cost in nano-USD), value, how many times (-1: take back).
    values: list[tuple[str, int, int]] = field(default_factory=list)

    def add(self, name: str, count: int = 1) -> None:
        if count:
            self.counts[name] = self.counts.get(name, 0) + count


def series_id(tx: Tx, agent: str, release: str, feature: str) -> int:
    """Made at first sight."""
    names = (agent, release, feature)
    row = tx.row(_SERIES, names)
    if row is None:
        # Works of one transaction may look for it before any of them has made it, and no index keeps it single on
        # PostgreSQL. Between transactions their turns do: the one that opens a task makes the series of its end.
        tx.put(_NEW_SERIES, (*names, *names))
        row = tx.row(_SERIES, names)
    assert row is not None
    return int(row[0])


def bin_of(value: int) -> int:
    return 0 if value <= 0 else 1 + math.floor(math.log2(value) * BINS_PER_OCTAVE)


def middle_of(bin_: int) -> float:
    """A value that stands for the bin; its geometric middle."""
    return 0.0 if bin_ <= 0 else 2.0 ** ((bin_ - 0.5) / BINS_PER_OCTAVE)


def quantile(bins: Mapping[int, int], share: float) -> float | None:
    """The value below which `share` (0 to 1) of what was counted lies; None of nothing."""
    total = sum(count for count in bins.values() if count > 0)
    if total == 0:
        return None
    wanted, seen = share * total, 0
    for bin_ in sorted(bins):
        seen += max(0, bins[bin_])
        if seen >= wanted and bins[bin_] > 0:
            return middle_of(bin_)
    return middle_of(max(bin_ for bin_, count in bins.items() if count > 0))


def bucket_of(at_us: int, width_s: int) -> int:
    width_us = width_s * 1_000_000
    return at_us - at_us % width_us


def add(tx: Tx, at_us: int, series: int, change: Change) -> None:
    """`series`: from `series_id`."""
    add_all(tx, [(at_us, series, change)])


def add_all(tx: Tx, changes: Iterable[tuple[int, int, Change]]) -> None:
    """At what time, for which series, what: each row is touched once, however many changes fall on it."""
    counts: dict[tuple[int, int, int], dict[str, int]] = {}
    bins: dict[tuple[int, int, int, str, int], int] = {}
    for at_us, series, change in changes:
        values = [(measure, bin_of(value), times) for measure, value, times in change.values]
        for width_s in WIDTHS_S:
            place = (width_s, bucket_of(at_us, width_s), series)
            if change.counts:
                sums = counts.setdefault(place, {})
                for name, count in change.counts.items():
                    sums[name] = sums.get(name, 0) + count
            for measure, bin_, times in values:
                at_bin = (*place, measure, bin_)
                bins[at_bin] = bins.get(at_bin, 0) + times
    for place, sums in counts.items():
        tx.tally(_ADD, place, [sums.get(name, 0) for name in COUNTS])
    for at_bin, times in bins.items():
        tx.tally(_ADD_BINS, at_bin, (times,))
