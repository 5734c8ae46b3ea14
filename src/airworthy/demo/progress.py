"""How far a demo is, as a value read from the tasks themselves."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from airworthy.core.outcome import Outcome
from airworthy.runtime import State, TaskRow

LATEST_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Finished:
    """A task that has just ended; `kind` is what sort of letter it was."""

    task_id: str
    letter: str
    kind: str
    outcome: Outcome
    text: str


@dataclass(frozen=True, slots=True)
class Progress:
    """`cost_nano`: of the closed tasks, calls with a lost bill at their worst case. `latest`: the newest first."""

    total: int
    closed: int
    under_way: int
    waiting: int
    outcomes: dict[Outcome, int]
    cost_nano: int
    seconds: float
    kills: int
    latest: tuple[Finished, ...]

    @property
    def share(self) -> float:
        return self.closed / self.total if self.total else 1.0


def progress_of(tasks: Sequence[TaskRow], kinds: dict[str, str], seconds: float, kills: int) -> Progress:
    """`kinds`: of letters, by key."""
    closed = sorted(
        (task for task in tasks if task.outcome is not None), key=lambda task: -(task.closed_us or 0)
    )
    counted = Counter(task.outcome for task in closed)
    states = Counter(task.state for task in tasks)
    return Progress(
        total=len(tasks),
        closed=len(closed),
        under_way=states[State.RUNNING],
        waiting=states[State.WAITING],
        outcomes={outcome: counted[outcome] for outcome in Outcome},
        cost_nano=sum(task.cost_nano or 0 for task in closed),
        seconds=seconds,
        kills=kills,
        latest=tuple(_finished(task, kinds) for task in closed[:LATEST_SHOWN]),
    )


def _finished(task: TaskRow, kinds: dict[str, str]) -> Finished:
    key = task.idempotency_key or ""
    outcome, why = task.outcome, task.why
    assert outcome is not None
    return Finished(task.id, key, kinds.get(key, ""), outcome, why.text if why is not None else "")
