"""Reads back what other programs told of a trace: its spans a piece at a time, its scores, and what came in by day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from airworthy.recorder.traces import chunk as chunks
from airworthy.recorder.traces.days import OF_TRACE, chunks_of
from airworthy.recorder.traces.span import Score
from airworthy.store import Row, Tx

SPANS_MAX: Final = 500  # of one reading
PAYLOAD_BYTES_MAX: Final = 16 * 1024 * 1024  # of one reading, unpacked; what is beyond is read span by span
SCORES_MAX: Final = 1_000
DAYS_MAX: Final = 90
_COLUMNS: Final = (
    "span, parent, kind, name, started_us, ended_us, error_type, model, tokens_in, tokens_out, cost_nano, chunk,"
    " part"
)
Place = tuple[int, str]  # start and id of a span


@dataclass(frozen=True, slots=True)
class SpanRow:
    """Ids in hex; "" is none. `payload`: JSON as `Span.payload`; None where it was left out."""

    trace_id: str
    span_id: str
    parent_id: str
    kind: str
    name: str
    started_us: int
    ended_us: int
    error_type: str
    model: str
    tokens_in: int | None
    tokens_out: int | None
    cost_nano: int | None
    payload: bytes | None

    @property
    def place(self) -> Place:
        return self.started_us, self.span_id


@dataclass(frozen=True, slots=True)
class SpanPage:
    """In order of time. `total`: of the trace. `after`: where the next piece begins; None: this was the last."""

    spans: Sequence[SpanRow]
    total: int
    after: Place | None


def spans_of(
    tx: Tx, trace_id: str, limit: int = SPANS_MAX, after: Place | None = None, *, payloads: bool = True
) -> SpanPage:
    """The spans that start after the place `after`, which a page before told; at most SPANS_MAX at once.

    `trace_id`: in hex. Of a task of ours, those that its own process sent by OTLP.
    """
    limit = min(limit, SPANS_MAX)
    where = OF_TRACE
    here = (bytes.fromhex(trace_id), *chunks_of(tx, trace_id))
    params: list[Any] = [*here]
    if after is not None:
        # Two comparisons, since the index is entered by the first one alone.
        where += " AND started_us >= ? AND (started_us > ? OR span > ?)"
        params += [after[0], after[0], bytes.fromhex(after[1])]
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM spans WHERE {where} ORDER BY started_us, span LIMIT ?", (*params, limit + 1)
    )
    more = len(rows) > limit
    rows = rows[:limit]
    bodies = _payloads(tx, rows) if payloads else {}
    spans = [_span(trace_id, row, bodies.get((row[11], row[12]))) for row in rows]
    total = len(spans) if after is None and not more else _total(tx, trace_id, here)
    return SpanPage(spans, total, spans[-1].place if more else None)


def span_of(tx: Tx, trace_id: str, span_id: str) -> SpanRow | None:
    """One with its payload, however large that is."""
    row = tx.row(
        f"SELECT {_COLUMNS} FROM spans WHERE {OF_TRACE} AND span = ?",
        (bytes.fromhex(trace_id), *chunks_of(tx, trace_id), bytes.fromhex(span_id)),
    )
    if row is None:
        return None
    body = tx.row("SELECT body FROM chunks WHERE id = ?", (row[11],)) if row[12] >= 0 else None
    return _span(trace_id, row, None if body is None else chunks.unpack(bytes(body[0]))[row[12]])


def arranged(spans: Sequence[SpanRow]) -> list[tuple[int, SpanRow]]:
    """As a waterfall shows them: each with its depth, after its parent and before its parent's next child.

    A span whose parent is not among them stands at depth 0; so does the first of those that are each other's parents.
    """
    ordered = sorted(spans, key=lambda span: span.place)
    known = {span.span_id for span in ordered}
    children: dict[str, list[SpanRow]] = {}
    for span in ordered:
        parent = span.parent_id if span.parent_id in known and span.parent_id != span.span_id else ""
        children.setdefault(parent, []).append(span)
    found: list[tuple[int, SpanRow]] = []
    done: set[str] = set()
    # Those of a ring are reached from no root, so each span not yet shown is tried as one, in order of time.
    for first in (*children.get("", ()), *ordered):
        waiting = [(0, first)]
        while waiting:
            depth, span = waiting.pop()
            if span.span_id in done:
                continue
            done.add(span.span_id)
            found.append((depth, span))
            waiting += [(depth + 1, child) for child in reversed(children.get(span.span_id, ()))]
    return found


def scores_of(tx: Tx, trace_id: str) -> list[Score]:
    """What evaluations said of a trace and its spans, the oldest first; at most SCORES_MAX."""
    rows = tx.rows(
        "SELECT span, name, value, label, explanation, at_us FROM scores WHERE trace = ?"
        " ORDER BY at_us, name, span LIMIT ?",
        (bytes.fromhex(trace_id), SCORES_MAX),
    )
    return [Score(trace_id, bytes(span).hex(), *rest) for span, *rest in rows]


def intake_counts(tx: Tx, days: int = 7) -> dict[str, Mapping[str, int]]:
    """What became of what was sent, by UTC day, the newest first; of the last `days` on which anything was."""
    rows = tx.rows(
        "SELECT day, what, count FROM intake WHERE day IN (SELECT DISTINCT day FROM intake ORDER BY day DESC LIMIT ?)"
        " ORDER BY day DESC, what",
        (min(days, DAYS_MAX),),
    )
    found: dict[str, dict[str, int]] = {}
    for day, what, count in rows:
        found.setdefault(day, {})[what] = count
    return dict(found)


def _total(tx: Tx, trace_id: str, here: Row) -> int:
    """`here`: the parameters of OF_TRACE."""
    row = tx.row("SELECT steps FROM traces WHERE id = ? AND origin <> 'task'", (trace_id,))
    if row is None:  # A task's row counts its own steps, not what was attached.
        row = tx.row(f"SELECT COUNT(*) FROM spans WHERE {OF_TRACE}", here)
    return 0 if row is None else int(row[0])


def _payloads(tx: Tx, rows: Sequence[Row]) -> dict[tuple[int, int], bytes]:
    """By chunk and part. Chunks are read in the order of the spans until they would be too much at once."""
    wanted: dict[int, set[int]] = {}
    for row in rows:
        if row[12] >= 0:  # Else its payload was taken out.
            wanted.setdefault(row[11], set()).add(row[12])
    found: dict[tuple[int, int], bytes] = {}
    size = 0
    for chunk, parts in wanted.items():
        body = tx.row("SELECT body FROM chunks WHERE id = ?", (chunk,))
        if body is None:
            continue
        for part, payload in enumerate(chunks.unpack(bytes(body[0]))):
            if part in parts:
                found[chunk, part] = payload
                size += len(payload)
        if size > PAYLOAD_BYTES_MAX:
            break
    return found


def _span(trace_id: str, row: Row, payload: bytes | None) -> SpanRow:
    (
        span,
        parent,
        kind,
        name,
        started_us,
        ended_us,
        error_type,
        model,
        tokens_in,
        tokens_out,
        cost_nano,
        _,
        _,
    ) = row
    return SpanRow(
        trace_id, bytes(span).hex(), "" if parent is None else bytes(parent).hex(), kind, name, started_us, ended_us,
        error_type or "", model or "", tokens_in, tokens_out, cost_nano, payload,
    )  # fmt: skip
