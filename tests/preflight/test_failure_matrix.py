"""The tool-failure matrix on a real stage: what is tried, from where, what it costs, and what is said of it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from airworthy.core.outcome import Outcome
from airworthy.preflight import failures
from airworthy.preflight.cell import CellResult, State
from airworthy.preflight.failure_settings import FailureSettings
from airworthy.preflight.plan import Cell, Context, Golden
from airworthy.preflight.report import Verdict
from airworthy.preflight.settings import PreflightSettings
from airworthy.preflight.stage import Script
from airworthy.preflight.stage.playhouse import Playhouse
from airworthy.resilience.chaos import KINDS
from airworthy.runtime import Agent, Run
from airworthy.tools import ToolError
from tests.preflight.kit import agent_of, case, played, stage_of

REFUND = "Please refund order 1001."
WHERE = "Where is order 1001?"


async def _context(stage: Playhouse, agent: Agent, *inputs: str, **more: Any) -> Context:
    golden = []
    for number, text in enumerate(inputs):
        one = case(text, id=f"case-{number}")
        golden.append(Golden(one, await stage.play(Script(one))))
    cases = tuple(each.case for each in golden)
    return Context(agent, agent.policy, cases, tuple(golden), 7, **more)


async def _results(stage: Playhouse, ctx: Context, cells: Sequence[Cell]) -> dict[str, CellResult]:
    found = {}
    for cell in cells:
        runs = [await stage.play(script) for script in cell.scripts]
        found[cell.id] = await failures.judge(ctx, cell, runs)
    return found


def _some(cells: Sequence[Cell], *ends: str) -> list[Cell]:
    return [cell for cell in cells if cell.id.endswith(ends)]


def test_every_call_meets_every_fault_that_could_do_something_to_it() -> None:
    async def work() -> None:
        agent = agent_of()
        async with stage_of(agent) as stage:
            ctx = await _context(stage, agent, REFUND)
            cells = failures.plan(ctx)

            ids = [cell.id for cell in cells]
            assert len(ids) == len(set(ids))
            assert ids == [cell.id for cell in failures.plan(ctx)]
            subjects = {cell.id.split("/")[2] for cell in cells}
            assert subjects == {"find_order.1", "refund.1", "model.1", "model.2", "model.3"}
            of_read = {cell.axes["fault"] for cell in cells if cell.axes["tool"] == "find_order"}
            assert {name.partition(".")[0] for name in of_read} == set(KINDS) - {"not_done"}
            assert {"http_500.once", "http_500.always"} < of_read
            assert "slow.always" not in of_read
            assert "failures/case-0/refund.1/not_done.once" in ids
            # Breadth first: no tool and fault a second time before all were there once.
            firsts = len({(cell.axes["tool"], cell.axes["fault"]) for cell in cells})
            assert len({(cell.axes["tool"], cell.axes["fault"]) for cell in cells[:firsts]}) == firsts

    played(work())


def test_a_call_in_the_same_place_is_tried_once_unless_every_case_is_asked_for() -> None:
    settings = PreflightSettings(failures=FailureSettings(every_case=True))

    async def work() -> None:
        agent = agent_of()
        async with stage_of(agent) as stage:
            ctx = await _context(stage, agent, WHERE, "And where is order 1002?", REFUND)
            few, all_of_them = failures.plan(ctx), failures.plan(replace(ctx, settings=settings))

            # The third case calls find_order in the same place, and goes on to what the others do not.
            assert {cell.id.split("/", 2)[1] for cell in few if "find_order" in cell.id} == {"case-0"}
            assert any(cell.id.startswith("failures/case-2/refund.1") for cell in few)
            assert len(all_of_them) > 2 * len(few) > 0
            left_out = next(cell for cell in all_of_them if cell.id.startswith("failures/case-1/"))
            found = failures.find(ctx, left_out.id)
            assert found is not None
            assert found.scripts == left_out.scripts

    played(work())


def test_the_prefix_costs_no_call_and_guards_do_their_work() -> None:
    async def work() -> None:
        agent = agent_of()
        async with stage_of(agent) as stage:
            ctx = await _context(stage, agent, REFUND)
            cells = _some(
                failures.plan(ctx), "refund.1/http_503.once", "refund.1/timeout.always", "refund.1/reset_after.once",
                "refund.1/slow.once", "refund.1/truncated.once", "model.3/http_500.once",
            )  # fmt: skip
            found = await _results(stage, ctx, cells)

            assert len(found) == 6
            assert {each.state for each in found.values()} == {State.PASSED}
            # Two model calls and the look-up come from the recording.
            assert {each.model_calls_made for each in found.values()} <= {0, 1}
            once = found["failures/case-0/refund.1/reset_after.once"]
            assert once.evidence["acts"] == [
                {"tool": "refund", "arguments": {"cents": 1200, "order_id": 1001}, "times": 1}
            ]
            assert once.evidence["tools"][-1]["tries"] == 2
            lasting = found["failures/case-0/refund.1/timeout.always"]
            assert lasting.evidence["outcome"].startswith("escalated")
            assert lasting.evidence["command"] == f"airworthy preflight support --cell {lasting.id} --seed 7"

    played(work())


def test_an_agent_that_answers_from_memory_is_found_out_and_told_in_words() -> None:
    async def work() -> None:
        agent = agent_of(_from_memory, tools={"find_order": {"critical": False}})
        async with stage_of(agent) as stage:
            ctx = await _context(stage, agent, "What did I pay?")
            assert ctx.golden[0].played.trial.outcome is Outcome.ANSWERED
            cells = _some(failures.plan(ctx), "find_order.1/http_500.always", "find_order.1/http_404.once",
                          "find_order.1/http_500.once")  # fmt: skip
            found = await _results(stage, ctx, cells)

            states = {each.id.rpartition("/")[2]: each.state for each in found.values()}
            assert states == {
                "http_500.always": State.FAILED, "http_404.once": State.FAILED, "http_500.once": State.PASSED,
            }  # fmt: skip
            section = failures.section(ctx, list(found.values()))
            assert section.verdict is Verdict.NO_GO
            assert (
                section.sentence == "The agent does not bear 2 of 3 failures of 2 kinds at 1 tool or model."
            )
            sentences = section.facts["how_it_fails"]
            assert len(sentences) == 1
            assert sentences[0].startswith(
                "When find_order answers 500 every time or answers 404, it answers all the same"
            )
            assert "12.00 EUR" in sentences[0]
            assert "airworthy preflight support --cell failures/case-0/find_order.1/http_" in sentences[0]

    played(work())


async def _from_memory(run: Run) -> Any:
    try:
        order = await run.tool("find_order", order_id=1001)
    except ToolError:
        return "You paid 12.00 EUR."
    return f"You paid {order['paid_cents'] / 100:.2f} EUR." if order else "You paid 12.00 EUR."


def test_what_no_golden_run_calls_is_told_as_not_covered() -> None:
    async def work() -> None:
        agent = agent_of()
        async with stage_of(agent) as stage:
            ctx = await _context(stage, agent, WHERE)
            cells = _some(failures.plan(ctx), "find_order.1/http_500.once")
            section = failures.section(ctx, list((await _results(stage, ctx, cells)).values()))

            assert section.verdict is Verdict.INCONCLUSIVE
            assert [text.split(" is ")[0] for text in section.missing] == ["refund", "send_mail"]
            nothing = failures.section(replace(ctx, golden=()), [])
            assert nothing.verdict is Verdict.INCONCLUSIVE
            assert "No golden case passed" in nothing.missing[0]

    played(work())


def test_a_trial_that_fails_on_our_side_says_nothing_about_the_agent() -> None:
    async def work() -> None:
        agent = agent_of()
        async with stage_of(agent) as stage:
            ctx = await _context(stage, agent, WHERE)
            cell = failures.plan(ctx)[0]
            golden = ctx.golden[0].played
            broken = replace(golden, trial=replace(golden.trial, crash="disk full", outcome=None))
            result = await failures.judge(ctx, cell, [broken])

            assert result.state is State.BROKEN
            assert "disk full" in result.why
            assert "1 of 1 cells say nothing" in failures.section(ctx, [result]).missing[-1]

    played(work())
