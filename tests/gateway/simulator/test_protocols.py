"""One answer, three protocols, whole or in pieces."""

import hashlib
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airworthy.gateway.simulator import MODELS, Rules, Simulator
from airworthy.gateway.simulator.conversation import BadRequest
from airworthy.gateway.simulator.spoken import PIECES_MAX, pieces
from tests.gateway.simulator.conversations import AFTER_LOOKUP, QUESTION, ask, request, user
from tests.gateway.simulator.protocols import (
    CHAT,
    MESSAGES,
    PATHS,
    RESPONSES,
    TWO_ORDERS,
    asked,
    events,
    faulty,
    joined,
    sent,
    streamed,
    whole,
)

SITUATIONS: dict[str, dict[str, Any]] = {
    "words": {"text": "Hello"},
    "a call": {"text": QUESTION},
    "two calls at once": {"text": TWO_ORDERS},
    "an answer from facts": {"looked_up": True},
}
FAULTS = [
    "refusal",
    "content_filter",
    "wrong_model",
    "off_topic",
    "unknown_tool",
    "empty:null_content",
    "huge:0.1",
]


def stream_of(path: str, body: dict[str, Any]) -> dict[str, Any]:
    usage = {"stream_options": {"include_usage": True}} if path == CHAT else {}
    return {**body, "stream": True, **usage}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_deltas_of_a_stream_joined_are_the_plain_answer(path: str, situation: str) -> None:
    body = asked(path, **SITUATIONS[situation])

    plain = sent(Simulator(), path, body)
    stream = sent(Simulator(), path, stream_of(path, body))

    assert stream.headers["content-type"].startswith("text/event-stream")
    assert streamed(path, stream) == whole(path, plain)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_spoilt_answer_is_spoilt_alike_in_a_stream(path: str, fault: str) -> None:
    body = asked(path)

    plain = whole(path, sent(faulty(fault), path, body))

    assert streamed(path, sent(faulty(fault), path, stream_of(path, body))) == plain


@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_same_conversation_gets_the_same_answer_in_every_protocol(situation: str) -> None:
    chat, message, response = (
        whole(path, sent(Simulator(), path, asked(path, **SITUATIONS[situation]))) for path in PATHS
    )

    assert chat.text == message.text == response.text
    assert chat.calls == response.calls
    assert [call[1:] for call in chat.calls] == [call[1:] for call in message.calls]
    assert chat.usage == message.usage == response.usage


def test_rules_decide_in_every_protocol() -> None:
    rules = Rules.parse('[[rule]]\nname = "hi"\nreply = "Hi, {you|there}."')
    answers = [sent(Simulator(rules=rules), path, asked(path, "Hello")) for path in PATHS]

    assert len({whole(path, answer).text for path, answer in zip(PATHS, answers, strict=True)}) == 1
    assert {answer.headers["x-sim-rule"] for answer in answers} == {"hi"}


# From before there were streams and other protocols; whoever has a test by seed must find it as it was.
PINNED = [
    (7, request(user("Hi")), "be2d2130cec7b432"),
    (7, request(user(QUESTION)), "ab6ab00a073c59a8"),
    (7, request(*AFTER_LOOKUP), "0cdee32b1a31c577"),
    (99, request(user(QUESTION), stream=False, temperature=0.3), "582815a6df0d2c46"),
    (7, request(*AFTER_LOOKUP, response_format={"type": "json_object"}), "defb7347b02ecc2f"),
]


@pytest.mark.parametrize(("seed", "body", "hashed"), PINNED)
def test_an_answer_stays_what_it_was_for_its_seed_and_request(
    seed: int, body: dict[str, Any], hashed: str
) -> None:
    answer = Simulator(seed=seed).answer(orjson.dumps(body))

    assert hashlib.sha256(answer.body).hexdigest()[:16] == hashed


