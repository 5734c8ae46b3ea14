"""How agents have fared in a window of time, and in the one before it. Reads the rollups alone, never a trace.

Sums of any agents and times add up, and so do the bins that percentiles are read from; `Overview.of` makes one of
fewer agents, so that one reading serves everybody, whatever agents they may see.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

from airworthy.core.clock import US_PER_S
from airworthy.core.errors import InputError
from airworthy.recorder.rollups import COUNTS, WIDTHS_S, bucket_of, quantile
from airworthy.store import Tx

OUTCOMES: Final = ("answered", "declined", "escalated", "dead_lettered", "cancelled", "failed")
_FINE_S, _COARSE_S = WIDTHS_S
_SUMS: Final = ", ".join(f"SUM(r.{name})" for name in COUNTS)


class NoSuchWindow(InputError):
    """There is no window of this name."""

    code: ClassVar[str] = "no_such_window"


@dataclass(frozen=True, slots=True)
class Window:
    """`points`: the steps of its trend. `width_s`: of the rollups it is read from."""

    name: str
    words: str
    seconds: int
    width_s: int
    points: int

    @property
    def step_us(self) -> int:
        return self.seconds // self.points * US_PER_S


WINDOWS: Final[Mapping[str, Window]] = {
    window.name: window
    for window in (
        Window("1h", "the last hour", 3_600, _FINE_S, 12),
        Window("24h", "the last 24 hours", 86_400, _FINE_S, 48),
        Window("7d", "the last 7 days", 7 * 86_400, _COARSE_S, 84),
        Window("30d", "the last 30 days", 30 * 86_400, _COARSE_S, 60),
    )
}
WINDOW_DEFAULT: Final = "24h"


def window_of(name: str) -> Window:
    """Raises: NoSuchWindow."""
    found = WINDOWS.get(name)
    if found is None:
        raise NoSuchWindow(f"There is no window {name[:40]!r}.", mend=f"Ask for one of {', '.join(WINDOWS)}.")
    return found


@dataclass(slots=True)
class Sums:
    """What was counted in a time. Filled while it is read, and not changed after.

    `span_us`: how long that time was. `durations`: bins of `rollups`, of tasks that ended.
    """

    span_us: int
    counts: dict[str, int] = field(default_factory=dict)
    durations: dict[int, int] = field(default_factory=dict)

    def __getitem__(self, name: str) -> int:
        """One of `rollups.COUNTS`. Never below 0: a task opened again may take back what an earlier time counted."""
        return max(0, self.counts.get(name, 0))

    def take(self, other: "Sums") -> None:
        for name, count in other.counts.items():
            self.counts[name] = self.counts.get(name, 0) + count
        for bin_, count in other.durations.items():
            self.durations[bin_] = self.durations.get(bin_, 0) + count

    def share(self, outcome: str) -> float | None:
        """0 to 1 of what ended; None while nothing did."""
        ended = self["ended"]
        return min(1.0, self[outcome] / ended) if ended else None

    @property
    def others(self) -> int:
        """Ended, and nobody said how."""
        return max(0, self["ended"] - sum(self[name] for name in OUTCOMES))

    @property
    def cost_nano(self) -> int | None:
        """Of the calls that have a price; None when none has."""
        return self["cost_nano"] if self["priced"] else None

    @property
    def cost_per_task_nano(self) -> int | None:
        """By the tasks that began in this time; None when nothing is priced, or nothing began."""
        cost_nano, opened = self.cost_nano, self["opened"]
        return None if cost_nano is None or not opened else round(cost_nano / opened)

    @property
    def cost_per_hour_nano(self) -> int | None:
        cost_nano = self.cost_nano
        return (
            None
            if cost_nano is None or not self.span_us
            else round(cost_nano * 3_600 * US_PER_S / self.span_us)
        )

    @property
    def tasks_per_hour(self) -> float:
        return self["opened"] * 3_600 * US_PER_S / self.span_us if self.span_us else 0.0

    def duration_us(self, part: float) -> float | None:
        """The duration that `part` (0 to 1) of what ended kept below, off by at most 2.2 %; None of nothing."""
        return quantile(self.durations, part)


@dataclass(slots=True)
class Line:
    """One agent, or all: the window, the one before it, and the window in steps."""

    agent: str
    now: Sums
    before: Sums
    points: Sequence[Sums]

    def take(self, other: "Line") -> None:
        self.now.take(other.now)
        self.before.take(other.before)
        for mine, theirs in zip(self.points, other.points, strict=True):
            mine.take(theirs)


@dataclass(frozen=True, slots=True)
class Overview:
    """`from_us` to `until_us`: the window. `lines`: by agent's name; "" is of traces that name none."""

    window: Window
    from_us: int
    until_us: int
    lines: Mapping[str, Line]

    def of(self, sees: Callable[[str], bool]) -> "Overview":
        """Of the agents that somebody may see, and of nothing else."""
        seen = {name: line for name, line in self.lines.items() if sees(name)}
        return Overview(self.window, self.from_us, self.until_us, seen)

    def line(self, agent: str) -> Line:
        """Of nothing, if the agent did nothing."""
        return self.lines.get(agent) or self._empty(agent)

    def all(self) -> Line:
        total = self._empty("")
        for line in self.lines.values():
            total.take(line)
        return total

    def _empty(self, agent: str) -> Line:
        return _empty(agent, self.window, self.until_us - self.from_us)


