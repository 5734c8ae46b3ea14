"""What a query asks, as SQL over lists of places: each condition as a list of its own, and as a test of one place.

A place is when a trace began and its id. What comes from outside travels as parameters alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol, assert_never

from airworthy.recorder.traces.days import PLACES, UNIT
from airworthy.recorder.traces.facets import VALUE_CHARS_MAX
from airworthy.recorder.traces.query import Amount, Labels, Moment, Query, Value, Words
from airworthy.recorder.traces.words import AT_US_MAX, INDEXES, Index, after, matches, rowids
from airworthy.store import Tx

Place = tuple[int, str]
# Labels that `traces_by_time` holds as well: there a test answers whatever was asked of them.
_IN_ROW: Final = ("agent", "outcome", "origin")
_COLUMNS: Final = {"release": "release", "session": "session", "user": "user_id", "feature": "feature"}
_UNITED_MAX: Final = 8  # So many lists are merged; of more, the entries are sorted.
_AMOUNTS: Final = {"cost": "cost_nano", "duration": "duration_us", "steps": "steps"}
_STATES: Final = {
    "open": "{t}.duration_us IS NULL",
    "error": "{t}.errors > 0",
    "unpriced": "{t}.unpriced > 0",
}


class Sql(NamedTuple):
    text: str
    params: tuple[Any, ...] = ()


class Named(NamedTuple):
    """How the place of the row at hand is written."""

    at: str
    id: str


@dataclass(frozen=True, slots=True)
class Span:
    """From a time on, up to a place (exclusive)."""

    from_us: int
    before: Place

    def holds(self, place: Named) -> Sql:
        # The first two comparisons are what an index is entered by, whatever a planner makes of a pair.
        at_us, id_ = self.before
        last_us = at_us if id_ else at_us - 1
        return Sql(
            f"{place.at} >= ? AND {place.at} <= ? AND ({place.at} < ? OR {place.id} < ?)",
            (self.from_us, last_us, at_us, id_),
        )

    @property
    def rowids(self) -> tuple[int, int]:
        return rowids(self.from_us, self.before[0] + 1)


class Source(Protocol):
    """A condition as a list of the places where it holds, and as a test of one."""

    @property
    def place(self) -> Named:
        """Of k, in `listed`."""
        ...

    def listed(self, span: Span, tests: Iterable[Sql] = ()) -> Sql:
        """A SELECT of the places in a span, each once; `tests` speak of k."""
        ...

    def test(self, place: Named, span: Span, *, singly: bool) -> Sql:
        """`singly`: few places of the span are tested."""
        ...


@dataclass(frozen=True, slots=True)
class Valued:
    """Traces that have one of some values in `facets`. `beginnings`: with so many values that no test of one place is
    cheap; they are listed. `row`: the same of the trace's own row, where it can be told from that.
    """

    field: str
    exact: tuple[str, ...]
    beginnings: tuple[str, ...] = ()
    row: Sql | None = None

    @property
    def place(self) -> Named:
        return Named("k.at_us", "k.ref")

    @property
    def is_one(self) -> bool:
        """Of one value, so its list is in order."""
        return len(self.exact) == 1 and not self.beginnings

    def listed(self, span: Span, tests: Iterable[Sql] = ()) -> Sql:
        return self._listed(self._values("k"), span, tests, once=not self.is_one)

    def united(self, span: Span, tests: Sequence[Sql]) -> Sql:
        """The same as lists that are in order each, to be merged. It can only be the first of what is combined."""
        if self.beginnings or not 1 < len(self.exact) <= _UNITED_MAX:
            return self.listed(span, tests)
        lists = [self._listed(Sql("k.value = ?", (value,)), span, tests, once=False) for value in self.exact]
        return Sql(
            " UNION ".join(each.text for each in lists), tuple(v for each in lists for v in each.params)
        )

    def _listed(self, values: Sql, span: Span, tests: Iterable[Sql], *, once: bool) -> Sql:
        where = joined([Sql("k.field = ?", (self.field,)), values, span.holds(self.place), *tests])
        return Sql(
            f"SELECT {'DISTINCT ' * once}k.at_us, k.ref FROM facets k WHERE {where.text}", where.params
        )

    def test(self, place: Named, span: Span, *, singly: bool) -> Sql:  # noqa: ARG002  # as a Source
        values = self._values("f")
        where = f"f.field = ? AND {values.text} AND f.at_us = {place.at} AND f.ref = {place.id}"
        return Sql(f"EXISTS (SELECT 1 FROM facets f WHERE {where})", (self.field, *values.params))

    def _values(self, table: str) -> Sql:
        return one_of(f"{table}.value", self.exact, self.beginnings)


@dataclass(frozen=True, slots=True)
class Ids:
    exact: tuple[str, ...]
    beginnings: tuple[str, ...]

    @property
    def place(self) -> Named:
        return Named("k.at_us", "k.id")

    def listed(self, span: Span, tests: Iterable[Sql] = ()) -> Sql:
        where = joined([self.test(self.place, span, singly=True), span.holds(self.place), *tests])
        return Sql(f"SELECT k.at_us, k.id FROM traces k WHERE {where.text}", where.params)

    def test(self, place: Named, span: Span, *, singly: bool) -> Sql:  # noqa: ARG002  # as a Source
        return one_of(place.id, self.exact, self.beginnings)


@dataclass(frozen=True, slots=True)
class Word:
    """Traces with a word. A trace may have several entries in the index of texts."""

    match: str
    index: Index

    @property
    def place(self) -> Named:
        return Named("k.at_us", "k.ref")

    def listed(self, span: Span, tests: Iterable[Sql] = ()) -> Sql:
        entries = self.entries(span)
        within = Sql(f"k.id IN ({entries.text})", entries.params)
        if self.index.parted:  # So that only the days of the span are looked at.
            within = Sql(f"{within.text} AND k.id >= ? AND k.id < ?", (*within.params, *span.rowids))
        where = joined([within, span.holds(self.place), *tests])
        return Sql(f"SELECT DISTINCT {self.place.at}, k.ref FROM docs k WHERE {where.text}", where.params)

    def entries(self, span: Span) -> Sql:
        """Their numbers in the index."""
        number = self.index.id
        return Sql(
            f"SELECT {number} FROM texts WHERE {self.index.holds} AND {number} >= ? AND {number} < ?",
            (self.match, *span.rowids),
        )

    def test(self, place: Named, span: Span, *, singly: bool) -> Sql:
        entries = (
            f"SELECT 1 FROM docs d WHERE d.id >= ({place.at} >> {UNIT} << {PLACES})"
            f" AND d.id < (({place.at} >> {UNIT}) + 1 << {PLACES}) AND d.ref = {place.id}"
        )
        if singly:
            return Sql(
                f"EXISTS ({entries} AND EXISTS"
                f" (SELECT 1 FROM texts WHERE {self.index.holds} AND {self.index.id} = d.id))",
                (self.match,),
            )
        within = self.entries(span)
        return Sql(f"EXISTS ({entries} AND d.id IN ({within.text}))", within.params)


@dataclass(frozen=True, slots=True)
class Rows:
    """Traces whose own row is so; the conditions name it {t}, and look at what `traces_by_time` holds."""

    conditions: tuple[Sql, ...] = ()

    @property
    def place(self) -> Named:
        return Named("k.at_us", "k.id")

    def listed(self, span: Span, tests: Iterable[Sql] = ()) -> Sql:
        where = joined([span.holds(self.place), *self._of("k"), *tests])
        return Sql(f"SELECT k.at_us, k.id FROM traces k WHERE {where.text}", where.params)

    def test(self, place: Named, span: Span, *, singly: bool) -> Sql:  # noqa: ARG002  # as a Source
        # An id that is compared twice keeps to the index by time, which holds all that is looked at.
        here = f"t.at_us = {place.at} AND t.id >= {place.id} AND t.id <= {place.id}"
        where = joined([Sql(here), *self._of("t")])
        return Sql(f"EXISTS (SELECT 1 FROM traces t WHERE {where.text})", where.params)

    def _of(self, table: str) -> list[Sql]:
        return [Sql(each.text.format(t=table), each.params) for each in self.conditions]


@dataclass(frozen=True, slots=True)
class Labelled:
    """Traces whose own row has one of so many values that their lists are no help: it is read for each place."""

    condition: Sql

    @property
    def place(self) -> Named:
        return Named("k.at_us", "k.id")

    def listed(self, span: Span, tests: Iterable[Sql] = ()) -> Sql:
        return Rows().listed(span, [self.test(self.place, span, singly=False), *tests])

    def test(self, place: Named, span: Span, *, singly: bool) -> Sql:  # noqa: ARG002  # as a Source
        where = f"t.id = {place.id} AND {self.condition.text.format(t='t')}"
        return Sql(f"EXISTS (SELECT 1 FROM traces t WHERE {where})", self.condition.params)


@dataclass(slots=True)
class Conditions:
    """All of which must hold; `never`: one that cannot."""

    since_us: int = 0
    until_us: int = AT_US_MAX
    valued: list[Valued] = field(default_factory=list)
    ids: list[Ids] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    labelled: list[Labelled] = field(default_factory=list)
    rows: list[Sql] = field(default_factory=list)
    without: list[Source] = field(default_factory=list)
    never: bool = False

    @property
    def sources(self) -> list[Source]:
        """What has a list worth going through."""
        return [*self.ids, *self.valued, *self.words]


def conditions_of(tx: Tx, query: Query, expanded: int) -> Conditions:
    """`expanded`: so many values with one beginning are looked up one by one."""
    found = Conditions()
    if query.agents is not None:
        _agents(found, query.agents)
    for term in query.terms:
        match term:
            case Labels():
                _labels(tx, found, term, expanded)
            case Amount():
                found.rows.append(Sql(f"{{t}}.{_AMOUNTS[term.key]} {term.comparison} ?", (term.number,)))
            case Moment(key="since"):
                found.since_us = max(found.since_us, term.at_us)
            case Moment():
                found.until_us = min(found.until_us, term.at_us)
            case Words():
                _words(found, term, tx.dialect)
            case _:
                assert_never(term)
    found.never = found.never or found.since_us >= found.until_us
    return found


def one_of(column: str, exact: Sequence[str], beginnings: Sequence[str]) -> Sql:
    clauses, params = list[str](), list[str]()
    if exact:
        clauses.append(
            f"{column} = ?" if len(exact) == 1 else f"{column} IN ({', '.join('?' for _ in exact)})"
        )
        params += exact
    for beginning in beginnings:
        end = after(beginning)
        clauses.append(f"{column} >= ?" + (f" AND {column} < ?" if end is not None else ""))
        params += [beginning] if end is None else [beginning, end]
    text = clauses[0] if len(clauses) == 1 else " OR ".join(clauses)
    return Sql(f"({text})", tuple(params))


def joined(conditions: Iterable[Sql]) -> Sql:
    listed = list(conditions)
    return Sql(
        " AND ".join(each.text for each in listed), tuple(value for each in listed for value in each.params)
    )


def not_(condition: Sql) -> Sql:
    return Sql(f"NOT {condition.text}", condition.params)


def _agents(found: Conditions, agents: frozenset[str]) -> None:
    named = tuple(sorted(agent for agent in agents if agent))
    row = one_of("{t}.agent", tuple(sorted(agents)), ()) if agents else None
    if row is None:
        found.never = True
    elif "" in agents or any(len(agent) > VALUE_CHARS_MAX for agent in named):
        found.rows.append(row)  # No value stands for a trace without an agent.
    else:
        found.valued.append(Valued("agent", named, row=row))


def _labels(tx: Tx, found: Conditions, term: Labels, expanded: int) -> None:
    if term.key == "is":
        states = " OR ".join(_STATES[value.text] for value in term.values)
        found.rows.append(Sql(f"{'NOT ' * term.negated}({states})"))
        return
    exact = tuple(value.text for value in term.values if not value.prefix)
    beginnings = tuple(value.text for value in term.values if value.prefix)
    if term.key == "id":
        ids = Ids(exact, beginnings)
        (found.without if term.negated else found.ids).append(ids)
        return
    row = _row(term.key, term.values) if term.key in _IN_ROW else None
    if row is not None and term.negated:
        found.rows.append(not_(row))
        return
    exact = tuple(text[:VALUE_CHARS_MAX] for text in exact)
    many = []
    for beginning in beginnings:
        values = _expanded(tx, term.key, beginning, expanded)
        if values is None:
            many.append(beginning)
        else:
            exact += values
    read = _row(term.key, term.values) if many and term.key in _COLUMNS else None
    if read is not None:
        (found.without if term.negated else found.labelled).append(Labelled(read))
    elif exact or many:
        valued = Valued(term.key, tuple(dict.fromkeys(exact)), tuple(many), row)
        if term.negated:
            found.without.append(valued)
        else:
            found.valued.append(valued)
    elif not term.negated:
        found.never = True  # No value begins so.


def _row(key: str, values: Sequence[Value]) -> Sql | None:
    # A longer value is cut in `facets`, and stands whole in the row.
    if any(len(value.text) >= VALUE_CHARS_MAX for value in values):
        return None
    column = f"COALESCE({{t}}.{key}, '')" if key == "outcome" else f"{{t}}.{_COLUMNS.get(key, key)}"
    exact = [value.text for value in values if not value.prefix]
    beginnings = [value.text for value in values if value.prefix and value.text]
    parts = [one_of(column, exact, beginnings)] if exact or beginnings else []
    if any(value.prefix and not value.text for value in values):
        parts.append(Sql(f"{column} <> ''"))
    return Sql(
        f"({' OR '.join(part.text for part in parts)})", tuple(v for part in parts for v in part.params)
    )


def _expanded(tx: Tx, key: str, beginning: str, at_most: int) -> tuple[str, ...] | None:
    """The values that begin so, from one to the next by the index; None when there are more than a few."""
    end = after(beginning)
    below = "" if end is None else " AND value < ?"
    bounds = () if end is None else (end,)
    rows = tx.rows(
        "WITH RECURSIVE found (value) AS ("
        f"SELECT MIN(value) FROM facets WHERE field = ? AND value >= ?{below}"
        f" UNION ALL SELECT (SELECT MIN(value) FROM facets WHERE field = ? AND value > found.value{below})"
        " FROM found WHERE found.value IS NOT NULL) SELECT value FROM found WHERE value IS NOT NULL LIMIT ?",
        (key, beginning, *bounds, key, *bounds, at_most + 1),
    )
    return None if len(rows) > at_most else tuple(row[0] for row in rows)


def _words(found: Conditions, term: Words, dialect: str) -> None:
    asked = [Word(match, INDEXES[dialect]) for match in matches(term, dialect)]
    if term.negated:
        # Not all of its words; one word is the common case, and the only one that is a plain list.
        found.without.append(asked[0] if len(asked) == 1 else AllOf(tuple(asked))) if asked else None
    elif asked:
        found.words += asked
    else:
        found.never = True


@dataclass(frozen=True, slots=True)
class AllOf:
    """Traces with every one of some words."""

    words: tuple[Word, ...]

    @property
    def place(self) -> Named:
        return self.words[0].place

    def listed(self, span: Span, tests: Iterable[Sql] = ()) -> Sql:
        first, *others = self.words
        return first.listed(span, [*tests, *(word.test(self.place, span, singly=False) for word in others)])

    def test(self, place: Named, span: Span, *, singly: bool) -> Sql:
        found = joined(word.test(place, span, singly=singly) for word in self.words)
        return Sql(f"({found.text})", found.params)
