"""Retry: what is tried again, when, and what ends it."""

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import formatdate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airworthy.core.clock import US_PER_S, ManualClock
from airworthy.core.errors import ConfigError
from airworthy.core.halt import Halt, Suspend
from airworthy.resilience import (
    NO,
    DeadlinePassed,
    Decision,
    GaveUp,
    Retrier,
    Retry,
    RetryAccount,
    RetryBudget,
    TimedOut,
    Yes,
    by_error,
    parse_retry_after,
)
from tests.virtual import LoopClock


class Busy(Exception):
    """A server's 429, with or without Retry-After."""

    def __init__(self, wait_s: float | None = None) -> None:
        super().__init__("busy")
        self.wait_s = wait_s

    def again(self) -> Decision:
        return Yes(self.wait_s)


class Flaky:
    """Raises the errors in turn, then answers; remembers when it was called."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.called_s: list[float] = []

    async def __call__(self) -> str:
        self.called_s.append(round(asyncio.get_running_loop().time(), 6))
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


def _retrier(policy: Retry, account: RetryAccount | None = None) -> Retrier:
    return Retrier(policy, LoopClock(), account=account, chance=lambda: 0.999999999)


@pytest.mark.parametrize(
    ("errors", "called_s", "why"),
    [
        ([], [0], "a success is not repeated"),
        ([Busy()], [0, 1], "wait_s after the first failure"),
        ([Busy(), Busy()], [0, 1, 3], "then the double"),
        ([Busy(), Busy(), Busy(), Busy()], [0, 1, 3, 7, 12], "never longer than wait_s_max"),
        ([Busy(2.5)], [0, 2.5], "a Retry-After longer than our own wait is honoured to the moment"),
        ([Busy(0.1)], [0, 1], "a shorter one does not make us hurry"),
        ([Busy(5.0)], [0, 5], "Retry-After of exactly wait_s_max is still waited for"),
        ([ConnectionResetError()], [0, 1], "a lost connection is retried by default"),
        ([TimedOut("x", 1, abandoned=False)], [0, 1], "so is our own timeout"),
    ],
)
async def test_waits_between_attempts(errors: list[Exception], called_s: list[float], why: str) -> None:
    flaky = Flaky(*errors)

    answer = await _retrier(Retry(attempts=5, wait_s=1, wait_s_max=5)).run(flaky)

    assert answer == "answer"
    assert flaky.called_s == pytest.approx(called_s, abs=1e-5), why


@pytest.mark.parametrize(
    ("errors", "deadline_s", "why_gave_up", "attempts", "ends_s"),
    [
        ([Busy(), Busy(), Busy()], None, "attempts", 3, 3),
        ([Busy(5.1)], None, "retry_after", 1, 0),
        ([Busy(float("inf"))], None, "retry_after", 1, 0),
        ([Busy(float("nan"))], None, "retry_after", 1, 0),
        ([Busy(4.0)], 4.0, "deadline", 1, 0),
        ([Busy(), Busy()], 2.9, "deadline", 2, 1),
    ],
)
async def test_gives_up_at_once_when_another_attempt_is_pointless(
    errors: list[Exception], deadline_s: float | None, why_gave_up: str, attempts: int, ends_s: float
) -> None:
    loop = asyncio.get_running_loop()
    last = errors[-1]
    clock = LoopClock()
    deadline_us = None if deadline_s is None else clock.now_us() + round(deadline_s * US_PER_S)

    with pytest.raises(GaveUp) as raised:
        await _retrier(Retry(attempts=3, wait_s=1, wait_s_max=5)).run(Flaky(*errors), deadline_us=deadline_us)

    assert raised.value.why == why_gave_up
    assert raised.value.attempts == attempts
    assert raised.value.error is raised.value.__cause__
    assert raised.value.error is last
    assert loop.time() == pytest.approx(ends_s, abs=1e-5)


async def test_the_error_carries_the_retry_after() -> None:
    with pytest.raises(GaveUp) as raised:
        await _retrier(Retry(wait_s_max=20)).run(Flaky(Busy(600)))

    assert raised.value.retry_after_s == 600


@pytest.mark.parametrize(
    "stop",
    [
        asyncio.CancelledError(),
        Suspend("approval"),
        Halt(),
        SystemExit(3),
        KeyboardInterrupt(),
        GeneratorExit(),
    ],
)
async def test_cancellation_and_halts_are_never_retried(stop: BaseException) -> None:
    flaky = Flaky(stop)

    with pytest.raises(type(stop)) as raised:
        await _retrier(Retry()).run(flaky, classify=lambda _: Yes())

    assert raised.value is stop
    assert len(flaky.called_s) == 1


async def test_an_error_not_worth_retrying_comes_through_as_it_is() -> None:
    error = ValueError("mine")
    flaky = Flaky(error)

    with pytest.raises(ValueError, match="mine") as raised:
        await _retrier(Retry()).run(flaky)

    assert raised.value is error
    assert len(flaky.called_s) == 1


async def test_a_permanent_error_after_a_passing_one_comes_through_as_it_is() -> None:
    with pytest.raises(ValueError, match="mine"):
        await _retrier(Retry()).run(Flaky(Busy(), ValueError("mine")))


async def test_cancelling_during_the_wait_ends_at_once() -> None:
    flaky = Flaky(Busy(), Busy())
    task = asyncio.create_task(_retrier(Retry(wait_s=10)).run(flaky))
    await asyncio.sleep(5)

    task.cancel()
    await asyncio.wait({task})

    assert task.cancelled()
    assert flaky.called_s == [0]


async def test_an_attempt_under_way_is_cut_off_at_the_deadline_exactly() -> None:
    loop = asyncio.get_running_loop()

    async def slow() -> None:
        await asyncio.sleep(60)

    with pytest.raises(DeadlinePassed):
        await _retrier(Retry()).run(slow, deadline_us=LoopClock().now_us() + 7 * US_PER_S)

    assert loop.time() == 7


async def test_a_timeout_of_the_calls_own_is_not_taken_for_the_deadline() -> None:
    flaky = Flaky(TimeoutError("inner"))

    assert await _retrier(Retry()).run(flaky, deadline_us=LoopClock().now_us() + 60 * US_PER_S) == "answer"


async def test_no_attempt_starts_after_the_deadline() -> None:
    flaky = Flaky()

    with pytest.raises(DeadlinePassed):
        await _retrier(Retry()).run(flaky, deadline_us=LoopClock().now_us())

    assert flaky.called_s == []


async def test_each_retry_is_told_with_its_wait() -> None:
    told: list[tuple[int, str, float]] = []

    await _retrier(Retry(wait_s=1)).run(
        Flaky(Busy(), Busy(2)),
        on_retry=lambda attempt, error, wait_s: told.append((attempt, str(error), round(wait_s, 6))),
    )

    assert told == [(1, "busy", 1), (2, "busy", 2)]


async def test_the_classifier_of_the_caller_decides() -> None:
    assert await _retrier(Retry()).run(Flaky(KeyError()), classify=lambda _: Yes()) == "answer"
    with pytest.raises(Busy):
        await _retrier(Retry()).run(Flaky(Busy()), classify=lambda _: NO)


@pytest.mark.parametrize("error", [ValueError(), OSError(), RuntimeError(), KeyError()])
def test_unknown_errors_are_not_retried(error: Exception) -> None:
    assert by_error(error) == NO


async def test_in_an_outage_retries_stay_within_the_budget() -> None:
    """100 calls, all failing, each wanting 4 retries: without a budget 500 calls; with it 100 + 20 + 5."""
    account = RetryAccount(RetryBudget(share=0.2, floor=5, window_s=600), LoopClock())
    tried = 0

    async def down() -> None:
        nonlocal tried
        tried += 1
        raise Busy

    reasons = set()
    for _ in range(100):
        with pytest.raises(GaveUp) as raised:
            await _retrier(Retry(attempts=5, wait_s=0.01), account).run(down)
        reasons.add(raised.value.why)

    assert 120 <= tried <= 125
    assert reasons == {"attempts", "budget"}


async def test_the_budget_refills_when_the_window_has_passed() -> None:
    account = RetryAccount(RetryBudget(share=0, floor=1, window_s=60), LoopClock())
    assert [account.withdraw(), account.withdraw()] == [True, False]

    await asyncio.sleep(61)

    assert account.withdraw()


@given(steps=st.lists(st.tuples(st.sampled_from(["call", "retry"]), st.integers(0, 20)), max_size=80))
@settings(deadline=None, derandomize=True)
def test_the_budget_holds_at_every_retry_it_grants(steps: list[tuple[str, int]]) -> None:
    budget = RetryBudget(share=0.2, floor=2, window_s=30)
    clock = ManualClock(0)
    account = RetryAccount(budget, clock)
    calls: list[int] = []
    retries: list[int] = []
    for word, seconds in steps:
        clock.advance(seconds)
        if word == "call":
            account.call()
            calls.append(clock.now_us())
        elif account.withdraw():
            retries.append(clock.now_us())
            # The window moves in tenths, so what it still counts is at most this old and at least 27 s.
            oldest_us = (clock.now_us() // 3_000_000 - 9) * 3_000_000
            counted = len([at for at in calls if at >= oldest_us])
            assert len([at for at in retries if at >= oldest_us]) <= 0.2 * counted + 2


def test_the_waits_grow_spread_and_stay_within_bounds() -> None:
    policy = Retry(attempts=100, wait_s=0.2, wait_s_max=20)
    draw = random.Random(7)

    for attempt in range(1, 2000):
        longest_s = min(20, 0.2 * 2 ** min(attempt - 1, 60))
        assert longest_s / 2 <= policy.backoff_s(attempt, draw.random()) <= longest_s


@pytest.mark.parametrize("make", [lambda: Retry(attempts=0), lambda: Retry(wait_s=3, wait_s_max=2)])
def test_a_policy_that_cannot_work_is_refused_when_built(make: Callable[[], object]) -> None:
    with pytest.raises(ConfigError):
        make()


NOW_US = 1_764_000_000 * US_PER_S  # 2025-11-24T16:00:00Z


@pytest.mark.parametrize(
    ("headers", "wait_s", "why"),
    [
        ({}, None, "nothing said"),
        ({"Retry-After": "7"}, 7.0, "seconds"),
        ({"retry-after": " 0 "}, 0.0, "now, with spaces"),
        ({"retry-after": "1.5"}, 1.5, "a fraction"),
        ({"RETRY-AFTER": "Mon, 24 Nov 2025 16:01:30 GMT"}, 90.0, "an HTTP date"),
        ({"retry-after": "Mon, 24 Nov 2025 15:00:00 GMT"}, 0.0, "a date gone by"),
        ({"retry-after": "Mon, 24 Nov 2025 16:01:30 -0000"}, 90.0, "a date with an unknown zone is UTC"),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25, "the finer one wins"),
        ({"retry-after-ms": "soon", "retry-after": "1"}, 1.0, "the finer one is unreadable"),
        ({"x-ratelimit-reset-requests": "1s"}, 1.0, "a duration"),
        ({"x-ratelimit-reset-tokens": "6m0s"}, 360.0, "a duration in two units"),
        ({"x-ratelimit-reset-tokens": "1d2h3m4.5s"}, 93_784.5, "in all units"),
        ({"x-ratelimit-reset-tokens": "120ms"}, 0.12, "milliseconds are not minutes"),
        (
            {
                "x-ratelimit-reset-requests": "1s",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-tokens": "6m0s",
                "x-ratelimit-remaining-tokens": "9000",
            },
            1.0,
            "only the limit that is used up counts",
        ),
        (
            {
                "x-ratelimit-reset-requests": "1s",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-tokens": "6m0s",
            },
            1.0,
            "a limit known to be used up counts before one that does not say",
        ),
        (
            {"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "2s"},
            2.0,
            "the later when neither says",
        ),
        (
            {"x-ratelimit-reset-requests": "1s", "x-ratelimit-remaining-requests": "5"},
            None,
            "nothing is used up",
        ),
        ({"x-ratelimit-reset": "1764000042"}, 42.0, "a point in time since 1970"),
        ({"ratelimit-reset": "30"}, 30.0, "seconds as in the draft standard"),
        ({"anthropic-ratelimit-tokens-reset": "2025-11-24T16:00:10Z"}, 10.0, "an ISO date"),
        ({"retry-after": "-5"}, None, "negative"),
        ({"retry-after": "inf"}, None, "infinite"),
        ({"retry-after": "nan"}, None, "not a number"),
        ({"retry-after": "9" * 400}, None, "absurdly long"),
        ({"retry-after": "١٢"}, None, "digits of another script"),
        ({"retry-after": "Mon, 99 Nov 99999 16:01:30 GMT"}, None, "a date that is none"),
        ({"retry-after": ""}, None, "empty"),
    ],
)
def test_retry_after_is_read_from_headers(headers: dict[str, str], wait_s: float | None, why: str) -> None:
    assert parse_retry_after(headers, NOW_US) == pytest.approx(wait_s), why


@pytest.mark.parametrize("skew_s", [-300, 0, 300])
def test_a_server_whose_clock_is_wrong_is_understood_by_its_own_date(skew_s: int) -> None:
    """Held against our clock, a server five minutes ahead would stall us for five minutes."""
    theirs = NOW_US // US_PER_S + skew_s
    date, later = formatdate(theirs, usegmt=True), formatdate(theirs + 7, usegmt=True)
    iso = datetime.fromtimestamp(theirs + 7, UTC).isoformat()

    asked = [
        parse_retry_after({"date": date, "retry-after": later}, NOW_US),
        parse_retry_after({"Date": date, "anthropic-ratelimit-tokens-reset": iso}, NOW_US),
        parse_retry_after({"date": date, "x-ratelimit-reset": str(theirs + 7)}, NOW_US),
        parse_retry_after({"date": date, "retry-after": "7"}, NOW_US),
        parse_retry_after({"date": "yesterday", "retry-after": formatdate(NOW_US // US_PER_S + 7)}, NOW_US),
    ]

    assert asked == [7, 7, 7, 7, 7]


@given(
    value=st.text(st.characters(max_codepoint=255), max_size=40),
    date=st.sampled_from(["", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
    | st.text(st.characters(max_codepoint=255), max_size=40),
)
@settings(deadline=None, derandomize=True)
def test_no_header_text_breaks_the_reader(value: str, date: str) -> None:
    wait_s = parse_retry_after({"retry-after": value, "x-ratelimit-reset": value, "date": date}, NOW_US)

    assert wait_s is None or wait_s >= 0
