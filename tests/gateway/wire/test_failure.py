"""A refusal is told by what the caller may do about it, whatever words its provider has for it."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airworthy.gateway.errors import (
    ContextOverflow,
    ModelAuthFailed,
    ModelError,
    ModelFiltered,
    ModelMalformed,
    ModelOutage,
    ModelRateLimited,
    ModelRefusedRequest,
    ModelTimeout,
    ModelUnknown,
)
from airworthy.gateway.wire.failure import SAYS_CHARS_MAX, classify, error_inside

NOW_US = 1_700_000_000_000_000


def classified(
    status: int, raw: bytes, headers: dict[str, str] | None = None, protocol: Any = "openai"
) -> ModelError:
    return classify(protocol, "the server", status, headers or {}, raw, NOW_US)


def openai(message: str, kind: str = "invalid_request_error", code: Any = None) -> bytes:
    return orjson.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}})


def anthropic(kind: str, message: str) -> bytes:
    return orjson.dumps({"type": "error", "error": {"type": kind, "message": message}})


REFUSALS = [
    # Keys and credit
    (401, openai("Incorrect API key provided: x", code="invalid_api_key"), ModelAuthFailed, "OpenAI, key"),
    (401, anthropic("authentication_error", "invalid x-api-key"), ModelAuthFailed, "Anthropic, key"),
    (403, anthropic("permission_error", "not allowed"), ModelAuthFailed, "Anthropic, permission"),
    (400, openai("API key not valid. Please pass a valid API key.", "INVALID_ARGUMENT", 400),
     ModelAuthFailed, "Gemini"),
    (402, openai("Insufficient Balance", "unknown_error"), ModelAuthFailed, "DeepSeek, credit"),
    (400, anthropic("invalid_request_error", "Your credit balance is too low to access the API."), ModelAuthFailed, ""),
    (429, openai("You exceeded your current quota, please check your plan and billing details.",
                 "insufficient_quota", "insufficient_quota"), ModelAuthFailed, "OpenAI, credit"),
    # Models
    (404, openai("The model `x` does not exist or you do not have access to it.", code="model_not_found"),
     ModelUnknown, "OpenAI"),
    (403, openai("Project `p` does not have access to model `m`", code="model_not_found"), ModelUnknown, "OpenAI, 403"),
    (404, anthropic("not_found_error", "model: claude-x"), ModelUnknown, "Anthropic"),
    (404, b"404 page not found", ModelUnknown, "the wrong address"),
    (404, orjson.dumps({"error": {"code": "DeploymentNotFound", "message": "x"}}), ModelUnknown, "Azure"),
    (400, openai("Model Not Exist"), ModelUnknown, "DeepSeek"),
    (400, orjson.dumps({"object": "error", "message": "Invalid model: x", "type": "invalid_model"}), ModelUnknown, ""),
    (400, orjson.dumps({"message": "The provided model identifier is invalid."}), ModelUnknown, "Bedrock"),
    (400, openai("x is not a valid model ID", code=400), ModelUnknown, "OpenRouter"),
    (301, b"", ModelUnknown, "moved: the address is wrong"),
    # Length
    (400, openai("This model's maximum context length is 128000 tokens.", code="context_length_exceeded"),
     ContextOverflow, "OpenAI"),
    (400, openai("Your input exceeds the context window of this model."), ContextOverflow, "OpenAI, Responses"),
    (400, anthropic("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
     ContextOverflow, "Anthropic"),
    (400, anthropic("invalid_request_error", "input length and `max_tokens` exceed context limit: 1 + 2 > 2"),
     ContextOverflow, "Anthropic, with the output"),
    (413, anthropic("request_too_large", "Request exceeds the maximum size"), ContextOverflow, "Anthropic, bytes"),
    (413, openai("Request too large for model `x` on tokens per minute (TPM)", code="rate_limit_exceeded"),
     ContextOverflow, "Groq"),
    (400, openai("The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."),
     ContextOverflow, "Gemini"),
    (400, orjson.dumps({"message": "Input is too long for requested model."}), ContextOverflow, "Bedrock"),
    (400, orjson.dumps({"message": "Prompt contains 65673 tokens and 0 draft tokens, too large for model with 32768 "
                        "maximum context length", "object": "error"}), ContextOverflow, "Mistral"),
    (400, openai("This model's maximum prompt length is 131072 but the request contains 537812 tokens."),
     ContextOverflow, "xAI"),
    (400, orjson.dumps({"error": {"code": 400, "message": "the request exceeds the available context size",
                                  "type": "exceed_context_size_error"}}), ContextOverflow, "llama.cpp"),
    (422, orjson.dumps({"error": "`inputs` tokens + `max_new_tokens` must be <= 4097"}), ContextOverflow, "TGI"),
    # Filters
    (400, orjson.dumps({"error": {"code": "content_filter", "message": "The response was filtered due to the prompt "
                        "triggering Azure OpenAI's content management policy.", "status": 400,
                        "innererror": {"code": "ResponsibleAIPolicyViolation"}}}), ModelFiltered, "Azure"),
    (400, openai("Your request was rejected by the safety system", code="content_policy_violation"), ModelFiltered, ""),
    (400, openai("Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
                 code="invalid_prompt"), ModelFiltered, "OpenAI, reasoning"),
    (400, anthropic("invalid_request_error", "Output blocked by content filtering policy"), ModelFiltered, "Anthropic"),
    (403, openai("The chosen model requires moderation and your input was flagged", code=403), ModelFiltered, ""),
    (400, openai("Content Exists Risk"), ModelFiltered, "DeepSeek"),
    # Come back later
    (429, openai("Rate limit reached for gpt-4o on requests per min", "requests", "rate_limit_exceeded"),
     ModelRateLimited, "OpenAI"),
    (429, anthropic("rate_limit_error", "This request would exceed your account's rate limit."), ModelRateLimited, ""),
    (429, orjson.dumps([{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED",
                                   "message": "You exceeded your current quota, please check your billing."}}]),
     ModelRateLimited, "Gemini says quota for a minute's limit"),
    (429, orjson.dumps({"error": {"code": "429", "message": "Requests have exceeded call rate limit. Please go to "
                                  "quotaincrease if you would like more."}}), ModelRateLimited, "Azure"),
    (429, b"", ModelRateLimited, "without a word"),
    (498, b"", ModelRateLimited, "Groq, no capacity"),
    (503, b"", ModelOutage, "unavailable"),
    (529, anthropic("overloaded_error", "Overloaded"), ModelOutage, "Anthropic, overloaded"),
    (500, anthropic("api_error", "Internal server error"), ModelOutage, "broken"),
    (502, b"<html>Bad Gateway</html>", ModelOutage, "a proxy"),
    (408, b"", ModelTimeout, "too slow a sender"),
    (504, anthropic("timeout_error", "x"), ModelTimeout, "too slow a server"),
    # The caller's own
    (400, openai("Unsupported value: 'messages[0].role'", code="unsupported_value"), ModelRefusedRequest, ""),
    (400, openai("max_tokens is too large: 100000. This model supports at most 16384 completion tokens"),
     ModelRefusedRequest, "the bound, not the length"),
    (400, openai("No tool output found for tool call a.", code="invalid_request_error"), ModelRefusedRequest, ""),
    (404, openai("Previous response with id 'x' not found.", code="previous_response_not_found"),
     ModelRefusedRequest, "no model is missing"),
    (422, orjson.dumps({"detail": [{"msg": "field required"}]}), ModelRefusedRequest, "a model server"),
    (405, b"", ModelRefusedRequest, "the wrong method"),
    # Nothing a model call ends with
    (204, b"", ModelMalformed, "no content"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "raw", "error", "why"), REFUSALS)
def test_a_refusal_is_told_by_what_can_be_done(
    status: int, raw: bytes, error: type[ModelError], why: str
) -> None:
    protocol = "anthropic" if raw.startswith(b'{"type":"error"') else "openai"

    found = classified(status, raw, protocol=protocol)

    assert type(found) is error, f"{why}: {found}"
    assert str(status) in found.message


@pytest.mark.parametrize(
    ("status", "billed"),
    [(500, True), (502, True), (503, False), (529, False), (504, True), (429, False), (400, False)],
)
def test_only_what_may_have_been_worked_on_is_billed(status: int, billed: bool) -> None:
    assert classified(status, b"").billed is billed


WAITS = [
    ({"retry-after": "7"}, b"", 7.0, "a number"),
    ({"retry-after-ms": "250"}, b"", 0.25, "thousandths"),
    ({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}, b"", 30.0, "a date"),
    (
        {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"},
        b"",
        360.0,
        "OpenAI's resets",
    ),
    ({}, openai("Please try again in 7m30.5s. Visit us"), 450.5, "Groq's and OpenAI's words"),
    ({}, openai("Please try again in 858ms."), 0.858, "in thousandths"),
    ({}, openai("Please retry in 36.4s."), 36.4, "Gemini's words"),
    ({}, b'[{"error": {"code": 429, "details": [{"retryDelay": "36s"}]}}]', 36.0, "Gemini's details"),
    ({"retry-after": "5"}, openai("Please try again in 7m"), 5.0, "the header counts first"),
    ({"retry-after": "soon"}, b"", None, "nothing that can be read"),
    ({}, b"", None, "nothing"),
]


@pytest.mark.parametrize(("headers", "raw", "wait_s", "why"), WAITS)
def test_when_to_come_back_is_read_from_headers_or_words(
    headers: dict[str, str], raw: bytes, wait_s: float | None, why: str
) -> None:
    assert classified(429, raw, headers).retry_after_s == wait_s, why


def test_a_quota_with_a_wait_is_a_rate() -> None:
    raw = openai("You exceeded your current quota")

    assert type(classified(429, raw, {"retry-after": "3"})) is ModelRateLimited
    assert type(classified(429, raw)) is ModelAuthFailed


def test_a_key_in_the_providers_words_is_not_shown() -> None:
    key = "sk-proj-" + "Ab3dEf6hIj9kLmN0pQrStUv"
    error = classified(401, openai(f"Incorrect API key provided: {key}."))

    assert key not in str(error)
    assert "the server answered 401" in error.message


def test_the_providers_words_are_short_and_of_one_line() -> None:
    error = classified(400, openai("\x1b[31mred\nline " + "x" * 10_000))

    assert error.message.isprintable()
    assert len(error.message) < SAYS_CHARS_MAX + 100


def test_an_error_inside_a_200_is_billed_unless_it_was_turned_away() -> None:
    assert error_inside("openai", "s", {"code": "server_error"}).billed
    assert not error_inside("openai", "s", {"code": "rate_limit_exceeded"}).billed
    assert not error_inside("anthropic", "s", {"type": "overloaded_error"}).billed


@pytest.mark.slow
@settings(deadline=None)  # The machine may be busy.
@given(
    status=st.integers(100, 599),
    raw=st.one_of(
        st.binary(max_size=40),
        st.recursive(
            st.one_of(st.none(), st.text(max_size=5), st.integers(-9, 999)),
            lambda inner: st.one_of(
                st.lists(inner, max_size=2),
                st.dictionaries(st.sampled_from(["error", "message", "code", "type", "detail"]), inner),
            ),
        ).map(orjson.dumps),
    ),
)
def test_whatever_comes_back_is_one_of_our_errors(status: int, raw: bytes) -> None:
    """Slow, because nested values are drawn a hundred times."""
    assert isinstance(classified(status, raw), ModelError)
