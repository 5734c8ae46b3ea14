"""Time on a stage: waits cost nothing, and nobody who works outside is overtaken by a timer."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from airworthy.core.outcome import Outcome
from airworthy.preflight.stage import Script
from airworthy.runtime import Run, SyncRun
from airworthy.tools import Transient, tool
from tests.preflight.kit import agent_of, case, played, stage_of


def after(seconds: float, call: Callable[[], Any]) -> None:
    threading.Timer(seconds, call).start()


@tool
async def slow_read() -> str:
    """Answers from another thread, after real time."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()
    after(0.03, lambda: loop.call_soon_threadsafe(answer.set_result, "late"))
    return await answer


@tool
def slow_plain() -> str:
    """The same without async."""
    done = threading.Event()
    after(0.03, done.set)
    assert done.wait(5)
    return "late"


async def trial_of(handler: Callable[[Any], Any], *tools: Any, **policy: Any) -> Any:
    async with stage_of(agent_of(handler, *tools, **policy)) as stage:
        return (await stage.play(Script(case()))).trial


def test_a_live_read_is_not_overtaken_by_its_own_timeout() -> None:
    async def handle(run: Run) -> str:
        return f"{await run.tool('slow_read')} {await run.tool('slow_plain')}"

    rules = {name: {"timeout_s": 2} for name in ("slow_read", "slow_plain")}
    trial = played(trial_of(handle, slow_read, slow_plain, tools=rules))
    assert (trial.outcome, trial.answer) == (Outcome.ANSWERED, "late late"), trial


def test_an_agent_that_awaits_something_of_its_own_is_waited_for() -> None:
    async def handle(run: Run) -> str:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[str] = loop.create_future()
        after(0.03, lambda: loop.call_soon_threadsafe(answer.set_result, "mine"))
        async with asyncio.timeout(5):
            return await answer

    assert played(trial_of(handle)).answer == "mine"


def test_what_an_agent_awaits_beside_a_call_of_ours_is_waited_for_too() -> None:
    failures = iter([Transient("not yet"), Transient("not yet")])

    @tool
    async def flaky() -> str:
        """Fails twice, with a wait of seconds between."""
        for error in failures:
            raise error
        return "well"

    async def own() -> str:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[str] = loop.create_future()
        after(0.05, lambda: loop.call_soon_threadsafe(answer.set_result, "mine"))
        async with asyncio.timeout(20):
            return await answer

    async def handle(run: Run) -> str:
        return " ".join(await asyncio.gather(run.tool("flaky"), own()))

    rules = {"flaky": {"attempts": 3, "retry_wait_s": 30, "retry_wait_s_max": 60}}
    trial = played(trial_of(handle, flaky, tools=rules))
    assert (trial.answer, trial.tools[0].attempts) == ("well mine", 3), trial


def test_tasks_of_an_agent_that_wait_for_each_other_and_for_timers_cost_no_time() -> None:
    async def handle(run: Run) -> str:
        ready = asyncio.Event()

        async def first() -> None:
            await asyncio.sleep(20)
            ready.set()

        async with asyncio.TaskGroup() as group:
            group.create_task(first())
            group.create_task(ready.wait())
            found = group.create_task(run.tool("find_order", order_id=1))
        return str(found.result()["status"])

    trial = played(trial_of(handle))
    assert trial.answer == "shipped"
    assert 20 <= trial.seconds < 22


def test_a_plain_agent_at_work_in_its_thread_is_waited_for() -> None:
    def handle(run: SyncRun) -> str:
        done = threading.Event()
        after(0.03, done.set)
        assert done.wait(5)
        run.sleep(0.9)
        return str(run.tool("find_order", order_id=1)["status"])

    trial = played(trial_of(handle, limits={"seconds": 5}))
    assert (trial.outcome, trial.answer) == (Outcome.ANSWERED, "shipped"), trial


def test_an_agent_that_ignores_its_cancellation_ends_by_its_limit_and_holds_up_nobody() -> None:
    async def handle(run: Run) -> str:
        while True:
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                continue

    trial = played(trial_of(handle, limits={"seconds": 30}))
    assert (trial.outcome, trial.reason) != (Outcome.ANSWERED, "done")
    assert trial.reason == "limit_seconds"
