"""Whole replies: ends, refusals, formats, usage and what is left out, each alone."""

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from airworthy.gateway.errors import ModelMalformed
from airworthy.gateway.translate import Bridge, TranslatedReply, translate_reply
from airworthy.gateway.translate.conversation import DialectName

NOW_S = 1_700_000_000


def ids() -> Callable[[], str]:
    counter = itertools.count()
    return lambda: f"new{next(counter)}"


def chat(message: dict[str, Any], reason: str = "stop", **more: Any) -> dict[str, Any]:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": None} | message,
        "finish_reason": reason,
    }
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 5,
        "model": "gpt",
        "choices": [choice],
    } | more


def messages(content: list[Any], reason: str = "end_turn", **more: Any) -> dict[str, Any]:
    usage = {"input_tokens": 10, "output_tokens": 5}
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "usage": usage}
    return head | {"content": content, "stop_reason": reason, "stop_sequence": None} | more


def responses(output: list[Any], status: str = "completed", **more: Any) -> dict[str, Any]:
    head = {"id": "resp_1", "object": "response", "created_at": 5, "model": "gpt"}
    return head | {"output": output, "status": status} | more


MAKE: dict[str, Any] = {"chat": chat, "messages": messages, "responses": responses}


def back(
    caller: DialectName, provider: DialectName, reply: dict[str, Any], **bridge: Any
) -> tuple[Any, TranslatedReply]:
    done = translate_reply(
        json.dumps(reply).encode(), Bridge(caller, provider, **bridge), new_id=ids(), now_s=NOW_S
    )
    return json.loads(done.body), done


def call(name: str = "look", arguments: str = "{}", call_id: str = "c1") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


ENDS: list[tuple[dict[str, Any], str, str, str]] = [
    # chat's reply, Anthropic's word, Responses' status, why
    (chat({"content": "a"}), "end_turn", "completed", "a normal end"),
    (chat({"content": "a"}, "length"), "max_tokens", "incomplete", "the bound"),
    (chat({"content": "a"}, "content_filter"), "refusal", "incomplete", "a filter"),
    (chat({"tool_calls": [call()]}, "tool_calls"), "tool_use", "completed", "a call"),
    (
        chat({"tool_calls": [call()]}, "stop"),
        "tool_use",
        "completed",
        "a named tool_choice ends with stop here",
    ),
    (chat({"refusal": "no"}), "refusal", "completed", "a refusal is a normal end at OpenAI"),
    (chat({"content": "a"}, "eos"), "end_turn", "completed", "other servers' words for the end"),
]


@pytest.mark.parametrize(("reply", "reason", "status", "why"), ENDS)
def test_ends_are_told_in_the_callers_words(
    reply: dict[str, Any], reason: str, status: str, why: str
) -> None:
    there, _ = back("messages", "chat", reply)
    beside, _ = back("responses", "chat", reply)

    assert there["stop_reason"] == reason, why
    assert beside["status"] == status, why


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("pause_turn", "length"),
    ],
)
def test_anthropics_ends_are_told_in_chats_words(reason: str, finish: str) -> None:
    got, _ = back("chat", "messages", messages([{"type": "text", "text": "a"}], reason))

    assert got["choices"][0]["finish_reason"] == finish


def test_a_refusal_keeps_its_words() -> None:
    explained = {"type": "refusal", "category": None, "explanation": "Not this."}

    chats, _ = back("chat", "messages", messages([], "refusal", stop_details=explained))
    anthropics, _ = back("messages", "chat", chat({"refusal": "Not this."}))
    others, _ = back("responses", "chat", chat({"refusal": "Not this."}))

    assert chats["choices"][0]["message"]["refusal"] == "Not this."
    assert chats["choices"][0]["message"]["content"] is None
    assert anthropics["content"] == [{"type": "text", "text": "Not this."}]
    assert others["output"][0]["content"] == [{"type": "refusal", "refusal": "Not this."}]


def test_the_formats_call_is_the_answers_text() -> None:
    block = {"type": "tool_use", "id": "t", "name": "form", "input": {"a": 1.5, "n": 7}}

    got, done = back(
        "chat",
        "messages",
        messages([{"type": "text", "text": "Here:"}, block], "tool_use"),
        format_tool="form",
    )

    choice = got["choices"][0]
    assert json.loads(choice["message"]["content"]) == {"a": 1.5, "n": 7}
    assert "tool_calls" not in choice["message"]
    assert choice["finish_reason"] == "stop"
    assert any(note.startswith("text beside the formatted answer") for note in done.notes)


