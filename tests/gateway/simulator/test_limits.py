"""Limits per minute that hold, on a clock of their own, and the headers that tell of them."""

from itertools import pairwise
from typing import Any

import orjson
import pytest

from airworthy.core.clock import ManualClock
from airworthy.core.errors import ConfigError
from airworthy.gateway.simulator import MODELS, Answer, FaultPlan, RateLimits, Simulator
from airworthy.gateway.simulator.dialects.openai import duration
from tests.gateway.simulator.protocols import CHAT, MESSAGES, PATHS, asked, joined, sent

START_US = 1_764_000_000 * 1_000_000


def limited(**limits: Any) -> tuple[Simulator, ManualClock]:
    clock = ManualClock(START_US)
    return Simulator(limits=RateLimits(**limits, clock=clock)), clock


def statuses(simulator: Simulator, number: int, path: str = CHAT, **extra: Any) -> list[int]:
    return [sent(simulator, path, asked(path, "Hi", **extra)).status for _ in range(number)]


@pytest.mark.parametrize("path", [*PATHS, "/v1/embeddings"])
def test_no_more_requests_pass_in_a_minute_than_the_limit(path: str) -> None:
    simulator, clock = limited(requests=3)
    body = {"model": MODELS[0], "input": "a"} if path.endswith("embeddings") else asked(path)

    first = [sent(simulator, path, body).status for _ in range(5)]
    clock.advance(60)
    second = [sent(simulator, path, body).status for _ in range(5)]

    assert first == second == [200, 200, 200, 429, 429]
    assert (simulator.calls, simulator.calls_limited) == (6, 4)
    assert simulator.stats()["limited"] == 4


def test_what_was_used_comes_back_evenly_and_each_model_has_its_own() -> None:
    simulator, clock = limited(requests=2)

    assert statuses(simulator, 3) == [200, 200, 429]
    assert statuses(simulator, 1, model=MODELS[1]) == [200]
    clock.advance(29.999)
    assert statuses(simulator, 1) == [429]
    clock.advance(0.001)
    assert statuses(simulator, 2) == [200, 429]


@pytest.mark.parametrize("path", PATHS)
def test_whoever_waits_for_as_long_as_told_is_let_in(path: str) -> None:
    simulator, clock = limited(requests=7, tokens=1_000_000)
    answers = []
    for _ in range(30):
        answer = sent(simulator, path, asked(path, "Hi"))
        answers.append(answer.status)
        if answer.status == 429:
            clock.advance(float(answer.headers["retry-after"]))

    assert all(pair != (429, 429) for pair in pairwise(answers))
    assert answers.count(200) > 15


def test_tokens_count_the_prompt_and_what_was_written_but_must_have_room_for_the_most() -> None:
    body = asked(CHAT, "Hi")
    usage = orjson.loads(sent(Simulator(), CHAT, body).body)["usage"]
    prompt, total = usage["prompt_tokens"], usage["total_tokens"]
    simulator, _ = limited(tokens=1000)

    answer = sent(simulator, CHAT, body)
    refused = sent(simulator, CHAT, body | {"max_tokens": 1000 - total - prompt + 1})

    assert answer.headers["x-ratelimit-remaining-tokens"] == str(1000 - total)
    assert refused.status == 429
    error = orjson.loads(refused.body)["error"]
    assert (error["type"], error["code"]) == ("tokens", "rate_limit_exceeded")
    assert f"Limit 1000, Used {total}, Requested {1000 - total + 1}" in error["message"]
    assert sent(simulator, CHAT, body | {"max_tokens": 1000 - total - prompt}).status == 200


def test_a_request_larger_than_the_limit_is_not_told_to_come_back() -> None:
    simulator, _ = limited(tokens=50)

    answer = sent(simulator, CHAT, asked(CHAT, "Hi"))

    assert answer.status == 429
    assert "Request too large" in orjson.loads(answer.body)["error"]["message"]
    assert "retry-after" not in answer.headers


def test_a_refused_call_uses_nothing_and_draws_no_fault() -> None:
    clock = ManualClock()
    plan = FaultPlan.at({2: "http_500"})
    simulator = Simulator(limits=RateLimits(requests=1, clock=clock), faults=plan)

    made = statuses(simulator, 3)
    clock.advance(60)

    assert made + statuses(simulator, 1) == [200, 429, 429, 500]


