"""Runs read for a comparison, and the run that one is best compared with. Reads only."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from airworthy.recorder import Recorded, read_steps, sentences
from airworthy.recorder.compare import PARTS_MAX, Comparison, Part, Side, compare
from airworthy.recorder.summary import Deed
from airworthy.recorder.traces import find, read
from airworthy.recorder.traces.find import NoSuchTrace, TraceRow
from airworthy.recorder.traces.read import SpanRow
from airworthy.runtime import documents, tasks
from airworthy.runtime.documents import Document
from airworthy.runtime.tasks import TaskRow
from airworthy.store import Tx
from airworthy.tools import outbox

LOOKED_AT_MAX: Final = 500  # traces of the agent on either side in time, for a good one
_APART: Final = frozenset({"input", "outcome"})  # compared as the whole run's
_GOOD: Final = (
    "(t.outcome = 'answered' OR (t.outcome IS NULL AND t.error_type IS NULL AND t.ended_us IS NOT NULL))"
)


def side_of(tx: Tx, id_: str) -> Side:
    """Raises: NoSuchTrace."""
    task = tasks.find(tx, id_)
    if task is not None:
        return _of_task(tx, task)
    return _of_trace(tx, find.get(tx, id_))


def compared(tx: Tx, left: str, right: str) -> Comparison:
    """Raises: NoSuchTrace."""
    return compare(side_of(tx, left), side_of(tx, right))


def similar(tx: Tx, id_: str) -> str:
    """What a fork was forked from; else a run of the same agent and feature that went well, the nearest in time. Empty
    where none is near.
    """
    task = tasks.find(tx, id_)
    if task is not None and task.fork_of is not None:
        return task.fork_of
    try:
        row = find.get(tx, id_)
    except NoSuchTrace:
        return ""
    found = []
    for comparison, order in (("<", "DESC"), (">", "ASC")):
        rows = tx.rows(
            "SELECT t.id, t.at_us FROM (SELECT ref, at_us FROM facets WHERE field = 'agent' AND value = ?"
            f" AND (at_us, ref) {comparison} (?, ?) ORDER BY at_us {order}, ref {order} LIMIT ?) f"
            f" JOIN traces t ON t.id = f.ref WHERE t.feature = ? AND t.id <> ? AND {_GOOD}"
            f" ORDER BY t.at_us {order}, t.id {order} LIMIT 1",
            (row.agent, row.at_us, row.id, LOOKED_AT_MAX, row.feature, row.id),
        )
        found += [(abs(at_us - row.at_us), str(other)) for other, at_us in rows]
    return min(found)[1] if found else ""


def _of_task(tx: Tx, task: TaskRow) -> Side:
    steps, effects = read_steps(tx, task.id), outbox.of_task(tx, task.id)
    why = task.why
    inner = [step for step in steps if step.kind not in _APART and not documents.superseded(step)]
    return Side(
        id=task.id,
        agent=task.agent,
        sentence=documents.sentence_of(task, steps, effects),
        outcome=task.state.value,
        reason=why.code.value if why is not None else "",
        release=task.policy_hash,
        started_us=task.created_us,
        duration_us=task.active_us,
        cost_nano=documents.cost_of(task, steps),
        asked=documents.input_of(steps),
        answer=documents.answer_of(steps),
        parts=[_of_step(step, documents.deeds_of(effects)) for step in inner],
        cut=len(inner) > PARTS_MAX,
    )


def _of_step(step: Recorded, deeds: Mapping[int, Deed]) -> Part:
    deed = deeds.get(step.seq)
    state = step.state.value
    return Part(
        key=str(step.seq),
        kind=step.kind,
        name=step.name,
        state=state if deed is None or deed.state == state else f"{state}; its effect is {deed.state}",
        asked=step.arguments,
        came=step.result,
        error=step.error.type if step.error is not None else "",
        model=step.facts.model or "",
        cost_nano=step.facts.cost_nano,
        took_us=step.ended_us - step.started_us if step.ended_us is not None else None,
        attempts=step.facts.attempts,
    )


def _of_trace(tx: Tx, row: TraceRow) -> Side:
    page = read.spans_of(tx, row.trace_id, PARTS_MAX)
    roots = [_payload(span) for span in page.spans if not span.parent_id][:1]
    return Side(
        id=row.id,
        agent=row.agent,
        sentence=row.sentence or sentences.of_trace(tx, row),
        outcome=row.outcome
        or ("failed" if row.error_type else "ended" if row.ended_us is not None else "open"),
        reason=row.error_type or "",
        release=row.release,
        started_us=row.started_us,
        duration_us=row.duration_us,
        cost_nano=row.cost_nano,
        asked=roots[0].get("input") if roots else None,
        answer=roots[0].get("output") if roots else None,
        parts=[_of_span(span) for span in page.spans],
        cut=page.after is not None,
    )


def _of_span(span: SpanRow) -> Part:
    payload = _payload(span)
    return Part(
        key=f"s{span.span_id}",
        kind=span.kind,
        name=sentences.name_of(span),
        state="failed" if span.error_type else "done",
        asked=payload.get("input"),
        came=payload.get("output"),
        error=span.error_type or "",
        model=span.model or "",
        cost_nano=span.cost_nano,
        took_us=max(0, span.ended_us - span.started_us),
    )


def _payload(span: SpanRow) -> dict[str, Any]:
    found = orjson.loads(span.payload) if span.payload is not None else {}
    return found if isinstance(found, dict) else {"input": found}


def document(found: Comparison) -> Document:
    """For JSON: what is the same is told in brief, what differs with its lines."""
    return {
        "left": _side(found.left),
        "right": _side(found.right),
        "changes": [{"what": each.what, "left": each.left, "right": each.right} for each in found.changes],
        "differing": found.differing,
        "input": _lines(found.asked),
        "answer": _lines(found.answer),
        "steps": [
            {
                "left": _part(pair.left), "right": _part(pair.right), "same": pair.same,
                "changes": [{"what": each.what, "left": each.left, "right": each.right} for each in pair.changes],
                "arguments": _lines(pair.asked), "result": _lines(pair.came),
            }
            for pair in found.pairs
        ],
    }  # fmt: skip


def _side(side: Side) -> Document:
    return {
        "id": side.id, "agent": side.agent, "sentence": side.sentence, "outcome": side.outcome,
        "reason": side.reason or None, "release": side.release or None, "cost_usd": documents.usd(side.cost_nano),
        "seconds": side.duration_us / 1e6 if side.duration_us is not None else None, "steps": len(side.parts),
        "cut": side.cut,
    }  # fmt: skip


def _part(part: Part | None) -> Document | None:
    if part is None:
        return None
    return {
        "key": part.key, "kind": part.kind, "name": part.name, "state": part.state, "error": part.error or None,
        "model": part.model or None, "cost_usd": documents.usd(part.cost_nano), "attempts": part.attempts,
        "seconds": part.took_us / 1e6 if part.took_us is not None else None,
    }  # fmt: skip


def _lines(found: Sequence[tuple[str, str]]) -> list[str]:
    return [f"{sign}{text}" for sign, text in found]
