"""What a trial came to, read from the rows that its run left. Pure but for reading."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from airworthy.evals import ToolUse, Trial
from airworthy.preflight.stage.part import Part
from airworthy.preflight.stage.people import waits_for
from airworthy.preflight.stage.recording import Recording, ToolResult
from airworthy.preflight.stage.script import Played
from airworthy.recorder import Recorded, StepState, read_steps
from airworthy.runtime import TaskRow, tasks
from airworthy.runtime.waiting import BLOCKED
from airworthy.store import Tx
from airworthy.tools import Tool

HANGS, WAITS, LOST = "hangs", "waits", "lost"


@dataclass(frozen=True, slots=True)
class Left:
    """What is in the store of one task."""

    task: TaskRow
    steps: tuple[Recorded, ...]
    waits: str


def left(tx: Tx, task_id: str) -> Left:
    return Left(tasks.get(tx, task_id), tuple(read_steps(tx, task_id)), waits_for(tx, task_id))


def played(
    part: Part,
    found: Left,
    tools: Mapping[str, Tool],
    *,
    crash: str = "",
    hangs: str = "",
    forced: bool = False,
) -> Played:
    """`hangs`: why it was given up, in words; empty: it was not. `forced`: it did not end by itself, so how it ended
    says nothing.
    """
    task, steps = found.task, found.steps
    why = task.why
    outcome = None if forced else task.outcome
    reason, text = ("", "") if why is None else (why.code.value, why.text)
    if outcome is None:
        reason = HANGS if hangs else LOST if crash else WAITS
        text = hangs or found.waits or task.waiting_for or "Nobody goes on with it."
    used = _used(steps, tools)
    prefix = {seq for seq, _ in part.asked}
    earlier = [] if part.script.prefix is None else part.script.prefix.asked
    asked = [*(each for each in earlier if each[0] < part.script.at and each[0] not in prefix), *part.asked]
    trial = Trial(
        case=part.script.case.id, outcome=outcome, reason=reason, text=text, answer=_answer(steps, why),
        tools=tuple(used), acts=part.world.acts(task.id), asked=tuple(each for _, each in asked),
        steps=task.steps if outcome is not None else len(steps) - 1, cost_nano=_cost(steps),
        seconds=task.active_us / 1e6, model_calls=_model_calls(steps), model_calls_made=part.model_calls_made,
        heard=tuple(_heard(steps)), made_up=tuple(part.made_up), crash=crash, task_id=task.id,
    )  # fmt: skip
    recording = Recording(part.script.case.id, steps, _results(steps, part.made_up), tuple(asked))
    return Played(trial, recording)


def unplayed(part: Part, reason: str, text: str, crash: str = "") -> Played:
    """Of a task that never was, or whose store cannot be read any more."""
    trial = Trial(
        case=part.script.case.id, outcome=None, reason=reason, text=text, crash=crash, task_id=part.task_id,
        acts=part.world.acts(part.task_id), asked=tuple(each for _, each in part.asked),
        made_up=tuple(part.made_up), model_calls_made=part.model_calls_made,
    )  # fmt: skip
    return Played(trial, Recording(part.script.case.id, ()))


def _answer(steps: Sequence[Recorded], why: Any) -> Any:
    last = next((step for step in reversed(steps) if step.kind == "outcome"), None)
    if last is not None and last.result is not None:
        return last.result
    return None if why is None else why.evidence.get(BLOCKED)


def _used(steps: Sequence[Recorded], tools: Mapping[str, Tool]) -> list[ToolUse]:
    """A call that a later run made anew is one call."""
    found: list[ToolUse] = []
    for step in _standing(steps, "tool"):
        effect = step.effect or (tools[step.name].effect.value if step.name in tools else "")
        arguments = step.arguments if isinstance(step.arguments, dict) else {"": step.arguments}
        error = step.error.type if step.error is not None else ""
        found.append(
            ToolUse(
                step.name, arguments, effect, step.seq, step.result, error, step.facts.attempts,
                step.state is StepState.REFUSED,
            )
        )  # fmt: skip
    return found


def _standing(steps: Sequence[Recorded], kind: str) -> list[Recorded]:
    alive = {_said(step) for step in steps if step.kind == kind and step.key is not None}
    return [
        step for step in steps if step.kind == kind and (step.key is not None or _said(step) not in alive)
    ]


def _said(step: Recorded) -> bytes:
    return step.name.encode() + orjson.dumps(step.arguments, option=orjson.OPT_SORT_KEYS)


def _model_calls(steps: Sequence[Recorded]) -> int:
    return sum(step.kind == "model" for step in steps)


def _cost(steps: Sequence[Recorded]) -> int | None:
    paid = [step.facts.cost_nano for step in steps if step.kind == "model" and step.error is None]
    return None if None in paid else sum(cost or 0 for cost in paid)


def _heard(steps: Sequence[Recorded]) -> list[str]:
    found: list[str] = []
    for step in steps:
        if step.kind not in ("tool", "step", "ask"):
            continue
        if step.result is not None:
            said = step.result
            found.append(said if isinstance(said, str) else orjson.dumps(said).decode())
        if step.error is not None:
            found.append(step.error.message)
    return found


def _results(steps: Sequence[Recorded], made_up: Container[str]) -> tuple[ToolResult, ...]:
    """Of calls that came through; what was made up, failed in passing, was held back or refused says nothing of it."""
    return tuple(
        ToolResult(step.name, step.arguments, step.result, step.error.type if step.error is not None else "",
                   step.error.message if step.error is not None else "")
        for step in steps
        if step.kind == "tool"
        and step.name not in made_up
        and (
            (step.state is StepState.DONE and step.error is None
             and not any(note.get("as_is") or "gap" in note for note in step.facts.notes))
            or (step.state is StepState.FAILED and step.error is not None and not step.error.retryable
                and step.error.type in ("ToolFailed", "ToolNotAuthorised"))
        )
    )  # fmt: skip
