"""Entries as a waterfall: in the order of a tree, long rows of the same folded, long waits cut short. Pure.

Whatever comes in is drawn: parents that are missing or go in circles, children outside their parents' times, ends
before beginnings. `Row.odd` says what is not as it should be.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from airworthy.recorder.view import Entry, Wait

FOLD_FROM: Final = 12  # of the same kind and name, one after the other and without children
SHOWN_OF_FOLDED: Final = 3
DEPTH_MAX: Final = 12  # deeper ones are drawn at this depth
SKEW_US: Final = 1_000  # clocks of one machine differ by less
BREAK_US_MIN: Final = 1_000_000
BREAK_SHARE: Final = 0.25  # of the whole time; a wait longer than this is cut short
BREAK_WIDTH: Final = 0.06  # of the width, for each that is cut
BREAKS_MAX: Final = 8


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the waterfall. `count` above 1: so many entries stand in this line, `entry` is the first of them.

    `left` and `width`: of its bar, 0 to 1. `waits`: the same of what was waited within it.
    """

    entry: Entry
    depth: int
    left: float
    width: float
    waits: tuple[tuple[float, float, Wait], ...] = ()
    odd: tuple[str, ...] = ()
    count: int = 1
    failed: int = 0
    took_us: int | None = None


@dataclass(frozen=True, slots=True)
class Break:
    """A wait that is drawn shorter than it was."""

    left: float
    width: float
    started_us: int
    ended_us: int


@dataclass(frozen=True, slots=True)
class Waterfall:
    """`started_us` None: there is nothing. `ended_us`: of the last that is known."""

    rows: Sequence[Row]
    breaks: Sequence[Break]
    started_us: int | None
    ended_us: int | None
    ticks: Sequence[tuple[float, int]]  # Where, and how long after the beginning.


def drawn(entries: Sequence[Entry], now_us: int, unfolded: Collection[str] = ()) -> Waterfall:
    """`now_us`: until when what has no end lasts. `unfolded`: keys of folded lines that are to be shown whole."""
    if not entries:
        return Waterfall((), (), None, None, ())
    ends = {entry.key: _end(entry, now_us) for entry in entries}
    scale = _Scale(entries, ends)
    known = {entry.key: entry for entry in entries}
    rows: list[Row] = []
    for run in _folded(_in_order(entries, known), unfolded):
        rows += _rows(run, scale, ends, known)
    return Waterfall(rows, scale.breaks, scale.first, scale.last, scale.ticks())


def _end(entry: Entry, now_us: int) -> int:
    if entry.ended_us is None:
        return max(entry.started_us, now_us) if entry.state == "started" else entry.started_us
    return max(entry.started_us, entry.ended_us)


def _in_order(entries: Sequence[Entry], known: Mapping[str, Entry]) -> list[tuple[Entry, int]]:
    """Each once, parents before children, by the time they began; with its depth. Without recursion: a trace may be
    a million deep.
    """
    children: dict[str, list[Entry]] = {}
    for entry in entries:
        parent = entry.parent if entry.parent in known and entry.parent != entry.key else ""
        children.setdefault(parent, []).append(entry)
    for siblings in children.values():
        siblings.sort(key=_when, reverse=True)
    found: list[tuple[Entry, int]] = []
    met: set[str] = set()

    def walk(roots: list[Entry]) -> None:
        stack = [(entry, 0) for entry in roots]
        while stack:
            entry, depth = stack.pop()
            if entry.key in met:
                continue
            met.add(entry.key)
            found.append((entry, min(depth, DEPTH_MAX)))
            stack += [(child, depth + 1) for child in children.get(entry.key, ())]

    walk(children.get("", []))
    if len(met) < len(known):  # Their parents lead in a circle; the earliest of them begins it.
        for entry in sorted(entries, key=_when):
            if entry.key not in met:
                walk([entry])
    return found


def _when(entry: Entry) -> tuple[int, int, str]:
    """Steps by their number where the clock does not tell them apart."""
    number = int(entry.key) if entry.key.isdecimal() else 0
    return (entry.started_us, number, entry.key)


def _folded(ordered: list[tuple[Entry, int]], unfolded: Collection[str]) -> list[list[tuple[Entry, int]]]:
    """Runs of entries that stand in one line: mostly of one."""
    parents = {entry.parent for entry, _ in ordered}

    def same(pair: tuple[Entry, int]) -> tuple[object, ...]:
        entry, depth = pair
        leaf = entry.key not in parents
        return (entry.parent, depth, entry.kind, entry.name) if leaf else (entry.key,)

    found: list[list[tuple[Entry, int]]] = []
    for _, group in groupby(ordered, key=same):
        alike = list(group)
        head, rest = alike[:SHOWN_OF_FOLDED], alike[SHOWN_OF_FOLDED:]
        if len(alike) < FOLD_FROM or rest[0][0].key in unfolded:
            found += [[pair] for pair in alike]
        else:
            found += [[pair] for pair in head] + [rest]
    return found


