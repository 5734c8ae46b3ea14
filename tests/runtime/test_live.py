"""A live agent runs only under the very policy that a person approved, and is told everything that is missing."""

from typing import Any

import pytest

from airworthy.app.build import worker
from airworthy.core.errors import InputError
from airworthy.core.outcome import Outcome
from airworthy.policy import Escalation, NotReadyToGoLive, Owner, ToolRule
from airworthy.runtime import Agent, AgentDefinitionError, Run
from airworthy.tools import tool
from tests.gateway.kit import FIRST, completion, model, script
from tests.runtime.kit import Bench, bench

READY: dict[str, Any] = {
    "stage": "general",
    "owner": Owner(name="Dana", contact="dana@example.com", review="weekly"),
    "escalation": Escalation(default="support"),
    "models": (model(),),
    "tools": {"look": ToolRule()},
}


@tool
async def look() -> str:
    """Looks."""
    return "seen"


async def handle(run: Run) -> str:
    return str(await run.tool(look))


def live(*changes: Any, **policy: Any) -> Bench:
    return bench(handle, look, *changes, clients={FIRST: script(completion())}, **{**READY, **policy})


def gaps(b: Bench) -> set[str]:
    with pytest.raises(NotReadyToGoLive) as raised:
        b.worker()
    for gap in raised.value.gaps:
        assert str(gap) in str(raised.value)
    return {gap.subject for gap in raised.value.gaps}


async def test_without_an_approval_it_does_not_start() -> None:
    assert gaps(live()) == {"approval"}


async def test_with_an_approval_it_runs() -> None:
    b = live()
    b.app.operations.approve_policy(b.agent.policy, "Dana")

    assert (await b.done()).outcome is Outcome.ANSWERED


async def test_an_approval_of_another_version_of_the_policy_is_none() -> None:
    b = live()
    other = b.agent.policy.model_copy(update={"purpose": "something else"})
    b.app.operations.approve_policy(other, "Dana")

    assert gaps(b) == {"approval"}


async def test_everything_that_is_missing_is_listed_at_once() -> None:
    bare = bench(
        handle,
        look,
        stage="beta",
        models=(model("nobody-knows", pinned=False, input_usd_per_mtok=None, output_usd_per_mtok=None),),
        tools={"gone": ToolRule()},
    )

    assert gaps(bare) == {
        "approval", "owner.name", "owner.contact", "owner.review", "escalation.default", "models[1].name",
        "models[1].input_usd_per_mtok", "tools.gone", "tools.look",
    }  # fmt: skip


async def test_while_developing_nothing_of_it_is_asked() -> None:
    assert (await bench(handle, look).done()).outcome is Outcome.ANSWERED


async def test_an_approval_needs_a_name() -> None:
    b = live()

    with pytest.raises(InputError, match="needs a name"):
        b.app.operations.approve_policy(b.agent.policy, "  ")
    assert b.app.operations.approval("support") is None


async def test_an_agent_without_a_task_function_is_told_so_at_the_start() -> None:
    b = bench(handle, look)
    empty = Agent(b.agent.policy, tools=[look])

    with pytest.raises(AgentDefinitionError, match="no task function"):
        worker(b.app, [empty], concurrency=1)
