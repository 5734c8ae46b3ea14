"""A crowd of small tasks under admission, sent in faster than they can be done, by workers that die at any point."""

import asyncio
import functools
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from airworthy.app.build import assembled, worker
from airworthy.core.clock import US_PER_S
from airworthy.core.ids import Ids
from airworthy.policy import AdmissionRule, ChecksRule, Limits, Policy, Rate
from airworthy.runtime import Agent, QueueFull, Run, Submission
from airworthy.runtime.admission import queue
from airworthy.store import Database, Fence, Tx
from airworthy.store.lease import Owner
from tests.database import Before, migrated
from tests.simulation.mortal import LIFE, Life, MortalDatabase, Plan, note_births
from tests.virtual import LoopClock, VirtualLoop, run_virtual

T = TypeVar("T")
REST_S_MAX = 7200.0
LOOK_S = 0.5


class Watched(Before):
    """The database itself, with an eye on it after every write: what is under way, and what began."""

    def __init__(self, inner: Database, look: Callable[[Tx], None]) -> None:
        super().__init__(inner)
        self._look = look

    async def write(self, op: Callable[[Tx], T], *, fence: Fence | None = None, beside: bool = False) -> T:
        result = await super().write(op, fence=fence, beside=beside)
        self.inner.read_now(self._look)
        return result


