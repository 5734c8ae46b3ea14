"""Writes what other programs told of their traces: spans, payloads, rows, facets, sums and words in one transaction.

Asks the store only for what the batch itself names, so that a trace of a million spans costs no more per span than a
trace of eight.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from airworthy.core.clock import US_PER_S
from airworthy.recorder import rollups
from airworthy.recorder.rollups import Change
from airworthy.recorder.traces import days, text
from airworthy.recorder.traces.days import OF_TRACE, ChunkIds
from airworthy.recorder.traces.facets import forget, note_all
from airworthy.recorder.traces.fold import COUNTS, ERROR, Series, Trace, fold, heard, recall, valued
from airworthy.recorder.traces.gather import Batch, Packed, Parcel, packed
from airworthy.recorder.traces.span import Score, Span
from airworthy.recorder.traces.text import Doc
from airworthy.store import Row, Tx

ASKED_MAX: Final = 256  # values in one question
_LABELS: Final = ("agent", "release", "session", "user", "feature", "name")
_LABEL_COLUMNS: Final = ("agent", "release", "session", "user_id", "feature", "name")
# What stands in the row of COUNTS; `priced` is told by the others.
_COUNTED: Final = ("steps", "model_calls", "tool_calls", "errors", "tokens_in", "tokens_out", "unpriced")
_CHANGING: Final = (
    *_LABEL_COLUMNS, "started_us", "ended_us", "duration_us", "outcome", "error_type", *_COUNTED, "cost_nano", "heard",
)  # fmt: skip
_KNOWN: Final = f"SELECT id, origin, at_us, {', '.join(_CHANGING)} FROM traces WHERE id IN "
_TASKS: Final = "SELECT trace_id, id, at_us FROM traces WHERE origin = 'task' AND trace_id IN "
_WRITE: Final = (
    f"INSERT INTO traces (id, origin, trace_id, at_us, retries, {', '.join(_CHANGING)})"
    f" VALUES (?, ?, ?, ?, ?{', ?' * len(_CHANGING)})"
    f" ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _CHANGING)}"
)
_SPAN: Final = (
    "INSERT INTO spans (trace, span, parent, kind, name, started_us, ended_us, error_type, model, tokens_in,"
    " tokens_out, cost_nano, chunk, part) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_SPANS: Final = f"SELECT span FROM spans WHERE {OF_TRACE} AND span IN "
_SCORE: Final = (
    "INSERT INTO scores (trace, span, name, at_us, value, label, explanation) VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (trace, span, name, at_us) DO NOTHING"
)
_TOLD: Final = (
    "INSERT INTO intake (day, what, count) VALUES (?, ?, ?)"
    " ON CONFLICT (day, what) DO UPDATE SET count = intake.count + excluded.count"
)


@dataclass(frozen=True, slots=True)
class Written:
    """Of one batch, in spans: `accepted` with those of our own tasks, `attached`; `duplicate` were known."""

    accepted: int
    attached: int
    duplicate: int


def write(tx: Tx, batches: Sequence[Batch]) -> list[Written]:
    """What became of each; later ones know of the earlier."""
    writing = _Writing(tx, batches)
    done = [writing.take(batch) for batch in batches]
    writing.finish()
    return done


def tell(tx: Tx, at_us: int, told: dict[str, int]) -> None:
    """Counts what became of what was sent, on the UTC day of `at_us`."""
    day = datetime.fromtimestamp(at_us / US_PER_S, UTC).date().isoformat()
    tx.many(_TOLD, [(day, what, count) for what, count in sorted(told.items()) if count])


class _Writing:
    """Collects the rows of all batches, so that each table is written once and in order."""

    def __init__(self, tx: Tx, batches: Sequence[Batch]) -> None:
        self._tx = tx
        ids = sorted({parcel.trace_id for batch in batches for parcel in batch.parcels})
        self._traces = {row[0]: _trace(row) for row in _asked(tx, _KNOWN, ids)}
        self._tasks: dict[str, tuple[str, int]] = {
            row[0]: (row[1], row[2]) for row in _asked(tx, _TASKS, ids)
        }
        # Those that may have spans in the store already, and where.
        self._stored = self._places()
        self._seen: dict[str, set[str]] = {}  # The spans of each trace that this writing brings.
        self._ids = ChunkIds(tx, sum(len(parcel.packed) for batch in batches for parcel in batch.parcels))
        self._changed: dict[str, Trace] = {}
        self._chunks: list[tuple[int, bytes]] = []
        self._spans: list[tuple[Any, ...]] = []
        self._facets: list[tuple[str, str, int, str]] = []
        self._docs: list[Doc] = []
        self._sums: dict[tuple[int, Series], Change] = {}
        self._told: dict[int, dict[str, int]] = {}

    def _places(self) -> dict[str, days.Place]:
        began: dict[str, list[int]] = {}
        for trace in self._traces.values():
            began.setdefault(trace.id, []).append(trace.at_us)
        for trace_id, (_, at_us) in self._tasks.items():
            began.setdefault(trace_id, []).append(at_us)
        return {trace_id: days.chunks_on(self._tx.dialect, *at_us) for trace_id, at_us in began.items()}

    def take(self, batch: Batch) -> Written:
        accepted = attached = duplicate = 0
        for parcel in batch.parcels:
            new = self._new(parcel)
            duplicate += len(parcel.spans) - sum(len(piece.spans) for piece in new)
            if not new:
                continue
            task = self._tasks.get(parcel.trace_id)
            spans = [span for piece in new for span in piece.spans]
            accepted += len(spans)
            if task is None:
                at_us = self._fold(parcel.trace_id, spans, batch)
                self._keep(parcel.trace_id, at_us, new)
            else:
                attached += len(spans)
                ref, at_us = task
                self._facets += [(*pair, at_us, ref) for pair in valued(spans, errors=False)]
                self._keep(ref, at_us, new)
        self._score(batch.scores)
        told = self._told.setdefault(batch.received_us, {})
        here = {
            "accepted": accepted,
            "attached": attached,
            "duplicate": duplicate,
            "scores": len(batch.scores),
        }
        for what, count in (*batch.told.items(), *here.items()):
            told[what] = told.get(what, 0) + count
        return Written(accepted, attached, duplicate)

    def finish(self) -> None:
        tx = self._tx
        days.ensure(tx, self._ids.days)
        tx.many("INSERT INTO chunks (id, body) VALUES (?, ?)", self._chunks)
        self._spans.sort()
        tx.many(_SPAN, self._spans)
        tx.many(_WRITE, [_row(trace) for _, trace in sorted(self._changed.items())])
        note_all(tx, self._facets)
        left_out = text.index_all(tx, self._docs)
        series = {
            names: rollups.series_id(tx, *names) for names in sorted({names for _, names in self._sums})
        }
        rollups.add_all(tx, [(at_us, series[names], change) for (at_us, names), change in self._sums.items()])
        for at_us, told in self._told.items():
            if left_out:
                told["not_indexed"], left_out = told.get("not_indexed", 0) + left_out, 0
            tell(tx, at_us, told)

    def _new(self, parcel: Parcel) -> list[Packed]:
        """What of it was not heard before, packed; nearly always all of it as it came."""
        seen = self._seen.get(parcel.trace_id)
        known: set[str] = set()
        if seen is not None:
            known.update(seen)
        if parcel.trace_id in self._stored:
            trace = bytes.fromhex(parcel.trace_id)
            spans = [bytes.fromhex(span.span_id) for span in parcel.spans]
            rows = _asked(self._tx, _SPANS, spans, trace, *self._stored[parcel.trace_id])
            known.update(bytes(row[0]).hex() for row in rows)
        self._seen.setdefault(parcel.trace_id, set()).update(span.span_id for span in parcel.spans)
        if not known:
            return parcel.packed
        return packed([span for span in parcel.spans if span.span_id not in known])

    def _fold(self, trace_id: str, spans: list[Span], batch: Batch) -> int:
        folded = fold(self._traces.get(trace_id), trace_id, batch.origin, spans, batch.received_us)
        trace = folded.trace
        self._traces[trace_id] = self._changed[trace_id] = trace
        for name, value in folded.gone:
            self._forget(trace, name, value)
        self._facets += [(name, value, trace.at_us, trace.id) for name, value in folded.new]
        for bucket, names, change in folded.sums:
            there = self._sums.get((bucket, names))
            if there is None:
                self._sums[bucket, names] = change
                continue
            for name, count in change.counts.items():
                there.add(name, count)
            there.values += change.values
        return trace.at_us

    def _forget(self, trace: Trace, name: str, value: str) -> None:
        row = (name, value, trace.at_us, trace.id)
        if row in self._facets:  # Noted by an earlier batch of the same writing.
            self._facets.remove(row)
        forget(self._tx, trace.id, trace.at_us, name, value)

    def _keep(self, ref: str, at_us: int, pieces: Iterable[Packed]) -> None:
        for piece in pieces:
            chunk = self._ids.next(at_us)
            self._chunks.append((chunk, piece.body))
            self._docs.append(Doc(ref, at_us, piece.words, chunk))
            for part, span in enumerate(piece.spans):
                self._spans.append((
                    bytes.fromhex(span.trace_id), bytes.fromhex(span.span_id),
                    bytes.fromhex(span.parent_id) if span.parent_id else None, span.kind.value, span.name,
                    span.started_us, span.ended_us, span.error_type or None, span.model or None, span.tokens_in,
                    span.tokens_out, span.cost_nano, chunk, part,
                ))  # fmt: skip

    def _score(self, scores: Iterable[Score]) -> None:
        rows = [
            (bytes.fromhex(score.trace_id), bytes.fromhex(score.span_id), score.name, score.at_us, score.value,
             score.label, score.explanation)
            for score in scores
        ]  # fmt: skip
        if rows:
            self._tx.many(_SCORE, rows)


def _asked(tx: Tx, question: str, values: Sequence[Any], *first: Any) -> Iterator[Row]:
    """Rows of a question that ends in IN. Of few lengths, so that each is prepared once."""
    for start in range(0, len(values), ASKED_MAX):
        some = list(values[start : start + ASKED_MAX])
        room = 1 << (len(some) - 1).bit_length()
        some += [some[-1]] * (room - len(some))
        yield from tx.rows(f"{question}({', '.join('?' * room)})", (*first, *some))


def _trace(row: Row) -> Trace:
    id_, origin, at_us, *rest = row
    said = dict(zip(_CHANGING, rest, strict=True))
    labels = {
        label: said[column] for label, column in zip(_LABELS, _LABEL_COLUMNS, strict=True) if said[column]
    }
    if said["outcome"]:
        labels["outcome"] = said["outcome"]
    if said["error_type"]:
        labels[ERROR] = said["error_type"]
    counts = {name: said[name] for name in _COUNTED}
    counts["cost_nano"] = said["cost_nano"] or 0
    counts["priced"] = said["model_calls"] - said["unpriced"]
    made = Trace(
        id_, origin, at_us, said["started_us"], said["ended_us"], said["duration_us"], labels,
        tuple(counts[name] for name in COUNTS),
    )  # fmt: skip
    if said["heard"] is not None:
        recall(made, bytes(said["heard"]))
    return made


def _row(trace: Trace) -> tuple[Any, ...]:
    labels = trace.labels
    counts = dict(zip(COUNTS, trace.counts, strict=True))
    return (
        trace.id, trace.origin, trace.id, trace.at_us, 0, *(labels.get(label, "") for label in _LABELS),
        trace.started_us, trace.ended_us, trace.duration_us, labels.get("outcome") or None,
        labels.get(ERROR) or None, *(counts[name] for name in _COUNTED), trace.cost_nano, heard(trace),
    )  # fmt: skip
