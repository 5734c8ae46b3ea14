"""A process that works on no task: the others know that it is alive, and it does the chores if they are its."""

import asyncio
from collections.abc import Sequence

from airworthy.core.clock import Clock
from airworthy.runtime.chores import Chore, Chores
from airworthy.runtime.presence import Presence
from airworthy.store import Database, StoreError, StoreNewer
from airworthy.store.lease import HEARTBEAT_S, Owner


class Attendant:
    """One per process. `chores`: none where it only serves; of several that have them, one at a time does each."""

    def __init__(self, database: Database, clock: Clock, owner: Owner, chores: Sequence[Chore] = ()) -> None:
        self.presence = Presence(database, clock, owner, None)
        self._database = database
        self._chores = Chores(database, clock, owner.id, chores)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        self._stopping.set()

    async def run(self) -> None:
        """Until `stop`. A database that is away is waited for. Raises: StoreNewer."""
        stopped, attending = asyncio.create_task(self._stopping.wait()), asyncio.create_task(self._attend())
        parts = [attending, asyncio.create_task(self._chores.run())]
        try:
            await asyncio.wait([stopped, attending], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for part in (stopped, *parts):
                part.cancel()
            ends = await asyncio.gather(*parts, return_exceptions=True)
            await self.presence.leave()
        for end in ends:
            if isinstance(end, Exception):
                raise end

    async def _attend(self) -> None:
        while True:
            try:
                await self._database.write(self.presence.join)
                await self.presence.keep(_nothing, _swept)
            except StoreNewer:
                raise
            except StoreError:
                await asyncio.sleep(HEARTBEAT_S)


def _nothing() -> None:
    """It holds only chores, and asks before each whose it is."""


async def _swept(_: int) -> None:
    return
