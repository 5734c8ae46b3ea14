"""One normaliser for every convention: what a span is, what it says, and what goes in and out, whoever wrote it."""

from typing import Any

import orjson
import pytest

from airworthy.recorder.traces.span import SpanKind
from tests.recorder.otel.kit import NOW_US, one, payload_of, request, span, taken

ASKED = [{"role": "user", "parts": [{"type": "text", "content": "Where is 8812?"}]}]


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"gen_ai.operation.name": "chat"}, SpanKind.MODEL),
        ({"gen_ai.operation.name": "generate_content"}, SpanKind.MODEL),
        ({"gen_ai.operation.name": "embeddings"}, SpanKind.EMBEDDING),
        ({"gen_ai.operation.name": "invoke_agent"}, SpanKind.AGENT),
        ({"gen_ai.operation.name": "execute_tool"}, SpanKind.TOOL),
        ({"gen_ai.operation.name": "retrieval"}, SpanKind.RETRIEVAL),
        ({"gen_ai.operation.name": "invoke_workflow"}, SpanKind.STEP),
        ({"gen_ai.operation.name": "something_new", "gen_ai.request.model": "m"}, SpanKind.STEP),
        ({"openinference.span.kind": "LLM"}, SpanKind.MODEL),
        ({"openinference.span.kind": "CHAIN"}, SpanKind.STEP),
        ({"openinference.span.kind": "GUARDRAIL"}, SpanKind.CHECK),
        ({"openinference.span.kind": "RETRIEVER"}, SpanKind.RETRIEVAL),
        ({"traceloop.span.kind": "tool"}, SpanKind.TOOL),
        ({"traceloop.span.kind": "workflow"}, SpanKind.STEP),
        ({"llm.request.type": "chat"}, SpanKind.MODEL),
        ({"gen_ai.tool.name": "look"}, SpanKind.TOOL),
        ({"mcp.method.name": "tools/call"}, SpanKind.TOOL),
        ({"gen_ai.request.model": "m", "gen_ai.usage.prompt_tokens": 3}, SpanKind.MODEL),
        ({"gen_ai.operation.name": 7}, SpanKind.STEP),
        ({"http.request.method": "GET"}, SpanKind.STEP),
    ],
)
def test_the_kind_is_read_from_whichever_key_says_it(attributes: dict[str, Any], kind: SpanKind) -> None:
    assert one(attributes).kind is kind


