"""How a process stays alive in the store: its lease, and the sweep for what the dead have left. Knows no runner."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from airworthy.core.clock import US_PER_S, Clock
from airworthy.runtime.bell import Turn
from airworthy.runtime.lifecycle import Lifecycle
from airworthy.runtime.sweeping import SWEEP_S, mend, missed, my_turn, sweep
from airworthy.store import Database, StoreError, Tx
from airworthy.store import lease as leases
from airworthy.store.lease import HEARTBEAT_S, Others, Owner

LOOK_S: Final = 1.0  # How soon it is noticed that a process of this machine is gone.
RANK_S: Final = 0.02  # Between one survivor and the next, so that one buries the dead and not all at once.
RANK_S_MAX: Final = 1.0


class Presence:
    """One per process."""

    def __init__(self, database: Database, clock: Clock, owner: Owner, lifecycle: Lifecycle) -> None:
        self._database = database
        self._clock = clock
        self._owner = owner
        self._lifecycle = lifecycle
        self._others = Others()

    def turn(self, held: int, futile: int) -> Turn:
        """When it is this process's turn, after what all of them hear."""
        return Turn(held, self._others.before, self._others.count == 0, futile)

    def join(self, tx: Tx) -> None:
        now_us = self._clock.now_us()
        leases.bury(tx, self._owner, now_us)
        leases.join(tx, self._owner, now_us)
        sweep(tx, self._lifecycle, now_us)
        self._others = leases.others(tx, self._owner)

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
            if loop.time() >= beat_s + HEARTBEAT_S:
                beat_s = loop.time()
                alive, sweeps = await self._database.write(self._beat)
                if not alive:
                    lost()
                    await self._database.write(self._rejoin)
                woken += await self._sweep() if sweeps else 0
            self._others = await self._database.read(self._look)
            if died or loop.time() >= swept_s + SWEEP_S:
                swept_s = loop.time()
                await swept(woken)

    async def leave(self) -> None:
        try:
            await self._database.write(lambda tx: leases.leave(tx, self._owner.id))
        except StoreError:
            pass  # The lease ends by itself.

    async def _rest(self, until_s: float) -> bool:
        """Until then, or until somebody is dead, which is answered."""
        loop = asyncio.get_running_loop()
        expires_s = self._first_expires_s(loop.time())
        while (left_s := until_s - loop.time()) > 0:
            pause_s = min(left_s, expires_s - loop.time())
            if self._others.neighbours:
                pause_s = min(pause_s, LOOK_S)
            await asyncio.sleep(max(0.0, pause_s))
            gone = any(neighbour.gone() for neighbour in self._others.neighbours)
            if gone or loop.time() >= expires_s:
                return await self._database.read(self._somebody_died)
        return False

    def _first_expires_s(self, now_s: float) -> float:
        expires_us = self._others.first_expires_us
        if expires_us is None:
            return float("inf")
        rank_s = min(RANK_S_MAX, self._others.before * RANK_S)
        return now_s + max(0.0, (expires_us - self._clock.now_us()) / US_PER_S) + rank_s

    def _somebody_died(self, tx: Tx) -> bool:
        return bool(leases.dead(tx, self._owner, self._clock.now_us()))

    def _look(self, tx: Tx) -> Others:
        return leases.others(tx, self._owner)

    def _beat(self, tx: Tx) -> tuple[bool, bool]:
        now_us = self._clock.now_us()
        return leases.beat(tx, self._owner.id, now_us), my_turn(tx, now_us)

    def _rejoin(self, tx: Tx) -> None:
        # Whatever was claimed between the thaw and now has no runner, or one that was just let go.
        leases.leave(tx, self._owner.id)
        leases.join(tx, self._owner, self._clock.now_us())

    def _bury(self, tx: Tx) -> int:
        now_us = self._clock.now_us()
        buried = leases.bury(tx, self._owner, now_us)
        return mend(tx, self._lifecycle, now_us) if buried else 0

    async def _sweep(self) -> int:
        found = await self._database.read(lambda tx: missed(tx, self._lifecycle.engine, self._clock.now_us()))

        def op(tx: Tx) -> int:
            now_us = self._clock.now_us()
            leases.bury(tx, self._owner, now_us)
            return sweep(tx, self._lifecycle, now_us, found)

        return await self._database.write(op)
