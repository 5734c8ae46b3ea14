"""Tasks as rows: the only file that knows the columns of `tasks`. States change through `machine` alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from airworthy.core.errors import InputError
from airworthy.core.outcome import Outcome, Reason
from airworthy.core.task import TaskRef
from airworthy.recorder.touched import touch
from airworthy.recorder.traces import ours
from airworthy.recorder.traces.ours import LIVE, Opened
from airworthy.runtime.bell import ORDERS
from airworthy.runtime.machine import OPEN, Event, State, after
from airworthy.store import Tx, ids_alike


class Kind(StrEnum):
    RUN = "run"  # A worker calls the agent's function for it.
    SESSION = "session"  # The agent runs elsewhere and makes calls, one by one; no worker can run it again.


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task as it is stored. Times are UTC microseconds; `attempts` counts crashes without progress."""

    id: str
    agent: str
    policy_hash: str
    trace_id: str
    idempotency_key: str | None
    input_digest: bytes
    session: str
    user_id: str
    feature: str
    source: str
    priority: int
    state: State
    created_us: int
    changed_us: int
    closed_us: int | None = None
    run: int = 0
    attempts: int = 0
    failures: int = 0
    seq_claimed: int = 0
    run_started_us: int | None = None
    active_us: int = 0
    wake_us: int | None = None
    waiting_for: str = ""
    cancel_asked: bool = False
    pause_asked: bool = False
    reason_code: str | None = None
    reason: str | None = None
    escalated_to: str = ""
    steps: int = 0
    tokens: int = 0
    cost_nano: int | None = None
    discarded_us: int | None = None
    counted_from: int = 0  # A person opened it again: steps before this one count against no limit.
    kind: Kind = Kind.RUN
    fork_of: str | None = (
        None  # The task whose first steps this one began with; it only rehearses what it does.
    )
    fork_at: int | None = None  # The first step of that one which this one does anew.

    @property
    def ref(self) -> TaskRef:
        return TaskRef(self.id, self.agent, self.trace_id, self.session, self.user_id, self.feature)

    def opening(self, mode: str = LIVE) -> Opened:
        """Its place in the index of traces."""
        return Opened(
            self.id, self.trace_id, self.agent, self.policy_hash, self.session, self.user_id, self.feature,
            self.created_us, mode,
        )  # fmt: skip

    @property
    def outcome(self) -> Outcome | None:
        return None if self.state in OPEN else Outcome(self.state.value)

    @property
    def why(self) -> Reason | None:
        return None if self.reason is None else Reason.model_validate_json(self.reason)


_FIELDS = tuple(TaskRow.__dataclass_fields__)
_COLUMNS = ", ".join(_FIELDS)
_MARKS = ", ".join("?" for _ in _FIELDS)
_STATE = _FIELDS.index("state")
_KIND = _FIELDS.index("kind")
_FLAGS = (_FIELDS.index("cancel_asked"), _FIELDS.index("pause_asked"))


# A task that is answered by its run, or goes on, changes nothing that waits for people.
_FOR_PEOPLE = frozenset({State.ESCALATED, State.DEAD_LETTERED, State.CANCELLED, State.DECLINED})


class NoSuchTask(InputError):
    """No task has this id."""

    code = "no_such_task"


def insert(tx: Tx, row: TaskRow, mode: str = LIVE) -> None:
    """`mode`: live, rehearsal or fork."""
    ours.opened(tx, row.opening(mode))
    tx.put(f"INSERT INTO tasks ({_COLUMNS}) VALUES ({_MARKS})", tuple(getattr(row, name) for name in _FIELDS))


def find(tx: Tx, task_id: str) -> TaskRow | None:
    row = tx.row(f"SELECT {_COLUMNS} FROM tasks WHERE id = ?", (task_id,))
    return None if row is None else _task(row)


def get(tx: Tx, task_id: str) -> TaskRow:
    """Raises: NoSuchTask."""
    row = find(tx, task_id)
    if row is None:
        raise NoSuchTask(f"There is no task {task_id!r}.", mend="List them with `airworthy task list`.")
    return row