@pytest.mark.parametrize(
    ("attributes", "tokens"),
    [
        ({"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 4}, (10, 4)),
        ({"gen_ai.usage.prompt_tokens": 10, "gen_ai.usage.completion_tokens": 4}, (10, 4)),
        ({"llm.token_count.prompt": 10, "llm.token_count.completion": 4}, (10, 4)),
        ({"llm.usage.prompt_tokens": 10, "llm.usage.completion_tokens": 4}, (10, 4)),
        ({"gen_ai.usage.input_tokens": "10", "gen_ai.usage.output_tokens": 4.0}, (10, 4)),
        ({"gen_ai.usage.input_tokens": -1, "gen_ai.usage.output_tokens": "many"}, (None, None)),
        ({"gen_ai.usage.input_tokens": True, "gen_ai.usage.output_tokens": 10**18}, (None, 2**31 - 1)),
        ({}, (None, None)),
    ],
)
def test_tokens_are_read_under_every_name_and_nonsense_is_unknown(
    attributes: dict[str, Any], tokens: tuple[int | None, int | None]
) -> None:
    found = one({"gen_ai.operation.name": "chat", **attributes})

    assert (found.tokens_in, found.tokens_out) == tokens


@pytest.mark.parametrize("kind", ["invoke_agent", "execute_tool", "execute_event_loop_cycle"])
def test_usage_that_is_repeated_above_the_model_calls_is_not_counted(kind: str) -> None:
    found = one({"gen_ai.operation.name": kind, "gen_ai.usage.input_tokens": 200, "llm.cost.total": 0.5})

    assert (found.tokens_in, found.tokens_out, found.cost_nano) == (None, None, None)
    assert payload_of(found)["attributes"]["gen_ai.usage.input_tokens"] == 200


@pytest.mark.parametrize(
    ("attributes", "nano"),
    [
        ({"llm.cost.total": 0.013}, 13_000_000),
        ({"gen_ai.usage.cost": 0.1}, 100_000_000),
        ({"operation.cost": "0.25"}, 250_000_000),
        ({"llm.cost.prompt": 0.1, "llm.cost.completion": 0.2}, 300_000_000),
        ({"llm.cost.total": float("1e300")}, None),
        ({"llm.cost.total": -1.0}, None),
        ({}, None),
    ],
)
def test_the_senders_cost_stands_and_an_unknown_one_is_none(
    attributes: dict[str, Any], nano: int | None
) -> None:
    assert one({"gen_ai.operation.name": "chat", **attributes}).cost_nano == nano


def test_who_and_what_is_read_under_every_name() -> None:
    found = one(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.agent.name": "orders",
            "gen_ai.agent.version": "7",
            "gen_ai.conversation.id": "c-1",
            "enduser.id": "ada",
            "airworthy.feature": "status",
            "airworthy.outcome": "declined",
            "gen_ai.system": "OpenAI",
            "gen_ai.request.model": "asked",
            "gen_ai.response.model": "answered",
        }
    )

    assert (found.agent, found.release, found.session, found.user, found.feature, found.outcome) == (
        "orders", "7", "c-1", "ada", "status", "declined",
    )  # fmt: skip
    assert (found.provider, found.model) == ("openai", "answered")


def test_an_outcome_that_is_none_of_ours_is_none() -> None:
    assert one({"airworthy.outcome": "great"}).outcome == ""


def test_who_sent_it_names_the_agent_of_a_root_and_what_is_said_on_the_resource_holds_for_all() -> None:
    root, child = taken(
        span(1), span(2, 1), resource={"service.name": "shop", "service.version": "2", "session.id": "s"}
    )

    assert (root.agent, root.release, root.session) == ("shop", "2", "s")
    assert (child.agent, child.release, child.session) == ("", "2", "s")
    assert taken(span(1), resource={"service.name": "unknown_service:python"})[0].agent == ""


def test_openinference_messages_are_gathered_from_their_numbered_keys() -> None:
    found = one(
        {
            "openinference.span.kind": "LLM",
            "llm.input_messages.0.message.role": "system",
            "llm.input_messages.0.message.content": "Be brief.",
            "llm.input_messages.1.message.role": "user",
            "llm.input_messages.1.message.contents.0.message_content.type": "text",
            "llm.input_messages.1.message.contents.0.message_content.text": "Where is 8812?",
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.tool_calls.0.tool_call.id": "c1",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "look",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"order": 8812}',
            "input.value": "all of the request again",
        }
    )
    payload = payload_of(found)

    assert payload["input"][1] == ASKED[0]
    assert payload["output"] == [
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "c1", "name": "look", "arguments": {"order": 8812}}],
        }
    ]
    assert payload["moved"] == {"input": "llm.input_messages.*", "output": "llm.output_messages.*"}
    assert not any(key.startswith("llm.input_messages") for key in payload["attributes"])
    assert payload["attributes"]["input.value"] == "all of the request again"


def test_old_traceloop_messages_are_gathered_from_their_numbered_keys() -> None:
    found = one(
        {
            "llm.request.type": "chat",
            "gen_ai.prompt.0.role": "user",
            "gen_ai.prompt.0.content": "Where is 8812?",
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.content": "In Bremen.",
            "gen_ai.completion.0.finish_reason": "stop",
        }
    )
    payload = payload_of(found)

    assert payload["input"] == ASKED
    assert payload["output"] == [
        {"role": "assistant", "parts": [{"type": "text", "content": "In Bremen."}], "finish_reason": "stop"}
    ]


def test_ten_messages_keep_their_order_and_holes_close() -> None:
    keys = {f"gen_ai.prompt.{n}.content": f"message {n}" for n in (10, 2, 0, 11)}
    said = payload_of(one({"llm.request.type": "chat", **keys}))["input"]

    assert [message["parts"][0]["content"] for message in said] == [
        "message 0", "message 2", "message 10", "message 11",
    ]  # fmt: skip


def test_messages_in_span_events_are_input_and_output() -> None:
    events = [
        {
            "name": "gen_ai.user.message",
            "attributes": [{"key": "content", "value": {"stringValue": "Where is 8812?"}}],
        },
        {
            "name": "gen_ai.choice",
            "attributes": [
                {"key": "message", "value": {"stringValue": '[{"text": "In Bremen."}]'}},
                {"key": "finish_reason", "value": {"stringValue": "end_turn"}},
            ],
        },
    ]
    payload = payload_of(one({"gen_ai.operation.name": "chat"}, events=events))

    assert payload["input"] == ASKED
    assert payload["output"][0]["parts"] == [{"type": "text", "content": "In Bremen."}]
    assert payload["moved"] == {"input": "events", "output": "events"}
    assert [event["attributes"] for event in payload["events"]] == [{}, {}]


def test_a_detail_event_carries_whole_conversations() -> None:
    said = {"stringValue": orjson.dumps(ASKED).decode()}
    event = {
        "name": "gen_ai.client.inference.operation.details",
        "attributes": [{"key": "gen_ai.input.messages", "value": said}],
    }

    assert payload_of(one({"gen_ai.operation.name": "chat"}, events=[event]))["input"] == ASKED


