"""Spans made by libraries that others publish, driven for real against the simulated provider, over HTTP."""

import fcntl
import json
import pickle
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airworthy.core.clock import SystemClock
from airworthy.core.redact import Redactor
from airworthy.gateway.simulator import Rules, Simulator, serving
from airworthy.recorder.otel import Reading
from airworthy.recorder.traces.span import Span, SpanKind
from tests.recorder.otel.kit import Collector, Sent, payload_of

pytest.importorskip("openinference.instrumentation.openai", reason="the emitters are not installed")
ROOT = Path(__file__).parents[3]

# The libraries are imported once, in one process of their own: that takes seconds.
pytestmark = [pytest.mark.slow, pytest.mark.process]


@dataclass(frozen=True)
class Emitted:
    spans: dict[str, list[Span]]  # by emitter
    used: dict[str, dict[str, Any]]  # what its client said of tokens
    encodings: set[tuple[str, str]]


@pytest.fixture(scope="module")
def emitted(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Emitted:
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    path = shared / "emitted.pickle"
    with (shared / "emitted.lock").open("w") as lock:  # Of the processes that share these tests one does it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            path.write_bytes(pickle.dumps(_driven()))
    got, used = pickle.loads(path.read_bytes())
    spans: dict[str, list[Span]] = {}
    now_us = SystemClock().now_us()
    reading = Reading(Redactor())
    for sent in got:
        decoded = sent.decoded(reading, now_us)
        assert decoded.rejected == 0, decoded.reason
        for span in decoded.spans:
            service = payload_of(span)["resource"]["service.name"]
            spans.setdefault(service, []).append(span)
    encodings = {(sent.headers["content-type"], sent.headers["content-encoding"]) for sent in got}
    return Emitted(spans, used, encodings)


def _driven() -> tuple[list[Sent], dict[str, dict[str, Any]]]:
    collector = Collector()
    rules = Rules.load(Path(__file__).parent / "orders.toml")
    simulator = Simulator(seed=7, models=("sim-small",), rules=rules)
    with serving(simulator) as provider, serving(collector) as receiver:
        done = subprocess.run(
            [sys.executable, "-m", "tests.recorder.otel.emitters", provider, receiver],
            capture_output=True, text=True, cwd=ROOT, timeout=120, check=True,
        )  # fmt: skip
    return collector.got, json.loads(done.stdout)


EMITTERS = (
    "pydantic-ai", "twice", "openinference-openai", "openinference-anthropic", "traceloop-openai",
    "traceloop-anthropic",
)  # fmt: skip


@pytest.mark.parametrize("name", EMITTERS)
def test_tokens_are_counted_once_and_come_to_what_the_client_was_told(emitted: Emitted, name: str) -> None:
    spans = emitted.spans[name]

    assert sum(span.tokens_in or 0 for span in spans) == emitted.used[name]["in"]
    assert sum(span.tokens_out or 0 for span in spans) == emitted.used[name]["out"]


def test_they_send_packed_protobuf(emitted: Emitted) -> None:
    assert emitted.encodings == {("application/x-protobuf", "gzip")}


def test_an_agent_its_model_calls_and_its_tool_are_told_apart(emitted: Emitted) -> None:
    spans = emitted.spans["pydantic-ai"]

    assert Counter(span.kind for span in spans) == {SpanKind.MODEL: 2, SpanKind.TOOL: 1, SpanKind.AGENT: 1}
    assert {span.agent for span in spans} == {"orders"}
    assert {span.session for span in spans} == {"conversation-7"}
    assert {span.release for span in spans} == {"3.1.4"}
    assert [span.tool for span in spans if span.kind is SpanKind.TOOL] == ["find_order"]
    assert {(span.provider, span.model) for span in spans if span.kind is SpanKind.MODEL} == {
        ("openai", "sim-small")
    }
    (tool,) = [payload_of(span) for span in spans if span.kind is SpanKind.TOOL]
    assert (tool["input"], tool["output"]) == ({"number": "8812"}, "Order 8812 is in Bremen.")


def test_of_two_libraries_that_report_one_call_the_inner_one_counts(emitted: Emitted) -> None:
    spans = emitted.spans["twice"]

    assert [span.name for span in spans if span.kind is SpanKind.MODEL] == ["ChatCompletion"] * 2
    assert {span.kind for span in spans if span.name == "chat sim-small"} == {SpanKind.STEP}


@pytest.mark.parametrize("name", EMITTERS[2:])
def test_a_plain_client_gives_one_model_call_with_messages_in_one_form(emitted: Emitted, name: str) -> None:
    (span,) = emitted.spans[name]
    payload = payload_of(span)
    (answer,) = payload["output"]
    (call,) = answer["parts"]

    assert (span.kind, span.agent, span.model) == (SpanKind.MODEL, name, "sim-small")
    assert payload["input"][-1]["parts"] == [{"type": "text", "content": "Where is order 8812?"}]
    assert (call["type"], call["name"], call["arguments"]) == ("tool_call", "find_order", {"number": "8812"})
    assert "8812" in span.text


def test_session_and_user_of_openinference_are_read(emitted: Emitted) -> None:
    (span,) = emitted.spans["openinference-openai"]

    assert (span.session, span.user) == ("session-9", "user-4")
