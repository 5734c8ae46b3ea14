"""What takes the place of a read whose dependency is down: as the policy says, named, bounded, replayed alike."""

import asyncio
import random
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from airworthy.core.errors import ConfigError
from airworthy.core.halt import Suspend, TryLater
from airworthy.policy import BreakerRule, DependencyRule, Limits, OutageRule, ToolRule
from airworthy.recorder import StepState
from airworthy.tools import (
    EffectState,
    Gap,
    LockedOut,
    Permanent,
    RunTools,
    Tool,
    ToolFailed,
    ToolUnavailable,
    Transient,
    last_good,
    tool,
)
from airworthy.tools.tool import EffectName
from tests.tools.kit import Kit, Script, kit

DOWN = Transient("down")
DAY_S = 86_400


class Customer(BaseModel):
    name: str


def crm(script: Script, name: str = "look") -> Tool:
    @tool(dependency="crm", name=name)
    async def look(customer: str) -> Customer:
        """Looks a customer up."""
        return Customer(name=script.next())

    return look


def degrading(script: Script, fallback: str = "last_good", *more: Tool, **rule: Any) -> tuple[Kit, Tool]:
    look = crm(script)
    rules = {"look": ToolRule(attempts=1, fallback=fallback, **rule)}
    dependency = DependencyRule(critical=False)
    return kit(look, *more, rules=rules, dependencies={"crm": dependency}), look


def gap_notes(k: Kit, task: str = "tsk_1") -> list[Mapping[str, Any]]:
    return [note["gap"] for step in k.steps(task) for note in step.facts.notes if "gap" in note]


async def test_the_last_good_value_takes_the_place_with_its_age_and_the_step_says_so() -> None:
    k, look = degrading(Script("Ada", DOWN))
    assert await k.call(k.run("tsk_0"), look, customer="7") == Customer(name="Ada")
    await asyncio.sleep(3 * 3600)
    run = k.run()

    value = await k.call(run, look, customer="7")

    assert value == Customer(name="Ada")
    (gap,) = run.gaps.left
    assert str(gap) == "crm (look) did not answer; what it said 3 hours before took its place"
    assert gap_notes(k) == [
        {
            "tool": "look",
            "dependency": "crm",
            "instead": "last_good",
            "age_s": 10800.0,
            "why": "look: Transient: down",
        }
    ]
    assert k.steps()[-1].state is StepState.DONE


async def test_a_replay_gives_the_same_value_and_the_same_gap_though_the_dependency_is_back() -> None:
    script = Script("Ada", DOWN, "Grace")
    k, look = degrading(script)
    await k.call(k.run("tsk_0"), look, customer="7")
    first = k.run()
    before = await k.call(first, look, customer="7")
    again = k.run()

    after = await k.call(again, look, customer="7")

    assert (before, first.gaps.left) == (after, again.gaps.left)
    assert len(script.calls) == 2


@pytest.mark.parametrize(("age_s", "found"), [(DAY_S, True), (DAY_S + 1, False)])
async def test_a_value_older_than_its_bound_is_not_used(age_s: int, *, found: bool) -> None:
    k, look = degrading(Script("Ada", DOWN))
    await k.call(k.run("tsk_0"), look, customer="7")
    await asyncio.sleep(age_s)

    if found:
        assert await k.call(k.run(), look, customer="7") == Customer(name="Ada")
        return
    with pytest.raises(ToolUnavailable, match="down"):
        await k.call(k.run(), look, customer="7")
    assert gap_notes(k)[0]["instead"] == "error"


async def test_another_call_has_no_last_good_value() -> None:
    k, look = degrading(Script("Ada", DOWN))
    await k.call(k.run("tsk_0"), look, customer="7")

    with pytest.raises(ToolUnavailable):
        await k.call(k.run(), look, customer="8")


@pytest.mark.parametrize(("whose", "found"), [("user", False), ("anyone", True)])
async def test_what_was_read_for_one_user_is_given_to_another_only_if_the_policy_says_so(
    whose: str, *, found: bool
) -> None:
    k, look = degrading(Script("Ada", DOWN), last_good_for=whose)
    await k.call(k.run("tsk_0", user="ada"), look, customer="7")

    if found:
        assert await k.call(k.run(user="eve"), look, customer="7") == Customer(name="Ada")
        return
    with pytest.raises(ToolUnavailable):
        await k.call(k.run(user="eve"), look, customer="7")
    assert await k.call(k.run("tsk_2", user="ada"), look, customer="7") == Customer(name="Ada")