def test_openais_headers_tell_what_is_left_and_when_it_is_whole() -> None:
    simulator, clock = limited(requests=10, tokens=2000)

    sent(simulator, CHAT, asked(CHAT, "Hi"))
    headers = sent(simulator, CHAT, asked(CHAT, "Hi")).headers

    left = int(headers["x-ratelimit-remaining-tokens"])
    assert (headers["x-ratelimit-limit-requests"], headers["x-ratelimit-limit-tokens"]) == ("10", "2000")
    assert headers["x-ratelimit-remaining-requests"] == "8"
    assert headers["x-ratelimit-reset-requests"] == "12s"
    assert headers["x-ratelimit-reset-tokens"] == duration((2000 - left) * 0.03)
    clock.advance(60)
    assert sent(simulator, CHAT, asked(CHAT, "Hi")).headers["x-ratelimit-remaining-requests"] == "9"


def test_a_429_of_openai_says_in_seconds_and_milliseconds_when_to_come_back() -> None:
    simulator, clock = limited(requests=1)
    sent(simulator, CHAT, asked(CHAT))
    clock.advance(58.5)

    headers = sent(simulator, CHAT, asked(CHAT)).headers

    assert (headers["retry-after"], headers["retry-after-ms"]) == ("2", "1500")
    assert (headers["x-ratelimit-remaining-requests"], headers["x-ratelimit-reset-requests"]) == ("0", "1.5s")


def test_anthropics_headers_have_all_four_limits_and_times_of_day() -> None:
    simulator, _ = limited(requests=2, tokens=100_000, input_tokens=60_000, output_tokens=6_000)
    usage = orjson.loads(joined(sent(Simulator(), MESSAGES, asked(MESSAGES))))["usage"]

    headers = sent(simulator, MESSAGES, asked(MESSAGES)).headers

    def told(unit: str) -> tuple[str, str, str]:
        limit, left, reset = (
            headers[f"anthropic-ratelimit-{unit}-{name}"] for name in ("limit", "remaining", "reset")
        )
        return limit, left, reset

    assert told("requests") == ("2", "1", "2025-11-24T16:00:30Z")
    assert told("input-tokens")[:2] == ("60000", str(60_000 - usage["input_tokens"]))
    assert told("output-tokens")[:2] == ("6000", str(6_000 - usage["output_tokens"]))
    assert told("tokens")[2] == "2025-11-24T16:00:01Z"


def test_a_429_of_anthropic_has_its_form() -> None:
    simulator, _ = limited(requests=1)
    sent(simulator, MESSAGES, asked(MESSAGES))

    answer = sent(simulator, MESSAGES, asked(MESSAGES, stream=True))

    assert (answer.status, answer.headers["retry-after"]) == (429, "60")
    assert orjson.loads(answer.body)["error"]["type"] == "rate_limit_error"
    assert answer.headers["anthropic-ratelimit-requests-remaining"] == "0"


@pytest.mark.parametrize("fault", ["http_500", "refusal", "stream_cut", "error_in_200"])
def test_a_spoilt_answer_tells_of_the_limits_too(fault: str) -> None:
    simulator = Simulator(limits=RateLimits(requests=5), faults=FaultPlan.of({fault: 1.0}))

    answer = sent(simulator, CHAT, asked(CHAT, stream=True))

    assert answer.headers["x-ratelimit-remaining-requests"] == "4"


def test_the_fault_429_stays_what_it_is_among_limits() -> None:
    simulator = Simulator(limits=RateLimits(requests=5), faults=FaultPlan.of({"http_429:3": 1.0}))

    answer: Answer = sent(simulator, CHAT, asked(CHAT))

    assert answer.headers["x-ratelimit-remaining-requests"] == "0"
    assert answer.headers["retry-after"] == "3"


def test_a_limit_that_lets_nothing_through_is_an_error() -> None:
    with pytest.raises(ConfigError, match="0 tokens per minute"):
        RateLimits(tokens=0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.012, "12ms"),
        (0.0001, "1ms"),
        (1, "1s"),
        (1.5, "1.5s"),
        (90.951, "1m30.951s"),
        (360, "6m0s"),
        (3600, "1h0m0s"),
    ],
)
def test_durations_are_written_as_openai_writes_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
