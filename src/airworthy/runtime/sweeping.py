"""Finds what nobody will wake: tasks and places of dead workers, wake-ups that are missing, queues that stand still.

What the dead left is looked for in one go. Missing wake-ups are looked for bit by bit, by one process at a time for
all of them, and in a read: a million open tasks and a hundred workers must not hold up anybody's write.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from airworthy.core.clock import US_PER_S
from airworthy.runtime import sessions, tasks
from airworthy.runtime.admission import bounds, queue
from airworthy.runtime.engine import Engine
from airworthy.runtime.lifecycle import Lifecycle
from airworthy.runtime.machine import State
from airworthy.runtime.tasks import TaskRow
from airworthy.store import Tx

SWEEP_S = 5.0
SWEPT_MAX = 10_000  # Open tasks of a state looked at in one sweep; the next goes on behind them.
# By which time: nobody needs to know yet that a task which is to wait for days has lost its wake-up.
_SWEPT = {State.QUEUED: "changed_us", State.WAITING: "wake_us"}
_TURN = "turn"
_START = (0, "")

Place = tuple[int, str]  # (time, id) of a task.


@dataclass(frozen=True, slots=True)
class Missed:
    """Open tasks that nobody is to wake, as a read saw them, and by state where the next look goes on."""

    tasks: tuple[str, ...] = ()
    after: Mapping[State, Place] = field(default_factory=dict)


def my_turn(tx: Tx, now_us: int) -> bool:
    """Whether nobody has swept for SWEEP_S; true for one of all who ask."""
    before_us = now_us - round(SWEEP_S * US_PER_S)
    taken = tx.execute(
        "INSERT INTO sweeps (name, at_us, after_id) VALUES (?, ?, '') ON CONFLICT (name) DO UPDATE SET"
        # A time to come is of a clock that has been set back since.
        " at_us = excluded.at_us WHERE sweeps.at_us <= ? OR sweeps.at_us > ?",
        (_TURN, now_us, before_us, now_us),
    )
    return taken == 1


def missed(tx: Tx, engine: Engine, now_us: int) -> Missed:
    """The next SWEPT_MAX tasks are looked at: of those that are queued, and of those that wait and are due."""
    rows = tx.rows("SELECT name, at_us, after_id FROM sweeps WHERE name <> ?", (_TURN,))
    places = {row[0]: (row[1], row[2]) for row in rows}
    found: list[str] = []
    after: dict[State, Place] = {}
    for state in _SWEPT:
        ids, after[state] = _unwoken(tx, engine, state, places.get(state.value, _START), now_us)
        found += ids
    return Missed(tuple(found), after)


def sweep(tx: Tx, lifecycle: Lifecycle, now_us: int, found: Missed | None = None) -> int:
    """Wakes them, and what the dead left; answers how many. `found`: left out, the next bit is looked at here."""
    missing = missed(tx, lifecycle.engine, now_us) if found is None else found
    woken = mend(tx, lifecycle, now_us)
    for task_id in missing.tasks:
        task = tasks.find(tx, task_id)
        if task is not None and (found is None or _still_unwoken(tx, lifecycle.engine, task)):
            _wake(tx, lifecycle, task, now_us)
            woken += 1
    for state, (at_us, id_) in missing.after.items():
        tx.put(
            "INSERT INTO sweeps (name, at_us, after_id) VALUES (?, ?, ?) ON CONFLICT (name)"
            " DO UPDATE SET at_us = excluded.at_us, after_id = excluded.after_id",
            (state.value, at_us, id_),
        )
    return woken


def mend(tx: Tx, lifecycle: Lifecycle, now_us: int) -> int:
    """What the dead left, woken; answers how many. Sessions are not woken but settled."""
    sessions.settle(lifecycle, tx, now_us)
    woken = _sweep_queues(tx, lifecycle, now_us)
    for task in _orphans(tx):
        _wake(tx, lifecycle, task, now_us)
        woken += 1
    return woken


def _wake(tx: Tx, lifecycle: Lifecycle, task: TaskRow, now_us: int) -> None:
    # What had its turn before goes before what still waits for one: its customer has waited longest.
    due_us = max(now_us, task.wake_us or 0) if task.state is State.WAITING else task.created_us
    lifecycle.schedule(tx, task, due_us, now_us)


def _orphans(tx: Tx) -> list[TaskRow]:
    """Running tasks that no living worker holds, and that do not stand in a queue for a place to go on."""
    rows = tx.rows(
        "SELECT t.id FROM tasks t LEFT JOIN claims c ON c.name = t.id LEFT JOIN waiting l ON l.task_id = t.id"
        " WHERE t.state = 'running' AND t.kind = 'run' AND c.owner IS NULL AND l.task_id IS NULL"
    )
    return [tasks.get(tx, row[0]) for row in rows]


def _unwoken(tx: Tx, engine: Engine, state: State, after: Place, now_us: int) -> tuple[list[str], Place]:
    """Those of the next `SWEPT_MAX` that neither the engine nor a queue knows, and where to go on."""
    column = _SWEPT[state]
    of = f"t.kind = 'run' AND t.state = '{state.value}' AND t.{column} <= ? AND (t.{column}, t.id) > (?, ?)"
    last = tx.row(
        f"SELECT t.{column}, t.id FROM tasks t WHERE {of} ORDER BY t.{column}, t.id LIMIT 1 OFFSET ?",
        (now_us, *after, SWEPT_MAX - 1),
    )
    upto, until = ("", ()) if last is None else (f" AND (t.{column}, t.id) <= (?, ?)", last)
    rows = tx.rows(
        f"SELECT t.id FROM tasks t WHERE {of}{upto} AND {_unknown(engine)}", (now_us, *after, *until)
    )
    return [row[0] for row in rows], _START if last is None else (last[0], last[1])


def _still_unwoken(tx: Tx, engine: Engine, task: TaskRow) -> bool:
    """It may have been woken, claimed or closed since it was found."""
    if task.state not in _SWEPT or (task.state is State.WAITING and task.wake_us is None):
        return False
    return tx.row(f"SELECT 1 FROM tasks t WHERE t.id = ? AND {_unknown(engine)}", (task.id,)) is not None


def _unknown(engine: Engine) -> str:
    return f"{engine.unknown('t.id')} AND NOT EXISTS (SELECT 1 FROM waiting l WHERE l.task_id = t.id)"


def _sweep_queues(tx: Tx, lifecycle: Lifecycle, now_us: int) -> int:
    """Gives the places of dead workers free, and wakes what waits for one."""
    unknown = lifecycle.engine.unknown(f"'{queue.wake_id('')}' || q.agent")
    rows = tx.rows(
        f"SELECT q.agent FROM queues q WHERE {unknown} AND EXISTS (SELECT 1 FROM lanes n WHERE n.agent = q.agent)"
    )
    agents = {row[0] for row in rows}
    for task_id in bounds.abandoned(tx):
        freed = bounds.end(tx, task_id)
        if freed is not None:
            queue.release_user(tx, *freed)
            agents.add(freed[0])
    for agent in agents:
        lifecycle.wake_queue(tx, agent, now_us, now_us)
    bounds.prune(tx, now_us)
    return len(agents)
