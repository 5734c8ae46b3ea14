"""A decision that comes after the task has ended, or for a tool that has changed: refused or judged again, in words."""

from typing import Any

import pytest

from airworthy.policy import Limits, ToolRule
from airworthy.runtime import Run, State
from airworthy.tools import EffectState, Tool, ToolError, TransitionRefused, tool
from tests.runtime.kit import Bench, bench

ASK = ToolRule(approval="always")


def paying(sent: list[Any]) -> Tool:
    @tool(effect="send")
    async def pay(to: str, amount: float = 5) -> str:
        """Pays."""
        sent.append((to, amount))
        return "ok"

    return pay


async def handle(run: Run) -> str:
    await run.tool("pay", to=run.input)
    return "done"


def end(b: Bench, task: str, state: State) -> None:
    """As its own way would have ended it while its question was open."""
    b.app.database.write_now(
        lambda tx: tx.execute("UPDATE tasks SET state = ?, closed_us = 1 WHERE id = ?", (state, task))
    )


@pytest.mark.parametrize(
    ("state", "mend"),
    [
        (State.ESCALATED, "airworthy task resume"),
        (State.DEAD_LETTERED, "airworthy dead-letter requeue"),
        (State.ANSWERED, "Submit the task again"),
    ],
)
async def test_a_yes_that_nobody_would_act_on_is_refused_and_says_what_to_do_instead(
    state: State, mend: str
) -> None:
    b = bench(handle, paying([]), tools={"pay": ASK})
    task = (await b.done("ada")).id
    end(b, task, state)
    with pytest.raises(TransitionRefused, match="its task ended as") as refused:
        b.decide(task, EffectState.APPROVED)

    assert mend in refused.value.mend
    assert b.effect(task).state is EffectState.HELD
    b.decide(task, EffectState.REJECTED)  # A no is always heard.
    assert b.effect(task).state is EffectState.REJECTED


async def test_opened_again_the_task_asks_again_and_a_yes_is_acted_on() -> None:
    sent: list[Any] = []
    b = bench(handle, paying(sent), tools={"pay": ASK})
    task = (await b.done("ada")).id
    end(b, task, State.ESCALATED)
    b.app.operations.resume_task(task)
    b.decide(task, EffectState.APPROVED)
    await b.work()

    assert (b.task(task).state, sent) == (State.ANSWERED, [("ada", 5)])


async def test_a_yes_after_the_cancellation_is_refused() -> None:
    sent: list[Any] = []
    b = bench(handle, paying(sent), tools={"pay": ASK})
    task = (await b.done("ada")).id
    b.app.operations.cancel(task, "dana")
    with pytest.raises(TransitionRefused, match="is cancelled; nobody can make it approved now"):
        b.decide(task, EffectState.APPROVED)
    await b.work()

    assert sent == []


async def test_a_question_its_task_left_behind_is_no_question_any_more() -> None:
    """The agent took another way when it was called again, and was answered without what it had asked for."""
    turns: list[int] = []
    sent: list[Any] = []

    async def fickle(run: Run) -> str:
        turns.append(1)
        if len(turns) == 1:
            await run.tool("pay", to=run.input)
        return "done"

    b = bench(fickle, paying(sent), tools={"pay": ASK})
    task = (await b.done("ada")).id
    b.decide(task, EffectState.APPROVED)
    await b.work()

    row = b.effect(task)
    assert (b.task(task).state, row.state, sent) == (State.ANSWERED, EffectState.CANCELLED, [])
    assert row.note == "its task was answered without it"


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        (ToolRule(amount_arg="amount", amount_max=3.0), "the policy allows at most 3"),
        (ToolRule(recipient_arg="to", recipients=("bob",)), "not among the recipients"),
        (ToolRule(dry_run=True), "only rehearsed now"),
    ],
)
async def test_a_yes_under_an_earlier_policy_is_judged_by_the_one_that_holds_now(
    rule: ToolRule, sentence: str
) -> None:
    sent: list[Any] = []
    b = bench(handle, paying(sent), tools={"pay": ASK})
    task = (await b.done("ada")).id
    b.decide(task, EffectState.APPROVED)
    now = bench(handle, paying(sent), database=b.app.database, tools={"pay": rule})
    await now.work()

    why = b.task(task).why
    assert sent == []
    assert why is not None
    assert sentence in why.text
    assert b.effect(task).state is EffectState.CANCELLED


async def test_a_yes_for_a_tool_that_takes_other_arguments_now_is_told_to_the_agent_and_withdrawn() -> None:
    @tool(effect="send", name="pay")
    async def other(account: str) -> str:
        """Pays otherwise."""
        return account

    async def handled(run: Run) -> str:
        try:
            await run.tool("pay", to=run.input)
        except ToolError as error:
            return str(error)
        return "done"

    b = bench(handled, paying([]), tools={"pay": ASK})
    task = (await b.done("ada")).id
    b.decide(task, EffectState.APPROVED)
    await bench(handled, other, database=b.app.database, tools={"pay": ASK}).work()

    assert "break its schema" in b.answer(task)
    assert b.effect(task).state is EffectState.CANCELLED


async def test_a_yes_after_the_time_of_its_task_was_used_up_is_not_carried_out() -> None:
    sent: list[Any] = []
    b = bench(handle, paying(sent), tools={"pay": ASK}, limits=Limits(seconds=5.0))
    task = (await b.done("ada")).id
    b.app.database.write_now(lambda tx: tx.execute("UPDATE tasks SET active_us = 6000000"))
    b.decide(task, EffectState.APPROVED)
    await b.work()

    assert (b.task(task).state, sent) == (State.ESCALATED, [])
