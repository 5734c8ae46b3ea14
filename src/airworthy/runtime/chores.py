"""Work that is nobody's task and has to go on while workers run: one process at a time does each chore."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from airworthy.core.clock import Clock
from airworthy.core.errors import told
from airworthy.recorder.alerts import Alert, ended, find, raised
from airworthy.runtime.crew import CHORE
from airworthy.store import Database, StoreError, Tx
from airworthy.store import lease as leases


@dataclass(frozen=True, slots=True)
class Chore:
    """`run` is called every `every_s` seconds, by one living monitor of all that share the database.

    It is handed the time and may take as long as it likes; it never overlaps itself in one process. After a process's
    death another takes the chore over, so what it does must bear being begun again.
    """

    name: str
    every_s: float
    run: Callable[[int], Awaitable[None]]


def monitored(tx: Tx) -> bool:
    """Whether anybody does chores."""
    found = tx.row(
        "SELECT 1 FROM claims WHERE name >= ? AND name < ? AND owner IS NOT NULL LIMIT 1",
        (CHORE, CHORE.replace(":", ";")),
    )
    return found is not None


class Chores:
    """Belongs to one process; `owner_id` is its own."""

    def __init__(self, database: Database, clock: Clock, owner_id: str, chores: Sequence[Chore]) -> None:
        self._database = database
        self._clock = clock
        self._owner_id = owner_id
        self._chores = tuple(chores)

    async def run(self) -> None:
        """Until cancelled. One chore that fails holds up no other."""
        async with asyncio.TaskGroup() as group:
            for chore in self._chores:
                group.create_task(self._forever(chore))

    async def _forever(self, chore: Chore) -> None:
        while True:
            try:
                await self.once(chore)
            except StoreError:
                pass  # The worker itself notices a store that fails, and says so.
            await asyncio.sleep(chore.every_s)

    async def once(self, chore: Chore) -> bool:
        """False when the chore is another worker's. A failure becomes an alert, and its end ends the alert."""
        name = f"{CHORE}{chore.name}"
        if not await self._mine(name):
            return False
        try:
            await chore.run(self._clock.now_us())
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001  # the shell of the chore: whatever it is, a person gets it in words
            text = f"{type(error).__name__}: {told(error)}"
            alert = Alert(name, "chore", "", "warning", f"The chore {chore.name!r} fails", text)
            await self._database.write(lambda tx: raised(tx, alert, self._clock.now_us()))
        else:
            await self._well(name)
        return True

    async def _mine(self, claim: str) -> bool:
        """Whoever comes first keeps it, and gives it up by leaving or by its lease."""
        # Asked by every worker every few seconds, and nearly always answered as before: so it is read, not written.
        holder = await self._database.read(lambda tx: leases.holder(tx, claim))
        if holder is None:
            holder = await self._database.write(lambda tx: self._taken(tx, claim))
        return holder == self._owner_id

    def _taken(self, tx: Tx, claim: str) -> str:
        """Who holds it now: another may have been quicker."""
        holder = leases.holder(tx, claim)
        if holder is None:
            leases.take(tx, claim, self._owner_id, self._clock.now_us())
        return holder or self._owner_id

    async def _well(self, key: str) -> None:
        alert = await self._database.read(lambda tx: find(tx, key))
        if alert is not None and alert.ended_us is None:
            await self._database.write(lambda tx: ended(tx, key, "airworthy", self._clock.now_us()))
