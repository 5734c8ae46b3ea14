"""Whatever fails, freezes or dies at whatever moment: no cap is passed, and nothing spent is forgotten."""

import asyncio
import contextlib
import random

import pytest

from airworthy.gateway.budget import Amount, Hold, Ledger, Scope, report, reserve, settle
from airworthy.gateway.budget.rollup import Dimensions, Question
from airworthy.gateway.wire.facts import Usage
from airworthy.store import Database, StoreError
from airworthy.store.lease import Owner
from tests.gateway.budget.kit import Account, Line, Process, bury_all, opened, row, slices, soon_us
from tests.virtual import LoopClock

WHO = Dimensions("2025-11-24", "support", model="m")
CALLERS = 200


class World:
    """`calm`: callers give up, but nothing fails, so that the books must be exact at the end, not only safe."""

    def __init__(self, seed: int, *, calm: bool) -> None:
        self.chance = random.Random(seed)
        self.calm = calm
        self.database: Database = opened()
        self.account = Account(self.database)
        self.processes: list[Process] = []
        self.started = 0
        self.settled: dict[str, int] = {}
        self.kept: dict[str, int] = {}
        pick = self.chance.choice
        self.scopes = [
            Scope("day", "the day", pick((3_000, 10**9)), pick((None, 4_000)), pick((None, 60, 10**6))),
            Scope("month", "the month", pick((None, 30_000)), pick((None, 10**6)), None),
            *(Scope(f"user {n}", f"user {n}", pick((None, 700, 5_000)), None, pick((None, 7))) for n in range(5)),
            *(Scope(f"task {n}", f"task {n}", pick((300, 900)), pick((None, 500))) for n in range(40)),
        ]  # fmt: skip

    async def start(self) -> None:
        self.started += 1
        line = Line(self.database, self.chance, self.account.check)
        made = Ledger(line, LoopClock(), Owner(f"gw{self.started}", "", self.started, ""))
        await made.open()
        line.failing = 0.0 if self.calm else self.chance.choice((0.0, 0.05))
        self.processes.append(Process(made, line))

    async def caller(self, process: Process) -> None:
        chance = self.chance
        await asyncio.sleep(chance.uniform(0, 60))
        for _ in range(chance.randint(1, 4)):
            scopes = self._some_scopes()
            worst = Amount(chance.randint(1, 100), chance.randint(1, 60))
            actual = Amount(chance.randint(0, worst.nano), chance.randint(0, worst.tokens))
            try:
                found = await process.ledger.reserve(
                    scopes, worst, WHO, deadline_us=soon_us(chance.choice((0, 0.2, 5, 30)))
                )
            except StoreError:
                continue
            if not isinstance(found, Hold):
                continue
            if process.dead:
                return
            if chance.random() < 0.1:
                process.ledger.release(found)
                continue
            # Sent: from now on it may be billed, whatever becomes of us.
            self.account.spend(scopes, actual)
            try:
                await asyncio.sleep(chance.choice((0, 0.01, 0.4, 3)))
            except asyncio.CancelledError:
                if not process.dead:
                    self._kept(process, found, scopes, worst)
                raise
            if chance.random() < 0.1:
                self._kept(process, found, scopes, worst)
                continue
            process.ledger.settle(found, actual, Usage(tokens_in=actual.tokens))
            for scope in scopes:
                self.settled[scope.name] = self.settled.get(scope.name, 0) + actual.nano

    def _kept(self, process: Process, hold: Hold, scopes: tuple[Scope, ...], worst: Amount) -> None:
        process.ledger.keep(hold)
        for scope in scopes:
            self.kept[scope.name] = self.kept.get(scope.name, 0) + worst.nano

    async def caller_without_ledger(self) -> None:
        """The in-process door, on the same scopes."""
        chance = self.chance
        for _ in range(6):
            await asyncio.sleep(chance.uniform(0, 5))
            scopes, worst = self._some_scopes(), Amount(chance.randint(1, 100), chance.randint(1, 60))
            actual = Amount(chance.randint(0, worst.nano), chance.randint(0, worst.tokens))
            if self.database.write_now(lambda tx, s=scopes, w=worst: reserve(tx, s, w)) is not None:  # type: ignore[misc]
                continue
            self.account.spend(scopes, actual)
            await asyncio.sleep(chance.uniform(0, 3))
            self.database.write_now(lambda tx, s=scopes, w=worst, a=actual: settle(tx, s, w, a))  # type: ignore[misc]
            for scope in scopes:
                self.settled[scope.name] = self.settled.get(scope.name, 0) + actual.nano

    def _some_scopes(self) -> tuple[Scope, ...]:
        day, month, *others = self.scopes
        users, tasks = others[:5], others[5:]
        found = [day, month, self.chance.choice(users), self.chance.choice(tasks)]
        return tuple(found[: self.chance.randint(1, 4)])

    async def trouble(self) -> None:
        """Callers give up; processes freeze, some beyond their lease, and die."""
        chance = self.chance
        for _ in range(40):
            await asyncio.sleep(chance.uniform(0, 3))
            living = [process for process in self.processes if not process.dead]
            kind = 0.0 if self.calm else chance.random()
            if kind < 0.6:
                callers = [task for process in living for task in process.callers if not task.done()]
                if callers:
                    chance.choice(callers).cancel()
            elif kind < 0.9 and living:
                asyncio.get_running_loop().create_task(self._freeze(chance.choice(living)))
            elif living:
                self.crash(chance.choice(living))
                if chance.random() < 0.7:
                    await self.start()
                    self.employ(self.processes[-1], 20)

    async def _freeze(self, process: Process) -> None:
        process.line.moving.clear()
        await asyncio.sleep(self.chance.choice((0.5, 9, 16, 30)))
        process.line.moving.set()

    def crash(self, process: Process) -> None:
        process.dead = True
        for task in (*process.ledger._tasks, *process.callers):
            task.cancel()

    def employ(self, process: Process, callers: int) -> None:
        for _ in range(callers):
            task = asyncio.get_running_loop().create_task(self.caller(process))
            process.callers.add(task)

    async def run(self) -> None:
        for _ in range(self.chance.randint(1, 4)):
            await self.start()
        for number in range(CALLERS):
            self.employ(self.processes[number % len(self.processes)], 1)
        beside = [asyncio.create_task(self.caller_without_ledger()) for _ in range(10)]
        await asyncio.gather(self.trouble(), *beside)
        while pending := [task for process in self.processes for task in process.callers if not task.done()]:
            await asyncio.wait(pending)
        for process in self.processes:
            for task in process.callers:
                if not task.cancelled():
                    task.result()
        await asyncio.sleep(30)
        for process in self.processes:
            process.line.failing = 0.0
            if not process.dead:
                with contextlib.suppress(StoreError):
                    await process.ledger.close()
        self.account.check()
        bury_all(self.database)
        self.account.check()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(16))
