"""The sentence of another program's trace, from its row and its first spans. Reads; writes nothing."""

from typing import Any, Final

import orjson

from airworthy.recorder.summary import Act, Took, summarise_acts
from airworthy.recorder.traces import read
from airworthy.recorder.traces.find import TraceRow
from airworthy.recorder.traces.read import SpanRow
from airworthy.store import Tx

SPANS_MAX: Final = 500
WHOLE_MAX: Final = 8  # whose payload is read, for what a tool was asked
_CALLED: Final = ("execute_tool ", "running tool ", "tool ")


def of_trace(tx: Tx, row: TraceRow) -> str:
    """Of a longer trace its beginning is told, and how much there was of all."""
    spans = read.spans_of(tx, row.trace_id, SPANS_MAX, payloads=False).spans
    tools = [span for span in spans if span.kind in ("tool", "retrieval")]
    acts = [
        Act(name_of(span), _asked(tx, span) if number < WHOLE_MAX else None, span.error_type or "")
        for number, span in enumerate(tools)
    ]
    seconds = row.duration_us / 1e6 if row.duration_us is not None else None
    took = Took(row.steps, row.cost_nano, seconds, row.retries)
    return summarise_acts(acts, error=(row.error_type or "") if not row.outcome else "", took=took)


def name_of(span: SpanRow) -> str:
    """The tool's own name: some conventions say before it what is done with it."""
    lower = span.name.lower()
    start = next((len(prefix) for prefix in _CALLED if lower.startswith(prefix)), 0)
    return span.name[start:]


def _asked(tx: Tx, span: SpanRow) -> Any:
    whole = read.span_of(tx, span.trace_id, span.span_id)
    payload = orjson.loads(whole.payload) if whole is not None and whole.payload is not None else {}
    asked = payload.get("input") if isinstance(payload, dict) else payload
    if isinstance(asked, dict) and set(asked) <= {"arguments", "input", "name"} and "arguments" in asked:
        return asked["arguments"]
    return asked
