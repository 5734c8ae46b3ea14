"""How far a demo is, as a value read from the tasks themselves."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from airworthy.core.outcome import Outcome
from airworthy.demo.inquiries import Inquiry
from airworthy.policy.chars import printable
from airworthy.runtime import State, TaskRow

LATEST_SHOWN = 6
ESCALATED_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Finished:
    """A letter whose task has just ended. `text`: the reason; for an answer, what was asked."""

    letter: str
    kind: str
    outcome: Outcome
    text: str


@dataclass(frozen=True, slots=True)
class Progress:
    """`cost_nano`: of the closed tasks, calls with a lost bill at their worst case. The newest first in the lists."""

    total: int
    closed: int
    under_way: int
    waiting: int
    outcomes: dict[Outcome, int]
    cost_nano: int
    seconds: float
    kills: int
    latest: tuple[Finished, ...]
    escalated: tuple[Finished, ...]

    @property
    def share(self) -> float:
        return self.closed / self.total if self.total else 1.0


def progress_of(
    tasks: Sequence[TaskRow], letters: Mapping[str, Inquiry], seconds: float, kills: int
) -> Progress:
    """`letters` by key."""
    closed = sorted(
        (task for task in tasks if task.outcome is not None), key=lambda task: -(task.closed_us or 0)
    )
    counted = Counter(task.outcome for task in closed)
    states = Counter(task.state for task in tasks)
    escalated = [task for task in closed if task.outcome is Outcome.ESCALATED]
    return Progress(
        total=len(tasks),
        closed=len(closed),
        under_way=states[State.RUNNING],
        waiting=states[State.WAITING],
        outcomes={outcome: counted[outcome] for outcome in Outcome},
        cost_nano=sum(task.cost_nano or 0 for task in closed),
        seconds=seconds,
        kills=kills,
        latest=tuple(_finished(task, letters) for task in closed[:LATEST_SHOWN]),
        escalated=tuple(_finished(task, letters) for task in escalated[:ESCALATED_SHOWN]),
    )


def _finished(task: TaskRow, letters: Mapping[str, Inquiry]) -> Finished:
    key = task.idempotency_key or ""
    letter, outcome, why = letters.get(key), task.outcome, task.why
    assert outcome is not None
    asked = letter.subject if letter is not None else ""
    text = asked if outcome is Outcome.ANSWERED or why is None else why.text
    return Finished(
        key, letter.kind if letter is not None else "", outcome, printable(" ".join(text.split()))
    )
