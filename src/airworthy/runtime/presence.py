"""How a process stays alive in the store: its lease, and the sweep for what the dead have left. Knows no runner."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from airworthy.core.clock import US_PER_S, Clock
from airworthy.runtime.bell import MOMENT_S, Turn
from airworthy.runtime.lifecycle import Lifecycle
from airworthy.runtime.sweeping import SWEEP_S, mend, missed, my_turn, sweep
from airworthy.store import Database, StoreError, Tx
from airworthy.store import lease as leases
from airworthy.store.lease import HEARTBEAT_S, LEASE_S, Others, Owner

LOOK_S: Final = 1.0  # How soon it is noticed that a process of this machine is gone.
OVER_S: Final = 0.1  # At its very end a lease is not over; also the least between two looks at the same one.
RANK_S: Final = 0.02  # Between one survivor and the next, so that one buries the dead and not all at once.
RANK_S_MAX: Final = 1.0
IDLER_S: Final = (
    3.0  # Who can wake no task buries the dead only when nobody else has: their tasks would lie there.
)


class Presence:
    """One per process. `lifecycle`: None where it wakes no tasks, and only gives the dead up."""

    def __init__(self, database: Database, clock: Clock, owner: Owner, lifecycle: Lifecycle | None) -> None:
        # Raises StoreNewer once the database is beyond this version; asked whenever it looks who else is there.
        self.readable: Callable[[Tx], None] = lambda _: None
        self._database = database
        self._clock = clock
        self._owner = owner
        self._lifecycle = lifecycle
        self._others = Others()
        self._seen_us = 0

    def turn(self, held: int, futile: int) -> Turn:
        """When it is this process's turn, after what all of them hear."""
        return Turn(held, self._others.before, self._others.count == 0, futile)

    def join(self, tx: Tx) -> None:
        self.readable(tx)
        now_us = self._clock.now_us()
        if self._lifecycle is not None:
            leases.bury(tx, self._owner, now_us)
        leases.leave(tx, self._owner.id)  # It may join again, after the database was away.
        leases.join(tx, self._owner, now_us)
        if self._lifecycle is not None:
            sweep(tx, self._lifecycle, now_us)
        self._others = leases.others(tx, self._owner)
        self._seen_us = now_us

    def missing(self) -> list[str]:
        """What keeps it from being counted on: nothing while the others take it for alive."""
        since_s = (self._clock.now_us() - self._seen_us) / US_PER_S
        if self._seen_us and since_s <= LEASE_S:
            return []
        if not self._seen_us:
            return ["It has not begun."]
        return [f"The database has not heard of this process for {since_s:.0f} s."]

    async def keep(self, lost: Callable[[], None], swept: Callable[[int], Awaitable[None]]) -> None:
        """Until cancelled. Raises: StoreError.

        `lost`: the process was given up for dead while it was frozen, and what it held belongs to others now. It goes
        on holding nothing. `swept`: now and then, and when somebody died, with how many tasks were woken here.
        """
        loop = asyncio.get_running_loop()
        beat_s = swept_s = loop.time()
        while True:
            died = await self._rest(beat_s + HEARTBEAT_S)
            woken = await self._database.write(self._bury) if died else 0
            if loop.time() >= beat_s + HEARTBEAT_S - MOMENT_S:
                beat_s = loop.time()
                alive, sweeps = await self._database.write(self._beat)
                if not alive:
                    lost()
                    await self._database.write(self._rejoin)
                self._seen_us = self._clock.now_us()
                woken += await self._sweep(self._lifecycle) if sweeps and self._lifecycle is not None else 0
            self._others = await self._database.read(self._look)
            if died or loop.time() >= swept_s + SWEEP_S:
                swept_s = loop.time()
                await swept(woken)

    async def leave(self) -> None:
        """What it held is woken for the others at once."""
        try:
            await self._database.write(self._left)
        except StoreError:
            pass  # The lease ends by itself.

    def _left(self, tx: Tx) -> None:
        leases.leave(tx, self._owner.id)
        if self._lifecycle is not None:
            mend(tx, self._lifecycle, self._clock.now_us())

    async def _rest(self, until_s: float) -> bool:
        """Until then, or until somebody is dead, which is answered."""
        loop = asyncio.get_running_loop()
        expires_s = self._first_expires_s(loop.time())
        while (left_s := until_s - loop.time()) > MOMENT_S:
            pause_s = min(left_s, expires_s - loop.time())
            if self._others.neighbours and self._lifecycle is not None:
                pause_s = min(pause_s, LOOK_S)
            await asyncio.sleep(max(0.0, pause_s))
            if self._gone() or loop.time() >= expires_s - MOMENT_S:
                return await self._database.read(self._somebody_died)
        return False

    def _gone(self) -> bool:
        return self._lifecycle is not None and any(each.gone() for each in self._others.neighbours)

    def _first_expires_s(self, now_s: float) -> float:
        expires_us = self._others.first_expires_us
        if expires_us is None:
            return float("inf")
        rank_s = IDLER_S if self._lifecycle is None else min(RANK_S_MAX, self._others.before * RANK_S)
        left_s = (expires_us - self._clock.now_us()) / US_PER_S
        return now_s + max(0.0, left_s) + rank_s + OVER_S

    def _somebody_died(self, tx: Tx) -> bool:
        return bool(leases.dead(tx, self._owner, self._clock.now_us()))

    def _look(self, tx: Tx) -> Others:
        self.readable(tx)
        return leases.others(tx, self._owner)

    def _beat(self, tx: Tx) -> tuple[bool, bool]:
        now_us = self._clock.now_us()
        alive = leases.beat(tx, self._owner.id, now_us)
        return alive, self._lifecycle is not None and my_turn(tx, now_us)

    def _rejoin(self, tx: Tx) -> None:
        self.readable(tx)
        # Whatever was claimed between the thaw and now has no runner, or one that was just let go.
        leases.leave(tx, self._owner.id)
        leases.join(tx, self._owner, self._clock.now_us())

    def _bury(self, tx: Tx) -> int:
        now_us = self._clock.now_us()
        buried = leases.bury(tx, self._owner, now_us)
        return mend(tx, self._lifecycle, now_us) if buried and self._lifecycle is not None else 0

    async def _sweep(self, lifecycle: Lifecycle) -> int:
        found = await self._database.read(lambda tx: missed(tx, lifecycle.engine, self._clock.now_us()))

        def op(tx: Tx) -> int:
            now_us = self._clock.now_us()
            leases.bury(tx, self._owner, now_us)
            return sweep(tx, lifecycle, now_us, found)

        return await self._database.write(op)