def _rows(
    run: list[tuple[Entry, int]], scale: "_Scale", ends: Mapping[str, int], known: Mapping[str, Entry]
) -> list[Row]:
    entry, depth = run[0]
    left = scale.at(min(each.started_us for each, _ in run))
    right = scale.at(max(ends[each.key] for each, _ in run))
    if len(run) > 1:
        failed = sum(each.state in ("failed", "in_doubt") for each, _ in run)
        took_us = sum(each.took_us or 0 for each, _ in run)
        return [Row(entry, depth, left, right - left, count=len(run), failed=failed, took_us=took_us)]
    waits = tuple(
        (scale.at(w.started_us), scale.at(w.ended_us) - scale.at(w.started_us), w) for w in entry.waits
    )
    odd = _odd(entry, known, ends)
    return [Row(entry, depth, left, right - left, waits, odd, took_us=entry.took_us)]


def _odd(entry: Entry, known: Mapping[str, Entry], ends: Mapping[str, int]) -> tuple[str, ...]:
    found = []
    parent = known.get(entry.parent)
    if entry.ended_us is not None and entry.ended_us < entry.started_us:
        found.append("it ends before it begins")
    if entry.parent == entry.key:
        found.append("it names itself as its parent")
    elif entry.parent and parent is None:
        found.append("what it belongs to is not here")
    elif parent is not None and (
        entry.started_us < parent.started_us - SKEW_US or ends[entry.key] > ends[parent.key] + SKEW_US
    ):
        found.append("its times lie outside of what it belongs to: two clocks, or it outlived it")
    return tuple(found)


class _Scale:
    """From a time to a place between 0 and 1, where long waits take little room."""

    def __init__(self, entries: Sequence[Entry], ends: Mapping[str, int]) -> None:
        self.first = min(entry.started_us for entry in entries)
        self.last = max(ends.values())
        total = self.last - self.first
        idle = [
            gap for gap in _idle(entries, ends) if gap[1] - gap[0] >= max(BREAK_US_MIN, BREAK_SHARE * total)
        ]
        cut = sorted(sorted(idle, key=lambda gap: gap[0] - gap[1])[:BREAKS_MAX])
        drawn_us = max(1, total - sum(end - start for start, end in cut))
        room = 1.0 - BREAK_WIDTH * len(cut)
        # Anchors of a line that rises piece by piece.
        self._anchors: list[tuple[int, float]] = [(self.first, 0.0)]
        self.breaks: list[Break] = []
        at_us, at = self.first, 0.0
        for start, end in cut:
            at += (start - at_us) / drawn_us * room
            self.breaks.append(Break(at, BREAK_WIDTH, start, end))
            self._anchors += [(start, at), (end, at + BREAK_WIDTH)]
            at, at_us = at + BREAK_WIDTH, end
        self._anchors.append((self.last, 1.0 if total else 0.0))

    def at(self, us: int) -> float:
        us = min(max(us, self.first), self.last)
        before = self._anchors[0]
        for after in self._anchors[1:]:
            if us <= after[0]:
                span = after[0] - before[0]
                return before[1] + ((us - before[0]) / span * (after[1] - before[1]) if span else 0.0)
            before = after
        return before[1]

    def ticks(self) -> list[tuple[float, int]]:
        """At round times, where nothing is cut."""
        total = self.last - self.first
        if not total or self.breaks:
            return [(self.at(us), us - self.first) for us in sorted({self.first, self.last})]
        step = next(s for s in _round_steps() if total / s <= 5)
        return [(self.at(self.first + us), us) for us in range(0, total + 1, step)]


def _round_steps() -> list[int]:
    small = [digit * 10**power for power in range(8) for digit in (1, 2, 5)]
    return [*small, *(seconds * 1_000_000 for seconds in (60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400)),
            *(86_400_000_000 * digit * 10**power for power in range(9) for digit in (2, 5, 10))]  # fmt: skip


def _idle(entries: Sequence[Entry], ends: Mapping[str, int]) -> list[tuple[int, int]]:
    """When nothing was done. What only holds others together, and what waits for a person, does nothing itself."""
    parents = {entry.parent for entry in entries}
    busy: list[tuple[int, int]] = []
    for entry in entries:
        start, end = entry.started_us, ends[entry.key]
        if entry.key in parents:
            busy += [(start, start), (end, end)]
        elif entry.kind == "ask" or entry.state == "held":
            busy.append((start, start))
        else:
            for wait in entry.waits:
                busy.append((start, max(start, wait.started_us)))
                start = max(start, min(wait.ended_us, end))
            busy.append((start, end))
    busy.sort()
    found, until = [], busy[0][1]
    for start, end in busy:
        if start > until:
            found.append((until, start))
        until = max(until, end)
    return found