@dataclass
class Crowd:
    """One seed decides all. Afterwards `violations` says which promise was broken."""

    seed: int
    violations: list[str] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    refused: int = 0
    deaths: int = 0
    began_us: dict[str, int] = field(default_factory=dict)
    starts: dict[str, list[int]] = field(default_factory=dict)
    reached: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.rule = random_rule(self.chance)
        self.tasks = self.chance.choice((30, 80))
        self.users = [f"u{number}" for number in range(self.chance.choice((1, 3, 6)))]
        self.features = ["", "mail", "chat"][: self.chance.choice((1, 2, 3))]
        self.priorities = [0, 5, -3][: self.chance.choice((1, 2, 3))]
        blows: dict[int, Any] = {}
        at = 0
        for _ in range(self.chance.choice((0, 2, 4, 6))):
            at += 1 + int(self.chance.expovariate(1 / 60))
            blows[at] = self.chance.choice(("kill", "kill", "freeze"))
        self.plan = Plan(blows)

    def written(self, fence: Fence) -> None:
        """Called by `MortalDatabase`; fences are another simulation's business."""

    async def handle(self, run: Run) -> str:
        kind, seconds = run.input
        if kind == "sleep":
            await run.sleep(seconds)
        await asyncio.sleep(seconds / 10)
        if kind == "fail" and await run.step("luck", self.chance.random) < 0.5:
            raise ValueError("bad luck")
        return "done"

    async def run(self) -> None:
        note_births(asyncio.get_running_loop())
        self.clock = LoopClock()
        self.ids = Ids(random.Random(self.seed))
        self.database = migrated()
        self.agent = Agent(
            Policy(
                agent="crowd", purpose="Many small tasks.", admission=self.rule, limits=Limits(seconds=600.0),
                checks=ChecksRule(input=(), output=()),
            )
        )  # fmt: skip
        self.agent.task(self.handle)
        self.app = assembled(self.database, [self.agent], self.clock, self.ids)
        self.workers: list[tuple[Life, Any, asyncio.Task[None]]] = []
        self.lives: list[Life] = []
        sending = asyncio.create_task(self._send())
        try:
            for _ in range(self.chance.choice((1, 2, 3))):
                self._start()
            await self._until_quiet(sending)
            for _, each, running in self.workers:
                each.stop()
                await asyncio.wait({running}, timeout=60)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            for life in self.lives:
                await life.reap()
        self._at_rest()

    async def _send(self) -> None:
        for number in range(self.tasks):
            kind = self.chance.choice(("work", "work", "work", "sleep", "fail"))
            submission = Submission(
                [kind, self.chance.choice((0, 1, 10, 30))], user=self.chance.choice(self.users),
                feature=self.chance.choice(self.features), priority=self.chance.choice(self.priorities),
                key=f"k{number}",
            )  # fmt: skip
            try:
                done = await self.app.operations.submit_in_loop(self.agent.policy, submission)
                self.accepted.append(done.task.id)
                if self.chance.random() < 0.05:
                    self.app.operations.cancel(done.task.id, "pat")
            except QueueFull as told:
                self.refused += 1
                if not 1.0 <= told.retry_after_s <= 3600.0:
                    self.violations.append(f"a promise of {told.retry_after_s} s")
            await asyncio.sleep(self.chance.choice((0, 0, 0.1, 1.0)))

    async def _until_quiet(self, sending: "asyncio.Task[None]") -> None:
        while not sending.done() or self._open():
            if asyncio.get_running_loop().time() > REST_S_MAX:
                self.violations.append(f"{self._open()} tasks never ended")
                return
            for entry in list(self.workers):
                life, _, running = entry
                if life.died.is_set():
                    self.deaths += 1
                    self.workers.remove(entry)
                    await life.reap()
                    self._start()
                elif running.done():
                    self.violations.append(f"a worker stopped by itself: {running.exception()!r}")
                    self.workers.remove(entry)
                    self._start()
            await asyncio.sleep(LOOK_S)
        sending.result()

    def _start(self) -> None:
        number = len(self.lives) + 1
        life = Life(self, self.plan, number)
        self.lives.append(life)
        token = LIFE.set(life)
        try:
            seen: Any = Watched(self.database, self._look)
            database = MortalDatabase(seen, life, random.Random(self.seed * 1009 + number))
            app = assembled(database, [self.agent], self.clock, self.ids)
            made = worker(app, [self.agent], concurrency=8, owner=Owner(f"wkr_{number}", "", number, ""))
            self.workers.append((life, made, asyncio.create_task(made.run())))
        finally:
            LIFE.reset(token)

    def _open(self) -> int:
        row = self.database.read_now(lambda tx: tx.row("SELECT COUNT(*) FROM tasks WHERE closed_us IS NULL"))
        assert row is not None
        return int(row[0])

    def _look(self, tx: Tx) -> None:
        """By the claims themselves, not by admission's own books."""
        rows = tx.rows(
            "SELECT t.user_id, t.feature FROM tasks t JOIN claims c ON c.name = t.id"
            " WHERE c.owner IS NOT NULL AND t.state = 'running'"
        )
        rule = self.rule
        self._bound("all", len(rows), rule.concurrency)
        for user, count in Counter(row[0] for row in rows).items():
            self._bound(f"user {user}", count, rule.user_concurrency)
        for feature, count in Counter(row[1] for row in rows).items():
            self._bound(f"feature {feature}", count, rule.feature_concurrency)
        for task_id, user, feature in tx.rows("SELECT id, user_id, feature FROM tasks WHERE run > 0"):
            if task_id not in self.began_us:
                now_us = self.clock.now_us()
                self.began_us[task_id] = now_us
                self._began("all", now_us, rule.rate)
                self._began(f"user {user}", now_us, rule.user_rate)
                self._began(f"feature {feature}", now_us, rule.feature_rate)

    def _bound(self, whose: str, count: int, bound: int | None) -> None:
        if bound is None:
            return
        if count == bound:
            self.reached.add(whose)
        if count > bound:
            self.violations.append(f"{count} of {whose} were under way, and {bound} may be")

    def _began(self, whose: str, now_us: int, rate: Rate | None) -> None:
        times = self.starts.setdefault(whose, [])
        times.append(now_us)
        if rate is not None and len(times) > rate.calls:
            gap_us = now_us - times[-1 - rate.calls]
            # What is seen here was decided a few milliseconds before, by the clock of the transaction.
            if gap_us < rate.per_s * US_PER_S - 50_000:
                self.violations.append(f"{rate.calls + 1} of {whose} began within {gap_us / US_PER_S:g} s")

    def _at_rest(self) -> None:
        outcomes = self.database.read_now(
            lambda tx: Counter(row[0] for row in tx.rows("SELECT task_id FROM steps WHERE kind = 'outcome'"))
        )
        for task_id in self.accepted:
            if outcomes[task_id] != 1:
                self.violations.append(f"{task_id} has {outcomes[task_id]} outcomes")
        if len(self.accepted) + self.refused != self.tasks:
            self.violations.append(
                f"{len(self.accepted)} accepted and {self.refused} refused, of {self.tasks}"
            )
        if len(outcomes) != len(self.accepted):
            self.violations.append("a refused task was stored")
        for table in ("waiting", "lanes", "under_way"):
            left = self.database.read_now(lambda tx: tx.rows(f"SELECT * FROM {table}"))  # noqa: B023
            if left:
                self.violations.append(f"left over in {table}: {left}")
        left = self.database.read_now(lambda tx: tx.rows("SELECT waiting FROM queues WHERE waiting <> 0"))
        if left:
            self.violations.append(f"the queue counts {left} and is empty")
        wake = queue.wake_id("crowd")
        if self.database.read_now(lambda tx: tx.rows("SELECT 1 FROM wakes WHERE task_id <> ?", (wake,))):
            self.violations.append("a task that has ended is to be woken")


def random_rule(chance: random.Random) -> AdmissionRule:
    def maybe(value: Any) -> Any:
        return value if chance.random() < 0.5 else None

    return AdmissionRule(
        concurrency=maybe(chance.choice((3, 5))),
        user_concurrency=maybe(chance.choice((1, 2))),
        feature_concurrency=maybe(chance.choice((1, 3))),
        rate=maybe(Rate(calls=chance.choice((10, 40)), per_s=60.0)),
        user_rate=maybe(Rate(calls=chance.choice((5, 10)), per_s=60.0)),
        feature_rate=maybe(Rate(calls=chance.choice((3, 10)), per_s=60.0)),
        queue_max=chance.choice((15, 1000)),
        user_queue_max=maybe(10),
    )


@functools.cache
def run_crowd(seed: int) -> Crowd:
    async def story() -> Crowd:
        crowd = Crowd(seed)
        await crowd.run()
        return crowd

    return run_virtual(story(), loop=VirtualLoop(seconds_max=1e7))
