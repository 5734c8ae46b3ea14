"""Several processes on one store in virtual time: their breakers, their tasks, and a store that may be slow or down."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from airworthy.resilience import Breaker, Circuit, Permit
from airworthy.resilience.shared import MIGRATIONS, Circuits, SharedCircuit
from airworthy.store import StoreError, migrate
from airworthy.store.database import Fence, Tx
from tests.database import Memory
from tests.virtual import LoopClock

T = TypeVar("T")
POLICY = Breaker(failure_share=0.5, calls_min=8, window_s=10, open_s=5, probe_s_max=30)
NAME = "tool:crm"


class Flaky(Memory):
    """A store that can be unplugged, and that may take its time to answer."""

    def __init__(self) -> None:
        super().__init__()
        self.down = False
        self.writes = 0
        self.delay_s: Callable[[], float] = lambda: 0.0
        migrate(self, MIGRATIONS)

    async def write(self, op: Callable[[Tx], T], *, fence: Fence | None = None, beside: bool = False) -> T:
        await self._answer()
        self.writes += 1
        result = await super().write(op, fence=fence, beside=beside)
        await asyncio.sleep(self.delay_s())
        return result

    async def read(self, query: Callable[[Tx], T]) -> T:
        await self._answer()
        return await super().read(query)

    async def _answer(self) -> None:
        await asyncio.sleep(self.delay_s())
        if self.down:
            raise StoreError("The store does not answer.")


class World:
    """`processes` of them, each with its own `Circuits` and one circuit of the same name."""

    def __init__(self, processes: int, policy: Breaker = POLICY) -> None:
        self.database = Flaky()
        self.clock = LoopClock()
        self.homes = [Circuits(self.database, self.clock, f"w{number}") for number in range(processes)]
        self.circuits = [home.circuit(NAME, policy) for home in self.homes]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["World"]:
        tasks = [asyncio.create_task(home.run()) for home in self.homes]
        await asyncio.sleep(0)
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def tick(self) -> None:
        for home in self.homes:
            await home.tick()


def fail(circuit: SharedCircuit, times: int) -> None:
    for _ in range(times):
        circuit.leave(circuit.enter(), "failure")


async def admit(circuit: Circuit | SharedCircuit) -> Permit:
    return circuit.enter() if isinstance(circuit, Circuit) else await circuit.admit()
