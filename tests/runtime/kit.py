"""A whole application in virtual time: database in memory, real workers, ids from a seed."""

import asyncio
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from airworthy.app.build import App, assembled, worker
from airworthy.checks import Check
from airworthy.core.clock import Clock
from airworthy.core.ids import Ids
from airworthy.gateway import ModelClient
from airworthy.policy import Policy
from airworthy.recorder import Recorded
from airworthy.review import ItemQuery, Kind, People
from airworthy.runtime import Agent, Ended, Submission, TaskRow, Worker
from airworthy.runtime.reviews import Whole
from airworthy.store import Database
from airworthy.store.lease import Owner
from airworthy.tools import EffectRow, EffectState, Tool
from tests.database import memory
from tests.virtual import LoopClock


@dataclass
class Bench:
    """`ended` holds what became of every run."""

    app: App
    agent: Agent
    ended: list[Ended] = field(default_factory=list)
    workers: int = 0

    def submit(self, value: Any = "hello", **about: Any) -> str:
        return self.app.operations.submit(self.agent.policy, Submission(value, **about)).task.id

    def worker(self, concurrency: int = 16) -> Worker:
        self.workers += 1
        made = worker(
            self.app, [self.agent], concurrency=concurrency, owner=Owner(f"wkr_{self.workers}", "", 1, "")
        )
        made.on_end = self.ended.append
        return made

    async def work(self) -> None:
        """A worker runs until nothing is left that time alone would wake."""
        await self.worker().run(until_idle=True)

    async def done(self, value: Any = "hello", **about: Any) -> TaskRow:
        task = self.submit(value, **about)
        await self.work()
        return self.task(task)

    def task(self, task_id: str) -> TaskRow:
        return self.app.operations.task(task_id)

    def steps(self, task_id: str) -> list[Recorded]:
        return self.app.operations.steps(task_id)

    def effect(self, task_id: str) -> EffectRow:
        (row,) = self.app.operations.effects(task_id)
        return row

    def decide(self, task_id: str, to: EffectState, note: str = "", result: bytes = b"") -> None:
        self.app.operations.decide(self.effect(task_id).id, to, "dana", note, result)

    def waiting(self, *kinds: Kind) -> Whole:
        """The one item of the review queue that is open; without `kinds`, of all but delayed calls."""
        (line,) = self.app.reviews.listing(ItemQuery(kinds=kinds))
        return self.app.reviews.item(line.item.id)

    def answer(self, task_id: str) -> Any:
        return self.steps(task_id)[-1].result


# Each bench on one database draws ids of its own, as processes do.
_BENCHES: WeakKeyDictionary[Database, int] = WeakKeyDictionary()


def bench(
    handler: Callable[[Any], Any],
    *tools: Tool,
    checks: Iterable[Check] = (),
    clients: dict[str, ModelClient] | None = None,
    database: Database | None = None,
    clock: Clock | None = None,
    people: People | None = None,
    **policy: Any,
) -> Bench:
    """Call it inside a test: the clock is the running loop's. `handler` is the agent's function."""
    asyncio.get_running_loop()
    made = Policy(**{"agent": "support", "purpose": "tests of the runtime", **policy})
    agent = Agent(made, tools=tools, checks=checks, clients=clients)
    agent.task(handler)
    database = database if database is not None else memory()
    _BENCHES[database] = seed = _BENCHES.get(database, 6) + 1
    app = assembled(
        database,
        [agent],
        clock=clock if clock is not None else LoopClock(),
        ids=Ids(random.Random(seed)),
        people=people,
    )
    return Bench(app, agent)
