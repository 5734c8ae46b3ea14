"""Two processes on one PostgreSQL: what one finds out or is told, the other obeys within a second."""

import asyncio
import contextlib
from bisect import bisect_left
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TypeVar, cast

import pytest

from airworthy.app.build import App, assembled, worker
from airworthy.app.places import Places, shared_places
from airworthy.core.clock import US_PER_S
from airworthy.gateway.budget import Amount, Exceeded, Hold, Ledger, Scope
from airworthy.policy import Limits, Policy
from airworthy.resilience import Pace, Pacer
from airworthy.resilience.shared import Hand, Rates, decide
from airworthy.runtime import Agent, Run, State, Submission
from airworthy.runtime.crew import crew
from airworthy.runtime.switches import ALL
from airworthy.store import Database, Fence, PostgresDatabase, StoreError, Tx
from airworthy.store.lease import Owner
from airworthy.tools import tool
from tests.database import Before, fresh
from tests.virtual import LoopClock, VirtualLoop

T = TypeVar("T")


class Process(Before):
    """One process's connections to the database. Virtual time stands still while it answers: logic alone is timed."""

    away = False

    async def write(self, op: Callable[[Tx], T], *, fence: Fence | None = None, beside: bool = False) -> T:
        with self._asked():
            return await self.inner.write(op, fence=fence, beside=beside)

    async def read(self, query: Callable[[Tx], T]) -> T:
        with self._asked():
            return await self.inner.read(query)

    def _asked(self) -> contextlib.AbstractContextManager[None]:
        if self.away:
            raise StoreError("It is away.")
        return cast("VirtualLoop", asyncio.get_running_loop()).real_work()


@pytest.fixture(scope="module")
def url() -> str:
    return fresh(migrated=True)


@pytest.fixture
def two(url: str) -> Iterator[tuple[Process, Process]]:
    both = Process(PostgresDatabase(url)), Process(PostgresDatabase(url))
    yield both
    for each in both:
        each.close()


@contextlib.asynccontextmanager
async def working(database: Database, name: str, agent: Agent) -> AsyncIterator[tuple[App, Places]]:
    app = assembled(database, [agent], clock=LoopClock())
    owner = Owner(name, "", 1, "", "worker", name, "0.1")
    async with shared_places(database, app.clock, owner) as places:
        made = worker(app, [agent], concurrency=4, owner=owner, places=places, chores=False)
        running = asyncio.create_task(made.run())
        try:
            yield app, places
        finally:
            made.stop()
            await running


async def until(seconds: float, found: Callable[[], bool]) -> float:
    """How long it took."""
    began = asyncio.get_running_loop().time()
    while not found():
        took = asyncio.get_running_loop().time() - began
        assert took <= seconds
        await asyncio.sleep(0.05)
    return asyncio.get_running_loop().time() - began


def agent_of(name: str, calls: list[str]) -> Agent:
    @tool
    async def count(number: int) -> int:
        """Counts."""
        calls.append(name)
        await asyncio.sleep(0.2)
        return len(calls)

    made = Agent(Policy(agent=name, purpose="counts", limits=Limits(off_track=50)), tools=[count])

    @made.task
    async def handle(run: Run) -> str:
        for number in range(18):
            await run.tool(count, number=number)
        return "counted"

    return made


async def test_a_pause_and_its_end_reach_the_worker_of_another_process(two: tuple[Process, Process]) -> None:
    calls: list[str] = []
    one, other = agent_of("first", calls), agent_of("second", calls)
    async with working(two[0], "wkr_1", one) as (app, _), working(two[1], "wkr_2", other) as (there, _):
        task = there.operations.submit(other.policy, Submission("go")).task.id
        await until(2, lambda: len(calls) > 3)
        hands = app.database.read_now(lambda tx: crew(tx, "", app.clock.now_us()))
        app.operations.pause(ALL, "dana", "a test")
        await asyncio.sleep(1)
        before = len(calls)
        await asyncio.sleep(5)
        during = len(calls)
        app.operations.resume(ALL)
        took = await until(1, lambda: len(calls) > during)
        await until(20, lambda: app.operations.task(task).outcome is not None)
        assert app.operations.task(task).state is State.ANSWERED

    assert during == before < 15
    assert took <= 1
    assert [(each.owner.id, each.owner.agents, [id_ for id_, _ in each.tasks]) for each in hands] == [
        ("wkr_1", "first", []), ("wkr_2", "second", [task]),
    ]  # fmt: skip


