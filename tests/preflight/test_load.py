"""Load is judged by success, duplicates, queueing and cost; what nobody has declared is asked for."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from airworthy.core.outcome import Outcome
from airworthy.evals import Act, Case, Expect
from airworthy.policy import Policy
from airworthy.preflight import load
from airworthy.preflight.cell import CellResult, State
from airworthy.preflight.crowd_settings import LoadSettings
from airworthy.preflight.plan import Cell, Context, Golden
from airworthy.preflight.report import Verdict
from airworthy.preflight.settings import PreflightSettings
from airworthy.preflight.stage.script import Played
from airworthy.runtime import Agent
from tests.preflight.histories import played, step


def _policy(**said: Any) -> Policy:
    return Policy.model_validate({"agent": "support", "purpose": "tests", **said})


def _alone(user: str, acts: tuple[Act, ...] = (), took: float = 0.0) -> Golden:
    case = Case(id=f"case-{user}", input="Where is it?", user=user, expect=Expect(outcome=("answered",)))
    steps = [step(1, "chat", kind="model", effect=None, took=took)]
    return Golden(case, played(steps, acts=acts))


def _ctx(policy: Policy | None = None, golden: tuple[Golden, ...] | None = None, **said: Any) -> Context:
    known = policy or _policy()
    settings = PreflightSettings(load=LoadSettings(**said))
    chosen = golden if golden is not None else (_alone("ann"), _alone("bob"))
    return Context(Agent(known, tools=[]), known, (), chosen, 7, settings)


def _run(waited_s: float = 0.0, **said: Any) -> Played:
    handed_in = step(0, "input", kind="input", effect=None, at=0.0, took=0.0)
    begun = step(1, "input", kind="check", effect=None, at=waited_s)
    return played([handed_in, begun], **said)


def _judged(ctx: Context, runs: list[Played]) -> CellResult:
    (cell,) = load.plan(ctx)
    return asyncio.run(load.judge(ctx, cell, runs))


def _cell(ctx: Context) -> Cell:
    (cell,) = load.plan(ctx)
    return cell


def test_without_a_declared_volume_it_is_asked_for() -> None:
    ctx = _ctx()
    cell = _cell(ctx)

    assert "per_hour" in cell.lacking
    assert not cell.scripts


def test_the_settings_come_before_the_policys_rate() -> None:
    policy = _policy(admission={"rate": "60/min"})

    assert load.declared(policy, LoadSettings()) == load.Volume(
        3600.0, "60 per minute, the policy's admission rate"
    )
    said = load.declared(policy, LoadSettings(per_hour=90))
    assert said is not None
    assert said.per_hour == 90


def test_ten_times_the_volume_is_handed_in() -> None:
    cell = _cell(_ctx(per_hour=360, tasks=100))

    assert cell.arrivals_s is not None
    assert cell.arrivals_s[-1] == pytest.approx(100.0, rel=0.02)
    assert len({script.case.session for script in cell.scripts}) == 100


def test_no_more_tasks_than_a_days_cap_lets_act() -> None:
    rule = {"effect": "send", "recipient_arg": "to", "per_recipient_per_day": 3}
    mail = (Act("send", {"to": "ann@x.example"}),)
    ctx = _ctx(_policy(tools={"send": rule}), (_alone("ann", mail),), per_hour=10, tasks=50)

    assert len(_cell(ctx).scripts) == 3


def test_calls_take_the_time_that_they_took() -> None:
    ctx = _ctx(golden=(_alone("ann", took=2.5),), per_hour=10, tasks=2)

    (fault,) = _cell(ctx).scripts[0].faults

    assert (fault.on, fault.nth, fault.fault.kind, fault.fault.seconds) == ("model", 1, "slow", 2.5)


def test_a_crowd_that_was_served_passes() -> None:
    ctx = _ctx(per_hour=10, tasks=4)

    result = _judged(ctx, [_run()] * 4)

    assert (result.state, result.passed, result.runs) == (State.PASSED, 4, 4)
    assert result.interval is not None
    section = load.section(ctx, [result])
    assert section.verdict is Verdict.GO
    assert section.sentence.startswith(
        "4 of 4 tasks ended as expected at 10 times the declared volume; 0 acts"
    )


@pytest.mark.parametrize(
    ("bad", "kind", "words"),
    [
        (_run(outcome=Outcome.DEAD_LETTERED), "outcome", "run 1"),
        (_run(acts=[Act("send", {"to": "x"}, times=2)]), "duplicate_effect", "run 1"),
        (_run(waited_s=90.0), "queueing", "60 s are allowed"),
        (_run(cost_nano=9_000_000), "cost", "alone"),
        (played(), "queueing", "never begun"),
    ],
)
def test_what_goes_wrong_in_a_crowd_is_said(bad: Played, kind: str, words: str) -> None:
    ctx = _ctx(per_hour=10, tasks=4)

    result = _judged(ctx, [bad, _run(), _run(), _run()])

    assert result.state is State.FAILED
    assert kind in {finding.kind for finding in result.findings}
    assert words in " ".join(finding.text for finding in result.findings)
    assert load.section(ctx, [result]).verdict is Verdict.NO_GO


def test_places_that_are_taken_make_the_next_ones_wait() -> None:
    assert load.queued_s([0.0, 0.0, 1.0], [10.0, 4.0, 1.0], places=2) == [0.0, 0.0, 3.0]


def test_too_few_places_are_found_though_the_stage_has_room() -> None:
    ctx = _ctx(per_hour=3600, tasks=20, places=1)
    slow = _run()
    slow = replace(slow, trial=replace(slow.trial, seconds=30.0))

    result = _judged(ctx, [slow] * 20)

    assert [finding.kind for finding in result.findings] == ["queueing"]


def test_a_bound_of_the_day_that_such_a_volume_reaches_is_told() -> None:
    policy = _policy(tools={"send": {"effect": "send", "per_day": 1000}}, budgets={"day_usd": 5.0})
    mail = (Act("send", {"to": "x"}),)
    ctx = _ctx(policy, (_alone("ann", mail), _alone("bob", mail)), per_hour=20, tasks=4)

    result = _judged(ctx, [_run(acts=mail)] * 4)

    assert result.evidence["bounds_reached"] == "per_day of send after 5.0 hours"


@pytest.mark.parametrize(("share", "expected"), [(0.5, 2.0), (0.95, 4.0), (0.0, 1.0), (1.0, 4.0)])
def test_quantiles_are_values_that_were_seen(share: float, expected: float) -> None:
    assert load.quantile([1.0, 2.0, 3.0, 4.0], share) == expected
