"""Trials on the real stage: what they come to, and that no act ever leaves it."""

import asyncio
import threading
from typing import Any
from unittest import mock

from airworthy.app.build import MIGRATIONS
from airworthy.core.outcome import Outcome
from airworthy.gateway import budget
from airworthy.preflight.settings import StageSettings
from airworthy.preflight.stage import Script, playhouse
from airworthy.preflight.stage.part import Part
from airworthy.preflight.stage.prefix import begin_with, kept
from airworthy.preflight.stage.script import Played
from airworthy.preflight.stage.world import World
from airworthy.recorder import Payloads
from airworthy.runtime import Run, SyncRun
from airworthy.store import migrate
from tests.database import memory
from tests.preflight.kit import TOOLS, agent_of, case, played, policy_of, stage_of


def test_a_case_is_played_with_live_reads_and_stand_ins_for_acts() -> None:
    async def work() -> None:
        async with stage_of() as stage:
            found = await stage.play(Script(case("Please refund order 1001.")))
            trial = found.trial
            assert (trial.outcome, trial.crash) == (Outcome.ANSWERED, ""), trial
            assert [use.name for use in trial.tools] == ["find_order", "refund"]
            assert [(act.tool, act.times) for act in trial.acts] == [("refund", 1)]
            assert trial.acts[0].key.startswith("eff_")
            assert trial.made_up == ("refund",)
            assert trial.model_calls == trial.model_calls_made == 3

    played(work())


def test_the_part_before_a_step_comes_from_the_recording_and_costs_no_call() -> None:
    async def work() -> None:
        async with stage_of() as stage:
            whole = await stage.play(Script(case("Please refund order 1001.")))
            at = next(use.seq for use in whole.trial.tools if use.name == "refund")
            found = (
                await stage.play(Script(case("Please refund order 1001."), prefix=whole.recording, at=at))
            ).trial
            assert (found.outcome, found.crash) == (Outcome.ANSWERED, ""), found
            assert found.model_calls == 3
            assert found.model_calls_made == 1
            assert [(act.tool, act.times) for act in found.acts] == [("refund", 1)]
            last = (
                await stage.play(Script(case("Please refund order 1001."), prefix=whole.recording, at=at + 1))
            ).trial
            assert last.acts == found.acts[:0] + last.acts
            assert [(act.tool, act.times) for act in last.acts] == [("refund", 1)]
            assert last.cost_nano == whole.trial.cost_nano

    played(work())


def test_the_part_before_counts_against_limits_as_if_the_task_had_made_it() -> None:
    async def work() -> None:
        refunding = case("Please refund order 1001.")
        async with stage_of() as stage:
            whole = await stage.play(Script(refunding))
        at = next(use.seq for use in whole.trial.tools if use.name == "refund") + 1
        steps = kept(whole.recording.steps, at)
        database = memory()
        migrate(database, MIGRATIONS)
        part = Part(Script(refunding), World(), task_id="tsk_1")
        tools = {each.name: each for each in TOOLS}
        database.write_now(lambda tx: begin_with(tx, part, steps, tools, Payloads(), policy_of()))
        paid = sum(step.facts.cost_nano or 0 for step in steps)
        assert paid > 0
        assert database.read_now(lambda tx: budget.of_task(tx, "tsk_1")) == paid
        for limits, reason in (({"tool_calls": 1}, "limit_tool_calls"), ({"steps": at - 2}, "limit_steps")):
            async with stage_of(agent_of(limits=limits)) as stage:
                at = next(use.seq for use in whole.trial.tools if use.name == "refund")
                trial = (await stage.play(Script(refunding, prefix=whole.recording, at=at))).trial
                assert trial.reason == reason, trial

    played(work())


def test_together_tasks_share_one_world_and_arrive_when_they_are_said_to() -> None:
    async def work() -> None:
        async with stage_of() as stage:
            scripts = [Script(case(f"Please refund order 100{n}.", id=f"c{n}")) for n in range(3)]
            found = await stage.together(scripts, [0.0, 5.0, 3600.0])
            assert [each.trial.outcome for each in found] == [Outcome.ANSWERED] * 3
            assert [each.trial.acts[0].arguments["order_id"] for each in found] == [1000, 1001, 1002]
            begun = [each.recording.steps[0].started_us for each in found]
            assert [round((at - begun[0]) / 1e6) for at in begun] == [0, 5, 3600]

    played(work())


def test_an_approval_is_decided_as_the_case_says_and_told() -> None:
    async def work() -> None:
        agent = agent_of(tools={"refund": {"effect": "write", "amount_arg": "cents", "approval_above": 500}})
        async with stage_of(agent) as stage:
            yes = (await stage.play(Script(case("Please refund order 1001.")))).trial
            no = (await stage.play(Script(case("Please refund order 1001.", people="reject")))).trial
            assert [(each.tool, each.said) for each in yes.asked] == [("refund", "approve")]
            assert [act.times for act in yes.acts] == [1]
            assert [(each.tool, each.said) for each in no.asked] == [("refund", "reject")]
            assert no.acts == ()
            assert no.tools[-1].refused

    played(work())


