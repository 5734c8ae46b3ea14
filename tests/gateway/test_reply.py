"""What a provider may send, read: every way a reply can end has a name, and nothing else gets through."""

from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airworthy.gateway import ModelMalformed
from airworthy.gateway.reply import ModelReply, read_chat_completion
from tests.gateway.kit import completion


def message(finish: str | None = "stop", **parts: Any) -> bytes:
    return completion(choices=[{"message": parts, "finish_reason": finish}])


CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"a": 1}'}}

READ = [
    (message(content="hi"), ("hi", 0, "stop"), "plain"),
    (message(content="hi", finish=None), ("hi", 0, "stop"), "no reason given"),
    (message(content="hi", finish="something_new"), ("hi", 0, "stop"), "a reason of tomorrow"),
    (message(content="hal", finish="length"), ("hal", 0, "length"), "cut"),
    (message(content=None, finish="length"), ("", 0, "length"), "cut before the first word"),
    (message(content=None, finish="content_filter"), ("", 0, "content_filter"), "filtered"),
    (message(content=None, refusal="No."), ("", 0, "refusal"), "refused"),
    (message(content="", finish="tool_calls", tool_calls=[CALL]), ("", 1, "tool_calls"), "a call"),
    (message(content="let me see", tool_calls=[CALL, CALL]), ("let me see", 2, "tool_calls"), "text beside calls"),
    (message(content=None, tool_calls=[CALL], finish="length"), ("", 1, "length"), "a call that was cut"),
    (message(content=None, tool_calls=[CALL], finish="stop"), ("", 1, "tool_calls"), "calls under the wrong reason"),
    (message(content="hi", tool_calls=[]), ("hi", 0, "stop"), "an empty list of calls"),
    (message(content="hi", tool_calls=None), ("hi", 0, "stop"), "no list of calls"),
    (message(content=[{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]), ("ab", 0, "stop"), "in parts"),
    (message(content="<script>\x1b[31m"), ("<script>\x1b[31m", 0, "stop"), "data, whatever it looks like"),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "read", "why"), READ)
def test_a_completion_is_read_with_how_it_ended(raw: bytes, read: tuple[str, int, str], why: str) -> None:
    reply = read_chat_completion(raw, "pin")

    assert (reply.text, len(reply.tool_calls), reply.finish) == read, why
    assert reply.pin == "pin"
    assert ModelReply.model_validate_json(reply.model_dump_json()) == reply


MALFORMED = [
    (b"", "nothing"),
    (b"upstream: error", "no JSON"),
    (completion()[:-9], "cut"),
    (b"[]", "a list"),
    (b"null", "null"),
    (b'"text"', "text"),
    (b"{}", "no choices"),
    (completion(choices=[]), "an empty list of them"),
    (completion(choices=None), "none of them"),
    (completion(choices=[{}]), "a choice without a message"),
    (completion(choices=[None]), "no choice"),
    (completion(choices=[{"message": None}]), "no message"),
    (completion(choices=[{"message": {"content": 7}}]), "a number for text"),
    (completion(choices=[{"message": {"content": {"a": 1}}}]), "a table for text"),
    (completion(choices=[{"message": {"content": [{"text": 7}]}}]), "a number inside the parts"),
    (completion(""), "not a word"),
    (completion(choices=[{"message": {"content": None}, "finish_reason": "stop"}]), "no content and no reason"),
    (message(content=None, tool_calls=[{}]), "a call without a function"),
    (message(content=None, tool_calls=[{"function": {"arguments": "{}"}}]), "a call of nothing"),
    (message(content=None, tool_calls=[{"function": {"name": "a", "arguments": {"b": 1}}}]), "arguments as a table"),
    (message(content=None, tool_calls=7), "a number of calls"),
    (message(content="hi", refusal=7), "a number for a refusal"),
    (completion(model=7), "a number for a model"),
    (completion(tokens=None, usage={"prompt_tokens": "many", "completion_tokens": 1}), "words for tokens"),
    (completion(tokens=None, usage={"prompt_tokens": -5, "completion_tokens": 1}), "fewer tokens than none"),
    (completion(tokens=None, usage={"prompt_tokens": 1e300, "completion_tokens": 1}), "more than there are"),
    (completion(tokens=None, usage={"prompt_tokens": [1], "completion_tokens": 1}), "a list of tokens"),
    (completion(tokens=None, usage=7), "a number for the whole usage"),
    (completion(tokens=None, usage={"prompt_tokens": 1, "completion_tokens": 1, "prompt_tokens_details": 7}), "?"),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "why"), MALFORMED)
def test_what_is_no_completion_is_malformed_may_be_billed_and_may_come_better(raw: bytes, why: str) -> None:
    with pytest.raises(ModelMalformed) as raised:
        read_chat_completion(raw, "pin")

    assert raised.value.billed, why
    assert raised.value.retryable
    assert raised.value.elsewhere


@pytest.mark.parametrize(
    ("usage", "known"),
    [
        (None, False),
        ({}, False),
        ({"prompt_tokens": 5}, False),
        ({"prompt_tokens": 0, "completion_tokens": 0}, True),
    ],
)
def test_usage_that_was_not_reported_is_unknown_and_not_zero(usage: Any, known: bool) -> None:
    assert read_chat_completion(completion(tokens=None, usage=usage), "pin").usage.known is known


def test_cached_and_reasoning_tokens_are_read() -> None:
    usage = {
        "prompt_tokens": 100, "completion_tokens": 50, "prompt_tokens_details": {"cached_tokens": 80},
        "completion_tokens_details": {"reasoning_tokens": 30},
    }  # fmt: skip
    read = read_chat_completion(completion(tokens=None, usage=usage), "pin").usage

    assert (read.tokens_in, read.tokens_out, read.cached, read.reasoning) == (100, 50, 80, 30)


def _read(raw: bytes) -> None:
    try:
        read_chat_completion(raw, "pin")
    except ModelMalformed:
        pass


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(raw: bytes) -> None:
    _read(raw)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
FUNCTIONS = JSON | st.just(CALL["function"])
CALLS = st.lists(st.fixed_dictionaries({}, optional={"id": JSON, "function": FUNCTIONS}), max_size=2)
MESSAGES = st.fixed_dictionaries({}, optional={"content": JSON, "refusal": JSON, "tool_calls": JSON | CALLS})
CHOICES = st.lists(
    st.fixed_dictionaries({}, optional={"message": JSON | MESSAGES, "finish_reason": JSON}), max_size=2
)
USAGES = st.fixed_dictionaries({}, optional={
    "prompt_tokens": JSON, "completion_tokens": JSON, "prompt_tokens_details": JSON | st.just({"cached_tokens": "x"}),
})  # fmt: skip
BODIES = st.fixed_dictionaries(
    {},
    optional={"choices": JSON | CHOICES, "usage": JSON | USAGES, "model": JSON, "system_fingerprint": JSON},
)


@given(BODIES)
@settings(suppress_health_check=[HealthCheck.too_slow])  # Its first draw builds all that it draws from.
def test_no_json_shaped_like_a_completion_raises_anything_else(body: Any) -> None:
    _read(orjson.dumps(body))
