"""The bytes of the OpenAI chat-completions protocol: bodies, errors, headers; decides nothing."""

import math
from dataclasses import replace

import orjson

from airworthy.gateway.simulator.answer import Answer
from airworthy.gateway.simulator.conversation import BadRequest, Conversation, Json, tokens
from airworthy.gateway.simulator.decision import Decision

# A fixed day, because a clock would make two equal requests differ: 2 November 2026, 00:00 UTC.
CREATED_FIRST_S = 1_793_577_600
CREATED_SPREAD_S = 86_400
REQUESTS_PER_MINUTE = 10_000
TOKENS_PER_MINUTE = 30_000_000
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def completion(decision: Decision, conversation: Conversation, model: str, mark: bytes) -> dict[str, Json]:
    """The response body. `mark` is 16 bytes that stand for seed and request: same mark, same body."""
    content, calls, finish = _within(decision, conversation.tokens_max)
    written = tokens(len((content or "").encode()) + sum(len(name) + len(args) for name, args in calls))
    message: dict[str, Json] = {"role": "assistant", "content": content, "refusal": None, "annotations": []}
    if calls:
        message["tool_calls"] = [
            {
                "id": f"call_{letters(mark + bytes([index & 255]), 24)}",
                "type": "function",
                "function": {"name": name, "arguments": arguments},
            }
            for index, (name, arguments) in enumerate(calls)
        ]
    return {
        "id": f"chatcmpl-{letters(mark, 29)}",
        "object": "chat.completion",
        "created": created(mark),
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": usage(conversation, written),
        "service_tier": "default",
        "system_fingerprint": fingerprint(model),
    }


def usage(conversation: Conversation, written: int) -> dict[str, Json]:
    return {
        "prompt_tokens": conversation.prompt_tokens,
        "completion_tokens": written,
        "total_tokens": conversation.prompt_tokens + written,
        "prompt_tokens_details": {"cached_tokens": conversation.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _within(decision: Decision, tokens_max: int | None) -> tuple[str | None, list[tuple[str, str]], str]:
    """Text, calls and finish reason, cut to `tokens_max` of four bytes each."""
    room = tokens_max * 4 if tokens_max is not None else math.inf
    if not decision.calls:
        text = (decision.text or "").encode()
        if len(text) <= room:
            return decision.text or "", [], "stop"
        return text[: int(room)].decode(errors="ignore"), [], "length"
    calls = []
    for call in decision.calls:
        size = len(call.tool) + len(call.arguments.encode())
        if size > room:
            left = max(0, int(room) - len(call.tool))
            calls.append((call.tool, call.arguments.encode()[:left].decode(errors="ignore")))
            return None, calls, "length"
        room -= size
        calls.append((call.tool, call.arguments))
    return None, calls, "tool_calls"


def created(mark: bytes) -> int:
    return CREATED_FIRST_S + int.from_bytes(mark[:4], "big") % CREATED_SPREAD_S


def fingerprint(model: str) -> str:
    """One per model: a pinned version keeps its fingerprint."""
    checksum = 0
    for byte in model.encode():
        checksum = (checksum * 131 + byte) & 0xFFFFFFFFFF
    return f"fp_{checksum:010x}"


def error(
    status: int, message: str, *, kind: str, code: str | None = None, param: str | None = None
) -> Answer:
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return Answer(status, orjson.dumps(body), {"content-type": "application/json"})


def wrong_key() -> Answer:
    return error(401, "Incorrect API key provided.", kind="invalid_request_error", code="invalid_api_key")


def refused(problem: BadRequest) -> Answer:
    return error(
        problem.status,
        problem.message,
        kind="invalid_request_error",
        code=problem.wire_code,
        param=problem.param,
    )


def rate_limited(model: str, wait_s: float) -> Answer:
    made = error(
        429,
        f"Rate limit reached for {model} on requests per minute: limit {REQUESTS_PER_MINUTE},"
        f" used {REQUESTS_PER_MINUTE}. Try again in {wait_s:g}s.",
        kind="requests",
        code="rate_limit_exceeded",
    )
    return replace(
        made,
        headers={
            **made.headers,
            # Whole seconds by the HTTP standard, rounded up so that a client never comes back too early.
            "retry-after": str(math.ceil(wait_s)),
            "retry-after-ms": str(math.ceil(wait_s * 1000)),
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": f"{wait_s:g}s",
        },
    )


def overloaded() -> Answer:
    return error(
        503,
        "The model is overloaded with other requests. Try again later.",
        kind="server_error",
        code="service_unavailable",
    )


def failed() -> Answer:
    return error(500, "The server failed while processing the request. Try again.", kind="server_error")


def model_list(models: tuple[str, ...]) -> Answer:
    return json_answer({"object": "list", "data": [model_entry(model) for model in models]})


def model_entry(model: str) -> dict[str, Json]:
    return {"id": model, "object": "model", "created": CREATED_FIRST_S, "owned_by": "airworthy-simulator"}


def json_answer(value: Json) -> Answer:
    return Answer(200, orjson.dumps(value), {"content-type": "application/json"})


def call_headers(number: int, mark: bytes, prompt_tokens: int) -> dict[str, str]:
    """The headers of every chat answer; the request id is unique, also among equal requests."""
    return {
        "openai-organization": "simulator",
        "openai-processing-ms": "1",
        "openai-version": "2020-10-01",
        "x-request-id": f"req_{mark.hex()[:20]}{number:012x}",
        "x-ratelimit-limit-requests": str(REQUESTS_PER_MINUTE),
        "x-ratelimit-limit-tokens": str(TOKENS_PER_MINUTE),
        "x-ratelimit-remaining-requests": str(REQUESTS_PER_MINUTE - 1),
        "x-ratelimit-remaining-tokens": str(max(0, TOKENS_PER_MINUTE - prompt_tokens)),
        "x-ratelimit-reset-requests": "6ms",
        "x-ratelimit-reset-tokens": "0s",
    }


def letters(mark: bytes, length: int) -> str:
    """The mark spelt in letters and digits, by a linear congruence: for looks, not for secrecy."""
    state = int.from_bytes(mark, "big")
    spelt = []
    for _ in range(length):
        state = (state * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF
        spelt.append(_ALPHABET[(state >> 96) % 62])
    return "".join(spelt)
