"""From a query to the places of what it finds, the newest first, in bounded work. Reads indexes alone.

Every condition is a list in the order of time: a value's in `facets`, a word's in `texts`, the traces' own. Two ways
lead through them. When one list is short, each of its entries is looked up in the others. When all are long they are
merged, in stretches of time that grow: what is frequent is found at once, and what is frequent in each list and never
in all costs one pass over each, instead of a look-up for every entry.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from airworthy.recorder.traces.conditions import (
    AllOf,
    Conditions,
    Place,
    Rows,
    Source,
    Span,
    Sql,
    Valued,
    Word,
    conditions_of,
    not_,
)
from airworthy.recorder.traces.query import Query
from airworthy.store import Tx


@dataclass(frozen=True, slots=True)
class Bounds:
    """`listed`: a list is short when it has fewer entries. `singly`: so few are each looked up in the words; for more,
    the words of a stretch are read. `stretches`: traces in each; after the last the search stops for now, and says how
    far it came. `expanded`: so many values with one beginning are looked up one by one.
    """

    listed: int = 4_096
    singly: int = 400
    stretches: tuple[int, ...] = (1_000, 8_000, 56_000, 190_000)
    expanded: int = 64


BOUNDS: Final = Bounds()


@dataclass(frozen=True, slots=True)
class Found:
    """`stopped_us`: it was not looked further back than to this time."""

    places: Sequence[Place]
    stopped_us: int | None = None


def search(tx: Tx, query: Query, before: Place | None, limit: int, bounds: Bounds = BOUNDS) -> Found:
    """The places of the newest `limit` that are before the place `before`."""
    conditions = conditions_of(tx, query, bounds.expanded)
    ceiling = (conditions.until_us, "")
    span = Span(conditions.since_us, ceiling if before is None else min(before, ceiling))
    return Found([]) if conditions.never else _Search(tx, conditions, limit, bounds).run(span)


@dataclass(frozen=True, slots=True)
class _Way:
    """Through which list to go. `looked_up`: its entries are tested one by one; `singly`: they are few."""

    through: Source
    looked_up: bool = False
    singly: bool = False


class _Search:
    def __init__(self, tx: Tx, conditions: Conditions, limit: int, bounds: Bounds) -> None:
        self._tx = tx
        self._of = conditions
        self._limit = limit
        self._bounds = bounds
        self._found: list[Place] = []

    def run(self, whole: Span) -> Found:
        merged = _Way(self._longest())
        if self._is_one_list():
            self._take(whole, merged)
            return Found(self._found)
        for number, stretch in enumerate(self._stretches(whole)):
            if number == 1:  # The newest were not enough: now it is worth knowing how long the lists are.
                rest = Span(whole.from_us, stretch.before)
                merged = self._shortest(rest)
                if merged.looked_up and (merged.singly or not self._has_words(merged.through)):
                    self._take(rest, merged)
                    return Found(self._found)
            self._take(stretch, merged)
            if len(self._found) >= self._limit:
                return Found(self._found)
        return Found(self._found, stretch.from_us if stretch.from_us > whole.from_us else None)

    def _is_one_list(self) -> bool:
        """Which is in order by itself, so that it can be read until there is enough."""
        of = self._of
        if of.rows or of.without or of.words or of.ids or of.labelled:
            return False
        return not of.valued or (
            len(of.valued) == 1 and len(of.valued[0].exact) == 1 and not of.valued[0].beginnings
        )

    def _has_words(self, but: Source) -> bool:
        return any(
            isinstance(each, Word | AllOf) and each is not but
            for each in (*self._of.words, *self._of.without)
        )

    def _longest(self) -> Source:
        """The one to go through when all are long: not one that the traces' own list can stand for."""
        valued = sorted(self._of.valued, key=lambda source: source.row is not None)
        known: list[Source] = [*self._of.ids, *valued, *self._of.words, Rows(tuple(self._of.rows))]
        return known[0]

    def _stretches(self, whole: Span) -> Iterator[Span]:
        left = whole
        for traces in self._bounds.stretches:
            places = Rows().listed(left)
            row = self._tx.row(
                f"{places.text} ORDER BY k.at_us DESC, k.id DESC LIMIT 1 OFFSET ?", (*places.params, traces)
            )
            stretch = Span(whole.from_us if row is None else row[0], left.before)
            yield stretch
            if row is None:
                return
            left = Span(whole.from_us, (stretch.from_us, ""))

    def _shortest(self, span: Span) -> _Way:
        """The way through the shortest list."""
        sources = self._of.sources
        if self._of.rows:
            sources.append(Rows(tuple(self._of.rows)))  # Counted last: where few are so, all are looked at.
        length, shortest = self._bounds.listed, self._longest()
        for source in sources:
            if length > self._bounds.singly or not isinstance(source, Rows):
                here = self._length(source, span)
                length, shortest = (here, source) if here < length else (length, shortest)
        return _Way(shortest, length < self._bounds.listed, length <= self._bounds.singly)

    def _length(self, source: Source, span: Span) -> int:
        if isinstance(source, Word):
            listed = source.entries(span)
        else:
            listed = source.listed(span)
        row = self._tx.row(
            f"SELECT COUNT(*) FROM ({listed.text} LIMIT ?) c", (*listed.params, self._bounds.listed)
        )
        assert row is not None
        return int(row[0])

    def _take(self, span: Span, way: _Way) -> None:
        asked = self._asked(span, way)
        left = self._limit - len(self._found)
        self._found += [
            (at_us, id_) for at_us, id_ in self._tx.rows(f"{asked.text} LIMIT ?", (*asked.params, left))
        ]

    def _asked(self, span: Span, way: _Way) -> Sql:
        of, through = self._of, way.through
        place = through.place
        tests = [source.test(place, span, singly=way.singly) for source in of.labelled]
        also: list[Source] = []
        rows = [] if isinstance(through, Rows) else list(of.rows)
        for source in of.sources:
            if source is through:
                continue
            if (
                isinstance(source, Valued)
                and source.row is not None
                and (rows or way.looked_up or not source.is_one)
            ):
                rows.append(source.row)
            elif self._tested(source, way):
                tests.append(source.test(place, span, singly=way.singly))
            else:
                also.append(source)
        if rows and way.looked_up:
            tests.append(Rows(tuple(rows)).test(place, span, singly=way.singly))
        elif rows:
            also.append(Rows(tuple(rows)))
        but = []
        for source in of.without:
            if self._tested(source, way):
                tests.append(not_(source.test(place, span, singly=way.singly)))
            else:
                but.append(source)
        first = through.united(span, tests) if isinstance(through, Valued) else through.listed(span, tests)
        if (also or but) and " UNION " in first.text and self._tx.dialect != "sqlite":
            # SQLite takes these in the order they are written, and knows no brackets; elsewhere INTERSECT goes first.
            first = Sql(f"({first.text})", first.params)
        parts = [first, *(source.listed(span) for source in also)]
        text = " INTERSECT ".join(part.text for part in parts)
        left_out = [source.listed(span) for source in but]
        text += "".join(f" EXCEPT {part.text}" for part in left_out)
        return Sql(
            f"{text} ORDER BY 1 DESC, 2 DESC",
            tuple(value for part in (*parts, *left_out) for value in part.params),
        )

    def _tested(self, source: Source, way: _Way) -> bool:
        """A value is looked up where that pays; words and ids always are."""
        return not isinstance(source, Valued) or (way.looked_up and not source.beginnings)