async def test_a_breaker_that_is_opened_in_one_process_is_open_in_the_other(
    two: tuple[Process, Process],
) -> None:
    owner = [Owner(f"srv_{number}", "", number, "") for number in (1, 2)]
    clock = LoopClock()
    async with (
        shared_places(two[0], clock, owner[0]) as here,
        shared_places(two[1], clock, owner[1]) as there,
    ):
        mine, theirs = (places.circuits.circuit("dependency:crm") for places in (here, there))
        mine.leave(mine.enter(), "ok")
        await asyncio.sleep(1)
        hand = Hand(opens=True, reason="wrong answers", by_whom="dana")
        two[0].write_now(lambda tx: decide(tx, "dependency:crm", hand, clock.now_us()))
        took = await until(1, lambda: mine.closed_to(clock.now_us()) is not None)
        also = await until(1, lambda: theirs.closed_to(clock.now_us()) is not None)

    assert took <= 1
    assert also <= 1


async def test_a_budget_is_one_for_both_and_what_lies_idle_in_one_goes_to_the_other(
    two: tuple[Process, Process],
) -> None:
    ledgers = [Ledger(each, LoopClock(), Owner(f"gwy_{n}", "", n, "")) for n, each in enumerate(two)]
    scope, call = Scope("two apps", "the day", 10_000), Amount(1_000, 10)
    for each in ledgers:
        await each.open()
    clock = LoopClock()

    async def asked(ledger: Ledger) -> Hold | Exceeded:
        return await ledger.reserve((scope,), call, deadline_us=clock.now_us() + US_PER_S)

    got = await asyncio.gather(*(asked(ledgers[number % 2]) for number in range(30)))
    held = [(ledgers[number % 2], hold) for number, hold in enumerate(got) if isinstance(hold, Hold)]
    for ledger, hold in held:
        ledger.release(hold)
    began = asyncio.get_running_loop().time()
    last = [await asked(ledgers[0]) for _ in range(10)]
    took = asyncio.get_running_loop().time() - began
    for found in last:
        assert isinstance(found, Hold)
        ledgers[0].settle(found, call)
    refused = await asked(ledgers[1])
    for ledger in ledgers:
        await ledger.close()

    assert len(held) == 10
    assert took <= 1
    assert isinstance(refused, Exceeded)


@pytest.mark.parametrize(("rate", "calls", "window_s"), [("10/s", 10, 1), ("30/min", 30, 60)])
async def test_a_rate_is_kept_by_both_together_in_any_window(
    rate: str, calls: int, window_s: int, two: tuple[Process, Process]
) -> None:
    clock, starts, ends = LoopClock(), list[int](), [0, 0]
    homes = [Rates(each, clock) for each in two]
    running = [asyncio.create_task(home.run()) for home in homes]
    await asyncio.sleep(0)

    async def calling(number: int) -> None:
        shared = homes[number].allowance(f"tool:{rate}", calls, window_s)
        pacer = Pacer(Pace(rate), clock, shared=shared)
        while True:
            await pacer.wait()
            starts.append(clock.now_us())
            ends[number] += 1

    callers = [asyncio.create_task(calling(number)) for number in (0, 1)]
    await asyncio.sleep(4 * window_s)
    for task in (*callers, *running):
        task.cancel()
    await asyncio.gather(*callers, *running, return_exceptions=True)

    starts.sort()
    most = max(bisect_left(starts, at + window_s * US_PER_S) - n for n, at in enumerate(starts))
    assert most <= calls
    assert len(starts) >= 3.5 * calls
    assert min(ends) > 0


async def test_a_provider_that_asks_one_process_to_wait_is_spared_by_the_other_and_an_outage_binds_nobody(
    two: tuple[Process, Process],
) -> None:
    clock, heard = LoopClock(), list[int]()
    homes = [Rates(each, clock) for each in two]
    homes[1].on_hold("model x", heard.append)
    running = [asyncio.create_task(home.run()) for home in homes]
    await asyncio.sleep(0.1)
    until_us = clock.now_us() + 30 * US_PER_S
    homes[0].hold("model x", until_us)
    homes[0].hold("model x", until_us - US_PER_S)
    took = await until(1, lambda: bool(heard))
    two[0].away = True
    pacer = Pacer(Pace("5/s"), clock, shared=homes[0].allowance("tool:y", 5, 1))
    await asyncio.wait_for(pacer.wait(), 5)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)

    assert took <= 1
    assert heard[0] == until_us
