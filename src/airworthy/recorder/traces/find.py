"""Traces found by a query, the newest first, a page at a time. Changes nothing."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, assert_never

from airworthy.core.errors import InputError
from airworthy.recorder.traces.query import Amount, Labels, Moment, Query, Term, Value, Words
from airworthy.store import Tx, ids_alike

LIMIT_MAX: Final = 1_000


class NoSuchTrace(InputError):
    """No trace has this id."""

    code: ClassVar[str] = "no_such_trace"


@dataclass(frozen=True, slots=True)
class TraceRow:
    """A row of `traces`: a task of ours, or a trace from elsewhere. Times UTC microseconds, money nano-USD.

    `cost_nano`: of what has a price, None when nothing has; `unpriced`: model calls without one.
    """

    id: str
    origin: str
    trace_id: str
    agent: str
    release: str
    session: str
    user_id: str
    feature: str
    name: str
    at_us: int
    started_us: int
    ended_us: int | None
    duration_us: int | None
    outcome: str | None
    error_type: str | None
    steps: int
    model_calls: int
    tool_calls: int
    errors: int
    retries: int
    tokens_in: int
    tokens_out: int
    cost_nano: int | None
    unpriced: int
    sentence: str | None


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the list: the last trace of the page before."""

    at_us: int
    id: str

    def __str__(self) -> str:
        """Fit for a URL; what is in it is nobody's business."""
        return base64.urlsafe_b64encode(f"{self.at_us}.{self.id}".encode()).decode().rstrip("=")

    @staticmethod
    def of(text: str) -> "Cursor":
        """Raises: InputError."""
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
            at, dot, id_ = raw.partition(".")
            if not (dot and id_ and at.isascii() and at.isdigit() and int(at) < 2**63):
                raise ValueError
        except (ValueError, binascii.Error):
            raise InputError(
                f"{text[:80]!r} is no place in a list.",
                mend="Pass on `next` as it was given, or leave it out.",
            ) from None
        return Cursor(int(at), id_)


@dataclass(frozen=True, slots=True)
class Page:
    """`next`: where the next page begins; None: there is no more. `stopped_us`: the search gave up for now when it had
    come to this time, so the page may be short, or empty, and the next goes on from there.
    """

    rows: Sequence[TraceRow]
    next: Cursor | None
    stopped_us: int | None = None


_COLUMNS: Final = ", ".join(f"t.{name}" for name in TraceRow.__dataclass_fields__)


def find(tx: Tx, query: Query, *, before: Cursor | None = None, limit: int = 50) -> Page:
    """`limit`: 1 to LIMIT_MAX."""
    assert 1 <= limit <= LIMIT_MAX
    where, params = _where(query)
    if before is not None:
        where += " AND (t.at_us, t.id) < (?, ?)"
        params += [before.at_us, before.id]
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM traces t WHERE {where} ORDER BY t.at_us DESC, t.id DESC LIMIT ?",
        (*params, limit + 1),
    )
    found = [TraceRow(*row) for row in rows[:limit]]
    more = Cursor(found[-1].at_us, found[-1].id) if len(rows) > limit else None
    return Page(found, more)


def count(tx: Tx, query: Query, at_most: int) -> int:
    """How many there are; it does not count further than `at_most`."""
    where, params = _where(query)
    row = tx.row(f"SELECT COUNT(*) FROM (SELECT 1 FROM traces t WHERE {where} LIMIT ?) c", (*params, at_most))
    assert row is not None
    return int(row[0])


def get(tx: Tx, id_: str) -> TraceRow:
    """Raises: NoSuchTrace."""
    row = tx.row(f"SELECT {_COLUMNS} FROM traces t WHERE t.id = ?", (id_,))
    if row is None:
        raise NoSuchTrace(f"There is no trace {id_!r}.", mend="List them with `airworthy trace list`.")
    return TraceRow(*row)


def alike(tx: Tx, part: str, chars_min: int, limit: int) -> list[str]:
    """Ids of traces that begin or end with `part`; see `store.ids_alike`."""
    return ids_alike(tx, "traces", part, chars_min, limit)


def _where(query: Query) -> tuple[str, list[Any]]:
    clauses, params = ["1 = 1"], list[Any]()
    for term in query.terms:
        clause, values = _clause(term)
        clauses.append(clause)
        params += values
    if query.agents is not None:
        clauses.append(f"t.agent IN ({', '.join('?' for _ in query.agents)})" if query.agents else "1 = 0")
        params += sorted(query.agents)
    return " AND ".join(clauses), params


def _clause(term: Term) -> tuple[str, Sequence[Any]]:
    match term:
        case Labels():
            found = [_label(term.key, value) for value in term.values]
            clause = " OR ".join(clause for clause, _ in found)
            return f"{'NOT ' * term.negated}({clause})", [value for _, values in found for value in values]
        case Amount():
            column = {"cost": "cost_nano", "duration": "duration_us", "steps": "steps"}[term.key]
            return f"t.{column} {term.comparison} ?", [term.number]
        case Moment():
            return f"t.at_us {'>=' if term.key == 'since' else '<'} ?", [term.at_us]
        case Words():
            matching = " AND ".join(f'"{word}"' for word in term.text.replace('"', " ").split())
            within = "d.id IN (SELECT rowid FROM texts WHERE texts MATCH ?)"
            clause = f"{'NOT ' * term.negated}EXISTS (SELECT 1 FROM docs d WHERE d.ref = t.id AND {within})"
            return clause, [matching + "*" * term.prefix]
        case _:
            assert_never(term)


def _label(key: str, value: Value) -> tuple[str, Sequence[Any]]:
    if key == "is":
        return {"open": "t.ended_us IS NULL", "error": "t.errors > 0", "unpriced": "t.unpriced > 0"}[
            value.text
        ], []
    end = value.text + chr(0x10FFFF)
    if key == "id":
        return ("t.id >= ? AND t.id < ?", [value.text, end]) if value.prefix else ("t.id = ?", [value.text])
    fits = "f.value >= ? AND f.value < ?" if value.prefix else "f.value = ?"
    bounds = [value.text, end] if value.prefix else [value.text]
    return (
        f"EXISTS (SELECT 1 FROM facets f WHERE f.field = ? AND {fits} AND f.at_us = t.at_us AND f.ref = t.id)",
        [key, *bounds],
    )
