"""Who runs together, what is held against them, and what is forgiven to those who gave way."""

import asyncio
from typing import Any

import pytest

from airworthy.core.outcome import Outcome
from airworthy.evals import Act, Case, Expect, Severity, ToolExpect
from airworthy.policy import Policy
from airworthy.preflight import concurrency
from airworthy.preflight.cell import CellResult, State
from airworthy.preflight.crowd_settings import ConcurrencySettings
from airworthy.preflight.plan import Cell, Context, Golden
from airworthy.preflight.report import Verdict
from airworthy.preflight.settings import PreflightSettings, ToolSettings
from airworthy.preflight.stage import Recording
from airworthy.preflight.stage.recording import ToolResult
from airworthy.preflight.stage.script import Played, Script
from airworthy.runtime import Agent
from airworthy.tools import tool
from tests.preflight import kit
from tests.preflight.histories import change, played, read, step

REFUND = (Act("refund", {"order_id": 1}),)


def _golden(user: str, *, changes: bool = False) -> Golden:
    steps = [step(0, "input", f"I am {user}.", kind="input", effect=None), read(1, 0)]
    steps += [change(2, 1)] if changes else []
    acts = (ToolExpect(name="refund"),) if changes else ()
    case = Case(
        id=f"case-{user}", input=f"I am {user}.", user=user, session=f"s-{user}",
        expect=Expect(outcome=("answered",), acts=acts), severity=Severity.MINOR,
    )  # fmt: skip
    return Golden(case, played(steps, acts=REFUND if changes else ()))


def _ctx(*golden: Golden, tools: Any = None, policy: Any = None, **said: Any) -> Context:
    known = Policy.model_validate({"agent": "support", "purpose": "tests", **(policy or {})})
    settings = PreflightSettings(concurrency=ConcurrencySettings(**said), tools=tools or {})
    return Context(Agent(known, tools=[]), known, (), golden, 7, settings)


def _judged(ctx: Context, cell: Cell, runs: list[Played]) -> CellResult:
    return asyncio.run(concurrency.judge(ctx, cell, runs))


def test_without_a_golden_run_there_is_nothing_to_run_many_of() -> None:
    ctx = _ctx()
    (cell,) = concurrency.plan(ctx)

    assert "No golden case" in cell.lacking
    assert concurrency.section(ctx, []).verdict is Verdict.INCONCLUSIVE


def test_strangers_meet_at_once_each_with_a_word_and_a_session_of_their_own() -> None:
    (cell,) = concurrency.plan(_ctx(_golden("ann"), _golden("bob"), runs=10))

    assert cell.id == "concurrency/mixed"
    assert cell.arrivals_s == (0.0,) * 10
    assert len({script.case.session for script in cell.scripts}) == 10
    assert len({script.case.input for script in cell.scripts}) == 10
    assert [script.case.user for script in cell.scripts[:4]] == ["ann", "bob", "ann", "bob"]


def test_a_case_that_changes_what_it_read_is_run_many_times_over() -> None:
    cells = concurrency.plan(_ctx(_golden("ann", changes=True), _golden("bob"), runs=4, same_runs=3))

    assert [cell.id for cell in cells] == ["concurrency/mixed", "concurrency/same/case-ann"]
    assert cells[1].title == "3 runs of case-ann at once, all on order:1"
    assert {script.case.input for script in cells[1].scripts} == {"I am ann."}


def test_a_cap_of_the_policy_bounds_how_many_act() -> None:
    policy = {"tools": {"refund": {"effect": "write", "per_day": 4}}}
    cells = concurrency.plan(_ctx(_golden("ann", changes=True), policy=policy, same_runs=10))

    assert len(cells[1].scripts) == 4


@pytest.mark.parametrize(("stand_in", "brought"), [("recorded", 1), ("mine:pretend", 0)])
def test_each_brings_its_recorded_results_but_for_tools_with_a_world(stand_in: str, brought: int) -> None:
    known = _golden("ann")
    recording = Recording(
        "case", known.played.recording.steps, (ToolResult("get_order", {"order_id": 1}, {"id": 1}),)
    )
    golden = Golden(known.case, Played(known.played.trial, recording))
    ctx = _ctx(golden, tools={"get_order": ToolSettings(stand_in=stand_in)}, runs=2)

    assert len(concurrency.plan(ctx)[0].scripts[0].case.results) == brought


def _same(*runs: Played) -> CellResult:
    ctx = _ctx(_golden("ann", changes=True), same_runs=len(runs))
    return _judged(ctx, concurrency.plan(ctx)[1], list(runs))


def test_runs_in_turn_pass() -> None:
    result = _same(
        played([read(1, 0), change(2, 1)], acts=REFUND), played([read(1, 1), change(2, 2)], acts=REFUND)
    )

    assert (result.state, result.passed) == (State.PASSED, 2)
    assert result.evidence["resources"] == [
        {"resource": "order:1", "looked_at": 2, "changed": 2, "ordered_by": "version"}
    ]


