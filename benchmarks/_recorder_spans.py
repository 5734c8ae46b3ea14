"""Traces of agents as OTLP/HTTP protobuf, the same for everybody: eight spans a trace, about 2.26 KB a span. The text
is drawn from a vocabulary of invented words in the shares of a natural language, with ids and amounts that occur once.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, Status

SPANS_PER_TRACE = 8
SPANS_PER_REQUEST = 512
AGENTS = ("support", "billing", "research", "travel", "triage", "coder", "sales", "recruiter")
MODELS = (("openai", "gpt-4o-2024-08-06"), ("openai", "gpt-4o-mini-2024-07-18"),
          ("anthropic", "claude-sonnet-4-20250514"), ("local", "a-model-without-a-price"))  # fmt: skip
TOOLS = (
    "lookup_order",
    "refund",
    "search_flights",
    "send_email",
    "read_file",
    "run_query",
    "get_weather",
    "book",
)
ERRORS = ("TimeoutError", "RateLimitError", "ToolError", "ValidationError")
ERROR_SHARE = 0.04
WORDS = 20_000
RARE_WORD, FREQUENT_WORD, NO_WORD = "zyxquartz", "refund", "qqnowherexx"
_SYLLABLES = ("ba", "con", "der", "el", "fi", "gra", "ho", "in", "ju", "ka", "lo", "men", "no", "or", "per", "qui",
              "re", "sta", "ti", "un", "ver", "wa", "xi", "yo", "za", "tion", "ing", "ed", "pro", "sub")  # fmt: skip


@dataclass
class Writer:
    """Draws everything from one seed."""

    seed: int
    chance: random.Random = field(init=False)
    words: list[str] = field(init=False)
    weights: list[float] = field(init=False)
    systems: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        fixed = random.Random(1)  # The language is the same whatever is said in it.
        found: dict[str, None] = {}
        while len(found) < WORDS:
            found["".join(fixed.choices(_SYLLABLES, k=fixed.choice((1, 2, 2, 3, 3, 4))))] = None
        self.words = list(found)
        self.weights = list(accumulate(1 / (rank + 2.7) for rank in range(WORDS)))
        self.chance = fixed
        self.systems = {agent: self.text(110) for agent in AGENTS}
        self.chance = random.Random(self.seed)

    def text(self, count: int) -> str:
        return " ".join(self.chance.choices(self.words, cum_weights=self.weights, k=count))

    def hex(self, digits: int) -> str:
        return f"{self.chance.getrandbits(4 * digits):0{digits}x}"

    def trace(self, started_us: int, rare: bool = False) -> list[Span]:
        """An agent that asks a model three times, with a retrieval and three tools between."""
        chance = self.chance
        agent = AGENTS[min(int(chance.paretovariate(1.2)) - 1, len(AGENTS) - 1)]
        failed = chance.random() < ERROR_SHARE
        error = chance.choice(ERRORS) if failed else ""
        provider, model = chance.choices(MODELS, weights=(4, 3, 2, 1))[0]
        ids = [bytes.fromhex(self.hex(16)) for _ in range(SPANS_PER_TRACE)]
        trace_id = bytes.fromhex(self.hex(32))
        asked = self.text(40) + (f" {RARE_WORD}" if rare else "")
        if chance.random() < 0.3:
            asked += f" {FREQUENT_WORD}"
        said: list[dict[str, Any]] = [
            {"role": "system", "parts": [{"type": "text", "content": self.systems[agent]}]},
            {"role": "user", "parts": [{"type": "text", "content": asked}]},
        ]
        labels = {
            "gen_ai.agent.name": agent,
            "session.id": f"session-{self.hex(10)}",
            "user.id": f"user-{chance.randrange(20_000)}",
            "openinference.span.kind": "AGENT",
            "gen_ai.operation.name": "invoke_agent",
        }
        spans: list[Span] = []
        at_us = started_us
        for number in range(1, SPANS_PER_TRACE):
            taken_us = int(chance.lognormvariate(13, 0.8))
            if number in {1, 4, 7}:
                answer = self.text(75)
                given = self._model(provider, model, said, answer)
                said.append({"role": "assistant", "parts": [{"type": "text", "content": answer}]})
                name = f"chat {model}"
            elif number == 2:
                given, name = self._retrieval(), "retrieval"
            else:
                tool = chance.choice(TOOLS)
                given, result = self._tool(tool)
                said.append({"role": "tool", "parts": [{"type": "tool_call_response", "response": result}]})
                name = f"execute_tool {tool}"
            broken = failed and number == 6
            spans.append(
                _span(
                    trace_id,
                    ids[number],
                    ids[0],
                    name,
                    (at_us, at_us + taken_us),
                    given,
                    error if broken else "",
                )
            )
            at_us += taken_us
        labels |= {"input.value": asked, "output.value": self.text(90)}
        root = _span(
            trace_id, ids[0], b"", f"invoke_agent {agent}", (started_us, at_us), labels,
            error if failed and chance.random() < 0.5 else "",
        )  # fmt: skip
        return [*spans, root]  # as tracers send them: the outer one ends last

    def _model(self, provider: str, model: str, said: list[dict[str, Any]], answer: str) -> dict[str, Any]:
        return {
            "openinference.span.kind": "LLM",
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": provider,
            "gen_ai.request.model": model,
            "gen_ai.response.model": model,
            "gen_ai.response.id": f"resp-{self.hex(24)}",
            "gen_ai.request.temperature": 0.2,
            "gen_ai.usage.input_tokens": self.chance.randrange(300, 4_000),
            "gen_ai.usage.output_tokens": self.chance.randrange(20, 600),
            "gen_ai.input.messages": json.dumps(said),
            "gen_ai.output.messages": json.dumps(
                [
                    {
                        "role": "assistant",
                        "parts": [{"type": "text", "content": answer}],
                        "finish_reason": "stop",
                    }
                ]
            ),
        }

    def _tool(self, tool: str) -> tuple[dict[str, Any], dict[str, Any]]:
        chance = self.chance
        arguments = {
            "order_id": self.hex(8),
            "amount": round(chance.uniform(1, 900), 2),
            "note": self.text(30),
        }
        rows = [{"sku": self.hex(6), "name": self.text(8)} for _ in range(5)]
        result = {"status": "ok", "id": self.hex(12), "rows": rows}
        given = {
            "openinference.span.kind": "TOOL",
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": tool,
            "gen_ai.tool.call.id": f"call-{self.hex(20)}",
            "gen_ai.tool.call.arguments": json.dumps(arguments),
            "gen_ai.tool.call.result": json.dumps(result),
        }
        return given, result

    def _retrieval(self) -> dict[str, Any]:
        return {
            "openinference.span.kind": "RETRIEVER",
            "gen_ai.operation.name": "retrieval",
            "input.value": self.text(12),
            "output.value": json.dumps(
                [{"id": self.hex(10), "score": self.chance.random(), "text": self.text(130)}]
            ),
        }


def requests(writer: Writer, count: int, started_us: int, apart_us: int) -> Iterator[bytes]:
    """Whole requests, each of SPANS_PER_REQUEST spans; a trace begins every `apart_us`."""
    for _ in range(count):
        spans: list[Span] = []
        for _ in range(SPANS_PER_REQUEST // SPANS_PER_TRACE):
            spans += writer.trace(started_us)
            started_us += apart_us
        yield request(spans)


def request(spans: list[Span]) -> bytes:
    made = ExportTraceServiceRequest()
    about: ResourceSpans = made.resource_spans.add()
    for key, value in {
        "service.name": "bench", "service.version": "1.4.2", "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry", "telemetry.sdk.version": "1.45.2", "host.name": "bench-host",
    }.items():  # fmt: skip
        about.resource.attributes.append(_attribute(key, value))
    scope = about.scope_spans.add()
    scope.scope.name, scope.scope.version = "bench.agents", "0.3"
    scope.spans.extend(spans)
    return bytes(made.SerializeToString())


def _span(
    trace_id: bytes, span_id: bytes, parent: bytes, name: str, times_us: tuple[int, int], given: dict[str, Any],
    error: str,
) -> Span:  # fmt: skip
    made = Span(
        trace_id=trace_id, span_id=span_id, parent_span_id=parent, name=name, kind=Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=times_us[0] * 1_000, end_time_unix_nano=times_us[1] * 1_000,
        attributes=[_attribute(key, value) for key, value in given.items()],
    )  # fmt: skip
    if error:
        made.status.code, made.status.message = Status.STATUS_CODE_ERROR, f"{error}: it did not work out"
        made.attributes.append(_attribute("error.type", error))
    return made


def _attribute(key: str, value: Any) -> KeyValue:
    match value:
        case int():
            return KeyValue(key=key, value=AnyValue(int_value=value))
        case float():
            return KeyValue(key=key, value=AnyValue(double_value=value))
        case _:
            return KeyValue(key=key, value=AnyValue(string_value=str(value)))
