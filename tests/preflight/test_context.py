"""Windows that are nearly full: how they are filled, and that what is forgotten there is found."""

from typing import Any

import pytest

from airworthy.core.outcome import Outcome
from airworthy.evals import Case, Expect
from airworthy.gateway.tokens import Estimate
from airworthy.preflight import context
from airworthy.preflight.cell import CellResult, State
from airworthy.preflight.context import padding, room_of, turns_in
from airworthy.preflight.plan import Context, Golden
from airworthy.preflight.report import Verdict
from airworthy.preflight.stage import Script
from airworthy.runtime import Agent, Run
from airworthy.tools import tool
from tests.preflight.kit import PIN, agent_of, played, policy_of, simulated, stage_of

SPARE = "spare-2026-11-01"
CASE = Case(id="status", input="Where is my order 1001?", expect=Expect(facts=("on its way",)))
RULES = """
[[rule]]
name = "place-order"
when = { user = 'order (?P<order>[0-9]+)', has_tool = "none" }
reply = ""

[[rule]]
name = "found"
when = { after_tool = "look_up" }
reply = "It is {look_up.status}."

[[rule]]
name = "look"
when = { user = "order" }
call = [{ tool = "look_up", arguments = { order_id = "{order}" } }]
"""


@tool
async def look_up(order_id: int) -> dict[str, Any]:
    """Finds an order."""
    return {"id": order_id, "status": "on its way", "note": "Ring twice."}


def model(name: str = PIN, **said: Any) -> dict[str, Any]:
    return {
        "name": name, "base_url": "http://127.0.0.1:1/v1", "api_key_env": "", "input_usd_per_mtok": 1.0,
        "output_usd_per_mtok": 4.0, "attempts": 1, **said,
    }  # fmt: skip


async def forgetful(run: Run) -> str:
    """Answers as ever, until there is much to read."""
    order = await run.tool("look_up", order_id=1001)
    await run.loop(instructions="Help.", prompt=f"{run.text} {order}", tools=[])
    return f"It is {order['status']}." if len(str(order)) < 1_000 else "It was delivered."


def agent_with(*models: dict[str, Any], handler: Any = None, **said: Any) -> Agent:
    said.setdefault("limits", {"tokens_in": 12_000})
    return agent_of(handler, look_up, models=list(models), tools={"look_up": {"effect": "read"}}, **said)


async def results_of(agent: Agent, beginning: str = "") -> tuple[Context, list[CellResult]]:
    async with stage_of(agent, simulated(RULES)) as stage:
        golden = Golden(CASE, await stage.play(Script(CASE)))
        assert golden.played.trial.outcome is Outcome.ANSWERED, golden.played.trial
        ctx = Context(agent, agent.policy, (CASE,), (golden,), seed=1)
        results = [
            await context.judge(ctx, cell, [await stage.play(script) for script in cell.scripts])
            for cell in context.plan(ctx)
            if cell.id.startswith(f"context/{beginning}") and not cell.lacking
        ]
        return ctx, results


def test_the_window_is_filled_to_its_share_and_a_sound_agent_still_answers() -> None:
    async def work() -> None:
        ctx, results = await results_of(agent_with(model(window=12_000)))

        assert [each.id for each in results] == [
            f"context/{PIN}/{share}.{of}" for share in (75, 95) for of in ("history", "results")
        ]
        assert [[found.text for found in each.findings] for each in results] == [[]] * 4
        for each in results:
            reached = each.evidence["tokens_reached"]
            assert 0.9 * each.evidence["tokens_planned"] < reached < 12_000
        section = context.section(ctx, results)
        assert section.verdict is Verdict.GO
        assert section.facts["not_tried"][0]["of"] == "a document"

    played(work())


def test_what_is_forgotten_in_a_full_window_is_found() -> None:
    async def work() -> None:
        ctx, results = await results_of(
            agent_with(model(window=12_000), handler=forgetful), f"{PIN}/75.results"
        )

        assert [each.state for each in results] == [State.FAILED]
        assert results[0].findings[0].kind == "forgot"
        assert context.section(ctx, results).verdict is Verdict.NO_GO

    played(work())


def test_a_fallback_is_reached_by_faults_of_the_models_before_it() -> None:
    async def work() -> None:
        agent = agent_with(model(window=12_000), model(SPARE, window=8_000))
        _, results = await results_of(agent, f"{SPARE}/75.history")

        assert [[found.text for found in each.findings] for each in results] == [[]]
        assert results[0].evidence["window"] == 8_000

    played(work())


def test_a_run_that_its_limits_end_is_explicit_and_said_to_be_so() -> None:
    async def work() -> None:
        agent = agent_with(model(window=12_000), limits={"tokens": 14_000, "tokens_in": 12_000})
        ctx, results = await results_of(agent, f"{PIN}/75.history")

        assert [each.state for each in results] == [State.PASSED]
        assert "limits ended the run" in results[0].evidence["note"]
        assert context.section(ctx, results).facts["notes"]

    played(work())


def test_a_model_is_undecided_whose_window_nobody_says_or_that_no_run_reaches() -> None:
    async def work() -> None:
        agent = agent_with(
            model(window=12_000, fallback=[]), model(SPARE, window=8_000), model("x-2026-01-01")
        )
        ctx, _ = await results_of(agent, "none")
        lacking = {cell.id: cell.lacking for cell in context.plan(ctx) if cell.lacking}

        assert "nobody's fallback" in lacking[f"context/{SPARE}"]
        assert "Set window" in lacking["context/x-2026-01-01"]

    played(work())


@pytest.mark.parametrize(
    ("why", "models", "limits", "tokens"),
    [
        ("the window", model(window=20_000), {"tokens_in": 20_000}, 20_000),
        ("a limit below it", model(window=90_000), {"tokens_in": 30_000}, 30_000),
        ("nobody says", model(), {}, None),
    ],
)
def test_room_is_the_window_or_what_the_policy_lets_a_call_have(
    why: str, models: dict[str, Any], limits: dict[str, int], tokens: int | None
) -> None:
    policy = policy_of(models=[models], limits=limits)
    room = room_of(policy.models[0], policy)

    assert (None if room is None else room.tokens) == tokens, why


def test_padding_has_about_as_many_tokens_as_are_wanted() -> None:
    estimate = Estimate(PIN)

    assert 0.97 * 9_000 < estimate.of_text(padding(estimate, 9_000, 1).encode()) < 1.03 * 9_000
    assert padding(estimate, 0, 1) == ""


def test_turns_are_found_where_the_input_holds_them() -> None:
    chat = {
        "id": 7,
        "chat": {"messages": [{"role": "user", "content": "Hi"}, {"role": "user", "content": "You?"}]},
    }

    assert turns_in(chat) == ("chat", "messages")
    assert turns_in({"role": "user"}) is None
    assert turns_in("text") is None