def test_a_call_of_another_tool_stays_a_call_where_a_format_was_asked_for() -> None:
    block = {"type": "tool_use", "id": "t", "name": "look", "input": {}}

    got, _ = back("responses", "messages", messages([block], "tool_use"), format_tool="form")

    assert [item["type"] for item in got["output"]] == ["function_call"]
    assert got["output"][0]["call_id"] == "t"


CACHED = {
    "input_tokens": 10,
    "cache_read_input_tokens": 100,
    "cache_creation_input_tokens": 30,
    "output_tokens": 7,
}
SPLIT = CACHED | {"cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20}}


@pytest.mark.parametrize("usage", [CACHED, SPLIT])
def test_input_counts_what_the_cache_did_at_openai_and_not_at_anthropic(usage: dict[str, Any]) -> None:
    got, _ = back("chat", "messages", messages([], usage=usage))
    again, _ = back("messages", "chat", got)

    assert got["usage"]["prompt_tokens"] == 140
    assert got["usage"]["prompt_tokens_details"]["cached_tokens"] == 100
    assert got["usage"]["total_tokens"] == 147
    assert {key: again["usage"][key] for key in CACHED} == CACHED


def test_thoughts_are_counted_and_not_shown() -> None:
    thinking = {"type": "thinking", "thinking": "hm", "signature": "s"}
    usage = {"input_tokens": 1, "output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}}

    got, done = back("chat", "messages", messages([thinking, {"type": "text", "text": "a"}], usage=usage))

    assert got["choices"][0]["message"] == {"role": "assistant", "content": "a", "refusal": None}
    assert got["usage"]["completion_tokens_details"]["reasoning_tokens"] == 4
    assert any("thinking" in note for note in done.notes)


def test_the_model_and_id_stay_the_providers_own_words() -> None:
    got, _ = back("chat", "messages", messages([]))

    assert got["model"] == "claude"
    assert got["id"] == "msg_1"
    assert got["created"] == NOW_S


def test_ids_and_times_that_the_provider_left_out_are_made() -> None:
    reply = chat({"tool_calls": [call(call_id="")]}, "tool_calls", id="", created=None)

    got, _ = back("responses", "chat", reply)

    assert got["id"]
    assert got["created_at"] == NOW_S
    assert got["output"][0]["call_id"].startswith("call_")
    assert got["output"][0]["id"].startswith("fc_")


def test_a_responses_reply_repeats_its_request() -> None:
    got, _ = back(
        "responses", "chat", chat({"content": "a"}), echo={"temperature": 0.5, "metadata": {"k": "v"}}
    )

    assert got["temperature"] == 0.5
    assert got["metadata"] == {"k": "v"}
    assert got["store"] is False


@pytest.mark.parametrize("arguments", ["{", "[1]", "null", '{"a": NaN}'])
def test_broken_arguments_never_become_an_empty_call(arguments: str) -> None:
    """Anthropic's clients get arguments parsed, so broken ones can only be refused, or left out where the bound cut."""
    with pytest.raises(ModelMalformed) as caught:
        back("messages", "chat", chat({"tool_calls": [call(arguments=arguments)]}, "tool_calls"))
    cut, done = back(
        "messages", "chat", chat({"content": "a", "tool_calls": [call(arguments=arguments)]}, "length")
    )

    assert caught.value.billed
    assert [block["type"] for block in cut["content"]] == ["text"]
    assert any(note.startswith("the call of look") for note in done.notes)


def test_big_numbers_and_broken_characters_in_a_reply_can_be_written() -> None:
    raw = json.dumps(
        messages([{"type": "tool_use", "id": "t", "name": "look", "input": {"n": "N", "s": "S"}}])
    )
    raw = raw.replace('"N"', "123456789012345678901").replace('"S"', '"\\ud83d\\ude00 \\ud83d"')

    done = translate_reply(raw.encode(), Bridge("chat", "messages"), new_id=ids())

    arguments = json.loads(done.body)["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(arguments) == {"n": 123456789012345678901, "s": "\U0001f600 \ufffd"}


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"<html>", json.dumps(responses([], "failed", error={"message": "x"})).encode()],
)
def test_what_is_no_reply_is_malformed_and_may_have_been_billed(raw: bytes) -> None:
    with pytest.raises(ModelMalformed) as caught:
        translate_reply(raw, Bridge("chat", "responses"), new_id=ids())

    assert caught.value.billed
