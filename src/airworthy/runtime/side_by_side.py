"""A fork and what it was forked from, side by side: outcome, answer, and what each cost from the fork on."""

from dataclasses import dataclass
from typing import Any

from airworthy.core.outcome import Outcome
from airworthy.recorder import Recorded, read_steps
from airworthy.runtime import tasks
from airworthy.runtime.differing import answer_diff
from airworthy.runtime.documents import answer_of, usd
from airworthy.runtime.tasks import TaskRow
from airworthy.store import Tx


@dataclass(frozen=True, slots=True)
class Side:
    """`steps` and `cost_nano` (None: unpriced) are of the part from the fork on, so that they can be compared."""

    task: TaskRow
    answer: Any
    steps: int
    cost_nano: int | None

    def document(self) -> dict[str, Any]:
        task = self.task
        return {
            "task": task.id,
            "state": task.state.value,
            "outcome": task.outcome.value if task.outcome is not None else None,
            "reason": task.why.model_dump(mode="json") if task.why is not None else None,
            "answer": self.answer,
            "steps": self.steps,
            "cost_usd": usd(self.cost_nano),
        }


@dataclass(frozen=True, slots=True)
class SideBySide:
    """`diff` of the answers as lines, from the origin's to the fork's; empty when they are the same, or one is open."""

    origin: Side
    fork: Side
    diff: tuple[str, ...]

    @property
    def same(self) -> bool:
        outcomes = {side.task.outcome for side in (self.origin, self.fork)}
        return len(outcomes) == 1 and None not in outcomes and not self.diff

    def document(self) -> dict[str, Any]:
        return {
            "origin": self.origin.document(),
            "fork": self.fork.document(),
            "same": self.same,
            "diff": list(self.diff),
        }


def side_by_side(tx: Tx, fork_id: str) -> SideBySide | None:
    """None for a task that is no fork, or whose origin is gone. Raises: NoSuchTask."""
    fork = tasks.get(tx, fork_id)
    origin = tasks.find(tx, fork.fork_of) if fork.fork_of is not None else None
    if origin is None or fork.fork_at is None:
        return None
    before, after = read_steps(tx, origin.id), read_steps(tx, fork.id)
    mine = [step for step in after if step.run > 0]
    theirs = [step for step in before if step.seq >= fork.fork_at]
    sides = _side(origin, before, theirs), _side(fork, after, mine)
    both = all(side.task.outcome is Outcome.ANSWERED for side in sides)
    diff = answer_diff(sides[0].answer, sides[1].answer, ("origin", "fork")) if both else ()
    return SideBySide(*sides, diff)


def _side(task: TaskRow, whole: list[Recorded], part: list[Recorded]) -> Side:
    paid = [step.facts.cost_nano for step in part if step.kind == "model" and step.error is None]
    known = [cost for cost in paid if cost is not None]
    cost_nano = sum(known) if len(known) == len(paid) else None
    made = sum(step.kind not in ("outcome", "check") for step in part)
    return Side(task, answer_of(whole), made, cost_nano)
