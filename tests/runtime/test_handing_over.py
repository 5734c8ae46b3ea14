"""A process that is told to stop hands its tasks over; one that works on none is known all the same."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airworthy.app.build import MIGRATIONS
from airworthy.app.config import Config
from airworthy.app.places import shared_places
from airworthy.app.project import Project
from airworthy.cli.foreground import HAND_OVER_S, Working
from airworthy.runtime import Run, WorkerStopped
from airworthy.runtime.attending import Attendant
from airworthy.runtime.chores import Chore, monitored
from airworthy.runtime.crew import crew
from airworthy.runtime.machine import State
from airworthy.store import Database, MemoryDatabase, StoreBusy, StoreNewer, Tx, migrate
from airworthy.store import lease as leases
from airworthy.store.lease import LEASE_S, Owner, alive
from airworthy.tools import tool
from tests.runtime.kit import Bench, bench
from tests.virtual import LoopClock


def in_steps(done: list[str], seconds: float = 1.0) -> Callable[[Run], Any]:
    """Ten reads, each of which takes a while; `done`: those that were really made."""

    async def handle(run: Run) -> str:
        for number in range(10):
            await run.tool(look, number=number)
        return "looked"

    @tool
    async def look(number: int) -> int:
        """Looks."""
        await asyncio.sleep(seconds)
        done.append(str(number))
        return number

    handle.tools = (look,)  # type: ignore[attr-defined]
    return handle


def stepping(done: list[str], seconds: float = 1.0) -> Bench:
    handle = in_steps(done, seconds)
    return bench(handle, *handle.tools, tools={"look": {"timeout_s": 300}}, limits={"seconds": 600})  # type: ignore[attr-defined]


def known(database: Database, clock: LoopClock) -> list[str]:
    return [row.roles for row in database.read_now(lambda tx: alive(tx, "", clock.now_us()))]


async def test_a_task_that_is_handed_over_ends_before_its_next_call_and_goes_on_elsewhere() -> None:
    done: list[str] = []
    on = stepping(done)
    task = on.submit()
    first, second = on.worker(), on.worker()
    working = asyncio.create_task(first.run())
    await asyncio.sleep(3.5)

    first.stop()
    first.hand_over()
    await working
    left = on.task(task)
    await second.run(until_idle=True)

    assert left.state is State.WAITING
    assert left.waiting_for == "another worker"
    assert done == [str(number) for number in range(10)], "no call is made twice"
    assert on.task(task).state is State.ANSWERED
    assert on.task(task).attempts <= 1, "it is no failure of the task"


async def test_what_is_let_go_of_is_taken_up_at_once_and_not_after_a_lease() -> None:
    done: list[str] = []
    on = stepping(done, seconds=100)
    task = on.submit()
    first, second = on.worker(), on.worker()
    working = [asyncio.create_task(first.run())]
    await asyncio.sleep(1)
    working.append(asyncio.create_task(second.run()))
    await asyncio.sleep(1)

    first.stop()
    first.abort()
    await working[0]
    began_s = asyncio.get_running_loop().time()
    while on.task(task).run < 2:
        await asyncio.sleep(0.05)
    took_s = asyncio.get_running_loop().time() - began_s
    second.abort()
    await working[1]

    assert took_s < 1.0


@pytest.mark.parametrize(
    ("step_s", "ends_s", "says", "why"),
    [
        (1.0, 6.0, "Handing over 1 task", "the next call is a second away"),
        (400.0, 5.0 + HAND_OVER_S, "Handing over 1 task", "the call under way is not waited for"),
        (0.1, 5.0, "Finishing 1 task", "it was over in time"),
    ],
)
async def test_what_is_not_over_in_time_is_handed_over(
    step_s: float, ends_s: float, says: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    done: list[str] = []
    on = stepping(done, step_s)
    on.submit()
    config = replace(Config(Path()), drain_s=5.0)
    owner = Owner("wkr_1", "", 1, "", "worker")
    loop = asyncio.get_running_loop()
    async with shared_places(on.app.database, on.app.clock, owner) as places:
        part = Working(Project(config, on.app, (on.agent,)), places, 1, chores=False, as_json=True)
        working = asyncio.create_task(part.run())
        await asyncio.sleep(0.55)
        began_s = loop.time()
        part.stop()
        await working
    took_s = loop.time() - began_s

    assert took_s <= ends_s + 0.5, why
    assert says in capsys.readouterr().err


async def test_a_worker_without_a_monitor_says_so_and_the_monitor_does_the_chores() -> None:
    clock, database = LoopClock(), MemoryDatabase()
    migrate(database, MIGRATIONS)
    ran: list[int] = []

    async def run(now_us: int) -> None:
        ran.append(now_us)

    one, two = (
        Attendant(database, clock, Owner(f"mon_{n}", "", n, "", "monitor"), [Chore("look", 5.0, run)])
        for n in (1, 2)
    )
    assert one.presence.missing() == ["It has not begun."]
    before = database.read_now(monitored)
    running = [asyncio.create_task(one.run()), asyncio.create_task(two.run())]
    await asyncio.sleep(61)
    during, ready = database.read_now(monitored), one.presence.missing()
    one.stop()
    await asyncio.sleep(6)
    taken_over = database.read_now(lambda tx: leases.holder(tx, "chore:look"))
    two.stop()
    await asyncio.gather(*running)

    assert (before, during, ready, taken_over) == (False, True, [], "mon_2")
    assert 13 <= len(ran) <= 15, "by one at a time, and by the other once the first has left"
    assert known(database, clock) == []


class Away(MemoryDatabase):
    """`away`: nobody answers."""

    away = False

    async def write(self, op: Any, **how: Any) -> Any:
        if self.away:
            raise StoreBusy("away", mend="wait")
        return await super().write(op, **how)


async def test_a_monitor_waits_for_a_database_that_is_away_and_probes_hear_of_it() -> None:
    clock, database = LoopClock(), Away()
    migrate(database, MIGRATIONS)
    part = Attendant(database, clock, Owner("mon_1", "", 1, "", "monitor"))
    running = asyncio.create_task(part.run())
    await asyncio.sleep(1)

    database.away = True
    await asyncio.sleep(LEASE_S + 5)
    missing = part.presence.missing()
    database.away = False
    await asyncio.sleep(4)
    back, roles = part.presence.missing(), known(database, clock)
    part.stop()
    await running

    assert "has not heard of this process" in missing[0]
    assert (back, roles) == ([], ["monitor"])


def newer(tx: Tx) -> None:
    raise StoreNewer("The database was made by a newer airworthy.", mend="Install it.")


async def test_who_would_misread_the_database_stops_and_writes_nothing_more() -> None:
    """A worker that was frozen, and wakes up after everybody else was upgraded past it."""
    done: list[str] = []
    on = stepping(done, seconds=30)
    task = on.submit()
    worker = on.worker()
    attendant = Attendant(on.app.database, LoopClock(), Owner("srv_1", "", 1, "", "console"))
    working = asyncio.create_task(worker.run())
    attending = asyncio.create_task(attendant.run())
    await asyncio.sleep(1)

    worker.presence.readable = attendant.presence.readable = newer
    with pytest.raises(WorkerStopped, match="newer"):
        await working
    with pytest.raises(StoreNewer):
        await attending

    assert on.task(task).state is State.RUNNING
    assert done == []


def test_who_does_nothing_is_no_hand_and_who_is_of_a_version_from_before_is() -> None:
    """A gateway has an id for its money, and its process another, so that an upgrade sees it."""
    clock_us, database = 1_000_000, MemoryDatabase()
    migrate(database, MIGRATIONS)
    for owner in (
        Owner("gwy_1", "", 1, "", "gateway", "vm", "1"),
        Owner("srv_1", "", 1, "", "", "vm", "1"),
        Owner("srv_2", "", 2, "", "", "vm", "1"),
        Owner("wkr_1", "", 3, ""),
    ):
        database.write_now(partial(leases.join, owner=owner, now_us=clock_us))
    database.write_now(lambda tx: leases.take(tx, "chore:review", "srv_2", clock_us))

    found = [hand.owner.id for hand in database.read_now(lambda tx: crew(tx, "", clock_us))]

    assert sorted(found) == ["gwy_1", "srv_2", "wkr_1"]
