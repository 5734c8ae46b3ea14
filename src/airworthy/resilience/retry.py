"""Retry on stamina, bounded three ways: by attempts, the caller's deadline, a budget per dependency."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeVar

from airworthy.core.clock import US_PER_S, Clock
from airworthy.core.errors import AirworthyError, ConfigError
from airworthy.core.ids import Ids
from airworthy.resilience._window import Window
from airworthy.resilience.again import Classify, Decision, No, by_error

T = TypeVar("T")
WhyGaveUp = Literal["attempts", "deadline", "retry_after", "budget"]
OnRetry = Callable[[int, Exception, float], None]  # the attempt that failed (from 1), its error, the wait

# stamina logs each retry; with no logging set up Python would print that on the user's terminal.
logging.getLogger("stamina").addHandler(logging.NullHandler())

_WHY_TEXT: dict[WhyGaveUp, str] = {
    "attempts": "no attempt is left",
    "deadline": "the deadline leaves no time for another",
    "retry_after": "the other side asks for a longer wait than the policy allows",
    "budget": "too large a share of the recent calls were retries already",
}


@dataclass(frozen=True, slots=True)
class Retry:
    """`attempts` counts the first call. Waits double from `wait_s` and are drawn from the upper half of that.

    No wait is longer than `wait_s_max`; a Retry-After beyond it ends the retrying at once.
    """

    attempts: int = 3
    wait_s: float = 0.2
    wait_s_max: float = 20.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or not 0 <= self.wait_s <= self.wait_s_max < float("inf"):
            raise ConfigError(
                f"{self} is not a retry policy.", mend="Set attempts >= 1 and 0 <= wait_s <= wait_s_max."
            )

    def backoff_s(self, attempt: int, chance: float) -> float:
        """The wait after `attempt` (from 1); `chance` in [0, 1) spreads callers that failed together."""
        longest_s: float = min(self.wait_s_max, self.wait_s * 2.0 ** min(attempt - 1, 60))
        return longest_s * (0.5 + chance / 2)


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """Within `window_s`, retries are at most `share` of the calls plus `floor`: outages are not amplified."""

    share: float = 0.2
    floor: int = 5
    window_s: float = 60.0

    def __post_init__(self) -> None:
        if self.share < 0 or self.floor < 0 or self.window_s <= 0:
            raise ConfigError(
                f"{self} is not a retry budget.", mend="Set share, floor >= 0 and window_s > 0."
            )


class RetryAccount:
    """What a retry budget remembers; share one object among all callers of a dependency."""

    def __init__(self, budget: RetryBudget, clock: Clock) -> None:
        self.budget = budget
        self._clock = clock
        self._window = Window()  # (calls, retries)

    def call(self) -> None:
        self._window = self._window.add(self._clock.now_us(), self.budget.window_s, first=1)

    def withdraw(self) -> bool:
        """Books one retry if the budget has room for it."""
        now_us = self._clock.now_us()
        calls, retries = self._window.counts(now_us, self.budget.window_s)
        if retries + 1 > self.budget.share * calls + self.budget.floor:
            return False
        self._window = self._window.add(now_us, self.budget.window_s, second=1)
        return True


class GaveUp(AirworthyError):
    """The call kept failing with an error worth retrying. The last error is `error` and `__cause__`."""

    code: ClassVar[str] = "gave_up"

    def __init__(
        self, error: Exception, *, why: WhyGaveUp, attempts: int, retry_after_s: float | None
    ) -> None:
        mend = f"Try again in {retry_after_s:.3g} s." if retry_after_s is not None else "Try again later."
        super().__init__(f"Gave up after {attempts} attempt(s), {_WHY_TEXT[why]}: {error}", mend=mend)
        self.error = error
        self.why = why
        self.attempts = attempts
        self.retry_after_s = retry_after_s


class DeadlinePassed(AirworthyError):
    """The caller's deadline came while an attempt was under way; the attempt was cancelled."""

    code: ClassVar[str] = "deadline_passed"


