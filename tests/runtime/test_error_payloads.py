"""Every failure is on record as data: what was tried with which input, where, on whom, what kind, which attempt."""

from typing import Any

import pytest

from airworthy import Run, tool
from airworthy.core.outcome import ErrorFact
from airworthy.gateway import ModelOutage, ModelRefusedRequest
from airworthy.policy import BreakerRule, ToolRule
from airworthy.runtime.documents import step_document
from airworthy.tools import ToolError, Transient
from tests.gateway.kit import FIRST, model, script
from tests.runtime.kit import bench


@tool(dependency="crm")
async def find(email: str) -> str:
    """Never finds."""
    raise Transient("the line went dead", happened="no")


@tool
async def odd(x: int) -> str:
    """Breaks."""
    raise ValueError("odd")


async def tools(run: Run) -> str:
    for name, arguments in (
        ("find", {"email": "ann"}),
        ("odd", {"x": 1}),
        ("rm", {}),
        ("odd", {"x": "no number"}),
    ):
        try:
            await run.tool(name, **arguments)
        except ToolError:
            pass

    def broken() -> str:
        raise KeyError("gone")

    try:
        await run.step("parse", broken)
    except KeyError:
        pass
    return "ok"


RULE = ToolRule(attempts=3, critical=False, breaker=BreakerRule(calls_min=100))


async def test_each_failed_step_carries_input_step_type_dependency_and_attempt() -> None:
    made = bench(tools, find, odd, tools={"find": RULE, "odd": RULE})
    task = await made.done()
    failed = [step_document(step) for step in made.steps(task.id) if step.error is not None]
    facts: list[dict[str, Any]] = [step["error"] for step in failed]

    assert [step["arguments"] for step in failed][:2] == [{"email": "ann"}, {"x": 1}]
    assert [(fact["type"], fact["dependency"], fact["attempt"]) for fact in facts[:2]] == [
        ("ToolUnavailable", "crm", 3),
        ("ToolFailed", "odd", 1),
    ]
    for step, fact in zip(failed, facts, strict=True):
        assert fact["step"].endswith(f" {step['seq']}")
        assert fact["dependency"]
        assert fact["type"]
        # Nothing was tried where a guard said no.
        assert fact["attempt"] >= (0 if step["state"] == "refused" else 1)
    assert {step["name"] for step in failed} == {"find", "odd", "rm", "parse"}


async def crashes(_: Run) -> str:
    raise RuntimeError("disk")


async def asks(run: Run) -> str:
    return (await run.model([{"role": "user", "content": "hi"}])).text


@pytest.mark.parametrize(
    ("handler", "answers", "where"),
    [
        (crashes, (), ("RuntimeError", "the agent's function", "", 1)),
        (asks, (ModelRefusedRequest("no"),), ("ModelRefusedRequest", "model call 2", "the model", 1)),
    ],
)
async def test_why_a_task_could_not_be_processed_says_where(
    handler: Any, answers: tuple[Any, ...], where: tuple[str, str, str, int]
) -> None:
    made = bench(handler, models=(model(),), clients={FIRST: script(*answers)})
    task = await made.done()
    assert task.why is not None
    fact = task.why.error
    assert isinstance(fact, ErrorFact)

    assert (fact.type, fact.step, fact.dependency, fact.attempt) == where


async def test_a_model_that_is_away_says_how_often_it_was_asked() -> None:
    made = bench(asks, models=(model(),), clients={FIRST: script(*[ModelOutage("503")] * 50)})
    task = await made.done()
    (step,) = [step for step in made.steps(task.id) if step.kind == "model" and step.key is not None] or [
        step for step in made.steps(task.id) if step.kind == "model"
    ][-1:]
    assert step.error is not None

    assert (step.error.dependency, step.error.step) == (FIRST, f"model call {step.seq}")
    assert step.error.attempt > 1
