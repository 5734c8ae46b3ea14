"""Log records of GenAI: results of evaluations become scores, messages become a step of the span they belong to.

Other log records are not ours to keep; they are counted as ignored.
"""

import math
from hashlib import blake2b
from typing import Any

from airworthy.recorder.otel import messages, names, times
from airworthy.recorder.otel.bounds import ERROR_CHARS_MAX, LABEL_CHARS_MAX
from airworthy.recorder.otel.normalise import Reading, Refused, is_id, label_of
from airworthy.recorder.otel.raw import RawLog, RawSpan
from airworthy.recorder.traces.span import Score

_NO_TRACE = "0" * 32
_NO_SPAN = "0" * 16


def score_of(raw: RawLog, reading: Reading, now_us: int) -> Score:
    """Raises: Refused."""
    if not is_id(raw.trace_id, _NO_TRACE):
        raise Refused(f"An evaluation result has the trace id {raw.trace_id[:40]!r}.")
    said = raw.attributes
    redact = reading.redactor.redact_text
    name = said.get("gen_ai.evaluation.name")
    if not isinstance(name, str) or not name:
        raise Refused("An evaluation result has no gen_ai.evaluation.name.")
    label = said.get("gen_ai.evaluation.score.label")
    explanation = said.get("gen_ai.evaluation.explanation")
    return Score(
        raw.trace_id,
        raw.span_id if is_id(raw.span_id, _NO_SPAN) else "",
        label_of(redact(name), LABEL_CHARS_MAX),
        _value(said.get("gen_ai.evaluation.score.value")),
        label_of(redact(label) if isinstance(label, str) else label, LABEL_CHARS_MAX),
        _lines(redact(explanation)) if isinstance(explanation, str) else "",
        min(now_us, times.at(raw.time, now_us)),
    )


def steps_of(records: list[RawLog]) -> list[RawSpan]:
    """One step for each span that messages among the records belong to, with what went in and what came out.

    Its id follows from what it holds, so that the same records sent again are the same step.
    """
    by_span: dict[tuple[str, str], list[RawLog]] = {}
    for record in records:
        if record.name in names.MESSAGE_EVENTS:
            by_span.setdefault((record.trace_id, record.span_id), []).append(record)
    return [_step(trace_id, span_id, found) for (trace_id, span_id), found in by_span.items()]


def _step(trace_id: str, span_id: str, records: list[RawLog]) -> RawSpan:
    said_in, said_out = messages.split((record.name, _said(record)) for record in records)
    content: dict[str, Any] = {}
    if said_in is not None:
        content["gen_ai.input.messages"] = said_in
    if said_out is not None:
        content["gen_ai.output.messages"] = said_out
    hashed = blake2b(digest_size=8)
    for record in records:
        hashed.update(f"{trace_id} {span_id} {record.name} {record.time}\n".encode("utf-8", "replace"))
    stamps = [record.time for record in records]
    return RawSpan(
        trace_id, hashed.hexdigest(), span_id, "messages", min(stamps), max(stamps), content, records[0].origin
    )  # fmt: skip


def _said(record: RawLog) -> dict[str, Any]:
    """Messages stand in the body of the record, or among its attributes."""
    if isinstance(record.body, dict):
        return {**record.attributes, **record.body}
    if record.body is not None and record.body != "":
        return {**record.attributes, "content": record.body}
    return record.attributes


def _value(said: Any) -> float | None:
    if isinstance(said, bool) or not isinstance(said, int | float) or not math.isfinite(said):
        return None
    return float(said)


def _lines(text: str) -> str:
    kept = text[:ERROR_CHARS_MAX]
    return kept if kept.isprintable() else "".join(c if c.isprintable() or c == "\n" else " " for c in kept)
