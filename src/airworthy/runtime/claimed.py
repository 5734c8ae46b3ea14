"""A task as a run is handed it: its row, its record, and what the two together say of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airworthy.core.outcome import Outcome, Reason
from airworthy.recorder import Recorded
from airworthy.recorder.traces.ours import FORK, LIVE, REHEARSAL, Closed
from airworthy.review import items
from airworthy.runtime import forked
from airworthy.runtime.tasks import TaskRow
from airworthy.store import Fence, Tx


@dataclass(frozen=True, slots=True)
class Claimed:
    """A task in this worker's hands, with all it needs to run: one read, at the claim."""

    task: TaskRow
    fence: Fence
    recorded: tuple[Recorded, ...]
    words: tuple[str, ...] = ()  # What people said when they opened it again, in order.

    @property
    def input(self) -> Any:
        return self.recorded[0].arguments

    @property
    def dry_run(self) -> bool:
        return is_rehearsal(self.task, self.recorded)


def is_rehearsal(task: TaskRow, recorded: Sequence[Recorded]) -> bool:
    """The task was handed in as one: it stands with the input, so that nothing can lose it. A fork is always one, also
    when its input has been erased.
    """
    if task.fork_of is not None:
        return True
    return bool(recorded) and any(note.get("dry_run") for note in recorded[0].facts.notes)


def mode_of(task: TaskRow, recorded: Sequence[Recorded]) -> str:
    """How it stands in the index of traces: live, rehearsal or fork."""
    if task.fork_of is not None:
        return FORK
    return REHEARSAL if is_rehearsal(task, recorded) else LIVE


def words_of(tx: Tx, task: TaskRow, recorded: Sequence[Recorded]) -> tuple[str, ...]:
    """What people said when they opened the task again, as JSON, the last word last; of a fork, its origin's first."""
    if not task.counted_from:
        return ()
    return (*forked.words(recorded), *items.words_of_task(tx, task.id))


def closing(outcome: Outcome, reason: Reason, ended_us: int, worked_us: int, cost_nano: int | None) -> Closed:
    """The end of a task for the index of traces."""
    error = reason.error.type if reason.error is not None else ""
    return Closed(outcome.value, reason.code, error, ended_us, worked_us, cost_nano, check_of(reason))


def check_of(reason: Reason | None) -> str:
    """The check that stopped the task; "" for none."""
    return str(reason.evidence.get("check", "")) if reason is not None else ""
