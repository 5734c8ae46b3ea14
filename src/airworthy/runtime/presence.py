"""How a process stays alive in the store: its lease, and the sweep for what the dead have left. Knows no runner."""

import asyncio
from collections.abc import Awaitable, Callable

from airworthy.core.clock import US_PER_S, Clock
from airworthy.runtime.lifecycle import Lifecycle
from airworthy.runtime.sweeping import Swept, sweep
from airworthy.store import Database, StoreError, Tx
from airworthy.store import lease as leases
from airworthy.store.lease import HEARTBEAT_S, LEASE_S, Owner

SWEEP_S = 5.0


class Presence:
    """One per process. `lifecycle`: None where it wakes no tasks, and only gives the dead up."""

    def __init__(self, database: Database, clock: Clock, owner: Owner, lifecycle: Lifecycle | None) -> None:
        # Raises StoreNewer once the database is beyond this version; looked at with each sweep.
        self.readable: Callable[[Tx], None] = lambda _: None
        self._database = database
        self._clock = clock
        self._owner = owner
        self._lifecycle = lifecycle
        self._swept = Swept()
        self._seen_us = 0

    def join(self, tx: Tx) -> None:
        self.readable(tx)
        now_us = self._clock.now_us()
        leases.bury(tx, self._owner, now_us)
        leases.leave(tx, self._owner.id)  # It may join again, after the database was away.
        leases.join(tx, self._owner, now_us)
        if self._lifecycle is not None:
            sweep(tx, self._lifecycle, now_us)
        self._seen_us = now_us

    def missing(self) -> list[str]:
        """What keeps it from being counted on: nothing while the others take it for alive."""
        since_s = (self._clock.now_us() - self._seen_us) / US_PER_S
        if self._seen_us and since_s <= LEASE_S:
            return []
        if not self._seen_us:
            return ["It has not begun."]
        return [f"The database has not heard of this process for {since_s:.0f} s."]

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
            self._seen_us = self._clock.now_us()
            if self._clock.now_us() - last_sweep_us >= SWEEP_S * US_PER_S:
                last_sweep_us = self._clock.now_us()
                self._swept = await self._database.write(self._sweep)
                await swept(self._swept)

    async def leave(self) -> None:
        """What it held is woken for the others at once."""
        try:
            await self._database.write(self._left)
        except StoreError:
            pass  # The lease ends by itself.

    def _left(self, tx: Tx) -> None:
        leases.leave(tx, self._owner.id)
        if self._lifecycle is not None:
            sweep(tx, self._lifecycle, self._clock.now_us(), self._swept)

    def _beat(self, tx: Tx) -> bool:
        return leases.beat(tx, self._owner.id, self._clock.now_us())

    def _rejoin(self, tx: Tx) -> None:
        self.readable(tx)
        # Whatever was claimed between the thaw and now has no runner, or one that was just let go.
        leases.leave(tx, self._owner.id)
        leases.join(tx, self._owner, self._clock.now_us())

    def _sweep(self, tx: Tx) -> Swept:
        self.readable(tx)
        now_us = self._clock.now_us()
        leases.bury(tx, self._owner, now_us)
        return Swept() if self._lifecycle is None else sweep(tx, self._lifecycle, now_us, self._swept)