def test_a_lost_update_fails_though_every_run_ended_well() -> None:
    result = _same(
        played([read(1, 0), change(2, 2)], acts=REFUND), played([read(1, 0), change(2, 1)], acts=REFUND)
    )

    assert (result.state, result.passed) == (State.FAILED, 2)
    assert result.findings[0].kind == "lost_update"
    assert "run 1 (case-ann) read order:1 at version 0, then run 2 (case-ann) changed it" in result.why


def test_who_was_told_to_look_again_may_end_with_a_person() -> None:
    gave_way = played([read(1, 0)], outcome=Outcome.ESCALATED, errors={"refund": "ResourceChanged"})

    result = _same(played([read(1, 0), change(2, 1)], acts=REFUND), gave_way)

    assert result.state is State.PASSED
    assert result.evidence["gave_way"] == 1


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        (played(outcome=Outcome.ESCALATED), "outcome"),
        (played(outcome=None, errors={"refund": "ResourceChanged"}), "no_outcome"),
        (played(acts=[Act("refund", {}, times=2)], errors={"refund": "ResourceChanged"}), "duplicate_effect"),
    ],
)
def test_nothing_else_is_forgiven(bad: Played, kind: str) -> None:
    result = _same(played([read(1, 0), change(2, 1)], acts=REFUND), bad)

    assert result.state is State.FAILED
    assert kind in {finding.kind for finding in result.findings}


def test_the_section_says_in_words_what_came_of_it() -> None:
    ctx = _ctx(_golden("ann"), _golden("bob"), runs=2)
    (cell,) = concurrency.plan(ctx)
    well = _judged(ctx, cell, [played(), played()])
    told = played(answer=f"As {cell.about.canaries[0]} said.")
    leaked = _judged(ctx, cell, [played(), told])

    assert concurrency.section(ctx, [well]).verdict is Verdict.GO
    assert concurrency.section(ctx, [well]).sentence.endswith(
        "nothing done twice. No golden case changes something that it has read."
    )
    section = concurrency.section(ctx, [leaked])
    assert section.verdict is Verdict.NO_GO
    assert section.sentence.startswith("Runs at the same time got into each other's way: ")
    assert "which belongs to run 1 (case-ann), stands in the answer of run 2 (case-bob)" in section.sentence
    assert section.facts["cross_talk"] == 1


async def _looked_up(order_id: int) -> dict[str, Any]:
    """Finds an order by its number."""
    return {"id": order_id, "status": "shipped", "paid_cents": 1200}


async def _paid_back(order_id: int, cents: int, *, idempotency_key: str) -> dict[str, Any]:
    """Pays back."""
    raise AssertionError("an act left the house")


async def _five_at_once(resource: str | None) -> CellResult:
    look = tool(name="find_order", resource=resource)(_looked_up)
    pay = tool(name="refund", effect="write", keyed=True, resource=resource)(_paid_back)
    agent = kit.agent_of(None, look, pay)
    wanted = kit.case("Please refund order 1001.", expect=Expect(outcome=("answered",)))
    async with kit.stage_of(agent) as stage:
        alone = Golden(wanted, await stage.play(Script(wanted)))
        ctx = Context(agent, agent.policy, (wanted,), (alone,), 7, _ctx(same_runs=5).settings)
        cell = concurrency.plan(ctx)[1]
        runs = await stage.together(list(cell.scripts), list(cell.arrivals_s or ()))
        return await concurrency.judge(ctx, cell, runs)


@pytest.mark.slow
def test_on_the_stage_a_named_resource_keeps_runs_apart_and_an_unnamed_one_does_not() -> None:
    """Slow: two stages, and eleven runs on them."""
    named = kit.played(_five_at_once("order:{order_id}"))
    unnamed = kit.played(_five_at_once(None))

    assert (named.state, named.passed) == (State.PASSED, 5)
    assert named.evidence["resources"][0]["ordered_by"] == "version"
    assert unnamed.state is State.FAILED
    assert {finding.kind for finding in unnamed.findings} <= {"lost_update", "interleaved"}
    assert unnamed.evidence["resources"][0] == {
        "resource": "order_id = 1001", "looked_at": 5, "changed": 5, "ordered_by": "time",
    }  # fmt: skip


def test_no_word_of_strangers_where_there_are_none() -> None:
    ctx = _ctx(_golden("ann"), _golden("ann"), runs=2)
    (cell,) = concurrency.plan(ctx)

    section = concurrency.section(ctx, [_judged(ctx, cell, [played(), played()])])

    assert "cross-talk" not in section.sentence
    assert "of one user" in section.facts["not_tried"][0]["text"]
