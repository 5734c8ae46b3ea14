"""Anthropic's Messages: what only this protocol has."""

from typing import Any

import orjson
import pytest

from airworthy.gateway.simulator import MODELS, Answer, Simulator
from tests.gateway.simulator.conversations import QUESTION, user
from tests.gateway.simulator.protocols import (
    AFTER_LOOKUP_MESSAGES,
    LOOKUP,
    MESSAGES,
    asked,
    events,
    faulty,
    joined,
    sent,
    whole,
)

COUNT = "/v1/messages/count_tokens"


def told(simulator: Simulator, **extra: Any) -> Any:
    return orjson.loads(sent(simulator, MESSAGES, asked(MESSAGES, **extra)).body)


def error(answer: Answer) -> tuple[int, str, str]:
    body = orjson.loads(answer.body)
    assert body["type"] == "error"
    return answer.status, body["error"]["type"], body["error"]["message"]


def test_a_message_comes_back_in_the_shape_of_the_protocol() -> None:
    answer = sent(Simulator(), MESSAGES, asked(MESSAGES))

    body = orjson.loads(answer.body)
    (block,) = body["content"]
    assert (body["type"], body["role"], body["model"], body["stop_reason"], body["stop_sequence"]) == (
        "message",
        "assistant",
        MODELS[0],
        "tool_use",
        None,
    )
    assert body["id"].startswith("msg_")
    assert block["id"].startswith("toolu_")
    assert (block["type"], block["name"], block["input"]) == (
        "tool_use",
        "find_order",
        {"order_id": "ORD-1042"},
    )
    assert answer.headers["request-id"].startswith("req_")
    assert not any(name.startswith("x-ratelimit") for name in answer.headers)


def test_a_stream_of_words_has_its_events_in_order() -> None:
    kinds = [
        event["type"]
        for event in events(joined(sent(Simulator(), MESSAGES, asked(MESSAGES, "Hi", stream=True))))
    ]

    assert kinds[:4] == ["message_start", "content_block_start", "ping", "content_block_delta"]
    assert kinds[-4:] == ["content_block_delta", "content_block_stop", "message_delta", "message_stop"]
    assert set(kinds[3:-3]) == {"content_block_delta"}


