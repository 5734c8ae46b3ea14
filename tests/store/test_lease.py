"""Who holds a name: taken at a new epoch, kept by a beat, given free by the dead."""

import os

import pytest

from airworthy.store import Fence, MemoryDatabase, StaleFence, Tx, migrate
from airworthy.store import lease as leases
from airworthy.store.lease import LEASE_S, Owner
from airworthy.store.tables import MIGRATIONS

HERE = leases.this_host()
ALIVE = Owner("alive", HERE, os.getpid(), leases.process_born(os.getpid()) or "")
REUSED = Owner("reused", HERE, os.getpid(), "1")  # The pid lives, but it is another process now.
GONE = Owner("gone", HERE, 2**22 + 1, "1")
ELSEWHERE = Owner("elsewhere", "another-boot:1", 2**22 + 1, "1")
NO_PROC = Owner("no-proc", "", 2**22 + 1, "")
NOW = 1_000_000_000
LEASE_US = round(LEASE_S * 1e6)


@pytest.fixture
def database() -> MemoryDatabase:
    database = MemoryDatabase()
    migrate(database, MIGRATIONS)
    return database


def test_every_taking_makes_a_newer_epoch_and_the_older_fence_is_refused(database: MemoryDatabase) -> None:
    def op(tx: Tx) -> list[Fence]:
        return [leases.take(tx, "a", owner, NOW) for owner in ("one", "two", "one")]

    first, second, third = database.write_now(op)

    assert first.epoch < second.epoch < third.epoch
    assert database.read_now(lambda tx: leases.holder(tx, "a")) == "one"


async def test_a_released_claim_is_free_and_its_fence_is_over(database: MemoryDatabase) -> None:
    fence = database.write_now(lambda tx: leases.take(tx, "a", "one", NOW))
    database.write_now(lambda tx: leases.release(tx, fence))

    assert database.read_now(lambda tx: leases.holder(tx, "a")) is None
    with pytest.raises(StaleFence):
        await database.write(lambda tx: None, fence=fence)


async def test_releasing_with_an_old_fence_takes_nothing_from_the_new_holder(
    database: MemoryDatabase,
) -> None:
    old = database.write_now(lambda tx: leases.take(tx, "a", "one", NOW))
    new = database.write_now(lambda tx: leases.take(tx, "a", "two", NOW))
    database.write_now(lambda tx: leases.release(tx, old))

    await database.write(lambda tx: None, fence=new)
    assert database.read_now(lambda tx: leases.holder(tx, "a")) == "two"


async def test_a_name_taken_again_after_it_was_forgotten_refuses_holders_from_before(
    database: MemoryDatabase,
) -> None:
    """A dead letter that is requeued is claimed under the name it had; its first worker may only be frozen."""
    old = database.write_now(lambda tx: leases.take(tx, "a", "frozen", NOW))
    database.write_now(lambda tx: leases.forget(tx, "a"))
    database.write_now(lambda tx: leases.take(tx, "a", "new", NOW + 1))

    with pytest.raises(StaleFence):
        await database.write(lambda tx: None, fence=old)


@pytest.mark.parametrize(
    ("owner", "later_us", "dies", "why"),
    [
        (ALIVE, 0, False, "it lives"),
        (ALIVE, LEASE_US, False, "its lease is over at the next microsecond"),
        (ALIVE, LEASE_US + 1, True, "no beat within its lease, although the process lives: it may be frozen"),
        (GONE, 0, True, "its process is gone, which this machine sees at once"),
        (REUSED, 0, True, "its pid was given to another process"),
        (ELSEWHERE, 0, False, "pids of another machine say nothing here"),
        (ELSEWHERE, LEASE_US + 1, True, "but its lease does"),
        (NO_PROC, 0, False, "without /proc only the lease tells"),
        (NO_PROC, LEASE_US + 1, True, "and it tells"),
    ],
)
def test_the_dead_are_buried_and_their_claims_are_free(
    database: MemoryDatabase, owner: Owner, later_us: int, dies: bool, why: str
) -> None:
    def begin(tx: Tx) -> Fence:
        leases.join(tx, owner, NOW)
        return leases.take(tx, "a", owner.id, NOW)

    fence = database.write_now(begin)
    here = Owner("undertaker", HERE, os.getpid(), leases.process_born(os.getpid()) or "")
    dead = database.write_now(lambda tx: leases.bury(tx, here, NOW + later_us))

    assert dead == ((owner.id,) if dies else ()), why
    holder = database.read_now(lambda tx: leases.holder(tx, "a"))
    assert holder == (None if dies else owner.id)
    epoch = database.read_now(lambda tx: tx.row("SELECT epoch FROM claims WHERE name = 'a'"))
    assert epoch == (fence.epoch + (1 if dies else 0),)


def test_a_beat_renews_the_lease_and_tells_the_buried_that_they_are(database: MemoryDatabase) -> None:
    here = Owner("undertaker", "", 1, "")
    database.write_now(lambda tx: leases.join(tx, ELSEWHERE, NOW))

    kept = database.write_now(lambda tx: leases.beat(tx, ELSEWHERE.id, NOW + LEASE_US))
    spared = database.write_now(lambda tx: leases.bury(tx, here, NOW + LEASE_US + 1))
    buried = database.write_now(lambda tx: leases.bury(tx, here, NOW + 2 * LEASE_US + 1))
    known = database.write_now(lambda tx: leases.beat(tx, ELSEWHERE.id, NOW + 2 * LEASE_US + 1))

    assert kept
    assert spared == ()
    assert buried == (ELSEWHERE.id,)
    assert not known


def test_nobody_buries_themselves(database: MemoryDatabase) -> None:
    database.write_now(lambda tx: leases.join(tx, ALIVE, NOW))

    assert database.write_now(lambda tx: leases.bury(tx, ALIVE, NOW + 10 * LEASE_US)) == ()


@pytest.mark.parametrize("pid", [0, -1, 2**30])
def test_a_pid_that_cannot_be_is_no_process(pid: int) -> None:
    assert leases.process_born(pid) is None


def test_this_process_is_known_by_when_it_was_born() -> None:
    assert leases.process_born(os.getpid()) == leases.process_born(os.getpid())
