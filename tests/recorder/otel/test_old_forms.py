"""What older releases of emitters sent, recorded as bytes: their forms are out there for as long as they run."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from airworthy.core.clock import SystemClock
from airworthy.recorder.traces.span import Span, SpanKind
from tests.recorder.otel.kit import Sent, payload_of, reading

RECORDED = json.loads((Path(__file__).parent / "old_forms.json").read_text())
USED: dict[str, dict[str, int]] = RECORDED["used"]


def _recorded() -> dict[str, list[Span]]:
    spans: dict[str, list[Span]] = {}
    reader = reading()
    for each in RECORDED["requests"]:
        headers = {"content-type": each["content_type"], "content-encoding": each["content_encoding"]}
        sent = Sent(each["path"], headers, base64.b64decode(each["body"]))
        decoded = sent.decoded(reader, SystemClock().now_us())
        assert not decoded.rejected
        for span in decoded.spans:
            spans.setdefault(payload_of(span)["resource"]["service.name"], []).append(span)
    return spans


SPANS = _recorded()


@pytest.mark.parametrize("name", sorted(USED))
def test_tokens_come_to_what_the_client_was_told(name: str) -> None:
    assert sum(span.tokens_in or 0 for span in SPANS[name]) == USED[name]["in"]
    assert sum(span.tokens_out or 0 for span in SPANS[name]) == USED[name]["out"]


@pytest.mark.parametrize("name", ["pydantic-ai-0.8-v1", "pydantic-ai-0.8-v2", "strands-1.61"])
def test_agent_model_and_tool_are_told_apart(name: str) -> None:
    spans = SPANS[name]
    kinds = [span.kind for span in spans if span.kind is not SpanKind.STEP]
    (agent,) = [span for span in spans if span.kind is SpanKind.AGENT]
    (tool,) = [span for span in spans if span.kind is SpanKind.TOOL]

    assert kinds.count(SpanKind.MODEL) == 2
    assert (agent.agent, tool.tool) == ("orders", "find_order")
    assert (payload_of(tool)["input"], payload_of(tool)["output"]) == (
        {"number": "8812"}, "Order 8812 is in Bremen.",
    )  # fmt: skip


@pytest.mark.parametrize("name", sorted(set(USED) - {"traceloop-anthropic-0.40"}))
def test_messages_come_to_one_form(name: str) -> None:
    """OpenTelemetry's own library for OpenAI sent them as log records: there they are a step of the call."""
    with_messages = [payload_of(span) for span in SPANS[name] if span.kind in (SpanKind.MODEL, SpanKind.STEP)]
    asked = [payload["input"] for payload in with_messages if isinstance(payload.get("input"), list)]
    answered: list[dict[str, Any]] = [
        part
        for payload in with_messages
        if isinstance(payload.get("output"), list)
        for message in payload["output"]
        for part in message["parts"]
    ]

    assert {"type": "text", "content": "Where is order 8812?"} in [
        part for said in asked for message in said for part in message["parts"]
    ]
    assert {"type": "text", "content": "It is in Bremen."} in answered
    assert {part["name"] for part in answered if part["type"] == "tool_call"} == {"find_order"}


def test_messages_in_log_records_are_a_step_of_the_call_they_belong_to() -> None:
    spans = {span.span_id: span for span in SPANS["otel-openai-2.1b0"]}
    steps = [span for span in spans.values() if span.kind is SpanKind.STEP]

    assert len(steps) == 2
    assert {spans[step.parent_id].kind for step in steps} == {SpanKind.MODEL}
    assert all("8812" in step.text for step in steps)


def test_session_and_user_are_read() -> None:
    assert {(span.session, span.user) for span in SPANS["strands-1.61"]} == {("session-5", "user-5")}