def test_the_count_of_a_stream_grows_from_its_start_to_its_end() -> None:
    made = events(joined(sent(Simulator(), MESSAGES, asked(MESSAGES, "Hi", stream=True))))

    start, end = made[0]["message"], made[-2]
    assert start["usage"]["output_tokens"] == 1
    assert start["usage"]["input_tokens"] > 0
    assert end["usage"]["output_tokens"] > 1
    assert (start["content"], start["stop_reason"]) == ([], None)
    assert end["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}


REFUSALS = [
    ("no bound", {"max_tokens": None}, 400, "invalid_request_error", "max_tokens: Field required"),
    ("bound of nothing", {"max_tokens": 0}, 400, "invalid_request_error", "greater than or equal to 1"),
    ("no messages", {"messages": []}, 400, "invalid_request_error", "messages: Field required"),
    (
        "system as a role",
        {"messages": [{"role": "system", "content": "x"}]},
        400,
        "invalid_request_error",
        "role",
    ),
    (
        "call without result",
        {"messages": AFTER_LOOKUP_MESSAGES[:2]},
        400,
        "invalid_request_error",
        "no result",
    ),
    ("unknown model", {"model": "other"}, 404, "not_found_error", "'other'"),
    ("too long", {"messages": [user("x" * 600_000)]}, 400, "invalid_request_error", "prompt is too long: "),
]


@pytest.mark.parametrize(
    ("change", "status", "kind", "words"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS]
)
def test_a_request_the_protocol_forbids_is_refused_in_its_error_shape(
    change: dict[str, Any], status: int, kind: str, words: str
) -> None:
    simulator = Simulator()

    made = error(sent(simulator, MESSAGES, asked(MESSAGES) | change))

    assert made[:2] == (status, kind)
    assert words in made[2]
    assert simulator.calls == 0


def test_a_request_without_a_version_is_refused() -> None:
    for path in (MESSAGES, COUNT):
        answer = Simulator().answered("POST", path, {}, orjson.dumps(asked(MESSAGES)))
        assert error(answer) == (400, "invalid_request_error", "anthropic-version: header is required")


def test_an_unknown_key_and_path_have_the_error_shape_too() -> None:
    assert error(sent(Simulator(api_key="k"), MESSAGES, asked(MESSAGES)))[:2] == (401, "authentication_error")
    assert error(sent(Simulator(), f"{MESSAGES}/batches", {}))[:2] == (404, "not_found_error")


FAILURES = [
    ("http_429:1.5", 429, "rate_limit_error"),
    ("http_500", 500, "api_error"),
    ("http_503", 529, "overloaded_error"),
    ("error_in_200", 200, "api_error"),
]


@pytest.mark.parametrize(("fault", "status", "kind"), FAILURES)
def test_a_failing_provider_answers_as_anthropic_does(fault: str, status: int, kind: str) -> None:
    for stream in (False, True):
        answer = sent(faulty(fault), MESSAGES, asked(MESSAGES, stream=stream))

        assert error(answer)[:2] == (status, kind)
        assert answer.headers.get("retry-after") == ("2" if status == 429 else None)


def test_tokens_are_counted_as_a_message_would_count_them_and_it_is_no_call() -> None:
    simulator = Simulator()
    body = asked(MESSAGES)

    counted = orjson.loads(sent(simulator, COUNT, {k: v for k, v in body.items() if k != "max_tokens"}).body)

    assert simulator.calls == 0
    assert counted == {"input_tokens": told(simulator)["usage"]["input_tokens"]}


@pytest.mark.parametrize(("ttl", "kept"), [({}, "5m"), ({"ttl": "1h"}, "1h")])
def test_only_a_marked_prompt_is_cached_and_its_parts_add_up(ttl: dict[str, str], kept: str) -> None:
    long = {"type": "text", "text": "x" * 10_000}
    marked = long | {"cache_control": {"type": "ephemeral", **ttl}}

    plain = told(Simulator(), looked_up=True, system=[long])["usage"]
    first = told(Simulator(), system=[marked])["usage"]
    later = told(Simulator(), looked_up=True, system=[marked])["usage"]

    assert (plain["cache_read_input_tokens"], plain["cache_creation_input_tokens"]) == (0, 0)
    assert (first["cache_read_input_tokens"], later["cache_read_input_tokens"] > 2000) == (0, True)
    made = first["cache_creation_input_tokens"]
    assert first["cache_creation"] == {
        f"ephemeral_{name}_input_tokens": made if name == kept else 0 for name in ("5m", "1h")
    }
    parts = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    assert sum(later[part] for part in parts) == plain["input_tokens"]


def test_a_result_marked_as_an_error_is_taken_for_one() -> None:
    result = {"type": "tool_result", "tool_use_id": "call_1", "content": LOOKUP, "is_error": True}
    messages: list[Any] = [*AFTER_LOOKUP_MESSAGES[:2], {"role": "user", "content": [result]}]

    made = whole(MESSAGES, sent(Simulator(), MESSAGES, asked(MESSAGES) | {"messages": messages}))

    assert "not available" in made.text
    assert "shipped" not in made.text


CHOICES: list[tuple[dict[str, Any], list[str]]] = [
    ({"type": "auto"}, ["find_order"]),
    ({"type": "any"}, ["find_order"]),
    ({"type": "none"}, []),
    ({"type": "tool", "name": "get_customer"}, ["get_customer"]),
]


@pytest.mark.parametrize(("choice", "names"), CHOICES)
def test_the_choice_of_tools_is_honoured(choice: dict[str, Any], names: list[str]) -> None:
    body = told(Simulator(), tool_choice=choice)

    assert [block["name"] for block in body["content"] if block["type"] == "tool_use"] == names


def test_calls_are_made_one_by_one_if_parallel_ones_are_switched_off() -> None:
    two = "Where are my orders ORD-1042 and ORD-1043?"
    choice = {"type": "auto", "disable_parallel_tool_use": True}

    assert len(told(Simulator(), text=two)["content"]) == 2
    assert len(told(Simulator(), text=two, tool_choice=choice)["content"]) == 1


def test_a_wanted_form_is_filled() -> None:
    schema = {"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]}
    form = {"type": "json_schema", "schema": schema}

    for extra in ({"output_config": {"format": form}}, {"output_format": form}):
        made = told(Simulator(), looked_up=True, **extra)
        assert orjson.loads(made["content"][0]["text"]) == {"status": "shipped"}


def test_thinking_and_words_beside_results_are_read_as_what_they_are() -> None:
    content = [
        {"type": "thinking", "thinking": "Hm.", "signature": "x"},
        *AFTER_LOOKUP_MESSAGES[1]["content"],
    ]
    results = [*AFTER_LOOKUP_MESSAGES[2]["content"], {"type": "text", "text": "And where is ORD-1043?"}]
    messages = [
        user(QUESTION),
        {"role": "assistant", "content": content},
        {"role": "user", "content": results},
    ]

    made = whole(MESSAGES, sent(Simulator(), MESSAGES, asked(MESSAGES) | {"messages": messages}))

    assert [call[1:] for call in made.calls] == [("find_order", '{"order_id":"ORD-1043"}')]


STOPS = [
    ("refusal", "refusal"),
    ("content_filter", "refusal"),
    ("length", "max_tokens"),
    ("empty:null_content", "end_turn"),
]


@pytest.mark.parametrize(("fault", "stop"), STOPS)
def test_the_stop_reason_says_how_it_ended(fault: str, stop: str) -> None:
    assert told(faulty(fault), text="Hi")["stop_reason"] == stop


def test_arguments_that_are_not_json_are_an_empty_object_or_broken_deltas() -> None:
    fault = "wrong_tool_arguments:invalid_json"

    plain = told(faulty(fault))
    stream = events(joined(sent(faulty(fault), MESSAGES, asked(MESSAGES, stream=True))))

    assert plain["content"][0]["input"] == {}
    deltas = [event["delta"]["partial_json"] for event in stream if event["type"] == "content_block_delta"]
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads("".join(deltas))
