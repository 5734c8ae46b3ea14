"""The layers around a call in virtual time: waits, breaker, timeouts, places, pace and limits."""

import asyncio
import threading

import pytest

from airworthy.core.halt import Halt, Stop
from airworthy.core.outcome import ReasonCode
from airworthy.policy import Limits, ToolRule
from airworthy.policy.kinds import Rate
from airworthy.resilience import Abandoned, Mode
from airworthy.tools import (
    Permanent,
    ToolFailed,
    ToolUnavailable,
    Transient,
    tool,
)
from tests.tools.kit import Script, kit, reading

ONCE = ToolRule(attempts=1, critical=False)
AGAIN = ToolRule(attempts=3, critical=False)


async def test_a_retry_waits_as_long_as_the_other_side_asked() -> None:
    script = Script(Transient("busy", retry_after_s=7.5), 1)
    look = reading(script)
    k = kit(look, rules={"look": AGAIN})

    await k.call(k.run(), look)

    assert script.calls[1] - script.calls[0] == pytest.approx(7.5, abs=0.01)


async def test_a_wait_longer_than_the_policy_allows_is_not_waited_for() -> None:
    script = Script(Transient("closed", retry_after_s=3600))
    look = reading(script)
    k = kit(look, rules={"look": AGAIN})

    with pytest.raises(ToolUnavailable):
        await k.call(k.run(), look)

    assert len(script.calls) == 1
    assert {"gave_up": "retry_after"} in k.steps()[0].facts.notes


async def test_the_breaker_opens_answers_at_once_lets_one_through_and_recovers() -> None:
    script = Script(*[Transient("down")] * 8, 1)
    look = reading(script)
    k = kit(look, rules={"look": ONCE}, limits=Limits(steps=50, tool_calls=50, no_progress=50, off_track=50))
    run = k.run()
    for number in range(8):
        with pytest.raises(ToolUnavailable):
            await k.call(run, look, order=str(number))
    opened = k.box.dependency("look").circuit.state.mode

    with pytest.raises(ToolUnavailable, match="CircuitOpen"):
        await k.call(run, look, order="8")
    calls_while_open = len(script.calls)
    await asyncio.sleep(15.1)
    probe = await k.call(run, look, order="9")

    assert opened is Mode.OPEN
    assert calls_while_open == 8
    assert probe == 1
    assert k.box.dependency("look").circuit.state.mode is Mode.CLOSED


@pytest.mark.parametrize("error", [Permanent("no"), ValueError("bug")])
async def test_a_no_and_a_bug_open_no_breaker(error: Exception) -> None:
    look = reading(Script(error))
    k = kit(look, limits=Limits(steps=50, tool_calls=50, no_progress=50, off_track=50))
    run = k.run()
    for number in range(20):
        with pytest.raises(ToolFailed):
            await k.call(run, look, order=str(number))

    assert k.box.dependency("look").circuit.state.mode is Mode.CLOSED


async def test_an_async_tool_that_never_returns_is_ended_at_its_timeout() -> None:
    ended = []

    @tool
    async def hang() -> int:
        """Hangs."""
        try:
            await asyncio.sleep(1e6)
        finally:
            ended.append(True)
        return 1

    k = kit(hang, rules={"hang": ToolRule(attempts=1, timeout_s=3, critical=False)})
    before = asyncio.get_running_loop().time()

    with pytest.raises(ToolUnavailable, match="longer than 3 s"):
        await k.call(k.run(), hang)

    assert asyncio.get_running_loop().time() - before == pytest.approx(3, abs=0.1)
    assert ended == [True]


async def test_an_async_tool_that_refuses_to_end_is_abandoned_and_reported() -> None:
    release = asyncio.Event()

    @tool
    async def stubborn() -> int:
        """Will not stop."""
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return 1

    reported: list[Abandoned] = []
    k = kit(stubborn, rules={"stubborn": ToolRule(attempts=1, timeout_s=1, critical=False)})
    k.box.guards._on_abandoned = reported.append

    with pytest.raises(ToolUnavailable, match="abandoned"):
        await k.call(k.run(), stubborn)
    release.set()

    assert [(a.name, a.kind) for a in reported] == [("tool stubborn", "task")]


async def test_a_sync_tool_that_never_returns_is_abandoned_and_the_next_call_works() -> None:
    release = threading.Event()

    @tool
    def hang(order: str) -> str:
        """Hangs for one order."""
        if order == "slow":
            release.wait()
        return order

    k = kit(hang, rules={"hang": ToolRule(attempts=1, timeout_s=2, critical=False, concurrency=1)})
    run = k.run()

    with pytest.raises(ToolUnavailable, match="abandoned"):
        await k.call(run, hang, order="slow")
    answer = await k.call(run, hang, order="quick")
    release.set()

    assert answer == "quick"


async def test_a_slow_attempt_does_not_outlive_the_tasks_own_time() -> None:
    @tool
    async def slow() -> int:
        """Slow."""
        await asyncio.sleep(8)
        return 1

    k = kit(slow, rules={"slow": ToolRule(critical=False)})
    run = k.run(seconds_used=117.0)
    before = asyncio.get_running_loop().time()

    with pytest.raises(ToolFailed, match="DeadlinePassed"):
        await k.call(run, slow)
    with pytest.raises(Stop) as stopped:
        await k.call(run, slow)

    assert asyncio.get_running_loop().time() - before == pytest.approx(3, abs=0.1)
    assert stopped.value.reason.code is ReasonCode.LIMIT_SECONDS


async def test_more_calls_than_the_concurrency_wait_their_turn() -> None:
    running = peak = 0

    @tool
    async def look(order: int) -> int:
        """Looks."""
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await asyncio.sleep(1)
        running -= 1
        return order

    k = kit(
        look, rules={"look": ToolRule(concurrency=3)}, limits=Limits(steps=50, tool_calls=50, no_progress=50)
    )
    run = k.run()

    answers = await asyncio.gather(*(k.call(run, look, order=number) for number in range(12)))

    assert answers == list(range(12))
    assert peak == 3


async def test_a_rate_paces_calls_instead_of_failing_them() -> None:
    script = Script(1)
    look = reading(script)
    k = kit(
        look,
        rules={"look": ToolRule(rate=Rate(calls=2, per_s=1.0))},
        limits=Limits(identical_calls=9, no_progress=9),
    )
    run = k.run()
    for _ in range(6):
        await k.call(run, look)

    assert script.calls[5] - script.calls[0] >= 2.0


async def test_parallel_calls_cannot_pass_a_limit_together() -> None:
    script = Script(1)
    look = reading(script)
    k = kit(look, limits=Limits(steps=20, tool_calls=5))
    run = k.run()

    answers = await asyncio.gather(
        *(k.call(run, look, order=str(number)) for number in range(50)), return_exceptions=True
    )

    assert len(script.calls) == 5
    assert sum(isinstance(answer, Halt) for answer in answers) == 45