class Retrier:
    """Runs calls under one Retry policy. `chance` draws from [0, 1); hand in a seeded one to repeat a run."""

    def __init__(
        self,
        policy: Retry,
        clock: Clock,
        *,
        account: RetryAccount | None = None,
        chance: Callable[[], float] | None = None,
    ) -> None:
        self.policy = policy
        self._clock = clock
        self._account = account
        self._chance = chance if chance is not None else Ids().random

    async def run(
        self,
        call: Callable[[], Awaitable[T]],
        *,
        classify: Classify = by_error,
        deadline_us: int | None = None,
        on_retry: OnRetry | None = None,
    ) -> T:
        """The first result; an error that is not worth retrying as it is; else GaveUp.

        Nothing runs or waits past `deadline_us`. Cancellation and halts pass through at once.
        """
        if self._account is not None:
            self._account.call()
        try:
            # Most calls need no second attempt, and a loop costs more than all else here.
            return await self._attempt(call, deadline_us)
        except Exception as error:  # noqa: BLE001  # raised again below, as the loop's first attempt
            first = error
        import stamina  # Late: costs 40 ms that a program which only prints its help should not pay.

        progress = _Progress()

        def again(error: BaseException) -> bool | float:
            if not isinstance(error, Exception):
                return False
            wait_s = self._next_wait(error, progress, classify, deadline_us)
            if wait_s is None:
                return False
            if on_retry is not None:
                on_retry(progress.attempt, error, wait_s)
            return wait_s

        try:
            async for attempt in stamina.retry_context(on=again, attempts=self.policy.attempts, timeout=None):
                with attempt:
                    progress.attempt += 1
                    if progress.attempt == 1:
                        raise first
                    return await self._attempt(call, deadline_us)
        except Exception as error:
            if progress.why is None:
                raise
            raise GaveUp(
                error, why=progress.why, attempts=progress.attempt, retry_after_s=progress.asked_s
            ) from error
        raise AssertionError("the loop returns or raises")

    async def _attempt(self, call: Callable[[], Awaitable[T]], deadline_us: int | None) -> T:
        if deadline_us is None:
            return await call()
        left_s = (deadline_us - self._clock.now_us()) / US_PER_S
        if left_s <= 0:
            raise DeadlinePassed(f"The deadline passed {-left_s:.3g} s ago; the call was not made.")
        scope = asyncio.timeout(left_s)
        try:
            async with scope:
                return await call()
        except TimeoutError as error:
            # A TimeoutError of the call's own is an error like any other.
            if not scope.expired():
                raise
            raise DeadlinePassed(f"The deadline came {left_s:.3g} s into the attempt.") from error

    def _next_wait(
        self, error: Exception, progress: "_Progress", classify: Classify, deadline_us: int | None
    ) -> float | None:
        """The wait before the next attempt, or None; then `progress.why` says why, except for a plain No."""
        if isinstance(error, DeadlinePassed):
            return None
        decision = classify(error)
        if isinstance(decision, No):
            return None
        progress.asked_s = decision.wait_s
        wait = self._wait(progress.attempt, decision.wait_s, deadline_us)
        if isinstance(wait, str):
            progress.why = wait
            return None
        return wait

    def wait_after(self, attempt: int, decision: Decision, deadline_us: int | None = None) -> float | None:
        """For callers with a loop of their own: the wait before the next try, None when there should be none.

        `attempt` is the one that failed, from 1. A wait that is handed out counts against the retry budget.
        """
        if isinstance(decision, No):
            return None
        wait = self._wait(attempt, decision.wait_s, deadline_us)
        return None if isinstance(wait, str) else wait

    def _wait(self, attempt: int, asked_s: float | None, deadline_us: int | None) -> float | WhyGaveUp:
        if attempt >= self.policy.attempts:
            return "attempts"
        if asked_s is not None and not asked_s <= self.policy.wait_s_max:
            return "retry_after"
        wait_s = self.policy.backoff_s(attempt, self._chance())
        if asked_s is not None:
            wait_s = max(wait_s, asked_s)  # Earlier than asked is a call wasted.
        if deadline_us is not None and self._clock.now_us() + wait_s * US_PER_S >= deadline_us:
            return "deadline"
        if self._account is not None and not self._account.withdraw():
            return "budget"
        return wait_s


class _Progress:
    """What one run of the loop has come to; the hook and the loop share it."""

    def __init__(self) -> None:
        self.attempt = 0
        self.why: WhyGaveUp | None = None
        self.asked_s: float | None = None
