"""Every way a whole reply can end has a name; what is no reply is an error that says so, and may be billed."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airworthy.gateway.errors import (
    ModelError,
    ModelFiltered,
    ModelMalformed,
    ModelOutage,
    ModelRateLimited,
)
from airworthy.gateway.wire.chat_reply import FINISHES, GAVE_UP
from airworthy.gateway.wire.dialect import DIALECTS
from airworthy.gateway.wire.facts import UNKNOWN, ProposedCall, ReplyFacts, Usage
from airworthy.gateway.wire.messages_reply import FINISHES as MESSAGES_FINISHES
from tests.gateway.wire.kit import CALL_ITEM, chat_reply, dumped, response_body, said

CALL = {"id": "a", "type": "function", "function": {"name": "look", "arguments": '{"x":1}'}}
LOOK = ProposedCall("a", "look", '{"x":1}')


def read(name: str, raw: bytes) -> ReplyFacts:
    return DIALECTS[name].read_reply(raw)


CHAT_ENDINGS = [
    ({"content": "hi"}, "stop", ("hi", 0, "stop"), "plain"),
    ({"content": "hi"}, None, ("hi", 0, "stop"), "no reason"),
    ({"content": "hi"}, "of_tomorrow", ("hi", 0, "stop"), "a reason nobody knows"),
    ({"content": "h"}, "length", ("h", 0, "length"), "cut"),
    ({"content": "h"}, "MAX_TOKENS", ("h", 0, "length"), "cut, in Gemini's words"),
    ({"content": None}, "length", ("", 0, "length"), "cut before the first word"),
    ({"content": ""}, "content_filter", ("", 0, "content_filter"), "filtered"),
    ({"content": "", "refusal": "No."}, "stop", ("", 0, "refusal"), "refused"),
    ({"content": None, "tool_calls": [CALL]}, "tool_calls", ("", 1, "tool_calls"), "a call"),
    ({"content": "so", "tool_calls": [CALL, CALL]}, "stop", ("so", 2, "tool_calls"), "a forced call"),
    ({"content": "", "tool_calls": [CALL]}, "length", ("", 1, "length"), "a call that was cut"),
    ({"content": "so", "tool_calls": []}, "tool_calls", ("so", 0, "stop"), "a call announced and not made"),
    ({"content": None, "function_call": {"name": "f"}}, "function_call", ("", 1, "tool_calls"), "the old form"),
    ({"content": [{"type": "text", "text": "a"}, {"type": "thinking"}]}, "stop", ("a", 0, "stop"), "in parts"),
    ({"content": None, "audio": {"transcript": "spoken"}}, "stop", ("spoken", 0, "stop"), "spoken"),
    ({"content": "", "images": [{}]}, "stop", ("", 0, "stop"), "a picture"),
]  # fmt: skip


@pytest.mark.parametrize(("message", "reason", "facts", "why"), CHAT_ENDINGS)
def test_every_way_a_chat_ends(message: dict[str, Any], reason: str | None, facts: object, why: str) -> None:
    reply = read("chat", chat_reply(message, reason))

    assert (reply.text, len(reply.tool_calls), reply.finish) == facts, why


@pytest.mark.parametrize(("reason", "finish"), FINISHES.items())
def test_every_known_reason_of_a_chat_has_its_finish(reason: str, finish: str) -> None:
    message = {"content": "hi", "tool_calls": [CALL] if finish == "tool_calls" else None}

    assert read("chat", chat_reply(message, reason)).finish == finish


@pytest.mark.parametrize("reason", sorted(GAVE_UP))
def test_a_server_that_gave_up_gave_no_answer(reason: str) -> None:
    with pytest.raises(ModelOutage) as caught:
        read("chat", chat_reply({"content": "hal"}, reason))

    assert caught.value.billed


def test_a_chat_reply_is_read_whole() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 2}
    raw = chat_reply(
        {"content": "hi", "tool_calls": [CALL, {"function": {"name": "go", "arguments": None}}]},
        "tool_calls",
        usage=usage,
        system_fingerprint="fp",
        service_tier="flex",
    )

    assert read("chat", raw) == ReplyFacts(
        text="hi",
        finish="tool_calls",
        usage=Usage(5, 2),
        tool_calls=(LOOK, ProposedCall("call_1", "go", "{}")),
        model="m-1",
        fingerprint="fp",
        id="c1",
        tier="flex",
    )


MALFORMED = [
    ("chat", b"<html>", "not JSON"),
    ("chat", b"", "nothing"),
    ("chat", b"[]", "a list"),
    ("chat", b"{}", "an empty object"),
    ("chat", dumped(choices=[]), "no choice"),
    ("chat", dumped(choices=[{}]), "no message"),
    ("chat", chat_reply({"content": None}), "empty"),
    ("chat", chat_reply({"content": None, "reasoning_content": "hm"}), "only thinking"),
    ("chat", chat_reply({"content": None, "tool_calls": [{}]}), "a call without a function"),
    ("chat", chat_reply({"content": None, "tool_calls": 5}), "calls that are a number"),
    ("chat", chat_reply({"content": None, "tool_calls": [{"function": {"name": None}}]}), "a call without a name"),
    ("responses", b"{}", "an empty object"),
    ("responses", dumped(**response_body([])), "empty"),
    ("responses", dumped(**response_body([{"type": "reasoning"}])), "only thinking"),
    ("responses", dumped(output=[{"type": "message", "content": ["odd"]}]), "odd parts"),
    ("messages", b"{}", "an empty object"),
    ("messages", dumped(content=[], stop_reason="end_turn"), "empty"),
    ("messages", dumped(content=[{"type": "thinking"}], stop_reason="end_turn"), "only thinking"),
    ("messages", dumped(content="hi"), "content that is a text"),
    ("embeddings", dumped(data=[]), "empty"),
    ("embeddings", dumped(data=[{}]), "no vector"),
    ("embeddings", b"{}", "an empty object"),
    ("count_tokens", b"{}", "no count"),
    ("count_tokens", dumped(input_tokens=-1), "a negative count"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "raw", "why"), MALFORMED)
def test_what_is_no_reply_is_malformed_and_may_be_billed(name: str, raw: bytes, why: str) -> None:
    with pytest.raises(ModelMalformed) as caught:
        read(name, raw)

    assert caught.value.billed, why


ERRORS_INSIDE = [
    ("chat", dumped(error={"message": "Slow down", "code": 429}), ModelRateLimited, "a number as the code"),
    ("chat", dumped(error={"message": "x", "type": "server_error"}), ModelOutage, "OpenAI"),
    ("chat", dumped(error="broken"), ModelOutage, "a text"),
    ("chat", dumped(object="error", message="x", type="invalid_prompt"), ModelFiltered, "without a drawer"),
    ("responses", dumped(status="failed", error={"code": "rate_limit_exceeded"}), ModelRateLimited, "failed"),
    ("responses", dumped(status="failed", error=None), ModelOutage, "failed without a word"),
    ("responses", dumped(status="cancelled", output=[]), ModelOutage, "cancelled"),
    ("messages", dumped(type="error", error={"type": "overloaded_error"}), ModelOutage, "Anthropic"),
    ("embeddings", dumped(error={"code": "502"}), ModelOutage, "a number as text"),
    ("count_tokens", dumped(type="error", error={"type": "rate_limit_error"}), ModelRateLimited, "counting"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "raw", "error", "why"), ERRORS_INSIDE)
def test_an_error_inside_a_200_is_the_error_it_says(
    name: str, raw: bytes, error: type[ModelError], why: str
) -> None:
    with pytest.raises(ModelError) as caught:
        read(name, raw)

    assert type(caught.value) is error, why


RESPONSES = [
    (response_body([said("a"), {"type": "reasoning"}, said("b")]), ("ab", 0, "stop"), "two messages"),
    (response_body([CALL_ITEM]), ("", 1, "tool_calls"), "a call"),
    (
        response_body([{"type": "custom_tool_call", "name": "sql", "input": "x"}]),
        ("", 1, "tool_calls"),
        "own form",
    ),
    (
        response_body([{"type": "computer_call", "action": {"type": "click"}}]),
        ("", 1, "tool_calls"),
        "a click",
    ),
    (response_body([{"type": "web_search_call"}]), ("", 0, "stop"), "the provider's own work"),
    (
        response_body([{"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}]),
        ("", 0, "refusal"),
        "refused",
    ),
    (
        response_body([said("a")], "incomplete", incomplete_details={"reason": "max_output_tokens"}),
        ("a", 0, "length"),
        "cut",
    ),
    (
        response_body([], "incomplete", incomplete_details={"reason": "content_filter"}),
        ("", 0, "content_filter"),
        "filtered",
    ),
    (response_body([said("a")], "incomplete"), ("a", 0, "length"), "cut for no reason told"),
    (response_body([], "queued", usage=None), ("", 0, "stop"), "promised for later"),
]


@pytest.mark.parametrize(("body", "facts", "why"), RESPONSES)
def test_every_way_a_response_ends(body: dict[str, Any], facts: object, why: str) -> None:
    reply = read("responses", dumped(**body))

    assert (reply.text, len(reply.tool_calls), reply.finish) == facts, why


def test_a_response_is_read_whole() -> None:
    reply = read("responses", dumped(**response_body([said("hi"), CALL_ITEM], service_tier="priority")))

    assert reply == ReplyFacts(
        text="hi",
        finish="tool_calls",
        usage=Usage(8, 3, reasoning=1),
        tool_calls=(LOOK,),
        model="m-1",
        id="resp_1",
        tier="priority",
    )


@pytest.mark.parametrize(("reason", "finish"), MESSAGES_FINISHES.items())
def test_every_stop_reason_of_a_message_has_its_finish(reason: str, finish: str) -> None:
    content: list[dict[str, Any]] = [{"type": "text", "text": "hi"}]
    if finish == "tool_calls":
        content.append({"type": "tool_use", "id": "a", "name": "look", "input": {"x": 1}})

    assert read("messages", dumped(content=content, stop_reason=reason)).finish == finish


def test_a_message_is_read_whole() -> None:
    raw = dumped(
        id="msg_1",
        type="message",
        model="c-1",
        stop_reason="tool_use",
        content=[
            {"type": "thinking", "thinking": "hm"},
            {"type": "text", "text": "a"},
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
            {"type": "text", "text": "b"},
            {"type": "tool_use", "id": "a", "name": "look", "input": {"x": 1}},
        ],
        usage={
            "input_tokens": 3,
            "cache_read_input_tokens": 4,
            "output_tokens": 2,
            "service_tier": "standard",
        },
    )

    assert read("messages", raw) == ReplyFacts(
        text="ab",
        finish="tool_calls",
        usage=Usage(7, 2, cached=4),
        tool_calls=(LOOK,),
        model="c-1",
        id="msg_1",
        tier="standard",
    )


def test_a_refusal_of_a_message_says_why() -> None:
    raw = dumped(content=[], stop_reason="refusal", stop_details={"explanation": "Too risky."})

    assert read("messages", raw).refusal == "Too risky."
    assert read("messages", dumped(content=[], stop_reason="refusal")).refusal


def test_embeddings_and_counts_are_read() -> None:
    vectors = dumped(data=[{"embedding": [0.1]}], model="e-1", usage={"prompt_tokens": 8, "total_tokens": 8})

    assert read("embeddings", vectors) == ReplyFacts("", "stop", Usage(8, 0), model="e-1")
    assert read("embeddings", dumped(data=[{"embedding": "AAAA"}])).usage is UNKNOWN
    assert read("count_tokens", dumped(input_tokens=12)) == ReplyFacts("12", "stop", Usage(0, 0))


ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from([
                "choices", "message", "content", "tool_calls", "function", "name", "arguments", "finish_reason",
                "usage",
                "output", "type", "text", "status", "error", "stop_reason", "id", "audio", "delta", "index", "response",
                "item", "output_index", "content_block", "data", "embedding", "input_tokens", "custom", "refusal",
            ]),
            inner,
            max_size=5,
        ),
    ),
    max_leaves=25,
)  # fmt: skip


@pytest.mark.slow
@settings(deadline=None)  # The machine may be busy.
@given(body=ANYTHING, name=st.sampled_from(sorted(DIALECTS)))
def test_whatever_a_body_holds_it_is_a_reply_or_a_model_error(body: object, name: str) -> None:
    """Slow, because nested values are drawn a hundred times."""
    try:
        reply = read(name, orjson.dumps(body))
    except ModelError:
        return
    assert isinstance(reply.text, str)


@pytest.mark.slow
@settings(deadline=None)  # The machine may be busy.
@given(bodies=st.lists(ANYTHING, max_size=5), name=st.sampled_from(["chat", "messages", "responses"]))
def test_whatever_a_stream_holds_its_facts_can_be_asked_for(bodies: list[object], name: str) -> None:
    """Slow, because nested values are drawn a hundred times."""
    reader = DIALECTS[name].stream_reader(10_000)
    for body in bodies:
        reader.feed(b"data: " + orjson.dumps(body) + b"\n\n")
    reader.close()

    assert isinstance(reader.facts().text, str)
