"""The port to whatever wakes tasks, and the embedded engine: a queue in the same database.

An engine owes one thing: "advance task X, not before T", at least once. Everything else (one worker at a time, no
write by a worker that lost its claim) is fenced in the store, so a wake-up too many does no harm. How many tasks may
begin, and whose turn it is, is decided there too: an agent's queue is woken like a task, under a name of its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from airworthy.core.clock import US_PER_S
from airworthy.runtime.bell import AT_ONCE, IDLE_S, POLL_S, Bell, Turn
from airworthy.store import Database, Tx

_TOPIC: Final = "wakes "
_IDLE_US: Final = round(IDLE_S * US_PER_S)


class Engine(Protocol):
    def prepare(self, database: Database) -> None:
        """Makes what the engine needs in the database, beyond the tables of every airworthy. Twice is once."""
        ...

    def schedule(self, tx: Tx, task_id: str, *, agent: str, priority: int, due_us: int, now_us: int) -> None:
        """In the transaction that makes the task ready; a task has one wake-up, the latest wins."""
        ...

    def forget(self, tx: Tx, task_id: str) -> None: ...

    def take(self, tx: Tx, agents: Sequence[str], now_us: int, count: int) -> list[str]:
        """Due task ids, the highest priority first, removed from the queue."""
        ...

    def next_us(self, tx: Tx, agents: Sequence[str]) -> int | None:
        """When the first of these agents' tasks is to be woken; None: none is, now or later."""
        ...

    def unknown(self, name: str) -> str:
        """SQL that is true where the engine is not to wake what the SQL expression `name` names.

        For the sweeper. An engine that keeps its wake-ups elsewhere keeps a shadow of them in the store.
        """
        ...

    def listen(self, database: Database, agents: Iterable[str]) -> None:
        """From now on, `wait` ends when somebody else schedules a task of these agents, if the store can tell."""
        ...

    def close(self) -> None:
        """Listens no longer."""
        ...

    def nudge(self) -> None:
        """Something was scheduled in this process; do not wait for the poll."""
        ...

    async def wait(self, s_max: float = IDLE_S, turn: Turn = AT_ONCE) -> None:
        """Until something may have become due, at most so long."""
        ...


@dataclass(frozen=True, slots=True)
class Lane:
    """What is to be woken of an agent at one priority; `first_us`: when the first of it is due."""

    agent: str
    priority: int
    first_us: int


class EmbeddedEngine:
    """The default. Several processes may share the database; each hears of the others, or polls."""

    def __init__(self, poll_s: float = POLL_S) -> None:
        self._bell = Bell(poll_s)

    def prepare(self, database: Database) -> None: ...

    def schedule(self, tx: Tx, task_id: str, *, agent: str, priority: int, due_us: int, now_us: int) -> None:
        tx.put(
            "INSERT INTO wakes (task_id, agent, priority, due_us) VALUES (?, ?, ?, ?) ON CONFLICT (task_id)"
            " DO UPDATE SET agent = excluded.agent, priority = excluded.priority, due_us = excluded.due_us",
            (task_id, agent, priority, due_us),
        )
        self._tell(tx, agent, due_us, now_us)

    def forget(self, tx: Tx, task_id: str) -> None:
        tx.put("DELETE FROM wakes WHERE task_id = ?", (task_id,))

    def take(self, tx: Tx, agents: Sequence[str], now_us: int, count: int) -> list[str]:
        taken: list[str] = []
        for lane in self._lanes(tx, agents):
            if len(taken) >= count:
                break
            if lane.first_us <= now_us:
                taken += self._taken(tx, lane, now_us, count - len(taken))
        return taken

    def next_us(self, tx: Tx, agents: Sequence[str]) -> int | None:
        return min((lane.first_us for lane in self._lanes(tx, agents)), default=None)

    def unknown(self, name: str) -> str:
        return f"NOT EXISTS (SELECT 1 FROM wakes known WHERE known.task_id = {name})"

    def listen(self, database: Database, agents: Iterable[str]) -> None:
        self._bell.listen(database, [_TOPIC + agent for agent in agents])

    def close(self) -> None:
        self._bell.close()

    def nudge(self) -> None:
        self._bell.nudge()

    async def wait(self, s_max: float = IDLE_S, turn: Turn = AT_ONCE) -> None:
        await self._bell.wait(s_max, turn)

    @staticmethod
    def _tell(tx: Tx, agent: str, due_us: int, now_us: int) -> None:
        # Whoever waits looks by itself before a later one is due.
        if due_us < now_us + _IDLE_US:
            tx.notify(_TOPIC + agent)

    def _taken(self, tx: Tx, lane: Lane, now_us: int, count: int) -> list[str]:
        rows = tx.rows(
            "SELECT task_id FROM wakes WHERE agent = ? AND priority = ? AND due_us <= ?"
            " ORDER BY due_us, task_id LIMIT ?",
            (lane.agent, lane.priority, now_us, count),
        )
        tx.many("DELETE FROM wakes WHERE task_id = ?", rows)
        return [row[0] for row in rows]

    @staticmethod
    def _lanes(tx: Tx, agents: Sequence[str]) -> list[Lane]:
        """Those of these agents with anything queued, the highest priority first.

        Lane by lane, so that a million tasks waiting for later never stand in the way of one that is due; in one
        statement, because a server may be a journey away.
        """
        if not agents:
            return []
        rows = tx.rows(_LANES.format(", ".join("(?)" for _ in agents)), list(agents))
        return sorted((Lane(*row) for row in rows), key=lambda lane: -lane.priority)


class PostgresEngine(EmbeddedEngine):
    """The same on PostgreSQL: one journey for what is taken, and right even beside a writer without a turn."""

    def _taken(self, tx: Tx, lane: Lane, now_us: int, count: int) -> list[str]:
        rows = tx.rows(TAKE_DUE, (lane.agent, lane.priority, now_us, count))
        return [row[1] for row in sorted(rows)]


# On PostgreSQL: of an agent at a priority, what is due, and so many at most.
TAKE_DUE: Final = (
    "DELETE FROM wakes WHERE task_id = ANY (ARRAY(SELECT task_id FROM wakes WHERE agent = ? AND priority = ?"
    " AND due_us <= ? ORDER BY due_us, task_id LIMIT ? FOR UPDATE SKIP LOCKED)) RETURNING due_us, task_id"
)
_LANES: Final = (
    "WITH RECURSIVE lane (agent, priority) AS (SELECT asked.column1, (SELECT MAX(w.priority) FROM wakes w"
    " WHERE w.agent = asked.column1) FROM (VALUES {}) AS asked UNION ALL SELECT lane.agent, (SELECT MAX(w.priority)"
    " FROM wakes w WHERE w.agent = lane.agent AND w.priority < lane.priority) FROM lane"
    " WHERE lane.priority IS NOT NULL) SELECT lane.agent, lane.priority, (SELECT MIN(w.due_us) FROM wakes w"
    " WHERE w.agent = lane.agent AND w.priority = lane.priority) FROM lane WHERE lane.priority IS NOT NULL"
)
