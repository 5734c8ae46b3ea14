"""Dependencies over whole tasks: gaps in outcomes, shared breakers, outages, and what must be well to begin."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from airworthy.app.build import App, cautions, worker
from airworthy.app.places import Places, shared_places
from airworthy.core.outcome import Outcome, ReasonCode
from airworthy.policy import (
    BreakerRule,
    DependencyRule,
    Escalation,
    HealthRule,
    OutageRule,
    Preconditions,
    RuntimeRules,
    ToolRule,
)
from airworthy.resilience.shared import Hand, decide, listing
from airworthy.runtime import Agent, Run, State, SyncRun, documents
from airworthy.store.lease import Owner
from airworthy.tools import Tool, Transient, tool
from tests.gateway.http.kit import Peer, answering, serving
from tests.gateway.kit import FIRST, completion, model, script
from tests.runtime.kit import Bench, bench
from tests.tools.kit import Script
from tests.tools.test_clients import hangs, http

DOWN = Transient("down")
AWAY = OutageRule(begin="15:30", end="16:20")  # The clock of tests starts at 16:00 UTC.


def looking(answers: Script) -> Tool:
    @tool(dependency="crm")
    async def look(customer: str = "7") -> str:
        """Looks a customer up."""
        return str(answers.next())

    return look


async def look(run: Run) -> Any:
    return await run.tool("look")


def on(answers: Script, handler: Any = look, *, rule: ToolRule | None = None, **policy: Any) -> Bench:
    rules = {"look": rule or ToolRule(attempts=1)}
    about = {"dependencies": {"crm": DependencyRule(critical=False, fallback="last_good")}, **policy}
    return bench(handler, looking(answers), tools=rules, **about)


async def test_an_answer_names_what_is_missing_in_its_outcome() -> None:
    k = on(Script("Ada", DOWN))
    whole = await k.done()
    await asyncio.sleep(7200)
    task = await k.done()

    assert (whole.outcome, task.outcome) == (Outcome.ANSWERED, Outcome.ANSWERED)
    assert whole.why is not None
    assert (whole.why.text, documents.gaps_of(whole)) == ("Answered.", [])
    assert task.why is not None
    assert task.why.text == "Answered. crm (look) did not answer; what it said 2 hours before took its place."
    (gap,) = documents.gaps_of(task)
    assert (gap["tool"], gap["dependency"], gap["instead"]) == ("look", "crm", "last_good")
    assert (gap["why"], gap["age_s"]) == ("look: Transient: down", pytest.approx(7200, abs=1))
    assert documents.task_document(task)["gaps"] == [gap]
    assert k.answer(task.id) == "Ada"


async def test_a_gap_is_told_as_a_sentence_of_its_own_after_a_reason_that_ends_in_none() -> None:
    task = await on(Script(DOWN)).done()

    assert task.why is not None
    assert "Transient: down. crm (look) did not answer" in task.why.text


async def test_the_run_sees_its_gaps_and_a_resumed_one_sees_the_same() -> None:
    seen: list[list[str]] = []

    async def careful(run: Run) -> str:
        value = await run.tool("look")
        seen.append([gap.instead for gap in run.gaps])
        await run.sleep(60)
        return f"{value}, as of old" if run.gaps else str(value)

    answers = Script("Ada", DOWN, "Grace")
    k = on(answers, careful)
    await k.done()
    task = await k.done()

    assert k.answer(task.id) == "Ada, as of old"
    assert seen == [[], [], ["last_good"], ["last_good"]]
    assert len(answers.calls) == 2


async def test_a_plain_agent_sees_them_too() -> None:
    def plain(run: SyncRun) -> int:
        assert run.answer("look", {}).value is None
        return len(run.gaps)

    k = on(Script(DOWN), plain, dependencies={"crm": DependencyRule(critical=False, fallback="nothing")})
    task = await k.done()

    assert k.answer(task.id) == 1


async def test_the_built_in_loop_tells_the_model_what_it_works_with() -> None:
    calls = [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    asks = completion(choices=[{"message": message, "finish_reason": "tool_calls"}])
    client = script(asks, completion("Something like Ada."))

    async def loop(run: Run) -> str:
        return await run.loop(instructions="Look.")

    k = bench(
        loop, looking(Script(DOWN)), clients={FIRST: client}, models=(model(),),
        tools={"look": ToolRule(attempts=1)},
        dependencies={"crm": DependencyRule(critical=False, fallback="nothing")},
    )  # fmt: skip
    await k.done()

    told = client.bodies[1]["messages"][-1]["content"]
    assert told == '{"note":"crm (look) did not answer; nothing took its place.","result":null}'


@pytest.mark.slow  # On PostgreSQL, where each of its many looks is a journey.
async def test_in_an_outage_a_critical_task_waits_for_its_end_and_no_attempt_is_spent() -> None:
    answers = Script("Ada")
    k = on(
        answers, dependencies={"crm": DependencyRule(outages=(AWAY,))}, runtime=RuntimeRules(attempts_max=1)
    )
    task = k.submit()
    working = asyncio.create_task(k.work())
    await asyncio.sleep(60)
    waits = k.task(task)
    await working

    assert (waits.state, waits.waiting_for) == (
        State.WAITING,
        "crm, which is away until 2025-11-24 16:20 UTC",
    )
    assert k.task(task).outcome is Outcome.ANSWERED
    assert answers.calls == [pytest.approx(1200, abs=1)]


@contextlib.asynccontextmanager
async def working(app: App, agent: Agent, name: str) -> AsyncIterator[Places]:
    owner = Owner(name, "", 1, "")
    async with shared_places(app.database, app.clock, owner) as places:
        made = worker(app, [agent], concurrency=4, owner=owner, places=places)
        running = asyncio.create_task(made.run())
        try:
            yield places
        finally:
            made.stop()
            await running


def two_agents(answers: Script) -> tuple[Bench, Bench]:
    rule = DependencyRule(critical=False, breaker=BreakerRule(calls_min=4))
    first = on(answers, dependencies={"crm": rule})
    other = Agent(first.agent.policy.model_copy(update={"agent": "second"}), tools=first.agent.tools)
    other.task(look)
    return first, Bench(first.app, other)


async def test_what_one_worker_finds_down_no_other_asks() -> None:
    answers = Script(DOWN)
    first, second = two_agents(answers)
    async with working(first.app, first.agent, "wkr_1"), working(first.app, second.agent, "wkr_2"):
        for _ in range(4):
            first.submit()
        await asyncio.sleep(2)
        asked = len(answers.calls)
        task = second.submit()
        await asyncio.sleep(2)
    rows = first.app.database.read_now(listing)

    assert (asked, len(answers.calls)) == (4, 4)
    assert "CircuitOpen" in second.steps(task)[-2].error.message  # type: ignore[union-attr]
    assert [(row.name, row.state.mode.value) for row in rows] == [("dependency:crm", "open")]


async def test_a_breaker_opened_by_hand_is_obeyed_and_closed_again_by_hand() -> None:
    answers = Script("Ada")
    first, _ = two_agents(answers)

    def told(*, opens: bool) -> None:
        hand = Hand(opens=opens, reason="moved", by_whom="dana")
        first.app.database.write_now(lambda tx: decide(tx, "dependency:crm", hand, first.app.clock.now_us()))

    async with working(first.app, first.agent, "wkr_1"):
        first.submit()
        await asyncio.sleep(2)
        told(opens=True)
        await asyncio.sleep(1)
        first.submit()
        await asyncio.sleep(2)
        asked_while_open = len(answers.calls)
        told(opens=False)
        await asyncio.sleep(1)
        first.submit()
        await asyncio.sleep(2)

    assert (asked_while_open, len(answers.calls)) == (1, 2)


async def test_tools_that_name_no_dependency_share_no_breaker_with_another_agents() -> None:
    @tool(name="look")
    async def alone(customer: str = "7") -> str:
        """Looks."""
        return customer

    one, two = bench(look, alone), bench(look, alone, agent="second")
    for each in (one, two):
        async with working(each.app, each.agent, "wkr_1"):
            each.submit()
            await asyncio.sleep(2)
    names = [row.name for each in (one, two) for row in each.app.database.read_now(listing)]

    assert names == ["tool:support/look", "tool:second/look"]


def needing(port: int, **preconditions: Any) -> dict[str, Any]:
    rule = DependencyRule(
        base_url=f"http://127.0.0.1:{port}", internal=True, health=HealthRule(timeout_s=2.0),
    )  # fmt: skip
    return {
        "dependencies": {"crm": rule},
        "preconditions": Preconditions(dependencies=("crm",), **preconditions),
        "escalation": Escalation(default="leads"),
    }


async def test_a_task_begins_when_what_it_needs_is_well() -> None:
    async with serving(answering(http())) as site:
        k = on(Script("Ada"), **needing(site.port))
        task = await k.done()

    assert task.outcome is Outcome.ANSWERED
    assert [step.name for step in k.steps(task.id) if step.kind == "check"] == ["input", "output"]


@pytest.mark.parametrize(
    ("otherwise", "outcome", "to"),
    [("decline", Outcome.DECLINED, ""), ("escalate", Outcome.ESCALATED, "leads")],
)
async def test_a_task_that_cannot_begin_fails_fast(otherwise: str, outcome: Outcome, to: str) -> None:
    """The health check hangs; it ends at its own time, and no step of the task was made."""
    answers = Script("Ada")
    async with serving(hangs) as site:
        k = on(answers, **needing(site.port, otherwise=otherwise))
        task = await k.done()

    assert task.why is not None
    assert (task.outcome, task.why.code, task.why.to) == (outcome, ReasonCode.TOOL_FAILURE, to)
    assert task.why.text.endswith("crm: it did not answer within 2 s")
    assert answers.calls == []
    assert asyncio.get_running_loop().time() < 3


async def test_a_task_that_cannot_begin_waits_until_it_can_and_is_charged_no_time() -> None:
    async def down_at_first(peer: Peer) -> None:
        await peer.request()
        peer.write(http("503 Service Unavailable") if len(peer.site.requests) < 5 else http())

    async with serving(down_at_first) as site:
        k = on(Script("Ada"), runtime=RuntimeRules(attempts_max=1), **needing(site.port))
        task = k.submit()
        running = asyncio.create_task(k.work())
        await asyncio.sleep(5)
        waits = k.task(task)
        await running

    assert waits.waiting_for == "what it needs to be well (crm: it answered 503 instead of 200)"
    assert k.task(task).outcome is Outcome.ANSWERED
    assert len(site.requests) == 5
    assert k.task(task).active_us < 1_000_000


async def test_waiting_to_begin_has_an_end() -> None:
    async with serving(hangs) as site:
        k = on(Script("Ada"), **needing(site.port, wait_s_max=100.0))
        task = await k.done()

    assert (task.outcome, task.why and task.why.to) == (Outcome.ESCALATED, "leads")
    assert asyncio.get_running_loop().time() == pytest.approx(100, abs=5)


async def test_a_dependency_that_is_not_critical_holds_no_task_up() -> None:
    rule = DependencyRule(critical=False, fallback="nothing", outages=(AWAY,))
    needed = Preconditions(dependencies=("crm",), otherwise="decline")
    k = on(Script("Ada"), dependencies={"crm": rule}, preconditions=needed)
    task = await k.done()

    assert task.outcome is Outcome.ANSWERED
    assert [gap["instead"] for gap in documents.gaps_of(task)] == ["nothing"]


async def test_a_task_that_has_begun_is_not_held_up_again() -> None:
    async def twice(run: Run) -> str:
        await run.tool("look")
        await run.sleep(30)
        return str(await run.tool("look"))

    async with serving(answering(http(), http("503 Service Unavailable"))) as site:
        k = on(Script("Ada"), twice, **needing(site.port, otherwise="decline"))
        task_id, worker = k.submit(), k.worker()
        worker.chores = ()  # Its scheduled check would be another request.
        await worker.run(until_idle=True)

    assert k.task(task_id).outcome is Outcome.ANSWERED
    assert len(site.requests) == 1


async def test_a_dependency_that_no_tool_names_is_mentioned_at_the_start() -> None:
    k = on(Script("Ada"), dependencies={"crm": DependencyRule(), "mail": DependencyRule()})

    assert cautions(k.agent) == [
        "The policy of support declares the dependency 'mail', and no tool names it."
    ]
