"""Who may touch a resource now, and whether it changed since a run read it. Lost updates are made impossible here.

A task holds a resource from its first call on it until it is parked or closed. While it is parked others may change
the resource; the version tells, and the next effect on it is refused until the run has read it again.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from functools import partial

from airworthy.recorder import Journal
from airworthy.store import Tx

POLL_S = 0.2  # How soon a release by another process is noticed.


def acquire(tx: Tx, resource: str, task_id: str) -> tuple[int, str | None]:
    """(version, None) when the task holds it now; (version, holder) when another does."""
    row = tx.row("SELECT version, holder FROM resources WHERE name = ?", (resource,))
    if row is None:
        tx.execute("INSERT INTO resources (name, version, holder) VALUES (?, 0, ?)", (resource, task_id))
        return 0, None
    version, holder = row
    if holder is None:
        tx.execute("UPDATE resources SET holder = ? WHERE name = ?", (task_id, resource))
        return version, None
    return version, None if holder == task_id else holder


def bump(tx: Tx, resource: str) -> None:
    """With every intent to change it: a started effect may have changed it, so it counts as a change."""
    tx.execute("UPDATE resources SET version = version + 1 WHERE name = ?", (resource,))


def give_way(tx: Tx, task_id: str, kept: frozenset[str]) -> set[str]:
    """Releases all the task holds but `kept`; what a run of it held that died is on record here, and only here."""
    freed = {row[0] for row in tx.rows("SELECT name FROM resources WHERE holder = ?", (task_id,))} - kept
    for name in sorted(freed):
        tx.execute("UPDATE resources SET holder = NULL WHERE name = ?", (name,))
    return freed


def _acquire_or_give_way(
    tx: Tx, resource: str, task_id: str, kept: frozenset[str]
) -> tuple[int, str | None, set[str]]:
    version, holder = acquire(tx, resource, task_id)
    freed = give_way(tx, task_id, kept) if holder is not None and task_id > holder else set()
    return version, holder, freed


def release_all(tx: Tx, task_id: str) -> None:
    """In the transaction that parks or closes the task."""
    tx.put("UPDATE resources SET holder = NULL WHERE holder = ?", (task_id,))


class Resources:
    """Waiting for resources within this process; one per worker."""

    def __init__(self) -> None:
        self._released: dict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def hold(
        self, journal: Journal, resource: str, held: set[str], using: Mapping[str, int], turn: asyncio.Lock
    ) -> int:
        """Waits until the task holds the resource; answers with the version it has now.

        Wait-die keeps two tasks from waiting for each other: the younger one (the later id) gives up what it holds
        before it waits for an older one, but for what a parallel call of its own is `using`: that goes when the call
        has ended. `held` is the run's own note of what it holds. `turn`: the run's own, because what is given away is
        chosen before it is written, and a parallel call that begins in between must not lose what it has just taken.
        """
        task_id = journal.task.id
        while True:
            async with turn:
                # What calls of this run are using, those included that are about to hold it.
                kept = frozenset(name for name, calls in using.items() if calls)
                version, holder, freed = await journal.database.write(
                    partial(_acquire_or_give_way, resource=resource, task_id=task_id, kept=kept),
                    fence=journal.fence,
                )
                held -= freed
            self.released(freed)
            if holder is None:
                held.add(resource)
                return version
            event = self._released[resource]
            try:
                await asyncio.wait_for(event.wait(), POLL_S)
            except TimeoutError:
                pass  # Another process may have released it; look again.
            event.clear()

    def released(self, resources: set[str]) -> None:
        """Wakes those who wait in this process."""
        for resource in resources:
            event = self._released.pop(resource, None)
            if event is not None:
                event.set()
