"""The keys in memory: good ones open, revoked ones stop within a second, and a store that fails is noticed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import pytest

from airworthy.core.clock import US_PER_S
from airworthy.gateway import keys
from airworthy.gateway.keys import KeyFilter, KeyRing, NewKey
from airworthy.store import Database, Fence, StoreError, Tx
from tests.database import Before
from tests.gateway.keys.kit import made, seeded, store
from tests.virtual import LoopClock

T = TypeVar("T")


class Failing(Before):
    """A store whose reads or writes fail while they are told to."""

    reads_fail = writes_fail = False

    async def read(self, query: Callable[[Tx], T]) -> T:
        if self.reads_fail:
            raise StoreError("The disk is gone.")
        return await super().read(query)

    async def write(self, op: Callable[[Tx], T], *, fence: Fence | None = None, beside: bool = False) -> T:
        if self.writes_fail:
            raise StoreError("The disk is gone.")
        return await super().write(op, fence=fence, beside=beside)


class Counting(Failing):
    """Counts the looks."""

    reads = 0

    async def read(self, query: Callable[[Tx], T]) -> T:
        self.reads += 1
        await asyncio.sleep(0.001)
        return await super().read(query)


@contextlib.asynccontextmanager
async def running(database: Database, clock: LoopClock) -> AsyncIterator[KeyRing]:
    ring = KeyRing(database, clock)
    await ring.refresh()
    task = asyncio.create_task(ring.run())
    try:
        yield ring
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def used_day(database: Database) -> str:
    return database.read_now(lambda tx: keys.keys(tx, KeyFilter(0, every=True)))[0].used_day


async def test_a_good_key_is_found_and_no_other_text_is() -> None:
    database, clock = store(), LoopClock()
    secret, key = made(database, clock, seeded())

    async with running(database, clock) as ring:
        assert ring.find(secret, clock.now_us()) == key
        for wrong in (
            "",
            secret[:-1],
            secret + "x",
            secret[:-1] + "é",
            secret.lower(),
            key.id,
            "aw_" + "x" * 32,
        ):
            assert ring.find(wrong, clock.now_us()) is None


async def test_a_revocation_and_a_new_key_hold_within_a_second() -> None:
    database, clock, ids = store(), LoopClock(), seeded()
    secret, key = made(database, clock, ids)

    async with running(database, clock) as ring:
        database.write_now(lambda tx: keys.revoke(tx, key.id, clock.now_us()))
        other, _ = made(database, clock, ids)
        assert ring.find(other, clock.now_us()) is None
        await asyncio.sleep(0.99)

        assert ring.find(secret, clock.now_us()) is None
        assert ring.find(other, clock.now_us()) is not None


async def test_a_key_made_just_now_is_known_after_one_look_that_all_who_wait_share() -> None:
    database, clock, ids = Counting(store()), LoopClock(), seeded()
    ring = KeyRing(database, clock)
    await ring.refresh()
    secret, _ = made(database, clock, ids)
    now_us, before = clock.now_us(), database.reads

    assert ring.may_be_new(secret)
    await asyncio.gather(*(ring.catch_up(now_us) for _ in range(50)))

    assert ring.find(secret, now_us) is not None
    assert not ring.may_be_new(secret)
    assert database.reads - before <= 2


async def test_only_what_has_the_form_of_a_key_is_worth_a_look() -> None:
    ring = KeyRing(store(), LoopClock())

    assert not ring.may_be_new("aw_short")
    assert not ring.may_be_new("aw_" + "é" * 32)
    assert ring.may_be_new("aw_" + "x" * 32)


async def test_a_key_stops_at_its_hour_without_anybody_looking() -> None:
    database, clock = store(), LoopClock()
    secret, _ = made(database, clock, seeded(), NewKey("support", expires_us=clock.now_us() + US_PER_S))
    ring = KeyRing(database, clock)
    await ring.refresh()
    assert ring.find(secret, clock.now_us()) is not None

    await asyncio.sleep(1.0)

    assert ring.find(secret, clock.now_us()) is None


async def test_the_day_of_use_is_written_once_a_day_and_not_on_the_way() -> None:
    database, clock = store(), LoopClock()
    secret, _ = made(database, clock, seeded())
    ring = KeyRing(database, clock)
    await ring.refresh()

    seen = []
    for _ in range(2):
        ring.find(secret, clock.now_us())
        seen.append(used_day(database))
        await ring.refresh()
        seen.append(used_day(database))
        await asyncio.sleep(86_400)

    assert seen == ["", "2025-11-24", "2025-11-24", "2025-11-25"]


async def test_a_store_that_cannot_be_read_leaves_the_keys_and_makes_the_ring_stale() -> None:
    database, clock = Failing(store()), LoopClock()
    secret, _ = made(database, clock, seeded())

    async with running(database, clock) as ring:
        database.reads_fail = True
        await asyncio.sleep(4)
        assert not ring.stale(clock.now_us())
        await asyncio.sleep(4)
        assert ring.stale(clock.now_us())
        assert ring.find(secret, clock.now_us()) is not None
        database.reads_fail = False
        await asyncio.sleep(1)
        assert not ring.stale(clock.now_us())


async def test_a_day_of_use_that_could_not_be_written_is_written_later() -> None:
    database, clock = Failing(store()), LoopClock()
    secret, _ = made(database, clock, seeded())

    async with running(database, clock) as ring:
        database.writes_fail = True
        ring.find(secret, clock.now_us())
        await asyncio.sleep(3)
        assert used_day(database) == ""
        assert not ring.stale(clock.now_us())  # It could be read, and that is what revocations need.
        database.writes_fail = False
        await asyncio.sleep(1)

    assert used_day(database) == "2025-11-24"


async def test_a_ring_that_never_saw_the_store_is_stale_and_says_why() -> None:
    database, clock = Failing(store()), LoopClock()
    database.reads_fail = True
    ring = KeyRing(database, clock)

    with pytest.raises(StoreError):
        await ring.refresh()

    assert ring.stale(clock.now_us())