def find_by_key(tx: Tx, agent: str, key: str) -> TaskRow | None:
    row = tx.row(f"SELECT {_COLUMNS} FROM tasks WHERE agent = ? AND idempotency_key = ?", (agent, key))
    return None if row is None else _task(row)


def move(tx: Tx, row: TaskRow, event: Event, now_us: int, **sets: Any) -> State:
    """Changes the state as the table says, and whatever else goes with it. Raises: IllegalTransition."""
    state = after(row.state, event)
    columns = "".join(f", {name} = ?" for name in sets)
    changed = tx.execute(
        f"UPDATE tasks SET state = ?, changed_us = ?{columns} WHERE id = ? AND state = ?",
        (state.value, now_us, *sets.values(), row.id, row.state.value),
    )
    assert changed == 1, "a transaction saw two states of one task"
    if row.state in _FOR_PEOPLE or state in _FOR_PEOPLE:
        touch(tx, row.id)
    return state


def update(tx: Tx, task_id: str, **sets: Any) -> None:
    """Everything but the state."""
    assert "state" not in sets
    if "cancel_asked" in sets or "pause_asked" in sets:
        tx.notify(ORDERS)
    columns = ", ".join(f"{name} = ?" for name in sets)
    tx.put(f"UPDATE tasks SET {columns} WHERE id = ?", (*sets.values(), task_id))


def discard(tx: Tx, task_id: str, now_us: int) -> None:
    update(tx, task_id, discarded_us=now_us)
    touch(tx, task_id)


@dataclass(frozen=True, slots=True)
class TaskQuery:
    """Which tasks to list, the newest first. `before` is the last id of the page before."""

    states: Sequence[State] = ()
    agent: str = ""
    session: str = ""
    user: str = ""
    reason_code: str = ""
    before: str = ""
    limit: int = 50
    discarded: bool = False
    agents: Sequence[str] = ()  # Only theirs; empty: of all.


def listing(tx: Tx, query: TaskQuery) -> list[TaskRow]:
    clauses, params = ["1 = 1"], list[Any]()
    if query.states:
        clauses.append(f"state IN ({', '.join('?' for _ in query.states)})")
        params += query.states
    for column, value in (
        ("agent", query.agent), ("session", query.session), ("user_id", query.user), ("reason_code", query.reason_code),
    ):  # fmt: skip
        if value:
            clauses.append(f"{column} = ?")
            params.append(value)
    if query.agents:
        clauses.append(f"agent IN ({', '.join('?' for _ in query.agents)})")
        params += query.agents
    if query.before:
        clauses.append("id < ?")
        params.append(query.before)
    if not query.discarded:
        clauses.append("discarded_us IS NULL")
    sql = f"SELECT {_COLUMNS} FROM tasks WHERE {' AND '.join(clauses)} ORDER BY id DESC LIMIT ?"
    return [_task(row) for row in tx.rows(sql, (*params, query.limit))]


def forks_of(tx: Tx, task_id: str, limit: int = 100) -> list[TaskRow]:
    """The newest first."""
    sql = f"SELECT {_COLUMNS} FROM tasks WHERE fork_of = ? ORDER BY id DESC LIMIT ?"
    return [_task(row) for row in tx.rows(sql, (task_id, limit))]


def alike(tx: Tx, part: str, chars_min: int, limit: int) -> list[str]:
    """Ids of tasks that begin or end with `part`; see `store.ids_alike`."""
    return ids_alike(tx, "tasks", part, chars_min, limit)


def counts(tx: Tx, agent: str = "") -> dict[State, int]:
    where, params = ("WHERE agent = ?", (agent,)) if agent else ("", ())
    rows = tx.rows(f"SELECT state, COUNT(*) FROM tasks {where} GROUP BY state", params)
    return {State(state): count for state, count in rows}


def _task(row: tuple[Any, ...]) -> TaskRow:
    values = list(row)
    values[_STATE] = State(values[_STATE])
    values[_KIND] = Kind(values[_KIND])
    for flag in _FLAGS:
        values[flag] = bool(values[flag])
    return TaskRow(*values)