async def test_a_result_with_a_secret_is_not_kept() -> None:
    """With the secret taken out it would be another value than the tool gave."""
    k, look = degrading(Script("sk-ant-api03-" + "a" * 90, DOWN))
    await k.call(k.run("tsk_0"), look, customer="7")

    with pytest.raises(ToolUnavailable):
        await k.call(k.run(), look, customer="7")
    assert k.database.read_now(lambda tx: tx.rows("SELECT * FROM last_good")) == []


async def test_calls_whose_arguments_differ_only_in_a_secret_do_not_share_a_value() -> None:
    k, look = degrading(Script("Ada", DOWN))
    await k.call(k.run("tsk_0"), look, customer="sk-ant-api03-" + "a" * 90)

    with pytest.raises(ToolUnavailable):
        await k.call(k.run(), look, customer="sk-ant-api03-" + "b" * 90)


async def test_a_value_that_the_tool_would_not_return_any_more_is_not_used() -> None:
    k, look = degrading(Script("Ada", DOWN))
    await k.call(k.run("tsk_0"), look, customer="7")
    k.database.write_now(lambda tx: tx.execute("UPDATE last_good SET body = ?", (b'\x00{"title": "Dr"}',)))

    with pytest.raises(ToolUnavailable):
        await k.call(k.run(), look, customer="7")


def test_kept_values_are_bounded_for_each_tool_and_the_oldest_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a model: seeded keeps of many calls by two tools."""
    monkeypatch.setattr(last_good, "ROWS_MAX", 20)  # Two thousand would take the test seconds.

    async def fill() -> Kit:
        return degrading(Script("Ada"))[0]

    k = asyncio.run(fill())
    chance = random.Random(11)
    kept: dict[str, dict[bytes, int]] = {"a": {}, "b": {}}
    for now_us in range(1, 400):
        name, arguments = chance.choice("ab"), bytes([chance.randrange(60)])
        place = last_good.Place("support", name, "anyone", arguments)
        k.database.write_now(partial(last_good.keep, place=place, packed=b"\x00{}", now_us=now_us))
        of_tool = kept[name]
        of_tool[arguments] = now_us
        if len(of_tool) > 20:
            del of_tool[min(of_tool, key=of_tool.__getitem__)]

    rows = k.database.read_now(lambda tx: tx.rows("SELECT tool, arguments, at_us FROM last_good"))
    assert {(name, each): at_us for name, each, at_us in rows} == {
        (name, each): at_us for name, of_tool in kept.items() for each, at_us in of_tool.items()
    }


async def test_nothing_takes_the_place_if_the_policy_says_nothing() -> None:
    k, look = degrading(Script(DOWN), "nothing")
    assert await k.call(k.run(), look, customer="7") is None
    again = k.run()
    assert await k.call(again, look, customer="7") is None
    assert str(again.gaps.left[0]) == "crm (look) did not answer; nothing took its place"


async def test_the_agent_is_told_where_there_is_no_fallback_and_the_gap_is_named_all_the_same() -> None:
    k, look = degrading(Script(DOWN), "error")
    for _ in range(2):
        run = k.run()
        with pytest.raises(ToolUnavailable):
            await k.call(run, look, customer="7")
        assert run.gaps.left == (Gap("look", "crm", "error", "look: Transient: down"),)


async def test_another_tool_takes_the_place_and_has_its_own_step() -> None:
    @tool
    async def archive(customer: str) -> str:
        """Looks into the archive."""
        return f"archived {customer}"

    script = Script(DOWN)
    k, look = degrading(script, "tool:archive", archive)
    assert await k.call(k.run(), look, customer="7") == "archived 7"
    again = k.run()
    assert await k.call(again, look, customer="7") == "archived 7"
    assert [(step.name, step.state) for step in k.steps()] == [
        ("look", StepState.DONE),
        ("archive", StepState.DONE),
    ]
    assert str(again.gaps.left[0]) == "crm (look) did not answer; archive took its place"
    assert len(script.calls) == 1


async def test_another_tool_that_fails_too_leaves_the_first_failure() -> None:
    other = crm(Script(Permanent("gone")), "archive")
    k, look = degrading(Script(DOWN), "tool:archive", other)

    with pytest.raises(ToolUnavailable, match="look: Transient: down"):
        await k.call(k.run(), look, customer="7")


async def test_a_critical_tool_in_anothers_place_puts_the_task_off() -> None:
    @tool
    async def archive(customer: str) -> str:
        """Looks into the archive."""
        raise Transient(f"no {customer} today")

    look = crm(Script(DOWN))
    rules = {
        "look": ToolRule(attempts=1, critical=False, fallback="tool:archive"),
        "archive": ToolRule(attempts=1, critical=True),
    }
    k = kit(look, archive, rules=rules)

    with pytest.raises(TryLater):
        await k.call(k.run(), look, customer="7")


async def test_an_answer_is_no_outage_but_a_lost_credential_is_one() -> None:
    """A 404 is the dependency's word; a 401 keeps us from hearing any."""
    k, look = degrading(Script("Ada", Permanent("no such customer"), LockedOut("HTTP 401")))
    await k.call(k.run("tsk_0"), look, customer="7")

    with pytest.raises(ToolFailed, match="no such customer"):
        await k.call(k.run("tsk_1"), look, customer="7")
    assert await k.call(k.run("tsk_2"), look, customer="7") == Customer(name="Ada")
    assert (gap_notes(k, "tsk_1"), len(gap_notes(k, "tsk_2"))) == ([], 1)