async def test_through_crashes_freezes_failures_and_second_thoughts_no_cap_is_passed_and_nothing_is_forgotten(
    seed: int,
) -> None:
    """Slow: some hundred calls on up to a dozen ledgers, with a look at every scope after every commit."""
    world = World(seed, calm=False)
    await world.run()

    assert slices(world.database) == []
    for scope in world.account.true:
        found = row(world.database, scope.name)
        assert (found.reserved_nano, found.reserved_tokens) == (found.lost_nano, found.lost_tokens)
        assert found.settled_nano <= world.settled.get(scope.name, 0)
        assert min(found.reserved_nano, found.reserved_tokens, found.reserved_calls, found.calls) >= 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 108))
async def test_where_nothing_fails_the_books_are_exact(seed: int) -> None:
    """Slow: as above."""
    world = World(seed, calm=True)
    await world.run()

    assert slices(world.database) == []
    for scope, true in world.account.true.items():
        found = row(world.database, scope.name)
        kept = world.kept.get(scope.name, 0)
        assert (found.settled_nano, found.reserved_nano, found.lost_nano) == (
            world.settled.get(scope.name, 0),
            kept,
            kept,
        )
        assert (found.calls, found.reserved_calls) == (true.calls, 0)
    [(_, sums)] = world.database.read_now(lambda tx: report(tx, Question(())))
    assert sums.calls >= sums.unpriced_calls > 0
