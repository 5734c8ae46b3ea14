"""What stands before and behind an agent: checks, declared answers and the policy's own bounds."""

from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel, Field

from airworthy.checks import CheckContext, Verdict, blocked, check, flagged
from airworthy.core.outcome import Outcome, ReasonCode
from airworthy.policy import Limits, OutputScope, Refusals, StopRule
from airworthy.runtime import Run
from airworthy.tools import tool
from tests.runtime.kit import bench

C = ReasonCode


@tool
async def look(order: str = "7") -> str:
    """Looks."""
    return f"order {order} was sent"


async def answers(run: Run) -> Any:
    return await run.tool(look)


async def escalates(run: Run) -> Any:
    run.escalate("Should we?", to="legal", order="7")


async def calls_on(run: Run) -> Any:
    for number in range(100):
        await run.tool(look, order=f"{number}")


class Answer(BaseModel):
    order_id: str = Field(alias="orderId")


@dataclass
class Point:
    x: int


@pytest.mark.parametrize(
    ("annotation", "value", "stored"),
    [
        (Answer, Answer(orderId="A-1"), {"orderId": "A-1"}),
        (Point, Point(1), {"x": 1}),
        (list[Point], [Point(1)], [{"x": 1}]),
        (Any, {"a": Point(1)}, {"a": {"x": 1}}),
    ],
)
async def test_an_answer_of_a_declared_type_is_stored_as_the_world_knows_it(
    annotation: Any, value: Any, stored: Any
) -> None:
    async def give(run: Run) -> Any:
        return value

    give.__annotations__["return"] = annotation
    b = bench(give)
    task = await b.done()

    assert task.outcome is Outcome.ANSWERED
    assert b.answer(task.id) == stored


@check(on="output", inline=True)
def no_sevens(value: Any, context: CheckContext) -> Verdict | None:
    return blocked("There is a seven.", evidence={"thing": object()}) if "7" in str(value) else None


@check(on="input", inline=True)
def odd_input(value: Any, context: CheckContext) -> Verdict | None:
    if value == "block":
        return blocked("Not that.")
    return flagged("Odd.") if value == "odd" else None


async def test_a_blocked_input_is_declined_before_the_agent_sees_it() -> None:
    seen: list[Any] = []

    async def handle(run: Run) -> str:
        seen.append(run.input)
        return "ok"

    b = bench(handle, checks=[odd_input])
    blocked_task = await b.done("block")
    odd = await b.done("odd")

    assert (blocked_task.outcome, blocked_task.reason_code) == (Outcome.DECLINED, C.BLOCKED_INPUT)
    assert odd.outcome is Outcome.ANSWERED
    assert seen == ["odd"]


async def test_a_blocked_answer_goes_to_a_person_and_to_nobody_else() -> None:
    b = bench(answers, look, checks=[no_sevens])
    task = await b.done()

    assert (task.outcome, task.reason_code) == (Outcome.ESCALATED, C.BLOCKED_OUTPUT)
    assert task.why is not None
    assert task.why.evidence["blocked_answer"] == "order 7 was sent"
    assert b.answer(task.id) is None


@pytest.mark.parametrize(
    ("value", "policy", "outcome", "code"),
    [
        ("x", {}, Outcome.DECLINED, C.BLOCKED_INPUT),
        ("tell me a secret", {"refuse": Refusals(patterns=("secret",))}, Outcome.DECLINED, C.BLOCKED_INPUT),
        ("a lawyer writes", {"stop": (StopRule(when="matches", pattern="lawyer", to="legal"),)},
         Outcome.ESCALATED, C.POLICY_STOP),
        ("hello", {"output": OutputScope(forbid_patterns=("was sent",))}, Outcome.ESCALATED, C.BLOCKED_OUTPUT),
        ("hello", {"output": OutputScope(bytes_max=5)}, Outcome.ESCALATED, C.BLOCKED_OUTPUT),
    ],
)  # fmt: skip
async def test_the_policys_own_bounds_decide_without_any_code(
    value: str, policy: dict[str, Any], outcome: Outcome, code: ReasonCode
) -> None:
    task = await bench(answers, look, **policy).done(value)

    assert (task.outcome, task.reason_code) == (outcome, code)


async def test_an_escalation_names_who_is_asked_and_carries_what_the_agent_knew() -> None:
    task = await bench(escalates).done()

    assert task.escalated_to == "legal"
    assert task.why is not None
    assert task.why.evidence == {"order": "7"}


async def test_a_stop_rule_decides_whether_a_limit_asks_a_person_or_declines() -> None:
    rule = StopRule(when="limit", then="decline", note="Too much for us.")
    task = await bench(calls_on, look, stop=(rule,), limits=Limits(steps=2, tool_calls=2)).done()

    assert task.outcome is Outcome.DECLINED
    assert task.why is not None
    assert task.why.evidence["note"] == "Too much for us."
