"""A request is understood or refused with the mend; what we do not know is the provider's business."""

from typing import Any

import pytest

from airworthy.gateway.wire.asking import BadCall
from airworthy.gateway.wire.dialect import DIALECTS
from tests.gateway.wire.kit import chat_request, dumped

REFUSED = [
    ("chat", b"nope", "not JSON"),
    ("chat", b"[1]", "a list"),
    ("chat", b'"model"', "a text"),
    ("chat", b"", "nothing"),
    ("chat", dumped(messages=[]), "no model"),
    ("chat", chat_request(model=""), "an empty model"),
    ("chat", chat_request(model=7), "a number as the model"),
    ("chat", dumped(model="m"), "no messages"),
    ("chat", chat_request(messages="hi"), "messages that are a text"),
    ("chat", chat_request(n=0), "no answer wanted"),
    ("chat", chat_request(n=129), "more answers than anybody gives"),
    ("chat", chat_request(n=True), "a flag for a number"),
    ("chat", chat_request(n=1.0), "a broken number"),
    ("chat", chat_request(max_tokens=-1), "a negative bound"),
    ("chat", chat_request(max_tokens="5"), "a text as the bound"),
    ("chat", chat_request(max_completion_tokens=10**9 + 1), "an absurd bound"),
    ("chat", chat_request(stream="yes"), "a text as a flag"),
    ("chat", chat_request(stream_options=[]), "options that are a list"),
    ("responses", dumped(model="m"), "no input and nothing instead"),
    ("responses", dumped(model="m", input={}), "an object as the input"),
    ("responses", dumped(model="m", input="x", max_output_tokens=1.5), "a broken bound"),
    ("embeddings", dumped(model="m"), "no input"),
    ("messages", dumped(model="m"), "no messages"),
    ("messages", dumped(model="m", messages=[], max_tokens=False), "a flag for a bound"),
    ("count_tokens", dumped(messages=[]), "no model"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "raw", "why"), REFUSED)
def test_what_cannot_be_understood_is_refused_with_the_mend(name: str, raw: bytes, why: str) -> None:
    with pytest.raises(BadCall) as caught:
        DIALECTS[name].read_request(raw)

    assert caught.value.message, why
    assert caught.value.mend, why


def test_a_chat_request_is_read() -> None:
    facts = DIALECTS["chat"].read_request(
        chat_request(
            n=3,
            stream=True,
            max_tokens=50,
            user="u-1",
            tools=[
                {"type": "function", "function": {"name": "look"}},
                {"type": "custom", "custom": {"name": "sql"}},
                {"type": "web_search"},
                "odd",
                {"type": "function", "function": {"name": 5}},
            ],
            unheard_of={"x": 1},
        )
    )

    assert (facts.model, facts.stream, facts.choices, facts.output_tokens_max) == ("m-1", True, 3, 50)
    assert facts.tools == ("look", "sql", "web_search")
    assert facts.user == "u-1"
    assert not facts.wants_usage
    assert facts.body["unheard_of"] == {"x": 1}


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, True),
        ({"stream": True}, False),
        ({"stream": True, "stream_options": {"include_usage": True}}, True),
        ({"stream": True, "stream_options": {"include_usage": False}}, False),
        ({"stream": True, "stream_options": {}}, False),
    ],
)
def test_only_a_stream_that_did_not_ask_wants_no_usage(fields: dict[str, Any], wanted: bool) -> None:
    assert DIALECTS["chat"].read_request(chat_request(**fields)).wants_usage is wanted


def test_of_two_bounds_the_larger_is_reserved_for() -> None:
    facts = DIALECTS["chat"].read_request(chat_request(max_tokens=50, max_completion_tokens=70))

    assert facts.output_tokens_max == 70


@pytest.mark.parametrize("instead", ["prompt", "previous_response_id", "conversation"])
def test_a_response_may_stand_on_something_other_than_an_input(instead: str) -> None:
    facts = DIALECTS["responses"].read_request(dumped(model="m", **{instead: "x"}))

    assert facts.output_tokens_max is None


def test_a_message_request_is_read() -> None:
    facts = DIALECTS["messages"].read_request(
        dumped(
            model="c-1",
            messages=[],
            max_tokens=9,
            tools=[{"name": "look"}, {"type": "web_search_20250305", "name": "web_search"}],
            metadata={"user_id": "u-2"},
        )
    )

    assert (facts.output_tokens_max, facts.tools, facts.user) == (9, ("look", "web_search"), "u-2")
    assert facts.wants_usage


@pytest.mark.parametrize("name", ["embeddings", "count_tokens"])
def test_what_writes_nothing_reserves_no_output(name: str) -> None:
    facts = DIALECTS[name].read_request(dumped(model="m", input=["a"], messages=[]))

    assert (facts.output_tokens_max, facts.stream) == (0, False)
