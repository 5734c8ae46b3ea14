"""The port to whatever wakes tasks, and the embedded engine: a queue in the same database.

An engine owes one thing: "advance task X, not before T", at least once. Everything else (one worker at a time, no
write by a worker that lost its claim) is fenced in the store, so a wake-up too many does no harm. How many tasks may
begin, and whose turn it is, is decided there too: an agent's queue is woken like a task, under a name of its own.
"""

import asyncio
from collections.abc import Iterable
from typing import Protocol

from airworthy.store import Tx

POLL_S = 0.2  # How soon work queued by another process is noticed.


class Engine(Protocol):
    def schedule(self, tx: Tx, task_id: str, *, agent: str, priority: int, due_us: int) -> None:
        """In the transaction that makes the task ready; a task has one wake-up, the latest wins."""
        ...

    def forget(self, tx: Tx, task_id: str) -> None: ...

    def take(self, tx: Tx, agents: Iterable[str], now_us: int, count: int) -> list[str]:
        """Due task ids, the highest priority first, removed from the queue."""
        ...

    def due(self, tx: Tx, agents: Iterable[str], now_us: int) -> bool: ...

    def pending(self, tx: Tx, agents: Iterable[str]) -> bool:
        """Whether any task of these agents is to be woken, now or later."""
        ...

    def nudge(self) -> None:
        """Something was scheduled in this process; do not wait for the poll."""
        ...

    async def wait(self, s_max: float = POLL_S) -> None:
        """Until something may have become due, at most so long."""
        ...


class EmbeddedEngine:
    """The default. Several processes on one host may share the database; each polls it a few times a second."""

    def __init__(self) -> None:
        self._nudged = asyncio.Event()

    def schedule(self, tx: Tx, task_id: str, *, agent: str, priority: int, due_us: int) -> None:
        tx.execute(
            "INSERT INTO wakes (task_id, agent, priority, due_us) VALUES (?, ?, ?, ?) ON CONFLICT (task_id)"
            " DO UPDATE SET agent = excluded.agent, priority = excluded.priority, due_us = excluded.due_us",
            (task_id, agent, priority, due_us),
        )

    def forget(self, tx: Tx, task_id: str) -> None:
        tx.execute("DELETE FROM wakes WHERE task_id = ?", (task_id,))

    def take(self, tx: Tx, agents: Iterable[str], now_us: int, count: int) -> list[str]:
        taken: list[str] = []
        for priority, agent in self._lanes(tx, agents):
            if len(taken) >= count:
                break
            rows = tx.rows(
                "SELECT task_id FROM wakes WHERE agent = ? AND priority = ? AND due_us <= ?"
                " ORDER BY due_us, task_id LIMIT ?",
                (agent, priority, now_us, count - len(taken)),
            )
            taken += [row[0] for row in rows]
        for task_id in taken:
            tx.execute("DELETE FROM wakes WHERE task_id = ?", (task_id,))
        return taken

    def due(self, tx: Tx, agents: Iterable[str], now_us: int) -> bool:
        return any(
            tx.row(
                "SELECT 1 FROM wakes WHERE agent = ? AND priority = ? AND due_us <= ? LIMIT 1",
                (agent, priority, now_us),
            )
            for priority, agent in self._lanes(tx, agents)
        )

    def pending(self, tx: Tx, agents: Iterable[str]) -> bool:
        return bool(self._lanes(tx, agents))

    def nudge(self) -> None:
        self._nudged.set()

    async def wait(self, s_max: float = POLL_S) -> None:
        try:
            async with asyncio.timeout(min(s_max, POLL_S)):
                await self._nudged.wait()
        except TimeoutError:
            pass  # The poll: another process may have queued something.
        self._nudged.clear()

    @staticmethod
    def _lanes(tx: Tx, agents: Iterable[str]) -> list[tuple[int, str]]:
        """(priority, agent) pairs with anything queued, the highest priority first.

        Lane by lane, so that a million tasks waiting for later never stand in the way of one that is due.
        """
        lanes = []
        for agent in agents:
            row = tx.row("SELECT MAX(priority) FROM wakes WHERE agent = ?", (agent,))
            while row is not None and row[0] is not None:
                lanes.append((row[0], agent))
                row = tx.row(
                    "SELECT MAX(priority) FROM wakes WHERE agent = ? AND priority < ?", (agent, row[0])
                )
        return sorted(lanes, key=lambda lane: -lane[0])