def test_chunks_of_chat_begin_with_the_role_and_end_with_done() -> None:
    told = events(joined(sent(Simulator(), CHAT, asked(CHAT, "Hello", stream=True))))

    first, last = told[0]["choices"][0], told[-2]["choices"][0]
    assert first["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert (last["delta"], last["finish_reason"]) == ({}, "stop")
    assert told[-1] == "[DONE]"
    assert len(told) > 6
    for chunk in told[:-1]:
        assert chunk["object"] == "chat.completion.chunk"
        assert chunk["system_fingerprint"].startswith("fp_")
        assert "usage" not in chunk
    assert {chunk["id"] for chunk in told[:-1]} == {ask(Simulator(), request(user("Hello")))["id"]}


def test_usage_comes_in_a_last_chunk_without_choices_only_when_asked_for() -> None:
    body = asked(CHAT, stream=True, stream_options={"include_usage": True})

    *before, last, done = events(joined(sent(Simulator(), CHAT, body)))

    assert done == "[DONE]"
    assert last["choices"] == []
    assert last["usage"] == ask(Simulator(), request(user(QUESTION)))["usage"]
    assert all(chunk["usage"] is None for chunk in before)


def test_parallel_calls_are_told_apart_by_their_index() -> None:
    told = events(joined(sent(Simulator(), CHAT, asked(CHAT, TWO_ORDERS, stream=True))))

    deltas = [chunk["choices"][0]["delta"] for chunk in told[:-1]]
    calls = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    heads = [call for call in calls if "id" in call]
    assert [(call["index"], call["function"]) for call in heads] == [
        (0, {"name": "find_order", "arguments": ""}),
        (1, {"name": "find_order", "arguments": ""}),
    ]
    assert len(calls) > 4
    assert told[-2]["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("path", PATHS)
def test_a_stream_can_be_cut_by_the_token_limit(path: str) -> None:
    limit = {CHAT: "max_tokens", MESSAGES: "max_tokens", RESPONSES: "max_output_tokens"}[path]
    extra: dict[str, Any] = {limit: 4}
    body = asked(path, "Hello", **extra)

    said = streamed(path, sent(Simulator(), path, stream_of(path, body)))

    assert said == whole(path, sent(Simulator(), path, body))
    assert said.usage is not None
    assert said.usage[1] == 4
    assert said.finish == {CHAT: "length", MESSAGES: "max_tokens", RESPONSES: "incomplete"}[path]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.text(max_size=200) | st.builds(lambda part: part * 667, st.sampled_from(["a ", " a", "abc"])))
def test_pieces_are_the_text_in_a_bounded_number_and_none_is_empty(text: str) -> None:
    made = pieces(text)

    assert "".join(made) == text
    assert len(made) <= PIECES_MAX
    assert all(made)


ODD: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
BLOCK = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "tool_use", "tool_result", "image", "message", "function_call"])},
    optional={"role": st.just("user"), "text": ODD, "id": ODD, "input": ODD, "content": ODD, "call_id": ODD},
)
FIELDS = [
    "system", "messages", "tools", "tool_choice", "output_config", "cache_control", "stream", "max_tokens",
    "input", "instructions", "text", "previous_response_id", "max_output_tokens", "store", "dimensions",
    "encoding_format", "reasoning",
]  # fmt: skip


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_odd_requests_are_answered_or_refused_in_every_protocol(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from([*PATHS, "/v1/embeddings", "/v1/messages/count_tokens"]))
    body: dict[str, Any] = {
        **asked(path, looked_up=True),
        "messages": asked(MESSAGES)["messages"],
        "max_tokens": 9,
    }
    body |= data.draw(st.dictionaries(st.sampled_from(FIELDS), ODD | st.lists(BLOCK, max_size=3), max_size=4))
    if data.draw(st.booleans()):
        body["messages"] = [{"role": "user", "content": data.draw(st.lists(BLOCK, max_size=3))}]

    answer = sent(Simulator(), path, body)

    assert answer.status in {200, 400}
    assert orjson.loads(answer.body) if not answer.is_stream else events(joined(answer))


def test_a_body_nobody_can_read_is_refused_in_the_form_of_its_provider() -> None:
    chat = Simulator().answered("POST", CHAT, {}, b"{")
    message = Simulator().answered("POST", MESSAGES, {}, b"{")

    assert (chat.status, orjson.loads(chat.body)["error"]["type"]) == (400, "invalid_request_error")
    assert (message.status, orjson.loads(message.body)["type"]) == (400, "error")
    with pytest.raises(BadRequest):
        Simulator().answer(b"{")


def test_models_are_listed_in_the_form_of_whoever_asks() -> None:
    openai = Simulator().answered("GET", "/v1/models", {}, b"")
    anthropic = Simulator().answered("GET", "/v1/models", {"Anthropic-Version": "2023-06-01"}, b"")
    one = Simulator().answered("GET", f"/v1/models/{MODELS[1]}", {"anthropic-version": "2023-06-01"}, b"")

    assert orjson.loads(openai.body)["object"] == "list"
    listed = orjson.loads(anthropic.body)
    assert [model["id"] for model in listed["data"]] == list(MODELS)
    assert (listed["has_more"], listed["first_id"], listed["last_id"]) == (False, *MODELS)
    assert orjson.loads(one.body)["type"] == "model"


@pytest.mark.parametrize("headers", [{"x-api-key": "s3cret"}, {"Authorization": "Bearer s3cret"}])
@pytest.mark.parametrize("path", PATHS)
def test_the_key_may_come_in_either_header(path: str, headers: dict[str, str]) -> None:
    simulator = Simulator(api_key="s3cret")

    assert sent(simulator, path, asked(path), **headers).status == 200
    refused = sent(simulator, path, asked(path), **dict.fromkeys(headers, "Bearer other"))
    assert refused.status == 401
    assert simulator.calls == 1
