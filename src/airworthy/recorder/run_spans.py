"""The spans of one trace, a page at a time, and one with all that came with it. Reads the tables of traces only."""

from dataclasses import dataclass
from typing import Any, Final

import orjson

from airworthy.recorder.traces import chunk
from airworthy.store import Row, Tx

_TRACE_BYTES: Final = 16
_SPAN_BYTES: Final = 8
_COLUMNS: Final = (
    "span, parent, kind, name, started_us, ended_us, error_type, model, tokens_in, tokens_out, cost_nano,"
    " chunk, part"
)


@dataclass(frozen=True, slots=True)
class SpanSeen:
    """A row of `spans`; ids in hex, `parent_id` "" for none."""

    span_id: str
    parent_id: str
    kind: str
    name: str
    started_us: int
    ended_us: int
    error_type: str | None
    model: str | None
    tokens_in: int | None
    tokens_out: int | None
    cost_nano: int | None
    chunk: int
    part: int


@dataclass(frozen=True, slots=True)
class ScoreSeen:
    """`span_id` "": of the whole trace."""

    span_id: str
    name: str
    at_us: int
    value: float | None
    label: str
    explanation: str


@dataclass(frozen=True, slots=True)
class After:
    """The last span of the page before."""

    started_us: int
    span_id: str


def page(tx: Tx, trace_id: str, limit: int, after: After | None = None) -> list[SpanSeen]:
    """By the time they began. `trace_id`: in hex; what is none has no spans."""
    trace = _bytes(trace_id, _TRACE_BYTES)
    if trace is None:
        return []
    where, params = "trace = ?", list[Any]([trace])
    if after is not None:
        where += " AND (started_us, span) > (?, ?)"
        params += [after.started_us, _bytes(after.span_id, _SPAN_BYTES) or b""]
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM spans WHERE {where} ORDER BY started_us, span LIMIT ?", (*params, limit)
    )
    return [_seen(row) for row in rows]


def count(tx: Tx, trace_id: str, at_most: int) -> int:
    """It does not count further than `at_most`."""
    trace = _bytes(trace_id, _TRACE_BYTES)
    row = tx.row("SELECT COUNT(*) FROM (SELECT 1 FROM spans WHERE trace = ? LIMIT ?) c", (trace, at_most))
    return int(row[0]) if row is not None else 0


def find(tx: Tx, trace_id: str, span_id: str) -> SpanSeen | None:
    trace, span = _bytes(trace_id, _TRACE_BYTES), _bytes(span_id, _SPAN_BYTES)
    if trace is None or span is None:
        return None
    row = tx.row(f"SELECT {_COLUMNS} FROM spans WHERE trace = ? AND span = ?", (trace, span))
    return None if row is None else _seen(row)


def payload(tx: Tx, span: SpanSeen) -> dict[str, Any]:
    """`input`, `output`, `attributes` and what else came with it; empty once it was put out of the store."""
    row = tx.row("SELECT body FROM chunks WHERE id = ?", (span.chunk,))
    if row is None:
        return {}
    parts = chunk.unpack(bytes(row[0]))
    found = orjson.loads(parts[span.part][0]) if span.part < len(parts) else {}
    return found if isinstance(found, dict) else {"input": found}


def scores(tx: Tx, trace_id: str, limit: int) -> list[ScoreSeen]:
    trace = _bytes(trace_id, _TRACE_BYTES)
    rows = tx.rows(
        "SELECT span, name, at_us, value, label, explanation FROM scores WHERE trace = ? ORDER BY at_us, name LIMIT ?",
        (trace, limit),
    )
    return [ScoreSeen(bytes(row[0]).hex(), *row[1:]) for row in rows]


def _bytes(text: str, length: int) -> bytes | None:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        return None
    return found if len(found) == length else None


def _seen(row: Row) -> SpanSeen:
    span, parent, *others = row
    return SpanSeen(bytes(span).hex(), bytes(parent).hex() if parent else "", *others)
