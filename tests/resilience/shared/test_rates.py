"""Shared rates while the store is away."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from airworthy.resilience.shared import Rates
from airworthy.store import Fence, StoreError, Tx
from tests.database import Before, Memory
from tests.virtual import LoopClock

T = TypeVar("T")


class Away(Before):
    """Counts how often it is asked."""

    asked = 0

    async def write(self, op: Callable[[Tx], T], *, fence: Fence | None = None, beside: bool = False) -> T:
        self.asked += 1
        raise StoreError("It is away.")


async def test_a_store_that_is_away_is_asked_no_more_than_once_a_tick() -> None:
    database = Away(Memory())
    rates = Rates(database, LoopClock())
    running = asyncio.create_task(rates.run())
    await asyncio.sleep(0)
    allowance = rates.allowance("model:m:calls", 10, 60)
    assert not allowance.has()

    await asyncio.sleep(10)
    running.cancel()

    assert allowance.has()  # On its own.
    assert 2 <= database.asked <= 10 / rates.tick_s + 2
