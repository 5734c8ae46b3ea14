"""The budgets of one process: calls take from slices in memory, which are leased from the store's rows beforehand.

Rule 1: what may have been spent stands in a row before it is spent, so a crash at any moment leaves it counted.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from airworthy.core.clock import US_PER_S, Clock
from airworthy.gateway.budget.book import TICK_S, Book
from airworthy.gateway.budget.leasing import Changes, enter, lend, recover, wanted_of
from airworthy.gateway.budget.rollup import Dimensions
from airworthy.gateway.budget.slice import Hold
from airworthy.gateway.budget.values import Amount, Exceeded, Scope
from airworthy.gateway.budget.waiting import Waiter
from airworthy.gateway.wire.facts import Usage
from airworthy.store import Database, StoreError, Tx
from airworthy.store import lease as leases
from airworthy.store.lease import HEARTBEAT_S, LEASE_S, Owner

SWEEP_S = LEASE_S / 2
WAITING_MAX = 1_000


class Ledger:
    """One per process, used from one event loop, between `open` and `close`."""

    def __init__(
        self, database: Database, clock: Clock, owner: Owner, *, waiting_max: int = WAITING_MAX
    ) -> None:
        """`owner` is the ledger's own and no worker's, because each is given up for dead by itself."""
        self._database = database
        self._clock = clock
        self._name = owner.id
        self._owner = owner
        self._lives = 1
        self._alive = False
        self._waiting_max = waiting_max
        self._demand = asyncio.Event()
        self._book = Book(self._demand.set)
        self._tickets = 0
        self._seq = 0
        self._handed: Changes | None = None
        self._unwritten: Changes | None = None
        self._flushing = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Also counts what dead processes left as lost."""
        await self._enter()
        self._tasks = [
            asyncio.create_task(self._lend_forever(), name="budget lender"),
            asyncio.create_task(self._tick_forever(), name="budget keeper"),
        ]

    async def close(self) -> None:
        """Gives back what is free; what is held by calls still under way counts as lost. Twice is once.

        Raises: StoreError; then the lease runs out by itself, and all that was leased counts as lost.
        """
        if self._book.closed:
            return
        self._book.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for _ in range(2):  # What was restored, then the rest.
            await self.flush()

        def op(tx: Tx) -> None:
            leases.leave(tx, self._owner.id)
            recover(tx)

        await self._database.write(op)

    def try_reserve(
        self, scopes: Sequence[Scope], amount: Amount, who: Dimensions | None = None
    ) -> Hold | None:
        """In memory, in all scopes or in none. None: not at once; `reserve` says whether ever.

        `who`: what the spend is summed by for people; None: it is not.
        """
        return self._book.take(scopes, amount, who)

    async def reserve(
        self, scopes: Sequence[Scope], amount: Amount, who: Dimensions | None = None, *, deadline_us: int
    ) -> Hold | Exceeded:
        """Waits, first come first served, while only the reservations of other calls are in the way.

        Raises: StoreError.
        """
        book = self._book
        hold = book.take(scopes, amount, who)
        if hold is not None:
            return hold
        if book.closed or book.waiting >= self._waiting_max:
            full = (
                "The gateway is closing." if book.closed else f"{book.waiting} calls wait for their budgets."
            )
            return Exceeded(scopes[0], full, passing=True)
        loop = asyncio.get_running_loop()
        refused = book.refusal(scopes, amount, loop.time())
        if refused is not None:
            return refused
        self._tickets += 1
        waiter = Waiter(self._tickets, scopes, amount, who, loop.create_future())
        timer = loop.call_later(max(deadline_us - self._clock.now_us(), 0) / US_PER_S, self._expire, waiter)
        book.waiting += 1
        try:
            book.park(waiter)
            return await waiter.answer
        except asyncio.CancelledError:
            answer = waiter.answer
            if answer.done() and not answer.cancelled() and answer.exception() is None:
                taken = answer.result()
                if isinstance(taken, Hold):
                    book.release(taken)
            raise
        finally:
            timer.cancel()
            book.drop(waiter)
            book.waiting -= 1

    def settle(self, hold: Hold, actual: Amount, usage: Usage | None = None) -> None:
        """The bill is known. More than was reserved counts too."""
        self._book.settle(hold, actual, usage)

    def release(self, hold: Hold) -> None:
        """The call was never sent: nothing is owed, and it does not count as made."""
        self._book.release(hold)

    def keep(self, hold: Hold) -> None:
        """The result is unknown: the reservation stays for good and counts as spent; the call counts as unpriced."""
        self._book.keep(hold)

    def changes(self) -> Changes:
        """What is to be written, to be answered by `done` or `restore`. Empty while others are being written."""
        if self._handed is not None or not self._alive:
            return Changes(self._owner.id, 0, (), ())
        found, self._unwritten = self._unwritten, None
        if found is None:
            self._seq += 1
            found = self._book.changes(self._owner.id, self._seq)
        if found:
            self._handed = found
        return found

    def done(self, changes: Changes, alive: bool) -> None:  # noqa: FBT001  # what `apply` answered, passed on
        """The transaction that applied them is committed."""
        if changes is self._handed:
            self._handed = None
        if not alive:
            self._buried(changes.owner)

    def restore(self, changes: Changes) -> None:
        """The write failed, or nobody knows: they come again, and are applied once at most."""
        if changes is self._handed:
            self._handed, self._unwritten = None, changes

    async def flush(self, also: Callable[[Tx], object] | None = None) -> None:
        """Writes the changes and whatever `also` writes in one transaction. Raises: what the write raises."""
        async with self._flushing:
            changes = self.changes()

            def op(tx: Tx) -> bool:
                alive = changes.apply(tx)
                if also is not None:
                    also(tx)
                return alive

            if not changes and also is None:
                return
            try:
                alive = await self._database.write(op)
            except BaseException:
                self.restore(changes)
                raise
            self.done(changes, alive)

    def _expire(self, waiter: Waiter) -> None:
        scope = waiter.parked.scope if waiter.parked is not None else waiter.scopes[0]
        late = Exceeded(scope, f"No budget of {scope.label} came free in time.", passing=True)
        self._book.refuse(waiter, waiter.why or late)

    async def _enter(self) -> None:
        def op(tx: Tx) -> None:
            now_us = self._clock.now_us()
            enter(tx, self._owner, now_us)
            leases.bury(tx, self._owner, now_us)
            recover(tx)

        await self._database.write(op)
        self._alive = True

    def _buried(self, owner: str) -> None:
        """Frozen for longer than the lease: what was leased counts as lost, and we begin anew under another name."""
        if owner != self._owner.id or not self._alive:
            return
        self._alive = False
        self._lives += 1
        self._owner = replace(self._owner, id=f"{self._name}.{self._lives}")
        self._book.bury()
        self._demand.set()

    async def _lend_forever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            asked, again_s = self._book.asks(loop.time())
            self._demand.clear()
            if not asked and self._alive:
                timer = None if again_s is None else loop.call_at(again_s, self._demand.set)
                await self._demand.wait()
                if timer is not None:
                    timer.cancel()
                continue
            try:
                if not self._alive:
                    await self._enter()
                    continue
                owner = self._owner.id
                asks = [wanted.ask for wanted in asked]
                lent = await self._database.write(partial(lend, owner=owner, asks=asks))
            except StoreError as error:
                # A budget that cannot be read bounds nothing: the calls that wait for it fail.
                for wanted in asked:
                    if wanted.waiter is not None:
                        self._book.fail(wanted.waiter, error)
                await asyncio.sleep(TICK_S)
                continue
            if lent is None:
                self._buried(owner)
                continue
            for wanted, answer in zip(asked, lent, strict=True):
                self._book.lent(wanted, answer, loop.time())

    async def _tick_forever(self) -> None:
        loop = asyncio.get_running_loop()
        beat_s = sweep_s = loop.time()
        while True:
            await asyncio.sleep(TICK_S)
            now_s = loop.time()
            try:
                if self._alive and now_s - beat_s >= HEARTBEAT_S:
                    beat_s = now_s
                    sweeps = now_s - sweep_s >= SWEEP_S
                    sweep_s = now_s if sweeps else sweep_s
                    await self._beat(sweeps=sweeps)
                owner = self._owner.id
                wanted = await self._database.read(partial(wanted_of, owner=owner))
                self._book.tick(loop.time(), wanted)
                await self.flush()
            except StoreError:
                continue  # Nothing is forgotten: it is tried again, and a lease that runs out overcounts.

    async def _beat(self, *, sweeps: bool) -> None:
        owner = self._owner

        def op(tx: Tx) -> bool:
            now_us = self._clock.now_us()
            alive = leases.beat(tx, owner.id, now_us)
            if sweeps:
                leases.bury(tx, owner, now_us)
                recover(tx)
            return alive

        if not await self._database.write(op):
            self._buried(owner.id)
