"""Finds what nobody will wake: tasks and places of dead workers, wake-ups that are missing, queues that stand still."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from airworthy.runtime import sessions, tasks
from airworthy.runtime.admission import bounds, queue
from airworthy.runtime.lifecycle import Lifecycle
from airworthy.runtime.machine import State
from airworthy.runtime.tasks import TaskRow
from airworthy.store import Tx

SWEPT_MAX = 10_000  # Open tasks of a state looked at in one sweep; the next goes on behind them.
SWEPT_STATES = (State.QUEUED, State.WAITING)


@dataclass(frozen=True, slots=True)
class Swept:
    """How many tasks and queues were woken, and by state behind which (time of change, id) the next sweep goes on."""

    woken: int = 0
    after: Mapping[State, tuple[int, str]] = field(default_factory=dict)


def sweep(tx: Tx, lifecycle: Lifecycle, now_us: int, before: Swept | None = None) -> Swept:
    """`before`: what the last sweep answered, so that a million open tasks are looked at bit by bit.

    Sessions are not woken but settled.
    """
    sessions.settle(lifecycle, tx, now_us)
    queues = _sweep_queues(tx, lifecycle, now_us)
    found = _orphans(tx)
    after: dict[State, tuple[int, str]] = {}
    for state in SWEPT_STATES:
        ids, last = _unwoken(tx, state, (0, "") if before is None else before.after.get(state, (0, "")))
        found += [tasks.get(tx, task_id) for task_id in ids]
        if last is not None:
            after[state] = last
    for task in found:
        # What had its turn before goes before what still waits for one: its customer has waited longest.
        due_us = max(now_us, task.wake_us or 0) if task.state is State.WAITING else task.created_us
        lifecycle.schedule(tx, task, due_us)
    return Swept(len(found) + queues, after)


def _orphans(tx: Tx) -> list[TaskRow]:
    """Running tasks that no living worker holds, and that do not stand in a queue for a place to go on."""
    rows = tx.rows(
        "SELECT t.id FROM tasks t LEFT JOIN claims c ON c.name = t.id LEFT JOIN waiting l ON l.task_id = t.id"
        " WHERE t.state = 'running' AND t.kind = 'run' AND c.owner IS NULL AND l.task_id IS NULL"
    )
    return [tasks.get(tx, row[0]) for row in rows]


def _unwoken(tx: Tx, state: State, after: tuple[int, str]) -> tuple[list[str], tuple[int, str] | None]:
    """Those of the next `SWEPT_MAX` open tasks that neither the engine nor a queue knows, and where to go on."""
    last = tx.row(
        "SELECT changed_us, id FROM tasks WHERE state = ? AND (changed_us, id) > (?, ?) ORDER BY changed_us, id"
        " LIMIT 1 OFFSET ?",
        (state.value, *after, SWEPT_MAX - 1),
    )
    upto, params = ("", ()) if last is None else (" AND (t.changed_us, t.id) <= (?, ?)", last)
    rows = tx.rows(
        "SELECT t.id FROM tasks t LEFT JOIN wakes w ON w.task_id = t.id LEFT JOIN waiting l ON l.task_id = t.id"
        f" WHERE t.state = ? AND (t.changed_us, t.id) > (?, ?){upto} AND w.task_id IS NULL AND l.task_id IS NULL"
        " AND t.kind = 'run' AND (t.state = 'queued' OR t.wake_us IS NOT NULL)",
        (state.value, *after, *params),
    )
    return [row[0] for row in rows], None if last is None else (last[0], last[1])


def _sweep_queues(tx: Tx, lifecycle: Lifecycle, now_us: int) -> int:
    """Gives the places of dead workers free, and wakes what waits for one."""
    rows = tx.rows(
        "SELECT q.agent FROM queues q LEFT JOIN wakes w ON w.task_id = ? || q.agent"
        " WHERE w.task_id IS NULL AND EXISTS (SELECT 1 FROM lanes n WHERE n.agent = q.agent)",
        (queue.wake_id(""),),
    )
    agents = {row[0] for row in rows}
    for task_id in bounds.abandoned(tx):
        freed = bounds.end(tx, task_id)
        if freed is not None:
            queue.release_user(tx, *freed)
            agents.add(freed[0])
    for agent in agents:
        lifecycle.wake_queue(tx, agent, now_us)
    bounds.prune(tx, now_us)
    return len(agents)
