"""However an agent's function ends, its task ends as exactly one outcome with a reason a person can read."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from airworthy.core.halt import Halt
from airworthy.core.outcome import Outcome, ReasonCode
from airworthy.policy import Limits, ToolRule
from airworthy.recorder import StepState
from airworthy.runtime import Run, SyncRun
from airworthy.tools import Permanent, Transient, tool
from tests.runtime.kit import bench

C = ReasonCode


@tool
async def look(order: str = "7") -> str:
    """Looks."""
    return f"order {order} was sent"


@tool
async def down() -> str:
    """Is down, and nobody minds."""
    raise Permanent("no such thing")


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


async def answers(run: Run) -> Any:
    return await run.tool(look)


async def declines(run: Run) -> Any:
    run.decline("We do not do that.", rule="7")


async def escalates(run: Run) -> Any:
    run.escalate("Should we?", to="legal", order="7")


async def raises(run: Run) -> Any:
    raise ValueError("a bug")


async def raises_muted(run: Run) -> Any:
    raise Mute


async def raises_no_unicode(run: Run) -> Any:
    raise FileNotFoundError("caf\udce9.txt")


async def raises_an_end(run: Run) -> Any:
    raise SystemExit(3)


async def raises_an_interrupt(run: Run) -> Any:
    raise KeyboardInterrupt


async def cancels_itself(run: Run) -> Any:
    raise asyncio.CancelledError


async def stops_iterating(run: Run) -> Any:
    raise StopAsyncIteration


async def raises_a_group(run: Run) -> Any:
    raise ExceptionGroup("several", [ValueError("one"), KeyError("two")])


async def lets_a_tools_no_through(run: Run) -> Any:
    return await run.tool(down)


async def handles_a_tools_no(run: Run) -> Any:
    try:
        return await run.tool(down)
    except Exception as error:
        return f"sorry: {error}"


async def swallows_its_decline(run: Run) -> Any:
    try:
        run.decline("We do not do that.")
    except BaseException:
        return "an answer all the same"


async def swallows_its_halt_and_calls_on(run: Run) -> Any:
    for number in range(100):
        try:
            await run.tool(look, order=f"{number}")
        except BaseException:
            continue
    return "an answer all the same"


async def never_returns(run: Run) -> Any:
    await asyncio.sleep(1e6)


async def returns_a_number(run: Run) -> Any:
    return 7


async def returns_nothing(run: Run) -> None:
    return None


async def returns_no_data(run: Run) -> Any:
    return object()


async def returns_no_unicode(run: Run) -> Any:
    return "\ud800"


async def returns_the_wrong_type(run: Run) -> int:
    return "many"  # type: ignore[return-value]  # that is the point


async def returns_what_cannot_be_written(run: Run) -> dict[str, Any]:
    return {"a": object()}


async def declines_with_an_object(run: Run) -> Any:
    run.decline("No.", thing=object())


async def declines_without_unicode(run: Run) -> Any:
    run.decline("\ud800")


def sync_answers(run: SyncRun) -> Any:
    return run.tool(look)


def sync_declines(run: SyncRun) -> Any:
    run.decline("We do not do that.")


def sync_raises(run: SyncRun) -> Any:
    raise ValueError("a bug")


def sync_raises_an_end(run: SyncRun) -> Any:
    raise SystemExit(3)


def sync_swallows_its_halt(run: SyncRun) -> Any:
    for number in range(100):
        try:
            run.tool(look, order=f"{number}")
        except BaseException:
            continue
    return "an answer all the same"


ENDINGS: list[tuple[Callable[[Any], Any], Outcome, ReasonCode, str]] = [
    (answers, Outcome.ANSWERED, C.DONE, ""),
    (returns_a_number, Outcome.ANSWERED, C.DONE, ""),
    (returns_nothing, Outcome.ANSWERED, C.DONE, ""),
    (handles_a_tools_no, Outcome.ANSWERED, C.DONE, ""),
    (declines, Outcome.DECLINED, C.AGENT_DECLINED, "We do not do that."),
    (swallows_its_decline, Outcome.DECLINED, C.AGENT_DECLINED, "We do not do that."),
    (escalates, Outcome.ESCALATED, C.AGENT_ESCALATED, "Should we?"),
    (lets_a_tools_no_through, Outcome.ESCALATED, C.TOOL_FAILURE, "no such thing"),
    (raises, Outcome.DEAD_LETTERED, C.AGENT_ERROR, "ValueError: a bug"),
    (raises_muted, Outcome.DEAD_LETTERED, C.AGENT_ERROR, "Mute"),
    (raises_no_unicode, Outcome.DEAD_LETTERED, C.AGENT_ERROR, "FileNotFoundError"),
    (raises_an_end, Outcome.DEAD_LETTERED, C.AGENT_ERROR, "SystemExit: 3"),
    (raises_an_interrupt, Outcome.DEAD_LETTERED, C.AGENT_ERROR, "KeyboardInterrupt"),
    (cancels_itself, Outcome.DEAD_LETTERED, C.AGENT_ERROR, "CancelledError"),
    (stops_iterating, Outcome.DEAD_LETTERED, C.AGENT_ERROR, "StopAsyncIteration"),
    (raises_a_group, Outcome.DEAD_LETTERED, C.AGENT_ERROR, "several"),
    (swallows_its_halt_and_calls_on, Outcome.ESCALATED, C.LIMIT_STEPS, "20 steps"),
    (never_returns, Outcome.ESCALATED, C.LIMIT_SECONDS, "120 s"),
    (returns_no_data, Outcome.ESCALATED, C.INVALID_OUTPUT, "declared form"),
    (returns_no_unicode, Outcome.ESCALATED, C.INVALID_OUTPUT, "declared form"),
    (returns_the_wrong_type, Outcome.ESCALATED, C.INVALID_OUTPUT, "declared form"),
    (returns_what_cannot_be_written, Outcome.ESCALATED, C.INVALID_OUTPUT, "declared form"),
    (declines_with_an_object, Outcome.DECLINED, C.AGENT_DECLINED, "No."),
    (declines_without_unicode, Outcome.DECLINED, C.AGENT_DECLINED, r"\ud800"),
    (sync_answers, Outcome.ANSWERED, C.DONE, ""),
    (sync_declines, Outcome.DECLINED, C.AGENT_DECLINED, "We do not do that."),
    (sync_raises, Outcome.DEAD_LETTERED, C.AGENT_ERROR, "ValueError: a bug"),
    (sync_raises_an_end, Outcome.DEAD_LETTERED, C.AGENT_ERROR, "SystemExit: 3"),
    (sync_swallows_its_halt, Outcome.ESCALATED, C.LIMIT_STEPS, "20 steps"),
]


@pytest.mark.parametrize(
    ("handler", "outcome", "code", "says"), ENDINGS, ids=lambda v: getattr(v, "__name__", "")
)
async def test_each_way_to_end_is_one_outcome_with_a_reason(
    handler: Callable[[Any], Any], outcome: Outcome, code: ReasonCode, says: str
) -> None:
    b = bench(handler, look, down, limits=Limits(off_track=50, no_progress=50))
    task = await b.done()
    other = await b.done("another task, which must not suffer")

    assert task.outcome is outcome
    assert task.why is not None
    assert task.why.code is code
    assert says in task.why.text
    assert [step.kind for step in b.steps(task.id)].count("outcome") == 1
    assert other.outcome is outcome
    if outcome is Outcome.DEAD_LETTERED:
        assert task.why.error is not None
        assert task.why.error.trace


async def test_a_sync_agent_that_never_returns_is_abandoned_and_can_do_no_more_calls() -> None:
    release, late = threading.Event(), list[BaseException]()
    calls: list[str] = []

    @tool
    async def touch(order: str) -> str:
        """Touches."""
        calls.append(order)
        return order

    def hangs(run: SyncRun) -> Any:
        run.tool(touch, order="before")
        release.wait()
        try:
            run.tool(touch, order="after")
        except BaseException as error:
            late.append(error)
        finished.set()

    finished = threading.Event()
    b = bench(hangs, touch, limits=Limits(seconds=5.0))
    worker = b.worker()
    task_id = b.submit()
    await worker.run(until_idle=True)
    release.set()
    await asyncio.to_thread(finished.wait, 5)

    task = b.task(task_id)
    assert task.outcome is Outcome.ESCALATED
    assert task.reason_code == C.LIMIT_SECONDS
    assert calls == ["before"]
    assert isinstance(late[0], Halt)


async def test_what_an_agent_left_running_can_do_nothing_after_its_end() -> None:
    calls: list[str] = []
    left: list[asyncio.Task[Any]] = []

    @tool
    async def touch(order: str) -> str:
        """Touches."""
        calls.append(order)
        return order

    async def leaves_work_behind(run: Run) -> str:
        async def later() -> None:
            await asyncio.sleep(5)
            await run.tool(touch, order="late")

        left.append(asyncio.ensure_future(later()))
        return "done"

    b = bench(leaves_work_behind, touch)
    task = await b.done()
    await asyncio.wait(left)

    assert task.outcome is Outcome.ANSWERED
    assert isinstance(left[0].exception(), Halt)
    assert calls == []


async def test_an_agent_that_will_not_be_cancelled_is_left_behind_and_its_task_ends() -> None:
    async def will_not_stop(run: Run) -> Any:
        end = asyncio.get_running_loop().time() + 300
        while (left := end - asyncio.get_running_loop().time()) > 0:
            try:
                await asyncio.sleep(left)
            except asyncio.CancelledError:
                continue

    b = bench(will_not_stop)
    task = await b.done()
    ended_at = asyncio.get_running_loop().time()
    await asyncio.sleep(300)

    assert (task.outcome, task.reason_code) == (Outcome.ESCALATED, C.LIMIT_SECONDS)
    assert ended_at < 125


async def test_an_effect_under_way_is_recorded_even_if_the_agent_gives_up_waiting_for_it() -> None:
    @tool(effect="send")
    async def mail() -> str:
        """Sends slowly."""
        await asyncio.sleep(5)
        return "sent"

    async def impatient(run: Run) -> str:
        try:
            async with asyncio.timeout(1):
                await run.tool(mail)
        except TimeoutError:
            return "gave up"
        return "unreachable"

    b = bench(impatient, mail, tools={"mail": ToolRule(timeout_s=20)})
    task = await b.done()

    assert task.outcome is Outcome.ANSWERED
    assert b.effect(task.id).state == "done"
    assert [step.state for step in b.steps(task.id) if step.kind == "tool"] == [StepState.DONE]


async def test_a_non_critical_outage_is_told_to_the_agent() -> None:
    @tool
    async def flaky() -> str:
        """Fails."""
        raise Transient("down")

    async def copes(run: Run) -> str:
        try:
            return str(await run.tool(flaky))
        except Exception as error:
            return type(error).__name__

    b = bench(copes, flaky, tools={"flaky": ToolRule(critical=False)})
    task = await b.done()

    assert b.answer(task.id) == "ToolUnavailable"
