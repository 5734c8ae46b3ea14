"""No act leaves the house: not by a retry, out of the outbox, as an undo, or through a stand-in that is none."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from airworthy.core.errors import ConfigError
from airworthy.core.outcome import Outcome
from airworthy.preflight.settings import StageSettings, ToolSettings
from airworthy.preflight.stage import Placed, Script
from airworthy.preflight.stage.part import Now, Part, now
from airworthy.preflight.stage.world import World
from airworthy.resilience.chaos import KINDS, Fault
from airworthy.runtime import Run
from airworthy.tools import ToolError, tool
from tests.preflight.kit import LEFT, LeftTheHouse, agent_of, case, played, refund, send_mail, stage_of


def takes_back(arguments: Any, result: Any, *, idempotency_key: str) -> str:
    raise LeftTheHouse("undo")


@tool(effect="write", keyed=True, undo=takes_back)
def book(seat: str, *, idempotency_key: str) -> dict[str, str]:
    """Books a seat."""
    raise LeftTheHouse("book")


ENTERED: list[str] = []


@contextlib.contextmanager
def sandbox() -> Iterator[None]:
    ENTERED.append("in")
    yield
    ENTERED.append("out")


def pretends(to: str, body: str, world: dict[str, Any]) -> str:
    """A stand-in with a world of its own."""
    world["sent"] = world.get("sent", 0) + 1
    return f"mail {world['sent']}"


def test_an_undo_is_a_stand_in_as_well() -> None:
    async def work() -> None:
        async with stage_of(agent_of(None, book)) as stage:
            (stood_in,) = stage.stand_ins.made
            assert stood_in.undoing is not None
            part = Part(Script(case()), World(), task_id="tsk_1")
            now.set(Now(part, "eff_undo"))
            arguments = {"arguments": {"seat": "4a"}, "result": {"id": "1"}}
            await stood_in.undoing.function(**arguments, idempotency_key="eff_undo")
            await stood_in.undoing.function(**arguments, idempotency_key="eff_undo")
            assert [(act.tool, act.times) for act in part.world.acts("tsk_1")] == [("undo of book", 1)]
            assert stood_in.undo is not None
            assert stood_in.undo is not takes_back

    played(work())


def test_the_same_key_is_done_once_and_a_call_without_one_each_time() -> None:
    async def handle(run: Run) -> str:
        await run.tool("refund", order_id=1, cents=5)
        await run.tool("send_mail", to="a@example.com", body="x")
        await run.tool("send_mail", to="a@example.com", body="x")
        return "done"

    async def work() -> None:
        async with stage_of(agent_of(handle)) as stage:
            trial = (await stage.play(Script(case()))).trial
            assert [(act.tool, act.times) for act in trial.acts] == [("refund", 1), ("send_mail", 2)], trial
            assert [act.tool for act in trial.duplicates] == ["send_mail"]
            keyed = stage.stand_ins.made[1]
            part = Part(Script(case()), World(), task_id="tsk_1")
            now.set(Now(part, "eff_1"))
            first = await keyed.function(order_id=1, cents=5, idempotency_key="eff_1")
            assert await keyed.function(order_id=1, cents=5, idempotency_key="eff_1") == first
            assert [act.times for act in part.world.acts("tsk_1")] == [1]
            await keyed.function(order_id=1, cents=5, idempotency_key="eff_2")
            assert [act.times for act in part.world.acts("tsk_1")] == [2]

    played(work())


def test_a_declared_function_pretends_in_the_world_of_its_trial() -> None:
    async def handle(run: Run) -> str:
        return str(await run.tool("send_mail", to="a@example.com", body="x"))

    async def work() -> None:
        settings = StageSettings(tools={"send_mail": ToolSettings(stand_in=f"{__name__}:pretends")})
        async with stage_of(agent_of(handle), settings=settings) as stage:
            for _ in range(2):
                trial = (await stage.play(Script(case()))).trial
                assert (trial.answer, trial.made_up) == ("mail 1", ())
            together = await stage.together([Script(case(id="a")), Script(case(id="b"))], [0, 1])
            assert [each.trial.answer for each in together] == ["mail 1", "mail 2"]
            assert [len(each.trial.acts) for each in together] == [1, 1]

    played(work())


@pytest.mark.parametrize(
    "stand_in", ["live", f"{__name__}:send_mail", "tests.preflight.kit:refund", "no.such:thing"]
)
def test_a_stand_in_that_would_let_an_act_out_is_refused_before_anything_runs(stand_in: str) -> None:
    async def work() -> None:
        settings = StageSettings(tools={"send_mail": ToolSettings(stand_in=stand_in)})
        async with stage_of(settings=settings):
            raise AssertionError("it was opened")

    with pytest.raises(ConfigError):
        played(work())


def test_what_takes_back_an_act_of_another_tool_is_no_stand_in() -> None:
    async def work() -> None:
        settings = StageSettings(tools={"send_mail": ToolSettings(stand_in=f"{__name__}:takes_back")})
        async with stage_of(agent_of(None, book, send_mail), settings=settings):
            raise AssertionError("it was opened")

    with pytest.raises(ConfigError, match="function of a tool"):
        played(work())


def test_results_of_the_case_the_script_and_recordings_answer_in_this_order() -> None:
    async def handle(run: Run) -> Any:
        return await run.tool("find_order", order_id=1)

    async def work() -> None:
        async with stage_of(agent_of(handle)) as stage:
            live = await stage.play(Script(case(user="ann")))
            assert live.trial.answer["status"] == "shipped"
            changed = [{"tool": "find_order", "arguments": {"order_id": 1}, "result": {"status": "lost"}}]
            said = await stage.play(Script(case(user="ann", results=changed)))
            assert said.trial.answer == {"status": "lost"}
            stage.learn(case(user="ann"), said.recording)
            assert (await stage.play(Script(case(user="ann")))).trial.answer == {"status": "lost"}
            assert (await stage.play(Script(case(user="bob")))).trial.answer["status"] == "shipped"
            script = Script(
                case(user="ann", results=changed), results={"find_order": {"status": "ignore all"}}
            )
            assert (await stage.play(script)).trial.answer == {"status": "ignore all"}

    played(work())


def test_a_recorded_failure_is_one_again() -> None:
    async def handle(run: Run) -> Any:
        try:
            return await run.tool("find_order", order_id=1)
        except Exception as error:
            return str(error)

    async def work() -> None:
        results = [{"tool": "find_order", "error": "ToolFailed", "message": "no such order"}]
        async with stage_of(agent_of(handle)) as stage:
            first = await stage.play(Script(case(results=results)))
            stage.learn(case(), first.recording)
            again = await stage.play(Script(case()))
            assert "no such order" in first.trial.answer
            assert again.trial.answer == first.trial.answer
            assert [use.error for use in again.trial.tools] == ["ToolFailed"]

    played(work())


def test_refund_and_mail_of_the_kit_raise_when_they_are_really_called() -> None:
    with pytest.raises(LeftTheHouse):
        asyncio.run(refund.function(order_id=1, cents=1, idempotency_key=""))
    with pytest.raises(LeftTheHouse):
        asyncio.run(send_mail.function(to="", body=""))


def test_a_lost_answer_of_a_keyed_act_is_tried_again_and_done_once() -> None:
    async def handle(run: Run) -> str:
        await run.tool("refund", order_id=1, cents=5)
        return "done"

    async def work() -> None:
        async with stage_of(agent_of(handle)) as stage:
            fault = Placed("tool", "refund", 1, Fault("timeout"))
            trial = (await stage.play(Script(case(), faults=(fault,)))).trial
            assert trial.outcome is Outcome.ANSWERED, trial
            assert [(act.tool, act.times) for act in trial.acts] == [("refund", 1)]
            assert trial.tools[0].attempts == 2

    played(work())


def test_a_fault_always_meets_every_try_of_its_call_also_those_of_later_runs_of_the_task() -> None:
    async def handle(run: Run) -> str:
        await run.tool("find_order", order_id=1)
        return "done"

    async def work() -> None:
        async with stage_of(agent_of(handle)) as stage:
            fault = Placed("tool", "find_order", 1, Fault("http_503", "always"))
            trial = (await stage.play(Script(case(), faults=(fault,)))).trial
            assert trial.outcome is not None
            assert trial.outcome is not Outcome.ANSWERED
            assert trial.reason == "tool_failure"
            once = Placed("tool", "find_order", 1, Fault("http_503", "once"))
            assert (await stage.play(Script(case(), faults=(once,)))).trial.outcome is Outcome.ANSWERED
            other = Placed("tool", "find_order", 2, Fault("http_503", "always"))
            assert (await stage.play(Script(case(), faults=(other,)))).trial.outcome is Outcome.ANSWERED

    played(work())


def test_a_fault_of_the_model_counts_from_where_the_trial_goes_live() -> None:
    async def work() -> None:
        async with stage_of() as stage:
            whole = await stage.play(Script(case()))
            for nth, when, outcome in ((1, "once", Outcome.ANSWERED), (1, "always", Outcome.DEAD_LETTERED)):
                fault = Placed("model", "", nth, Fault("http_500", when))  # type: ignore[arg-type]
                live = whole.trial.tools[0].seq
                trial = (
                    await stage.play(Script(case(), prefix=whole.recording, at=live, faults=(fault,)))
                ).trial
                assert trial.outcome is outcome, trial
                assert trial.reason == ("done" if outcome is Outcome.ANSWERED else "model_failure")

    played(work())


def test_the_sandbox_is_entered_once_around_all_trials() -> None:
    async def work() -> None:
        async with stage_of(settings=StageSettings(sandbox=f"{__name__}:sandbox")) as stage:
            for _ in range(2):
                await stage.play(Script(case()))
            assert ENTERED == ["in"]

    ENTERED.clear()
    played(work())
    assert ENTERED == ["in", "out"]


@pytest.mark.slow
def test_no_fault_lets_an_act_out() -> None:
    """Whatever a fault does to a call, the tool's own function is not called. Slow: every kind, at two tools."""

    async def handle(run: Run) -> str:
        for name, arguments in (
            ("refund", {"order_id": 1, "cents": 5}),
            ("send_mail", {"to": "a", "body": "b"}),
        ):
            with contextlib.suppress(ToolError):
                await run.tool(name, **arguments)
        return "done"

    async def work() -> None:
        async with stage_of(agent_of(handle)) as stage:
            for kind in KINDS.values():
                for name in ("refund", "send_mail"):
                    fault = Placed("tool", name, 1, Fault(kind.name, "always"))
                    trial = (await stage.play(Script(case(), faults=(fault,)))).trial
                    assert trial.outcome is not None or "to mend it" in trial.text, (kind.name, trial)
                    keyed = [act for act in trial.acts if act.tool == "refund"]
                    assert [act.times for act in keyed] in ([], [1]), (kind.name, trial)
            assert not LEFT

    played(work())
