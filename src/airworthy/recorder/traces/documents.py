"""Traces and spans as JSON documents: stable names, times in UTC, money in USD, null for what is not known."""

from typing import Any, Final

import orjson

from airworthy.core.clock import US_PER_S, iso
from airworthy.core.money import NANO_PER_USD
from airworthy.recorder.traces.find import TraceRow
from airworthy.recorder.traces.read import SpanRow

Document = dict[str, Any]
OPEN: Final = "open"


def ended_as(row: TraceRow) -> str:
    """One word: its outcome; else open, failed or ended, since other programs seldom tell of one."""
    if row.outcome:
        return row.outcome
    if row.duration_us is None:
        return OPEN
    return "failed" if row.error_type else "ended"


def trace_document(row: TraceRow) -> Document:
    return {
        "id": row.id,
        "origin": row.origin,
        "trace_id": row.trace_id,
        "agent": row.agent,
        "release": row.release,
        "session": row.session,
        "user": row.user_id,
        "feature": row.feature,
        "name": row.name,
        "summary": row.sentence,
        "at": iso(row.at_us),
        "started": iso(row.started_us),
        "ended": iso(row.ended_us),
        "seconds": seconds(row.duration_us),
        "state": ended_as(row),
        "outcome": row.outcome,
        "error": row.error_type,
        "steps": row.steps,
        "model_calls": row.model_calls,
        "tool_calls": row.tool_calls,
        "errors": row.errors,
        "retries": row.retries,
        "tokens_in": row.tokens_in,
        "tokens_out": row.tokens_out,
        "cost_usd": _usd(row.cost_nano),
        "unpriced": row.unpriced,
    }


def span_document(span: SpanRow) -> Document:
    """`payload`: as `Span.payload` has it; null where it is too large to be told with others."""
    return {
        "id": span.span_id,
        "parent": span.parent_id or None,
        "kind": span.kind,
        "name": span.name,
        "started": iso(span.started_us),
        "ended": iso(span.ended_us),
        "seconds": seconds(span.ended_us - span.started_us),
        "error": span.error_type or None,
        "model": span.model or None,
        "tokens_in": span.tokens_in,
        "tokens_out": span.tokens_out,
        "cost_usd": _usd(span.cost_nano),
        "payload": None if span.payload is None else orjson.loads(span.payload),
    }


def seconds(us: int | None) -> float | None:
    return None if us is None else us / US_PER_S


def _usd(nano: int | None) -> float | None:
    return None if nano is None else nano / NANO_PER_USD