def test_events_in_an_attribute_are_read_too() -> None:
    events = [
        {"event.name": "gen_ai.user.message", "role": "user", "content": "Where is 8812?"},
        {
            "event.name": "gen_ai.choice",
            "index": 0,
            "message": {"role": "assistant", "content": "In Bremen."},
        },
    ]
    payload = payload_of(one({"gen_ai.operation.name": "chat", "events": orjson.dumps(events).decode()}))

    assert payload["input"] == ASKED
    assert payload["output"][0]["parts"] == [{"type": "text", "content": "In Bremen."}]


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        (
            {"gen_ai.tool.call.arguments": '{"order": 1}', "gen_ai.tool.call.result": "sent"},
            ({"order": 1}, "sent"),
        ),
        ({"tool_arguments": '{"order": 1}', "tool_response": "sent"}, ({"order": 1}, "sent")),
        ({"input.value": "alpha", "output.value": "sent", "tool.name": "look"}, ("alpha", "sent")),
        (
            {"traceloop.entity.input": '{"input_str": "a"}', "traceloop.entity.output": "[1"},
            ({"input_str": "a"}, "[1"),
        ),
    ],
)
def test_what_goes_into_a_tool_and_comes_out(attributes: dict[str, Any], said: tuple[Any, Any]) -> None:
    payload = payload_of(one({"gen_ai.tool.name": "look", **attributes}))

    assert (payload["input"], payload["output"]) == said


def test_a_tool_and_an_agent_are_named_by_their_span_where_nothing_else_names_them() -> None:
    tool = one({"gen_ai.operation.name": "execute_tool"}, name="execute_tool look")
    agent = one({"openinference.span.kind": "AGENT"}, name="Planner")
    loop = one({"traceloop.span.kind": "tool", "traceloop.entity.name": "look"}, name="look.tool")

    assert (tool.tool, agent.agent, loop.tool) == ("look", "Planner", "look")


def test_an_error_is_told_by_status_event_or_attribute() -> None:
    exception = {
        "name": "exception",
        "attributes": [
            {"key": "exception.type", "value": {"stringValue": "Timeout"}},
            {"key": "exception.message", "value": {"stringValue": "after 30 s"}},
        ],
    }
    raised = one(events=[exception], status={"code": 2})
    handled = one(events=[exception])
    named = one({"error.type": "429"}, status={"code": "STATUS_CODE_ERROR", "message": "slow down"})
    bare = one(status={"code": 2})

    assert (raised.error_type, raised.error_text) == ("Timeout", "after 30 s")
    assert (handled.error_type, handled.error_text) == ("", "")
    assert (named.error_type, named.error_text) == ("429", "slow down")
    assert bare.error_type == "error"
    assert "after 30 s" in raised.text


def test_what_is_not_read_is_kept_as_it_was_sent() -> None:
    sent = {"a.list": [1, "two", [3.5]], "a.map": {"deep": {"er": True}}, "none": ""}
    links = [{"traceId": "ab" * 16, "spanId": "cd" * 8, "attributes": []}]
    events = [{"name": "retry", "timeUnixNano": str(NOW_US * 1_000), "attributes": []}]
    (found,) = taken(span(attributes=sent, links=links, events=events), scope="lib", resource={"host": "h"})
    payload = payload_of(found)

    assert payload["attributes"] == sent
    assert payload["links"] == [{"trace_id": "ab" * 16, "span_id": "cd" * 8, "attributes": {}}]
    assert payload["events"] == [{"name": "retry", "at_us": NOW_US, "attributes": {}}]
    assert (payload["resource"], payload["scope"]["name"]) == ({"host": "h"}, "lib")


def test_the_table_of_prices_is_asked_only_where_the_sender_does_not_say() -> None:
    from airworthy.recorder.otel import decode_traces
    from tests.recorder.otel.kit import reading

    asked: list[tuple[Any, ...]] = []

    def price(
        provider: str, model: str, tokens_in: int | None, tokens_out: int | None, cached: int | None
    ) -> int | None:
        asked.append((provider, model, tokens_in, tokens_out, cached))
        return 77

    base = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.provider.name": "p"}
    usage = {
        "gen_ai.usage.input_tokens": 5,
        "gen_ai.usage.output_tokens": 2,
        "gen_ai.usage.cache_read.input_tokens": 1,
    }
    body = request(span(1, attributes=base | usage), span(2, attributes={**base, "llm.cost.total": 1.0}))
    unpriced, priced = decode_traces(body, "application/json", "", reading(price=price), NOW_US).spans

    assert asked == [("p", "m", 5, 2, 1)]
    assert (unpriced.cost_nano, priced.cost_nano) == (77, 10**9)