def test_a_delayed_send_is_carried_out_by_the_stand_in_when_it_is_time() -> None:
    async def handle(run: Run) -> str:
        accepted = await run.tool("send_mail", to="a@example.com", body="hello")
        return str(accepted["accepted"])

    async def work() -> None:
        agent = agent_of(handle, tools={"send_mail": {"effect": "send", "delay_s": 7200}})
        async with stage_of(agent) as stage:
            trial = (await stage.play(Script(case()))).trial
            assert trial.outcome is Outcome.ANSWERED
            assert [(act.tool, act.times, act.arguments["to"]) for act in trial.acts] == [
                ("send_mail", 1, "a@example.com")
            ]

    played(work())


def test_an_agent_that_blocks_its_thread_is_given_up_after_real_seconds() -> None:
    release = threading.Event()

    async def handle(run: Run) -> str:
        release.wait(20)
        return "late"

    async def work() -> None:
        async with stage_of(agent_of(handle), settings=StageSettings(trial_s_max=0.05)) as stage:
            trial = (await stage.play(Script(case()))).trial
            release.set()
            assert (trial.outcome, trial.reason) == (None, "hangs")
            assert stage.abandoned == 1

    with mock.patch.multiple(playhouse, POLITE_S=0.05, FORCED_S=0.05):
        played(work())


def test_a_long_wait_of_the_agent_costs_no_time_and_its_limit_still_ends_it() -> None:
    async def handle(run: Run) -> str:
        await asyncio.sleep(3600)
        return "late"

    async def work() -> None:
        async with stage_of(agent_of(handle, limits={"seconds": 60})) as stage:
            trial = (await stage.play(Script(case()))).trial
            assert trial.reason == "limit_seconds"
            assert 60 <= trial.seconds < 63

    played(work())


def test_a_function_without_async_is_played_in_its_thread() -> None:
    def handle(run: SyncRun) -> str:
        run.sleep(0.5)
        return str(run.tool("find_order", order_id=7)["status"])

    async def work() -> None:
        async with stage_of(agent_of(handle)) as stage:
            trial = (await stage.play(Script(case()))).trial
            assert (trial.outcome, trial.answer) == (Outcome.ANSWERED, "shipped"), trial

    played(work())


def test_a_question_that_nobody_answers_is_said_to_wait() -> None:
    async def handle(run: Run) -> str:
        return await run.ask("Which colour?")

    async def work() -> None:
        async with stage_of(agent_of(handle)) as stage:
            open_ = (await stage.play(Script(case()))).trial
            assert (open_.outcome, open_.reason) == (None, "waits")
            assert "Which colour?" in open_.text
            said = (await stage.play(Script(case(answers={"colour": "red"})))).trial
            assert (said.outcome, said.answer) == (Outcome.ANSWERED, "red")
            assert [(each.text, each.said) for each in said.asked] == [("Which colour?", "red")]

    played(work())


def test_an_agent_that_computes_without_an_end_is_interrupted_and_what_it_did_is_told() -> None:
    computing = threading.Event()
    within = playhouse._within

    async def handle(run: Run) -> str:
        await run.tool("find_order", order_id=1)
        computing.set()
        while True:
            pass

    async def from_then_on(seconds: float, done: "asyncio.Future[list[Played]]") -> bool:
        """However long the machine takes to get there, its time begins when it computes."""
        assert await asyncio.to_thread(computing.wait, 60)
        return await within(seconds, done)

    async def work() -> None:
        async with stage_of(agent_of(handle), settings=StageSettings(trial_s_max=0.05)) as stage:
            trial = (await stage.play(Script(case()))).trial
            assert (trial.outcome, trial.reason, stage.abandoned) == (None, "hangs", 0), trial
            assert [use.name for use in trial.tools] == ["find_order"]

    with mock.patch.multiple(playhouse, POLITE_S=0.05, FORCED_S=60, _within=from_then_on):
        played(work())


def test_a_question_with_a_deadline_gets_its_default_when_it_has_passed() -> None:
    async def handle(run: Run) -> str:
        number = await run.ask("How many?", output=int, deadline_s=7200, default=3)
        return f"{number}"

    async def work() -> None:
        async with stage_of(agent_of(handle)) as stage:
            late = (await stage.play(Script(case()))).trial
            assert (late.outcome, late.answer) == (Outcome.ANSWERED, "3"), late
            said = (await stage.play(Script(case(answers={"many": "5"})))).trial
            assert (said.outcome, said.answer) == (Outcome.ANSWERED, "5"), said

    played(work())


def test_a_trial_that_was_broken_into_hangs_and_is_no_fault_of_ours() -> None:
    class Broken:
        parts = (Part(Script(case()), World()),)
        forced = True

        async def play(self, loop: Any) -> Any:  # the form of a performance
            raise playhouse.GivenUp

    async def work() -> None:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[list[Played]] = loop.create_future()
        thread = playhouse._Thread(Broken(), loop, done)  # type: ignore[arg-type]  # stands in for one
        thread.start()
        (said,) = await asyncio.wait_for(done, 5)
        assert (said.trial.outcome, said.trial.reason, said.trial.crash) == (None, "hangs", "")

    played(work())
