"""Ledgers on one database that delays, fails and freezes, and a true account of what was spent, kept by the test."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from airworthy.gateway.budget import Amount, Exceeded, Hold, Ledger, Scope, Standing, standing
from airworthy.gateway.budget.leasing import enter, recover
from airworthy.gateway.tables import MIGRATIONS as GATEWAY
from airworthy.store import Database, Fence, StoreError, Tx, migrate
from airworthy.store import lease as leases
from airworthy.store.lease import Owner
from airworthy.store.tables import MIGRATIONS as STORE
from tests.database import Before, memory
from tests.virtual import LoopClock

T = TypeVar("T")
NONE = Amount(0, 0, 0)


def opened() -> Database:
    database = memory()
    migrate(database, (*STORE, *GATEWAY))
    return database


def soon_us(seconds: float = 60) -> int:
    return LoopClock().now_us() + round(seconds * 1e6)


def row(database: Database, scope: str) -> Standing:
    return database.read_now(lambda tx: standing(tx, scope))


def slices(database: Database) -> list[tuple[object, ...]]:
    return database.read_now(lambda tx: tx.rows("SELECT owner, scope, nano, tokens, calls FROM slices"))


def bury_all(database: Database) -> None:
    """As the next process to start would, long after every lease has run out."""
    late_us = soon_us(3_600)

    def op(tx: Tx) -> None:
        leases.bury(tx, Owner("undertaker", "", 0, ""), late_us)
        recover(tx)

    database.write_now(op)


async def ledger(database: Database, name: str = "gw", **settings: int) -> Ledger:
    made = Ledger(database, LoopClock(), Owner(name, "", 1, ""), **settings)
    await made.open()
    return made


async def hold(ledger: Ledger, scopes: Sequence[Scope], amount: Amount, seconds: float = 60) -> Hold:
    found = await ledger.reserve(scopes, amount, deadline_us=soon_us(seconds))
    assert isinstance(found, Hold), found
    return found


async def refusal(ledger: Ledger, scopes: Sequence[Scope], amount: Amount, seconds: float = 60) -> Exceeded:
    found = await ledger.reserve(scopes, amount, deadline_us=soon_us(seconds))
    assert isinstance(found, Exceeded)
    return found


def crash(ledger: Ledger) -> None:
    """The process is gone: nothing of it runs again, and nothing is written."""
    for task in ledger._tasks:
        task.cancel()


class Line(Before):
    """A process's connection to the shared database: slow on both ways, sometimes refused, stopped while frozen."""

    def __init__(self, database: Database, chance: random.Random, written: Callable[[], None]) -> None:
        super().__init__(database)
        self._chance = chance
        self._written = written
        self.failing = 0.0
        self.moving = asyncio.Event()
        self.moving.set()

    async def write(self, op: Callable[[Tx], T], *, fence: Fence | None = None, beside: bool = False) -> T:
        await self._way()
        if self._chance.random() < self.failing:
            raise StoreError("the disk said no")
        try:
            return await super().write(op, fence=fence, beside=beside)
        finally:
            self._written()
            await self._way()

    async def read(self, query: Callable[[Tx], T]) -> T:
        await self._way()
        return await super().read(query)

    def write_now(self, op: Callable[[Tx], T]) -> T:
        raise AssertionError

    def read_now(self, query: Callable[[Tx], T]) -> T:
        raise AssertionError

    def close(self) -> None:
        raise AssertionError

    async def _way(self) -> None:
        await asyncio.sleep(self._chance.choice((0, 0.001, 0.03)))
        await self.moving.wait()


@dataclass
class Process:
    ledger: Ledger
    line: Line
    callers: set["asyncio.Task[None]"] = field(default_factory=set)
    dead: bool = False


class Account:
    """What was truly spent in each scope, and how high the store's word was and may be."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.true: dict[Scope, Amount] = {}

    def spend(self, scopes: Sequence[Scope], actual: Amount) -> None:
        for scope in scopes:
            had = self.true.get(scope, NONE)
            self.true[scope] = Amount(
                had.nano + actual.nano, had.tokens + actual.tokens, had.calls + actual.calls
            )
        self.check()

    def check(self) -> None:
        """Not a nano, token or call past a cap, and none that the store does not know of."""
        for scope, true in self.true.items():
            found = row(self._database, scope.name)
            assert found.lost_nano <= found.reserved_nano, scope.name
            assert found.lost_tokens <= found.reserved_tokens, scope.name
            assert found.lost_calls <= found.reserved_calls, scope.name
            for spent, known, cap in (
                (true.nano, found.reserved_nano + found.settled_nano, scope.cap_nano),
                (true.tokens, found.reserved_tokens + found.settled_tokens, scope.cap_tokens),
                (true.calls, found.reserved_calls + found.calls, scope.cap_calls),
            ):
                if cap is not None:
                    assert spent <= known <= cap, (scope.name, spent, known, cap)


__all__ = [
    "Account", "Line", "Process", "bury_all", "crash", "enter", "hold", "ledger", "opened", "refusal", "row", "slices",
    "soon_us",
]  # fmt: skip
