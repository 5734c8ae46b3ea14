"""How a process stays alive in the store: its lease, and the sweep for what the dead have left. Knows no runner."""

import asyncio
from collections.abc import Awaitable, Callable

from airworthy.core.clock import US_PER_S, Clock
from airworthy.runtime.lifecycle import Lifecycle
from airworthy.runtime.sweeping import Swept, sweep
from airworthy.store import Database, StoreError, Tx
from airworthy.store import lease as leases
from airworthy.store.lease import HEARTBEAT_S, Owner

SWEEP_S = 5.0


class Presence:
    """One per process."""

    def __init__(self, database: Database, clock: Clock, owner: Owner, lifecycle: Lifecycle) -> None:
        self._database = database
        self._clock = clock
        self._owner = owner
        self._lifecycle = lifecycle
        self._swept = Swept()

    def join(self, tx: Tx) -> None:
        now_us = self._clock.now_us()
        leases.bury(tx, self._owner, now_us)
        leases.join(tx, self._owner, now_us)
        sweep(tx, self._lifecycle, now_us)

    async def keep(self, lost: Callable[[], None], swept: Callable[[Swept], Awaitable[None]]) -> None:
        """Until cancelled. Raises: StoreError.

        `lost`: the process was given up for dead while it was frozen, and what it held belongs to others now. It goes
        on holding nothing. `swept`: after each sweep.
        """
        last_sweep_us = self._clock.now_us()
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            if not await self._database.write(self._beat):
                lost()
                await self._database.write(self._rejoin)
            if self._clock.now_us() - last_sweep_us >= SWEEP_S * US_PER_S:
                last_sweep_us = self._clock.now_us()
                self._swept = await self._database.write(self._sweep)
                await swept(self._swept)

    async def leave(self) -> None:
        try:
            await self._database.write(lambda tx: leases.leave(tx, self._owner.id))
        except StoreError:
            pass  # The lease ends by itself.

    def _beat(self, tx: Tx) -> bool:
        return leases.beat(tx, self._owner.id, self._clock.now_us())

    def _rejoin(self, tx: Tx) -> None:
        # Whatever was claimed between the thaw and now has no runner, or one that was just let go.
        leases.leave(tx, self._owner.id)
        leases.join(tx, self._owner, self._clock.now_us())

    def _sweep(self, tx: Tx) -> Swept:
        now_us = self._clock.now_us()
        leases.bury(tx, self._owner, now_us)
        return sweep(tx, self._lifecycle, now_us, self._swept)
