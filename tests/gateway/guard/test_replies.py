"""Whole replies without the calls that are withheld, and the request that tells the model of them."""

from typing import Any

import orjson
import pytest

from airworthy.gateway.guard import Withheld, judged, proposed, retold, without
from airworthy.gateway.guard.forms import assembled
from airworthy.gateway.wire.dialect import DIALECTS
from tests.gateway.guard.kit import (
    DELETE,
    LOOK,
    LOOK_2,
    NAMES,
    POLICY,
    REFUND,
    Call,
    history,
    ids,
    read,
    reply,
    request,
    stream,
)

BROKEN = Call("call_e", "pay", '{"amount":')
TOO_MUCH = Call("call_f", "pay", '{"amount":1000}')
CASES: list[tuple[str, list[Call], list[Call]]] = [
    ("one of two", [LOOK, REFUND], [LOOK]),
    ("the first of two", [REFUND, LOOK], [LOOK]),
    ("the middle one", [LOOK, REFUND, LOOK_2], [LOOK, LOOK_2]),
    ("two around one", [REFUND, LOOK, DELETE], [LOOK]),
    ("broken arguments", [LOOK, BROKEN], [LOOK]),
    ("an amount too large", [TOO_MUCH, LOOK], [LOOK]),
]


def withheld_of(dialect: str, raw: bytes) -> tuple[Withheld, ...]:
    return judged(POLICY, proposed(dialect, raw))


@pytest.mark.parametrize("dialect", NAMES)
@pytest.mark.parametrize("text", ["", "Let me see."])
@pytest.mark.parametrize(
    ("why", "calls", "kept"), CASES, ids=lambda value: value if type(value) is str else ""
)
def test_the_other_calls_stay_as_they_came(
    dialect: str, text: str, why: str, calls: list[Call], kept: list[Call]
) -> None:
    raw = reply(dialect, calls, text)

    thin = without(dialect, raw, withheld_of(dialect, raw))

    assert thin == reply(dialect, kept, text)
    assert read(dialect, thin).finish == "tool_calls"


@pytest.mark.parametrize("dialect", NAMES)
def test_a_reply_of_which_nothing_is_withheld_is_the_same_bytes(dialect: str) -> None:
    raw = reply(dialect, [LOOK, LOOK_2], "Hm").replace(b",", b" , ")

    assert without(dialect, raw, withheld_of(dialect, raw)) is raw


@pytest.mark.parametrize("dialect", NAMES)
@pytest.mark.parametrize("text", ["", "Let me see."])
def test_a_reply_without_its_last_call_ends_and_names_what_was_withheld(dialect: str, text: str) -> None:
    raw = reply(dialect, [REFUND, DELETE], text)

    facts = read(dialect, without(dialect, raw, withheld_of(dialect, raw)))

    assert facts.tool_calls == ()
    assert facts.finish == "stop"
    assert facts.text.startswith(text)
    assert "2 tool calls were withheld. refund_order: the policy" in facts.text
    assert facts.usage == read(dialect, raw).usage


def test_large_numbers_of_a_call_that_stays_are_not_changed() -> None:
    big = Call("call_z", "look", "{}")
    raw = reply("messages", [big, REFUND]).replace(
        b'"input":{}', b'"input": {"n":123456789012345678901234567890}'
    )

    thin = without("messages", raw, withheld_of("messages", raw))

    assert b'"input": {"n":123456789012345678901234567890}' in thin


def test_every_choice_of_a_completion_is_judged() -> None:
    body = orjson.loads(reply("chat", [LOOK]))
    body["choices"] += [
        {**orjson.loads(reply("chat", [REFUND]))["choices"][0], "index": 1},
        {**orjson.loads(reply("chat", [DELETE, LOOK_2]))["choices"][0], "index": 2},
    ]
    raw = orjson.dumps(body)

    first, second, third = orjson.loads(without("chat", raw, withheld_of("chat", raw)))["choices"]

    assert first == body["choices"][0]
    assert second["finish_reason"] == "stop"
    assert "refund_order" in second["message"]["content"]
    assert [call["id"] for call in third["message"]["tool_calls"]] == ["call_c"]


def test_an_old_function_call_is_judged_too() -> None:
    body = orjson.loads(reply("chat", []))
    body["choices"][0]["message"] = {
        "content": None,
        "function_call": {"name": "refund_order", "arguments": "{}"},
    }
    body["choices"][0]["finish_reason"] = "function_call"
    raw = orjson.dumps(body)
    withheld = withheld_of("chat", raw)

    facts = read("chat", without("chat", raw, withheld))
    asked = request("chat", function_call={"name": "refund_order"})
    again = orjson.loads(retold("chat", asked, orjson.loads(asked), raw, withheld))

    assert facts.tool_calls == ()
    assert facts.finish == "stop"
    assert again["messages"][-1]["role"] == "function"
    assert again["function_call"] == "auto"


def test_what_the_provider_runs_itself_stays_in_a_response() -> None:
    body = orjson.loads(reply("responses", [REFUND, LOOK]))
    body["output"].insert(1, {"type": "web_search_call", "id": "ws_1", "status": "completed"})
    body["output"].append({"type": "custom_tool_call", "call_id": "k", "name": "sql", "input": "drop"})
    raw = orjson.dumps(body)

    thin = orjson.loads(without("responses", raw, withheld_of("responses", raw)))

    assert [item["type"] for item in thin["output"]] == ["web_search_call", "function_call"]


