"""What a dead worker had begun under a key is asked again before its task is put down, however the next run ends."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from airworthy.policy import ToolRule
from airworthy.policy.review_rule import ReviewRules, WaitRule
from airworthy.runtime import Run, State
from airworthy.tools import EffectState, Tool, Transient, tool
from tests.runtime.kit import Bench, bench

# One call a life, so that each is seen; the first has no end by itself.
ONCE = ToolRule(attempts=1, timeout_s=90.0)
POLICY: dict[str, Any] = {
    "tools": {"mail": ONCE, "post": ONCE},
    "review": ReviewRules(questions=WaitRule(to="desk")),
}
LATE_S = 0.5  # For a branch of the agent to come to its call after the others have ended the run.


class Service:
    """The other side. What reaches it in the first life is never answered; later it answers as written."""

    def __init__(self, *answers: Any) -> None:
        self.keys: list[str] = []
        self.answers = list(answers)
        self.first = True

    async def take(self, key: str) -> str:
        self.keys.append(key)
        if self.first:
            await asyncio.Event().wait()
        answer = self.answers.pop(0) if self.answers else "ok"
        if isinstance(answer, BaseException):
            raise answer
        return str(answer)


def tools(service: Service) -> tuple[Tool, Tool]:
    @tool(effect="send", keyed=True)
    async def mail(to: str, *, idempotency_key: str) -> str:
        """Sends under a key."""
        return await service.take(idempotency_key)

    @tool(effect="write")
    async def post(to: str) -> str:
        """Writes without one."""
        return await service.take("")

    return mail, post


async def after_a_death(b: Bench, service: Service) -> tuple[State, dict[str, EffectState]]:
    """The first worker dies while the acts are under way, and a second takes over: what became of task and effects."""
    task = b.submit("ada")
    working = asyncio.create_task(b.worker().run())
    await asyncio.sleep(1)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    service.first = False
    working = asyncio.create_task(b.worker().run())
    await asyncio.sleep(30)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    return b.task(task).state, {row.tool: row.state for row in b.app.operations.effects(task)}


async def test_an_act_without_a_key_in_doubt_leaves_none_with_a_key_in_doubt_beside_it() -> None:
    service = Service()

    async def agent(run: Run) -> None:
        async def late() -> None:
            await asyncio.sleep(LATE_S)
            await run.tool("mail", to="ada")

        await asyncio.gather(run.tool("post", to="ada"), late())

    became = await after_a_death(bench(agent, *tools(service), **POLICY), service)

    assert became == (State.ESCALATED, {"post": EffectState.IN_DOUBT, "mail": EffectState.DONE})
    assert len(service.keys) == 3
    assert len(set(service.keys) - {""}) == 1


async def declines(run: Run) -> None:
    run.decline("Not mine.")


async def escalates(run: Run) -> None:
    run.escalate("Ask somebody.")


async def breaks(run: Run) -> None:
    raise ValueError("a bug")


async def asks(run: Run) -> None:
    await run.ask("Shall we?")


async def sleeps(run: Run) -> None:
    await run.sleep(86_400 * 3)


async def returns(run: Run) -> None:
    """As if it had never begun anything."""


ENDS = [
    (declines, State.DECLINED, EffectState.DONE, "its task is closed, and nobody would ask again"),
    (escalates, State.ESCALATED, EffectState.DONE, "people get what only they can know"),
    (breaks, State.DEAD_LETTERED, EffectState.DONE, "a bug in the agent makes no doubt about the world"),
    (asks, State.WAITING, EffectState.DONE, "an answer may take longer than a key is honoured"),
    (sleeps, State.WAITING, EffectState.DONE, "a sleep may take longer than a key is honoured"),
    (returns, State.ESCALATED, EffectState.IN_DOUBT, "on another path a person decides what is left to do"),
]


@pytest.mark.parametrize(("end", "state", "effect", "why"), ENDS, ids=[row[0].__name__ for row in ENDS])
async def test_a_run_that_ends_before_it_comes_to_what_was_begun_brings_it_to_its_end(
    end: Callable[[Run], Awaitable[None]], state: State, effect: EffectState, why: str
) -> None:
    service = Service()

    async def agent(run: Run) -> None:
        if service.first:
            await run.tool("mail", to="ada")
        await end(run)

    became = await after_a_death(bench(agent, *tools(service), **POLICY), service)

    assert became == (state, {"mail": effect}), why
    assert len(set(service.keys)) == 1


async def test_a_task_that_people_stopped_asks_for_nothing_again() -> None:
    """Asked again, it might happen for the first time, after they had said that it must not."""
    service = Service()

    async def agent(run: Run) -> None:
        if service.first:
            await run.tool("mail", to="ada")
        b.app.operations.cancel(run.task.id, "dana")
        await asyncio.sleep(30)

    b = bench(agent, *tools(service), **POLICY)
    became = await after_a_death(b, service)

    assert became == (State.CANCELLED, {"mail": EffectState.IN_DOUBT})
    assert len(service.keys) == 1


async def test_what_still_gets_no_answer_under_its_key_is_in_doubt_after_one_more_call() -> None:
    service = Service(Transient("lost"))

    async def agent(run: Run) -> None:
        if service.first:
            await run.tool("mail", to="ada")
        run.decline("Not mine.")

    became = await after_a_death(bench(agent, *tools(service), **POLICY), service)

    assert became == (State.DECLINED, {"mail": EffectState.IN_DOUBT})
    assert len(service.keys) == 2


async def test_arguments_that_held_a_secret_are_not_sent_without_it() -> None:
    service = Service()
    secret = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"

    async def agent(run: Run) -> None:
        if service.first:
            await run.tool("mail", to=secret)
        run.decline("Not mine.")

    became = await after_a_death(bench(agent, *tools(service), **POLICY), service)

    assert became == (State.DECLINED, {"mail": EffectState.IN_DOUBT})
    assert len(service.keys) == 1