def read(tx: Tx, window: Window, now_us: int) -> Overview:
    """The window ends with the rollup that is being filled; so it covers up to one rollup's width less than its name
    says, and what is told by the hour is told of the time that it does cover.
    """
    until_us = bucket_of(now_us, window.width_s) + window.width_s * US_PER_S
    from_us = until_us - window.seconds * US_PER_S
    lines: dict[str, Line] = {}

    def line_of(agent: str) -> Line:
        if agent not in lines:
            lines[agent] = _empty(agent, window, now_us - from_us)
        return lines[agent]

    before_us = from_us - window.seconds * US_PER_S
    for agent, step, *counts in _counts(tx, window, from_us, until_us):
        _put(line_of(agent).points[step].counts, zip(COUNTS, counts, strict=True))
    for agent, step, bin_, count in _bins(tx, window, from_us, until_us):
        _put(line_of(agent).points[step].durations, ((bin_, count),))
    for width_s, begin_us, end_us in _pieces(window.width_s, before_us, from_us):
        whole = Window("", "", (end_us - begin_us) // US_PER_S, width_s, 1)
        for agent, _, *counts in _counts(tx, whole, begin_us, end_us):
            _put(line_of(agent).before.counts, zip(COUNTS, counts, strict=True))
        for agent, _, bin_, count in _bins(tx, whole, begin_us, end_us):
            _put(line_of(agent).before.durations, ((bin_, count),))
    for line in lines.values():
        for point in line.points:
            line.now.take(point)
    return Overview(window, from_us, now_us, lines)


def _empty(agent: str, window: Window, covered_us: int) -> Line:
    points = [Sums(window.step_us) for _ in range(window.points)]
    return Line(agent, Sums(covered_us), Sums(window.seconds * US_PER_S), points)


def _put(sums: dict[str, int] | dict[int, int], found: Iterable[tuple[str | int, int]]) -> None:
    held: dict[str | int, int] = sums  # type: ignore[assignment]
    for name, count in found:
        if count:
            held[name] = held.get(name, 0) + int(count)


def _pieces(width_s: int, begin_us: int, end_us: int) -> list[tuple[int, int, int]]:
    """A time as whole hours and what is left at its ends, for hours are twelve times fewer rows than their parts."""
    first_us = -bucket_of(-begin_us, _COARSE_S)  # up to the next whole hour
    last_us = bucket_of(end_us, _COARSE_S)
    if width_s == _COARSE_S or first_us >= last_us:
        return [(width_s, begin_us, end_us)]
    pieces = [(width_s, begin_us, first_us), (_COARSE_S, first_us, last_us), (width_s, last_us, end_us)]
    return [piece for piece in pieces if piece[1] < piece[2]]


def _counts(tx: Tx, window: Window, begin_us: int, end_us: int) -> list[tuple[str, int, *tuple[int, ...]]]:
    return tx.rows(
        f"SELECT s.agent, (r.bucket_us - ?) / ?, {_SUMS} FROM rollups r JOIN series s ON s.id = r.series_id"
        " WHERE r.width_s = ? AND r.bucket_us >= ? AND r.bucket_us < ? GROUP BY 1, 2",
        (begin_us, window.step_us, window.width_s, begin_us, end_us),
    )


def _bins(tx: Tx, window: Window, begin_us: int, end_us: int) -> list[tuple[str, int, int, int]]:
    return tx.rows(
        "SELECT s.agent, (b.bucket_us - ?) / ?, b.bin, SUM(b.count) FROM rollup_bins b"
        " JOIN series s ON s.id = b.series_id"
        " WHERE b.width_s = ? AND b.bucket_us >= ? AND b.bucket_us < ? AND b.measure = 'duration' GROUP BY 1, 2, 3",
        (begin_us, window.step_us, window.width_s, begin_us, end_us),
    )
