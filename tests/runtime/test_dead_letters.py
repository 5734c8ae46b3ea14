"""What cannot be done now is tried later, put aside whole, and brought back without doing anything twice."""

import asyncio
from typing import Any

import pytest

from airworthy.core.outcome import Outcome, ReasonCode
from airworthy.gateway import ModelOutage, ModelRefusedRequest
from airworthy.policy import Limits, RuntimeRules, ToolRule
from airworthy.runtime import IllegalTransition, NoSuchTask, Run, State, TaskQuery
from airworthy.tools import EffectState, Permanent, Tool, Transient, tool
from tests.gateway.kit import FIRST, completion, model, script
from tests.runtime.kit import Bench, bench

C = ReasonCode


class World:
    """Services that fail as told, and everything that reached them."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.reads: list[float] = []
        self.sent: list[str] = []
        self.broken_agent = False

    def tools(self) -> tuple[Tool, Tool]:
        @tool
        async def look() -> str:
            """Looks."""
            self.reads.append(asyncio.get_running_loop().time())
            if self.failures:
                raise self.failures.pop(0)
            return "seen"

        @tool(effect="send")
        async def mail(to: str) -> str:
            """Sends."""
            self.sent.append(to)
            return "sent"

        return look, mail

    async def handle(self, run: Run) -> str:
        await run.tool("mail", to="first")
        await run.tool("look")
        if self.broken_agent:
            raise ValueError("a bug")
        await run.tool("mail", to="second")
        return "done"


DOWN = Transient("down", happened="no")
ONCE = {"look": ToolRule(attempts=1), "mail": ToolRule()}


def made(world: World, **policy: Any) -> Bench:
    return bench(world.handle, *world.tools(), tools=ONCE, **policy)


async def test_a_dependency_that_is_down_is_tried_later_with_growing_waits_until_it_is_back() -> None:
    world = World(DOWN, DOWN)
    b = made(world)
    task = await b.done()

    waits = [after - before for before, after in zip(world.reads, world.reads[1:], strict=False)]
    assert task.outcome is Outcome.ANSWERED
    assert waits == [pytest.approx(5, abs=0.3), pytest.approx(10, abs=0.3)]
    assert world.sent == ["first", "second"]


async def test_while_it_waits_the_task_says_for_what() -> None:
    world = World(DOWN, DOWN)
    b = made(world)
    task_id = b.submit()
    worker = b.worker()
    working = asyncio.create_task(worker.run())
    await asyncio.sleep(2)
    task = b.task(task_id)
    worker.stop()
    await working

    assert task.state is State.WAITING
    assert "look to recover" in task.waiting_for
    assert "down" in task.waiting_for
    assert task.failures == 1


async def test_after_as_many_attempts_as_the_policy_allows_it_asks_a_person() -> None:
    world = World(*[DOWN] * 10)
    b = made(world, runtime=RuntimeRules(attempts_max=3))
    task = await b.done()

    assert (task.outcome, task.reason_code) == (Outcome.ESCALATED, C.TOOL_FAILURE)
    assert len(world.reads) == 3
    assert world.sent == ["first"]
    assert task.why is not None
    assert "After 3 attempts" in task.why.text


async def test_an_escalated_outage_is_opened_again_once_it_is_mended() -> None:
    world = World(*[DOWN] * 3)
    b = made(world)
    task = await b.done()
    before = b.app.operations.resume_task(task.id)
    await b.work()

    assert before is State.ESCALATED
    assert b.task(task.id).outcome is Outcome.ANSWERED
    assert world.sent == ["first", "second"]


async def test_a_dead_letter_keeps_input_step_error_and_trace() -> None:
    world = World()
    world.broken_agent = True
    b = made(world)
    task = await b.done({"order": 7})

    assert task.outcome is Outcome.DEAD_LETTERED
    assert task.why is not None
    assert task.why.error is not None
    assert task.why.error.type == "ValueError"
    assert "a bug" in task.why.error.trace
    assert b.steps(task.id)[0].arguments == {"order": 7}
    assert [step.name for step in b.steps(task.id) if step.kind == "tool"] == ["mail", "look"]


async def test_a_requeued_dead_letter_redoes_what_failed_and_nothing_that_was_done() -> None:
    world = World()
    world.broken_agent = True
    b = made(world)
    task = await b.done()
    world.broken_agent = False
    b.app.operations.requeue(task.id)
    await b.work()

    again = b.task(task.id)
    assert again.outcome is Outcome.ANSWERED
    assert world.sent == ["first", "second"]
    assert len(world.reads) == 1
    assert (again.discarded_us, again.failures) == (None, 0)


async def test_a_failed_read_is_done_again_when_the_dead_letter_comes_back() -> None:
    world = World(Permanent("no such order"))
    b = made(world)
    task = await b.done()
    b.app.operations.resume_task(task.id)
    await b.work()

    assert task.reason_code == C.TOOL_FAILURE
    assert len(world.reads) == 2
    assert b.task(task.id).outcome is Outcome.ANSWERED


async def test_a_discarded_dead_letter_is_kept_and_listed_no_more() -> None:
    world = World()
    world.broken_agent = True
    b = made(world)
    task = await b.done()
    b.app.operations.discard(task.id)

    assert b.app.operations.tasks(TaskQuery()) == []
    assert [row.id for row in b.app.operations.tasks(TaskQuery(discarded=True))] == [task.id]
    assert b.task(task.id).outcome is Outcome.DEAD_LETTERED
    assert b.steps(task.id)


async def test_only_a_dead_letter_is_requeued_or_discarded_and_an_unknown_task_is_named() -> None:
    b = made(World())
    queued = b.submit()

    for act in (b.app.operations.requeue, b.app.operations.discard):
        with pytest.raises(IllegalTransition):
            act(queued)
        with pytest.raises(NoSuchTask, match="tsk_nowhere"):
            act("tsk_nowhere")
    assert b.task(queued).state is State.QUEUED


async def test_a_poison_task_keeps_no_other_waiting() -> None:
    world = World()

    async def poisoned(run: Run) -> str:
        if run.input == "poison":
            raise SystemExit(1)
        return "done"

    b = bench(poisoned, *world.tools())
    tasks = [b.submit("poison" if number % 2 else "fine") for number in range(20)]
    await b.worker(concurrency=1).run(until_idle=True)

    outcomes = [b.task(task).outcome for task in tasks]
    assert outcomes == [Outcome.ANSWERED, Outcome.DEAD_LETTERED] * 10


async def test_a_task_that_kills_its_worker_every_time_is_put_aside() -> None:
    world = World()
    started = asyncio.Event()

    async def deadly(run: Run) -> str:
        started.set()
        await asyncio.sleep(1e5)
        return "never"

    b = bench(deadly, *world.tools(), runtime=RuntimeRules(attempts_max=3))
    task_id = b.submit()
    for _ in range(3):
        started.clear()
        worker = b.worker()
        working = asyncio.create_task(worker.run())
        await started.wait()
        worker.abort()
        await working
    await b.work()

    task = b.task(task_id)
    assert (task.outcome, task.reason_code) == (Outcome.DEAD_LETTERED, C.CRASHED)
    assert task.why is not None
    assert "3 times" in task.why.text


async def test_a_task_stopped_at_a_limit_gets_a_new_allowance_when_a_person_opens_it_again() -> None:
    world = World()

    async def counts(run: Run) -> str:
        for number in range(6):
            await run.step("count", lambda n: n, number)
        return "done"

    b = bench(counts, *world.tools(), limits=Limits(steps=4, tool_calls=4))
    task = await b.done()
    b.app.operations.resume_task(task.id)
    await b.work()

    assert (task.outcome, task.reason_code) == (Outcome.ESCALATED, C.LIMIT_STEPS)
    assert b.task(task.id).outcome is Outcome.ANSWERED


async def test_a_settled_doubt_opens_its_task_again_by_itself() -> None:
    acts: list[int] = []

    @tool(effect="send")
    async def mail() -> str:
        """Sends."""
        acts.append(1)
        raise TimeoutError

    async def handle(run: Run) -> Any:
        return await run.tool(mail)

    b = bench(handle, mail)
    task = await b.done()
    b.decide(task.id, EffectState.DONE, result=b'"it arrived"')
    await b.work()

    assert (task.outcome, task.reason_code) == (Outcome.ESCALATED, C.IN_DOUBT)
    assert b.task(task.id).outcome is Outcome.ANSWERED
    assert b.answer(task.id) == "it arrived"
    assert acts == [1]


async def test_a_delayed_effect_in_doubt_is_sent_again_on_a_persons_word_and_opens_no_task() -> None:
    acts: list[int] = []

    @tool(effect="send")
    async def mail() -> str:
        """Sends."""
        acts.append(1)
        if len(acts) == 1:
            raise TimeoutError
        return "sent"

    async def handle(run: Run) -> Any:
        return await run.tool(mail)

    b = bench(handle, mail, tools={"mail": ToolRule(delay_s=5)})
    worker = b.worker()
    task_id = b.submit()
    working = asyncio.create_task(worker.run())
    await asyncio.sleep(10)
    doubtful = b.effect(task_id).state
    b.decide(task_id, EffectState.APPROVED)
    await asyncio.sleep(5)
    worker.stop()
    await working

    assert doubtful is EffectState.IN_DOUBT
    assert b.effect(task_id).state is EffectState.DONE
    assert b.task(task_id).outcome is Outcome.ANSWERED
    assert acts == [1, 1]


async def test_a_delayed_effect_of_a_task_that_ends_badly_waits_for_a_person() -> None:
    sent: list[str] = []

    @tool(effect="send")
    async def mail() -> str:
        """Sends."""
        sent.append("x")
        return "sent"

    async def handle(run: Run) -> Any:
        await run.tool(mail)
        raise ValueError("a bug")

    b = bench(handle, mail, tools={"mail": ToolRule(delay_s=5)})
    worker = b.worker()
    task_id = b.submit()
    working = asyncio.create_task(worker.run())
    await asyncio.sleep(10)
    held = (b.effect(task_id).state, list(sent))
    b.decide(task_id, EffectState.APPROVED)
    await asyncio.sleep(5)
    worker.stop()
    await working

    assert held == (EffectState.HELD, [])
    assert sent == ["x"]
    assert b.task(task_id).outcome is Outcome.DEAD_LETTERED


async def ask(run: Run) -> str:
    return (await run.model([{"role": "user", "content": "hello"}])).text


@pytest.mark.parametrize(
    ("answers", "outcome", "calls"),
    [
        ([ModelOutage("down"), ModelOutage("down"), completion("hi")], Outcome.ANSWERED, 3),
        ([ModelOutage("down")], Outcome.DEAD_LETTERED, 3),
        ([ModelRefusedRequest("bad request")], Outcome.DEAD_LETTERED, 1),
    ],
)
async def test_a_model_that_is_down_is_tried_later_and_one_that_says_no_is_not(
    answers: list[Any], outcome: Outcome, calls: int
) -> None:
    client = script(*answers)
    b = bench(ask, clients={FIRST: client}, models=(model(attempts=1),))
    task = await b.done()

    assert task.outcome is outcome
    assert len(client.bodies) == calls
    if outcome is Outcome.DEAD_LETTERED:
        assert task.reason_code == C.MODEL_FAILURE
