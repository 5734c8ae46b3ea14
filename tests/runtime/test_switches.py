"""A person's stop, pause and go on: at once, before the next step, and nothing done is lost or done again."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from airworthy.core.outcome import Outcome, ReasonCode
from airworthy.policy import ToolRule
from airworthy.runtime import IllegalTransition, Run, State, SyncRun, TaskQuery
from airworthy.tools import EffectState, Tool, tool
from tests.runtime.kit import Bench, bench


class World:
    """Effects that took place, with their time."""

    def __init__(self) -> None:
        self.acts: list[tuple[float, int]] = []

    def tool(self, seconds: float = 0.0) -> Tool:
        @tool(effect="write")
        async def act(number: int) -> int:
            """Acts."""
            self.acts.append((asyncio.get_running_loop().time(), number))
            await asyncio.sleep(seconds)
            return number

        return act

    @property
    def numbers(self) -> list[int]:
        return [number for _, number in self.acts]


async def one_a_second(run: Run) -> str:
    for number in range(10):
        await run.tool("act", number=number)
        await asyncio.sleep(1)
    return "done"


def stop_task(b: Bench, task_id: str) -> Any:
    return b.app.operations.pause_task(task_id)


def stop_agent(b: Bench, task_id: str) -> Any:
    return b.app.operations.pause("agent:support", "dana", "too many mails")


def stop_all(b: Bench, task_id: str) -> Any:
    return b.app.operations.pause("all", "dana", "fire")


def go_task(b: Bench, task_id: str) -> Any:
    return b.app.operations.resume_task(task_id)


def go_agent(b: Bench, task_id: str) -> Any:
    return b.app.operations.resume("agent:support")


def go_all(b: Bench, task_id: str) -> Any:
    return b.app.operations.resume("all")


LEVELS = [(stop_task, go_task), (stop_agent, go_agent), (stop_all, go_all)]
Act = Callable[[Bench, str], Any]


@pytest.mark.parametrize(("stop", "go"), LEVELS)
async def test_a_pause_holds_before_the_next_act_and_going_on_repeats_nothing(stop: Act, go: Act) -> None:
    world = World()
    b = bench(one_a_second, world.tool())
    task_id = b.submit()
    working = asyncio.create_task(b.work())
    await asyncio.sleep(3.5)
    stop(b, task_id)
    stopped_at = asyncio.get_running_loop().time()
    await working
    paused = b.task(task_id)
    await asyncio.sleep(3600)
    go(b, task_id)
    await b.work()

    assert paused.state is State.PAUSED
    assert [number for at, number in world.acts if at <= stopped_at] == [0, 1, 2, 3]
    assert all(at <= stopped_at or at >= stopped_at + 3600 for at, _ in world.acts)
    assert b.task(task_id).outcome is Outcome.ANSWERED
    assert world.numbers == list(range(10))


@pytest.mark.parametrize(("stop", "go"), LEVELS)
async def test_what_is_paused_before_it_begins_does_not_begin(stop: Act, go: Act) -> None:
    world = World()
    b = bench(one_a_second, world.tool())
    task_id = b.submit()
    stop(b, task_id)
    await b.work()
    before = list(world.numbers)
    go(b, task_id)
    await b.work()

    assert before == []
    assert b.task(task_id).outcome is Outcome.ANSWERED


async def test_a_sync_agent_is_paused_before_its_next_act_too() -> None:
    world = World()
    pauses: list[int] = []

    def handle(run: SyncRun) -> str:
        for number in range(3):
            run.tool("act", number=number)
            if not pauses:
                pauses.append(number)
                b.app.operations.pause("all", "dana", "fire")
        return "done"

    b = bench(handle, world.tool())
    task_id = b.submit()
    await b.work()
    held = b.task(task_id).state
    b.app.operations.resume("all")
    await b.work()

    assert held is State.PAUSED
    assert world.numbers == [0, 1, 2]


async def test_a_task_paused_by_itself_stays_so_when_its_agent_goes_on() -> None:
    world = World()
    b = bench(one_a_second, world.tool())
    alone, other = b.submit("one"), b.submit("two")
    b.app.operations.pause_task(alone)
    b.app.operations.pause("agent:support", "dana", "lunch")
    b.app.operations.resume("agent:support")
    await b.work()

    assert b.task(alone).state is State.PAUSED
    assert b.task(other).outcome is Outcome.ANSWERED


@pytest.mark.parametrize(("stop", "go"), LEVELS)
async def test_a_pause_that_is_lifted_before_the_run_has_come_to_rest_is_not_kept(stop: Act, go: Act) -> None:
    world = World()

    async def slow(run: Run) -> str:
        for number in range(3):
            await run.tool("act", number=number)
        return "done"

    b = bench(slow, world.tool(seconds=2))
    task_id = b.submit()
    working = asyncio.create_task(b.work())
    await asyncio.sleep(0.5)
    stop(b, task_id)
    await asyncio.sleep(0.5)  # The worker has heard of it; the act goes on for a second more.
    go(b, task_id)
    await working
    await b.work()

    assert b.task(task_id).outcome is Outcome.ANSWERED
    assert world.numbers == [0, 1, 2]


async def test_pausing_twice_is_once_and_going_on_twice_is_once() -> None:
    b = bench(one_a_second, World().tool())

    assert b.app.operations.pause("all", "dana", "fire") is True
    assert b.app.operations.pause("all", "eve", "more fire") is False
    assert [switch.by_whom for switch in b.app.operations.switches()] == ["dana"]
    assert b.app.operations.resume("all") == 0
    assert b.app.operations.resume("all") is None


async def test_a_running_task_is_cancelled_before_its_next_act() -> None:
    world = World()
    b = bench(one_a_second, world.tool())
    task_id = b.submit()
    working = asyncio.create_task(b.work())
    await asyncio.sleep(3.5)
    at_once = b.app.operations.cancel(task_id, "dana", "wrong customer")
    await working

    task = b.task(task_id)
    assert at_once is False
    assert (task.outcome, task.reason_code) == (Outcome.CANCELLED, ReasonCode.CANCELLED)
    assert world.numbers == [0, 1, 2, 3]
    assert [step.kind for step in b.steps(task_id)].count("outcome") == 1


async def test_cancelling_while_an_act_is_under_way_waits_for_its_result_and_records_it() -> None:
    """The watch comes round several times meanwhile; a second cancellation must not tear the recording."""
    world = World()
    b = bench(one_a_second, world.tool(seconds=4))
    task_id = b.submit()
    working = asyncio.create_task(b.work())
    await asyncio.sleep(1)
    b.app.operations.cancel(task_id, "dana")
    await working

    assert b.task(task_id).outcome is Outcome.CANCELLED
    assert b.effect(task_id).state is EffectState.DONE
    assert world.numbers == [0]


@pytest.mark.parametrize("where", ["queued", "waiting", "paused"])
async def test_a_task_that_nobody_works_on_is_cancelled_at_once(where: str) -> None:
    world = World()
    b = bench(one_a_second, world.tool(), tools={"act": ToolRule(approval="always")})
    task_id = b.submit()
    if where == "waiting":
        await b.work()
    if where == "paused":
        b.app.operations.pause_task(task_id)
    state = b.task(task_id).state
    at_once = b.app.operations.cancel(task_id, "dana", "not needed")
    await b.work()

    task = b.task(task_id)
    assert state == where
    assert at_once is True
    assert task.outcome is Outcome.CANCELLED
    assert task.why is not None
    assert task.why.text == "The task was cancelled by dana: not needed."
    assert world.acts == []
    assert all(row.state is EffectState.CANCELLED for row in b.app.operations.effects(task_id))


async def test_a_closed_task_cannot_be_cancelled_paused_or_gone_on_with_and_stays_as_it_is() -> None:
    b = bench(one_a_second, World().tool())
    task = await b.done()

    for act in (
        lambda: b.app.operations.cancel(task.id, "dana"),
        lambda: b.app.operations.pause_task(task.id),
        lambda: b.app.operations.resume_task(task.id),
        lambda: b.app.operations.requeue(task.id),
        lambda: b.app.operations.discard(task.id),
    ):
        with pytest.raises(IllegalTransition):
            act()
    assert b.task(task.id) == task


async def test_cancelling_a_task_cancels_what_it_has_in_the_outbox() -> None:
    world = World()

    async def schedules(run: Run) -> str:
        await run.tool("act", number=1)
        await run.sleep(3600)
        return "done"

    b = bench(schedules, world.tool(), tools={"act": ToolRule(delay_s=60)})
    task_id = b.submit()
    working = asyncio.create_task(b.work())
    await asyncio.sleep(5)
    b.app.operations.cancel(task_id, "dana")
    await working
    await asyncio.sleep(120)
    later = asyncio.create_task(b.worker().run())
    await asyncio.sleep(5)
    later.cancel()
    await asyncio.wait([later])

    assert world.acts == []
    assert b.effect(task_id).state is EffectState.CANCELLED


@pytest.mark.parametrize(("stop", "go"), LEVELS)
async def test_while_paused_nothing_leaves_the_outbox_and_afterwards_it_does(stop: Act, go: Act) -> None:
    world = World()

    async def schedules(run: Run) -> str:
        await run.tool("act", number=1)
        await run.sleep(3600)
        return "done"

    b = bench(schedules, world.tool(), tools={"act": ToolRule(delay_s=60)})
    task_id = b.submit()
    worker = b.worker()
    working = asyncio.create_task(worker.run())
    await asyncio.sleep(30)
    stop(b, task_id)
    await asyncio.sleep(300)
    held = list(world.acts)
    go(b, task_id)
    await asyncio.sleep(10)
    worker.stop()
    await working

    assert held == []
    assert world.numbers == [1]


async def test_a_pause_stops_model_calls_and_tasks_already_queued() -> None:
    world = World()
    b = bench(one_a_second, world.tool())
    for number in range(5):
        b.submit(f"task {number}")
    worker = b.worker(concurrency=2)
    working = asyncio.create_task(worker.run())
    await asyncio.sleep(1.5)
    b.app.operations.pause("agent:support", "dana", "stop")
    await asyncio.sleep(60)
    states = [task.state for task in b.app.operations.tasks(TaskQuery())]
    worker.stop()
    await working

    assert states.count(State.PAUSED) == 2
    assert states.count(State.QUEUED) == 3


async def test_stop_finishes_what_is_under_way_and_abort_lets_go_of_it() -> None:
    world = World()
    b = bench(one_a_second, world.tool())
    tasks = [b.submit("one"), b.submit("two")]
    worker = b.worker(concurrency=1)
    working = asyncio.create_task(worker.run())
    await asyncio.sleep(1.5)
    worker.stop()
    await working
    states = {b.task(task).state: task for task in tasks}
    second = states[State.QUEUED]

    aborted = b.worker(concurrency=1)
    working = asyncio.create_task(aborted.run())
    await asyncio.sleep(1.5)
    aborted.abort()
    await working
    left = b.task(second).state
    await b.work()

    assert set(states) == {State.ANSWERED, State.QUEUED}
    assert left is State.RUNNING
    assert b.task(second).outcome is Outcome.ANSWERED
    assert world.numbers == [*range(10), *range(10)]
