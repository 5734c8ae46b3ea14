"""Tokens in every provider's spelling; nonsense is no count, and never an exception."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airworthy.gateway.wire.counts import chat_usage, messages_usage, responses_usage
from airworthy.gateway.wire.facts import TOKENS_MAX, UNKNOWN, Usage

CHAT = [
    ({"prompt_tokens": 5, "completion_tokens": 2}, Usage(5, 2), "plain"),
    (
        {
            "prompt_tokens": 50,
            "completion_tokens": 20,
            "total_tokens": 70,
            "prompt_tokens_details": {"cached_tokens": 30, "audio_tokens": 4},
            "completion_tokens_details": {"reasoning_tokens": 8, "audio_tokens": 3},
        },
        Usage(50, 20, cached=30, reasoning=8, audio_in=4, audio_out=3),
        "all of OpenAI's details",
    ),
    (
        {
            "prompt_tokens": 50,
            "completion_tokens": 2,
            "prompt_tokens_details": {"cache_write_tokens": 30, "cached_tokens": 5},
        },
        Usage(50, 2, cached=5, cache_write=30),
        "written to the cache",
    ),
    (
        {"prompt_tokens": 50, "completion_tokens": 2, "prompt_cache_hit_tokens": 40},
        Usage(50, 2, cached=40),
        "DeepSeek",
    ),
    (
        {"prompt_tokens": 50, "completion_tokens": 2, "num_cached_tokens": 40},
        Usage(50, 2, cached=40),
        "Mistral",
    ),
    (
        {"prompt_tokens": 50, "completion_tokens": 2, "cached_tokens": 40},
        Usage(50, 2, cached=40),
        "Hugging Face",
    ),
    (
        {"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 109},
        Usage(35, 74, reasoning=62),
        "Gemini and xAI leave thinking out of the completion",
    ),
    (
        {
            "prompt_tokens": 35,
            "completion_tokens": 12,
            "total_tokens": 109,
            "completion_tokens_details": {"reasoning_tokens": 62},
        },
        Usage(35, 74, reasoning=62),
        "and some say how much it was",
    ),
    ({"prompt_tokens": 8, "total_tokens": 8}, Usage(8, 0), "an embedding"),
    (
        {"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": None, "total_tokens": None},
        Usage(5, 2),
        "nulls for details",
    ),
    (
        {"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": None}},
        Usage(5, 2),
        "null within them",
    ),
    ({"prompt_tokens": TOKENS_MAX, "completion_tokens": 0}, Usage(TOKENS_MAX, 0), "the most that counts"),
    ({"prompt_tokens": TOKENS_MAX + 1, "completion_tokens": 0}, UNKNOWN, "absurd"),
    ({"prompt_tokens": -1, "completion_tokens": 2}, UNKNOWN, "negative"),
    ({"prompt_tokens": 5, "completion_tokens": -2}, UNKNOWN, "negative"),
    ({"prompt_tokens": 5.0, "completion_tokens": 2}, UNKNOWN, "not whole"),
    ({"prompt_tokens": True, "completion_tokens": 2}, UNKNOWN, "a flag"),
    ({"prompt_tokens": "5", "completion_tokens": 2}, UNKNOWN, "a text"),
    ({"prompt_tokens": 5}, UNKNOWN, "half"),
    ({"completion_tokens": 5}, UNKNOWN, "the other half"),
    ({}, UNKNOWN, "empty"),
    (None, UNKNOWN, "nothing"),
    ([1], UNKNOWN, "a list"),
    (
        {"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 6}},
        UNKNOWN,
        "more from the cache than there was",
    ),
    (
        {"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": -1}},
        UNKNOWN,
        "a negative part",
    ),
    (
        {"prompt_tokens": 5, "completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 3}},
        UNKNOWN,
        "more thinking than output",
    ),
    (
        {"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": {"audio_tokens": 6}},
        UNKNOWN,
        "more sound than input",
    ),
]


@pytest.mark.parametrize(("raw", "read", "why"), CHAT)
def test_a_chat_usage_is_read(raw: object, read: Usage, why: str) -> None:
    assert chat_usage(raw) == read, why


def test_a_responses_usage_is_read() -> None:
    raw = {
        "input_tokens": 50,
        "input_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 10},
        "output_tokens": 20,
        "output_tokens_details": {"reasoning_tokens": 8},
        "total_tokens": 70,
    }

    assert responses_usage(raw) == Usage(50, 20, cached=30, cache_write=10, reasoning=8)
    assert responses_usage({"input_tokens": 3, "output_tokens": 1}) == Usage(3, 1)
    assert responses_usage(None) is UNKNOWN
    assert responses_usage({"input_tokens": 3}) is UNKNOWN


ROUND = {
    "input_tokens": 10,
    "output_tokens": 4,
    "cache_read_input_tokens": 0,
    "cache_creation_input_tokens": 0,
}
MESSAGES = [
    ({"input_tokens": 10, "output_tokens": 4}, Usage(10, 4), "plain"),
    (
        {
            "input_tokens": 10,
            "cache_read_input_tokens": 100,
            "cache_creation_input_tokens": 30,
            "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10},
            "output_tokens": 4,
            "output_tokens_details": {"thinking_tokens": 3},
        },
        Usage(140, 4, cached=100, cache_write=20, cache_write_1h=10, reasoning=3),
        "what the cache took and gave is added",
    ),
    (
        {"input_tokens": 10, "cache_creation_input_tokens": 30, "output_tokens": 4},
        Usage(40, 4, cache_write=30),
        "written without a life told: the shorter",
    ),
    (
        {"input_tokens": 10, "cache_read_input_tokens": None, "cache_creation": None, "output_tokens": 4},
        Usage(10, 4),
        "nulls",
    ),
    (
        {**ROUND, "iterations": [ROUND, {**ROUND, "type": "compaction", "output_tokens": 50}]},
        Usage(20, 54),
        "rounds inside the call",
    ),
    ({**ROUND, "iterations": [ROUND, {"input_tokens": -1}]}, Usage(10, 4), "rounds that are nonsense"),
    ({**ROUND, "iterations": [ROUND]}, Usage(10, 4), "one round is the whole"),
    ({"input_tokens": -10, "output_tokens": 4}, UNKNOWN, "negative"),
    ({"input_tokens": 10, "cache_read_input_tokens": -10, "output_tokens": 4}, UNKNOWN, "a negative part"),
    ({"input_tokens": 10, "output_tokens": 4.5}, UNKNOWN, "not whole"),
    ({"output_tokens": 4}, UNKNOWN, "half"),
    (None, UNKNOWN, "nothing"),
]


@pytest.mark.parametrize(("raw", "read", "why"), MESSAGES)
def test_a_messages_usage_is_read(raw: object, read: Usage, why: str) -> None:
    assert messages_usage(raw) == read, why


NAMES = st.sampled_from([
    "prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens", "cached_tokens",
    "prompt_tokens_details", "completion_tokens_details", "input_tokens_details", "output_tokens_details",
    "cache_creation", "cache_read_input_tokens", "cache_creation_input_tokens", "ephemeral_5m_input_tokens",
    "ephemeral_1h_input_tokens", "reasoning_tokens", "audio_tokens", "thinking_tokens", "iterations",
    "prompt_cache_hit_tokens", "cache_write_tokens",
])  # fmt: skip
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 20), st.integers(), st.floats(), st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=6)),
    max_leaves=20,
)


@pytest.mark.slow
@settings(deadline=None)  # The machine may be busy.
@given(raw=st.one_of(ANYTHING, st.dictionaries(NAMES, ANYTHING)))
def test_no_usage_however_odd_is_an_exception(raw: Any) -> None:
    """Slow, because nested values are drawn a hundred times."""
    for read in (chat_usage, responses_usage, messages_usage):
        usage = read(raw)
        assert usage.known or usage is UNKNOWN
        assert usage.cached + usage.cache_write + usage.cache_write_1h <= usage.tokens_in
        assert usage.reasoning <= usage.tokens_out