@pytest.mark.parametrize("dialect", NAMES)
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("text", ["", "I will."])
def test_the_model_is_asked_again_with_its_calls_and_their_refusals(
    dialect: str, streamed: bool, text: str
) -> None:
    calls = [REFUND, DELETE]
    raw = assembled(dialect, stream(dialect, calls, text)) if streamed else reply(dialect, calls, text)
    asked = request(dialect, temperature=0.5)

    again = retold(dialect, asked, orjson.loads(asked), raw, withheld_of(dialect, raw))

    DIALECTS[dialect].read_request(again)
    assert [each for _, each in history(dialect, again)] == ["call_b", "call_d", "call_b", "call_d"]
    assert [kind for kind, _ in history(dialect, again)] == ["call", "call", "result", "result"]
    assert b"The call of delete_all was not made" in again
    assert orjson.loads(again)["temperature"] == 0.5
    assert (text.encode() in again) is True


FORCED: list[tuple[str, Any, Any]] = [
    ("chat", "required", "auto"),
    ("chat", {"type": "function", "function": {"name": "refund_order"}}, "auto"),
    ("chat", "none", "none"),
    (
        "chat",
        {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": []}},
        {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}},
    ),
    ("responses", {"type": "function", "name": "x"}, "auto"),
    (
        "responses",
        {"type": "allowed_tools", "mode": "required", "tools": []},
        {"type": "allowed_tools", "mode": "auto", "tools": []},
    ),
    (
        "messages",
        {"type": "any", "disable_parallel_tool_use": True},
        {"type": "auto", "disable_parallel_tool_use": True},
    ),
    ("messages", {"type": "tool", "name": "x"}, {"type": "auto"}),
    ("messages", {"type": "none"}, {"type": "none"}),
]


@pytest.mark.parametrize(("dialect", "choice", "free"), FORCED)
def test_a_model_that_was_forced_to_call_is_free_not_to(dialect: str, choice: Any, free: Any) -> None:
    asked = request(dialect, tool_choice=choice)
    raw = reply(dialect, [REFUND])

    again = retold(dialect, asked, orjson.loads(asked), raw, withheld_of(dialect, raw))

    assert orjson.loads(again)["tool_choice"] == free


def test_thinking_goes_back_with_its_signature() -> None:
    body = orjson.loads(reply("messages", [REFUND], "I will."))
    thinking = {"type": "thinking", "thinking": "hm", "signature": "sig=="}
    body["content"].insert(0, thinking)
    raw = orjson.dumps(body)
    asked = request("messages")

    again = orjson.loads(retold("messages", asked, orjson.loads(asked), raw, withheld_of("messages", raw)))

    assert again["messages"][1]["content"][0] == thinking
    assert [block["type"] for block in again["messages"][2]["content"]] == ["tool_result"]


def test_broken_arguments_go_back_as_an_object_where_one_is_needed() -> None:
    raw = assembled("messages", stream("messages", [BROKEN]))
    asked = request("messages")

    again = orjson.loads(retold("messages", asked, orjson.loads(asked), raw, withheld_of("messages", raw)))

    assert again["messages"][1]["content"][0]["input"] == {"malformed": '{"amount":'}


def test_a_conversation_that_the_provider_keeps_gets_the_refusals_alone() -> None:
    raw = reply("responses", [REFUND])
    asked = request("responses", conversation="conv_1")

    again = orjson.loads(retold("responses", asked, orjson.loads(asked), raw, withheld_of("responses", raw)))

    assert [item["type"] for item in again["input"]] == ["function_call_output"]


def test_reasoning_that_nobody_keeps_is_left_out() -> None:
    body = orjson.loads(reply("responses", [REFUND]))
    body["output"] = [{"type": "reasoning", "id": "rs_1", "summary": []}, *body["output"]]
    kept = {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "x"}
    asked = request("responses", store=False)
    for first, types in ((body["output"][0], ["function_call"]), (kept, ["reasoning", "function_call"])):
        raw = orjson.dumps({**body, "output": [first, body["output"][1]]})

        items = orjson.loads(
            retold("responses", asked, orjson.loads(asked), raw, withheld_of("responses", raw))
        )["input"]

        assert [item["type"] for item in items[1:-1]] == types
        assert all("id" not in item for item in items)


def test_a_text_as_input_becomes_a_message() -> None:
    asked = orjson.dumps({"model": "m", "input": "hi"})
    raw = reply("responses", [REFUND])

    again = orjson.loads(retold("responses", asked, orjson.loads(asked), raw, withheld_of("responses", raw)))

    assert again["input"][0] == {"type": "message", "role": "user", "content": "hi"}


def test_calls_without_an_id_get_one_for_their_results() -> None:
    raw = reply("chat", [REFUND]).replace(b'"id":"call_b",', b"")
    asked = request("chat")

    again = retold("chat", asked, orjson.loads(asked), raw, withheld_of("chat", raw))

    assert history("chat", again) == [("call", "call_0"), ("result", "call_0")]


@pytest.mark.parametrize("dialect", NAMES)
@pytest.mark.parametrize("text", ["", "I will."])
@pytest.mark.parametrize("calls", [[], [LOOK], [LOOK, REFUND, LOOK_2]])
def test_a_stream_put_together_says_what_its_reader_says(dialect: str, text: str, calls: list[Call]) -> None:
    facts = read(dialect, assembled(dialect, stream(dialect, calls, text or ("" if calls else "x"))))
    whole = read(dialect, reply(dialect, calls, text or ("" if calls else "x")))

    assert facts == whole
    assert ids(facts) == [call.id for call in calls]