async def test_a_later_good_answer_to_the_same_call_fills_the_gap() -> None:
    k, look = degrading(Script(DOWN, "Ada"), "nothing")
    run = k.run()
    await k.call(run, look, customer="7")
    assert [gap.tool for gap in run.gaps.left] == ["look"]

    await k.call(run, look, customer="7")

    assert run.gaps.left == ()
    replayed = k.run()
    for _ in range(2):
        await k.call(replayed, look, customer="7")
    assert replayed.gaps.left == ()


async def test_an_open_breaker_leads_to_the_fallback_at_once() -> None:
    script = Script("Ada", DOWN)
    k, look = degrading(script)
    await k.call(k.run("tsk_0"), look, customer="7")
    for number in range(8):
        await k.call(k.run(f"tsk_{number + 1}"), look, customer="7")
    asked, at = len(script.calls), asyncio.get_running_loop().time()

    assert await k.call(k.run("tsk_99"), look, customer="7") == Customer(name="Ada")
    assert (len(script.calls), asyncio.get_running_loop().time()) == (asked, at)
    assert "CircuitOpen" in gap_notes(k, "tsk_99")[0]["why"]


async def test_an_act_that_is_not_critical_fails_and_the_gap_is_named() -> None:
    @tool(effect="write", dependency="crm")
    async def note(text: str) -> str:
        """Notes."""
        raise Transient("down", happened="no")

    k = kit(note, rules={"note": ToolRule(attempts=1)}, dependencies={"crm": DependencyRule(critical=False)})
    for _ in range(2):
        run = k.run()
        with pytest.raises(ToolUnavailable):
            await k.call(run, note, text="hello")
        assert [gap.instead for gap in run.gaps.left] == ["error"]


def outages(minutes_away: int) -> tuple[OutageRule, ...]:
    """The clock of tests starts at 2025-11-24 16:00 UTC."""
    return (OutageRule(begin="15:30", end=f"16:{minutes_away:02}", note="Backup."),)


async def test_in_a_declared_outage_the_fallback_applies_without_an_attempt() -> None:
    script = Script("Ada")
    look = crm(script)
    rule = DependencyRule(critical=False, fallback="last_good", outages=outages(20))
    k = kit(look, dependencies={"crm": rule})
    await asyncio.sleep(21 * 60)
    await k.call(k.run("tsk_0"), look, customer="7")
    await asyncio.sleep(DAY_S - 10 * 60)  # The next day, in the middle of it.

    assert await k.call(k.run(), look, customer="7") == Customer(name="Ada")
    assert len(script.calls) == 1
    assert gap_notes(k)[0]["why"] == "look: Away: crm is away until 2025-11-25 16:20 UTC (Backup.)."


@pytest.mark.parametrize("effect", ["read", "write"])
async def test_in_a_declared_outage_a_critical_call_waits_for_its_end_and_costs_no_attempt(
    effect: EffectName,
) -> None:
    script = Script("ok")

    @tool(effect=effect, dependency="crm")
    async def use(customer: str) -> str:
        """Uses it."""
        return script.next()  # type: ignore[no-any-return]

    k = kit(use, dependencies={"crm": DependencyRule(outages=outages(20))})
    with pytest.raises(Suspend) as waits:
        await k.call(k.run(), use, customer="7")

    assert waits.value.wake_us == k.clock.now_us() + 20 * 60 * 1_000_000
    assert (k.steps(), k.effects(), script.calls) == ([], [], [])
    await asyncio.sleep(20 * 60)
    assert await k.call(k.run(), use, customer="7") == "ok"


async def test_in_a_declared_outage_an_act_that_is_not_critical_fails_before_its_intent() -> None:
    @tool(effect="write", dependency="crm")
    async def note(text: str) -> str:
        """Notes."""
        return text

    k = kit(note, dependencies={"crm": DependencyRule(critical=False, outages=outages(20))})
    run = k.run()
    with pytest.raises(ToolUnavailable, match="away until"):
        await k.call(run, note, text="hello")

    assert (k.effects(), [gap.instead for gap in run.gaps.left]) == ([], ["error"])


