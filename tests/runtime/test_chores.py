"""Chores go on beside tasks: by one worker at a time, by the next after its death, and failures are told."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from airworthy.app.build import MIGRATIONS
from airworthy.recorder import alerts
from airworthy.runtime.chores import Chore, Chores
from airworthy.store import Fence, Tx, lease, migrate
from airworthy.store.lease import Owner
from tests.database import Memory
from tests.virtual import LoopClock

T = TypeVar("T")


class _Counting(Memory):
    writes = 0

    async def write(self, op: Callable[[Tx], T], *, fence: Fence | None = None, beside: bool = False) -> T:
        self.writes += 1
        return await super().write(op, fence=fence, beside=beside)


def _database(clock: LoopClock, *owners: str) -> _Counting:
    database = _Counting()
    migrate(database, MIGRATIONS)
    for owner in owners:
        database.write_now(partial(lease.join, owner=Owner(owner, "", 1, ""), now_us=clock.now_us()))
    return database


async def test_of_two_workers_one_does_a_chore_and_the_other_takes_it_over() -> None:
    clock = LoopClock()
    database = _database(clock, "one", "two")
    done: list[str] = []

    def of(owner: str) -> tuple[Chores, Chore]:
        async def run(_now_us: int) -> None:
            done.append(owner)

        chore = Chore("sweep", 5.0, run)
        return Chores(database, clock, owner, [chore]), chore

    (one, chore_one), (two, chore_two) = of("one"), of("two")
    assert await one.once(chore_one)
    assert not await two.once(chore_two)
    assert await one.once(chore_one)
    database.write_now(lambda tx: lease.leave(tx, "one"))
    assert await two.once(chore_two)

    assert done == ["one", "one", "two"]


async def test_a_chore_that_fails_is_an_alert_until_it_works_again_and_holds_up_no_other() -> None:
    clock = LoopClock()
    database = _database(clock, "one")
    fails = [True]
    other: list[float] = []

    async def flaky(_now_us: int) -> None:
        if fails[0]:
            raise ValueError("the disk of the mail server is full")

    async def steady(_now_us: int) -> None:
        other.append(asyncio.get_running_loop().time())

    chores = Chores(database, clock, "one", [Chore("mail", 10.0, flaky), Chore("look", 1.0, steady)])
    running = asyncio.create_task(chores.run())
    await asyncio.sleep(25)
    (alert,) = database.read_now(alerts.listing)
    fails[0] = False
    await asyncio.sleep(10)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert (alert.key, alert.count) == ("chore:mail", 3)
    assert "disk of the mail server" in alert.text
    assert database.read_now(alerts.listing) == []
    assert len(other) >= 35


async def test_a_chore_that_goes_well_writes_nothing_once_it_has_its_worker() -> None:
    """Workers ask for each chore every few seconds, and nobody else can write meanwhile."""
    clock = LoopClock()
    database = _database(clock, "one", "two")

    async def nothing(_now_us: int) -> None: ...

    chore = Chore("look", 2.0, nothing)
    one, two = (Chores(database, clock, owner, [chore]) for owner in ("one", "two"))
    assert await one.once(chore)
    database.writes = 0
    for _ in range(10):
        assert await one.once(chore)
        assert not await two.once(chore)

    assert database.writes == 0
