"""What of a task waits for people, decided from its rows alone. Pure: the list can be made anew at any time."""

from collections.abc import Sequence
from dataclasses import dataclass

from airworthy.core.outcome import ReasonCode
from airworthy.review import Kind, Question
from airworthy.runtime.machine import OPEN, State
from airworthy.runtime.tasks import TaskRow
from airworthy.tools import EffectRow, EffectState

BLOCKED = "blocked_answer"  # The key of a reason's evidence.
_OF_EFFECT = {
    EffectState.HELD: Kind.APPROVAL,
    EffectState.SCHEDULED: Kind.DELAYED,
    EffectState.IN_DOUBT: Kind.IN_DOUBT,
}


@dataclass(frozen=True, slots=True)
class Want:
    """An item that should be open. `place`: the team that the task itself names."""

    kind: Kind
    subject: str
    since_us: int
    place: str = ""
    tool: str = ""


def wanted(task: TaskRow, effects: Sequence[EffectRow], questions: Sequence[Question]) -> list[Want]:
    found = [
        Want(
            _OF_EFFECT[row.state],
            row.id,
            row.ended_us or row.created_us,
            _place_in_doubt(task, row),
            row.tool,
        )
        for row in effects
        if row.state in _OF_EFFECT
    ]
    if task.state in OPEN:
        found += [Want(Kind.QUESTION, each.id, each.created_us, each.to) for each in questions if each.open]
    whole = _whole_task(task, effects)
    if whole is not None:
        since_us = task.closed_us or task.changed_us
        found.append(Want(whole, f"{task.id}#{task.run}", since_us, task.escalated_to))
    return found


def _whole_task(task: TaskRow, effects: Sequence[EffectRow]) -> Kind | None:
    if task.fork_of is not None:
        return None  # Somebody tries something out: nobody waits for its answer, and nothing hangs on it.
    if task.state is State.DEAD_LETTERED and task.discarded_us is None:
        return Kind.DEAD_LETTER
    if task.state is not State.ESCALATED:
        return None
    if task.reason_code == ReasonCode.IN_DOUBT and any(_run_in_doubt(row) for row in effects):
        return None  # Whoever settles the effect opens the task again: one thing to decide, not two.
    why = task.why
    return Kind.BLOCKED_ANSWER if why is not None and BLOCKED in why.evidence else Kind.ESCALATION


def _run_in_doubt(row: EffectRow) -> bool:
    return row.state is EffectState.IN_DOUBT and row.due_us is None


def _place_in_doubt(task: TaskRow, row: EffectRow) -> str:
    return task.escalated_to if _run_in_doubt(row) and task.reason_code == ReasonCode.IN_DOUBT else ""