async def test_a_delayed_act_that_is_due_in_an_outage_goes_out_after_it() -> None:
    sent: list[str] = []

    @tool(effect="send", dependency="crm")
    async def mail(text: str) -> str:
        """Sends."""
        sent.append(text)
        return "ok"

    k = kit(
        mail, rules={"mail": ToolRule(delay_s=60)}, dependencies={"crm": DependencyRule(outages=outages(20))}
    )
    await k.call(k.run(), mail, text="hello")
    dispatcher = k.dispatcher()
    await asyncio.sleep(61)
    for row in await dispatcher.due(["support"]):
        await dispatcher.carry_out(row)
    assert (sent, k.effect().state) == ([], EffectState.SCHEDULED)

    await asyncio.sleep(20 * 60)
    for row in await dispatcher.due(["support"]):
        await dispatcher.carry_out(row)
    assert (sent, k.effect().state) == (["hello"], EffectState.DONE)


async def test_an_approved_act_waits_for_the_end_of_an_outage_rather_than_fail() -> None:
    @tool(effect="write", dependency="crm")
    async def note(text: str) -> str:
        """Notes."""
        return text

    rules = {"note": ToolRule(approval="always", critical=False)}
    k = kit(note, rules=rules, dependencies={"crm": DependencyRule(outages=outages(20))})
    with pytest.raises(Suspend):
        await k.call(k.run(), note, text="hello")
    k.decide(k.effect().id, EffectState.APPROVED)

    with pytest.raises(Suspend, match="away until"):
        await k.call(k.run(), note, text="hello")
    await asyncio.sleep(20 * 60)
    assert await k.call(k.run(), note, text="hello") == "hello"


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ({"look": ToolRule(fallback="tool:gone", critical=False)}, "no tool of this agent"),
        ({"look": ToolRule(fallback="tool:act", critical=False)}, "which acts"),
        ({"look": ToolRule(fallback="tool:look", critical=False)}, "circle: look -> look"),
        (
            {
                "look": ToolRule(fallback="tool:other", critical=False),
                "other": ToolRule(fallback="tool:look", critical=False),
            },
            "circle: look -> other -> look",
        ),
        ({"look": ToolRule(fallback="nothing")}, "is critical"),
        ({"act": ToolRule(fallback="nothing", critical=False)}, "acts"),
    ],
)
def test_a_fallback_that_cannot_be_keeps_the_agent_from_starting(
    rules: dict[str, ToolRule], text: str
) -> None:
    @tool(effect="write")
    async def act(customer: str) -> str:
        """Acts."""
        return customer

    async def start() -> None:
        kit(crm(Script(1)), crm(Script(1), "other"), act, rules=rules)

    with pytest.raises(ConfigError, match=text):
        asyncio.run(start())


@settings(max_examples=60, deadline=None)  # Each makes a database.
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.booleans()), max_size=12), st.integers(0, 12), st.booleans()
)
async def test_a_run_that_is_resumed_anywhere_gets_the_same_values_and_the_same_gaps(
    calls: list[tuple[str, bool]], crash_after: int, later_up: bool
) -> None:
    """Each call finds the dependency up or down; after the crash it may be otherwise, and nothing changes by that."""
    up = [True]
    count = [0]

    @tool(dependency="crm")
    async def look(customer: str) -> int:
        """Counts, so that no two answers are alike."""
        count[0] += 1
        if not up[0]:
            raise Transient("down")
        return count[0]

    rules = {"look": ToolRule(attempts=1, fallback="last_good")}
    limits = Limits(steps=100, identical_calls=100, no_progress=100, off_track=100, cycle_repeats=100)
    breaker = BreakerRule(calls_min=10_000)
    k = kit(
        look,
        rules=rules,
        limits=limits,
        dependencies={"crm": DependencyRule(critical=False, breaker=breaker)},
    )

    async def made(run: RunTools, some: list[tuple[str, bool]], *, replayed: bool) -> list[int | None]:
        values: list[int | None] = []
        for customer, is_up in some:
            up[0] = later_up if replayed else is_up
            try:
                values.append(await k.call(run, look, customer=customer))
            except ToolUnavailable:
                values.append(None)
        return values

    first = k.run()
    before = await made(first, calls[:crash_after], replayed=False)
    gaps, asked = first.gaps.left, count[0]
    again = k.run()

    assert await made(again, calls[:crash_after], replayed=True) == before
    assert (again.gaps.left, count[0]) == (gaps, asked)
