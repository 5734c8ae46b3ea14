"""Workers that can be killed or frozen at any commit and any act, and the database as such a worker sees it."""

import asyncio
import contextvars
import random
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from airworthy.store import Database, Fence, Tx
from tests.database import Before

T = TypeVar("T")

Blow = Literal["kill", "freeze"]
FROZEN_S = 17.0  # Longer than a lease and a sweep, so that others have taken over by then.
REAP_ROUNDS = 50


@dataclass
class Plan:
    """Which points (counted over the whole world) strike the worker that reaches them, and how."""

    blows: Mapping[int, Blow] = field(default_factory=dict)
    reached: list[str] = field(default_factory=list)

    def next(self, where: str) -> Blow | None:
        self.reached.append(where)
        return self.blows.get(len(self.reached) - 1)


@dataclass(eq=False)
class Life:
    """One worker process, from start to death. Every asyncio task born in it belongs to it."""

    world: Any
    plan: Plan
    number: int
    dead: bool = False
    frozen: bool = False
    was_frozen: bool = False
    died: asyncio.Event = field(default_factory=asyncio.Event)
    thawed: asyncio.Event = field(default_factory=asyncio.Event)
    struck: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: list["asyncio.Task[Any]"] = field(default_factory=list)

    async def point(self, where: str) -> None:
        """A place at which a process may end."""
        await self.alive()
        match self.plan.next(f"{where} (worker {self.number})"):
            case "kill":
                self.dead = True
                self.died.set()
                self.struck.set()
            case "freeze":
                self.frozen = self.was_frozen = True
                self.thawed.clear()
                self.struck.set()
                asyncio.get_running_loop().call_later(FROZEN_S, self._thaw)
            case None:
                pass
        await self.alive()

    async def alive(self) -> None:
        """Nothing gets past this while the process is frozen, and nothing ever after its death."""
        if self.frozen:
            await self.thawed.wait()
        if self.dead:
            raise asyncio.CancelledError

    def _thaw(self) -> None:
        self.frozen = False
        self.thawed.set()

    async def reap(self) -> None:
        """Throws away what the process had in memory. Its database refuses everything by now."""
        self.dead = True
        self.died.set()
        self._thaw()
        for _ in range(REAP_ROUNDS):
            left = [task for task in self.tasks if not task.done()]
            if not left:
                break
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=0.5)
        for task in self.tasks:
            assert task.done(), f"a task of the dead worker lives on: {task}"
            if not task.cancelled():
                task.exception()


LIFE: contextvars.ContextVar[Life | None] = contextvars.ContextVar("LIFE", default=None)


def life_here() -> Life:
    life = LIFE.get()
    assert life is not None, "called outside of any worker"
    return life


def note_births(loop: asyncio.AbstractEventLoop) -> None:
    """From now on every task is noted with the worker in whose context it is made."""

    def factory(
        loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **options: Any
    ) -> "asyncio.Task[Any]":
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=loop, **options)
        life = LIFE.get()
        if life is not None:
            life.tasks.append(task)
        return task

    loop.set_task_factory(factory)  # type: ignore[arg-type]  # the stub wants Future, we hand out its child Task


class MortalDatabase(Before):
    """What one worker sees of the data. Implements `Database`.

    As with the real writer thread, a write that was handed in happens even if its caller is cancelled, unless the
    process dies first. Each write has a point before its commit and one after it. `chance` spreads writes over a
    few turns of the loop and now and then a few milliseconds, so that races get their chance too.
    """

    def __init__(self, inner: Database, life: Life, chance: random.Random) -> None:
        super().__init__(inner)
        self._life = life
        self._chance = chance

    async def write(self, op: Callable[[Tx], T], *, fence: Fence | None = None, beside: bool = False) -> T:
        await self._life.alive()
        writing = asyncio.ensure_future(self._written(op, fence, beside))
        writing.add_done_callback(_look)
        return await asyncio.shield(writing)

    async def read(self, query: Callable[[Tx], T]) -> T:
        await self._life.alive()
        await self._pass_time(0.15)
        await self._life.alive()
        return self.inner.read_now(query)

    def close(self) -> None:
        pass

    async def _written(self, op: Callable[[Tx], T], fence: Fence | None, beside: bool) -> T:
        await self._pass_time(0.5)
        await self._life.point("before a commit")
        result = await self.inner.write(op, fence=fence, beside=beside)
        if fence is not None:
            self._life.world.written(fence)
        await self._life.point("after a commit")
        return result

    async def _pass_time(self, share: float) -> None:
        drawn = self._chance.random()
        if drawn < share:
            await asyncio.sleep(0)
        elif drawn < share * 1.2:
            await asyncio.sleep(self._chance.choice((0.001, 0.004)))


def _look(task: "asyncio.Task[Any]") -> None:
    if not task.cancelled():
        task.exception()
