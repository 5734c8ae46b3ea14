"""A fleet from inside, event by event: Python loops, writers that share commits, one lock, cores that all compete for.

A worker's Python runs one thing at a time; its writers go first. Whatever waits when a writer turns to its queue goes
into one batch. A batch has the lock from its first statement to the end of its commit; claims have it alone, all
others may share it. Everything that computes needs a core; disk and wire do not.
"""

import math
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from airworthy.app.chores import RESTS
from airworthy.runtime.describing import BATCH as DESCRIBED_MAX
from benchmarks._fleet_costs import Cost, Costs, Kinds, Shares
from benchmarks._fleet_parts import Burst, Clock, Cores, Lock, Python, Then

BATCH_MAX = 512
STAGGER_S = 0.05
LOOK_JOURNEYS = 2  # Before a claim: whether anything is due, and the end of that reading.
LOOK_S = 1.0  # So long after it found nothing left to describe, somebody looks again.
Z99 = 2.326  # Of the normal law.
ORDER = ("claim", "describe", "end", "step")  # The first that is in a batch gives it its fixed part.


@dataclass(frozen=True)
class House:
    """`cores`: of the one machine that all share; or of the workers' machines, when the database has its own."""

    workers: int
    concurrency: int
    cores: float
    database_cores: float | None = None


@dataclass(frozen=True)
class Work:
    """`tasks`: how many in all. `arrivals_s`: when they come; None: all are there from the start."""

    steps: int
    tasks: int
    model_s: float = 0.0
    arrivals_s: Sequence[float] | None = None


@dataclass(frozen=True)
class Seen:
    tasks_per_s: float
    step_p50_s: float  # The model left out.
    step_p99_s: float
    writes_per_batch: float
    shares: Shares  # Batches of each kind that a task made.
    lock_used: float  # Share of the time that somebody had it.
    python_used: float  # Share of the time that a worker's Python ran, on average.
    cores_used: float
    wait_p99_s: float  # Until a place was free.


@dataclass(slots=True)
class _Write:
    """`many`: how many are in it, asked when it has the lock; None: it is one."""

    kind: str
    done: Then
    many: Callable[[], int] | None = None


class _Writer:
    """One connection of a worker: a batch at a time, of all that waits."""

    def __init__(self, fleet: "_Fleet", python: Python, *, shared: bool) -> None:
        self._fleet, self._python, self._shared = fleet, python, shared
        self._waiting: deque[_Write] = deque()
        self._busy = False

    def submit(self, writes: Sequence[_Write]) -> None:
        self._waiting.extend(writes)
        if not self._busy and self._waiting:
            self._take()

    def _take(self) -> None:
        self._busy = True
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_MAX))]
        self._fleet.lock.acquire(lambda: self._work(batch), shared=self._shared)

    def _work(self, batch: Sequence[_Write]) -> None:
        fleet, costs = self._fleet, self._fleet.costs
        each = dict.fromkeys(ORDER, 0)
        for write in batch:
            each[write.kind] += 1 if write.many is None else write.many()
        dearest = min((write.kind for write in batch), key=ORDER.index)
        fleet.count(dearest, len(batch))

        def of(kinds: Kinds) -> float:
            known: dict[str, Cost] = {kind: getattr(kinds, kind) for kind in ORDER}
            return known[dearest].batch_s + sum(each[kind] * known[kind].each_s for kind in ORDER)

        rest, share = of(costs.rest), costs.database_share
        there = (1 - share) * rest + fleet.commit_s()
        self._python.run(
            of(costs.writer),
            lambda: fleet.database.use(
                Burst(share * rest, lambda: fleet.clock.after(there, lambda: self._commit(batch)))
            ),
            first=True,
        )

    def _commit(self, batch: Sequence[_Write]) -> None:
        self._fleet.lock.release()
        self._busy = False
        loop = self._fleet.costs.loop
        # The loop's own part of each batch: one call into it, however many writes it answers.
        self._python.run(loop.beside_s if self._shared else loop.turn_s, lambda: _answer(batch))
        if self._waiting and not self._busy:
            self._take()


def _answer(batch: Sequence[_Write]) -> None:
    for each in batch:
        each.done()


class _Worker:
    def __init__(self, fleet: "_Fleet", places: int) -> None:
        self.fleet = fleet
        self.python = Python(fleet.cores)
        self.free = places
        self.took = 0
        self._claiming = False
        self._alone = _Writer(fleet, self.python, shared=False)
        self._beside = _Writer(fleet, self.python, shared=True) if fleet.costs.beside else self._alone
        self._gathered: list[_Write] = []

    def write(self, write: _Write) -> None:
        """Handed to the writer once everybody who was woken together had a turn of the loop."""
        self._gathered.append(write)
        if len(self._gathered) == 1:
            self.python.run(0.0, self._flush)

    def _flush(self) -> None:
        writes, self._gathered = self._gathered, []
        self._beside.submit(writes)

    def nudge(self) -> None:
        """Takes as many tasks as there are places then, in one write; one such write at a time."""
        if not self._claiming and self.free and self.fleet.waiting:
            self._claiming = True
            fleet, costs = self.fleet, self.fleet.costs
            claim = _Write("claim", self._claimed, self._take)
            there_s = max(0.0, LOOK_JOURNEYS * costs.journey_s - costs.look_s)
            fleet.database.use(
                Burst(costs.look_s, lambda: fleet.clock.after(there_s, lambda: self._alone.submit([claim])))
            )

    def _take(self) -> int:
        self.took = min(self.free, self.fleet.waiting)
        self.free -= self.took
        self.fleet.hand_out(self.took)
        return self.took

    def _claimed(self) -> None:
        self._claiming = False
        for _ in range(self.took):
            _Task(self).step()
        self.nudge()

    def describe(self) -> None:
        """What ended, some at once, while the tasks go on; then a rest."""
        fleet = self.fleet
        if fleet.over:
            return
        if fleet.undescribed:
            some = min(DESCRIBED_MAX, fleet.undescribed)
            fleet.undescribed -= some
            began = fleet.clock.now
            self._beside.submit([_Write("describe", lambda: self._rest(began), lambda: some)])
        else:
            fleet.clock.after(LOOK_S, self.describe)

    def _rest(self, began: float) -> None:
        clock = self.fleet.clock
        clock.after(RESTS * (clock.now - began), self.describe)


class _Task:
    """Its steps and its end, each a write; the worker computes before each, and when it is answered."""

    def __init__(self, worker: _Worker) -> None:
        self._worker, self._left = worker, worker.fleet.work.steps
        self._costs = worker.fleet.costs
        self._asked = 0.0

    def _compute(self, seconds: float, then: Then) -> None:
        self._worker.python.run(seconds, then)

    def step(self) -> None:
        fleet = self._worker.fleet
        if not self._left:
            self._compute(self._costs.loop.task_s, lambda: self._worker.write(_Write("end", self._end)))
        elif fleet.work.model_s:
            # Half of what a step computes comes before it waits.
            self._compute(
                self._costs.loop.step_s / 2, lambda: fleet.clock.after(fleet.work.model_s, self._answered)
            )
        else:
            self._asked = fleet.clock.now
            self._compute(self._costs.loop.step_s, self._record)

    def _answered(self) -> None:
        self._asked = self._worker.fleet.clock.now
        self._compute(self._costs.loop.step_s / 2, self._record)

    def _record(self) -> None:
        self._worker.write(_Write("step", self._recorded))

    def _recorded(self) -> None:
        fleet = self._worker.fleet
        fleet.laps.append(fleet.clock.now - self._asked)
        self._left -= 1
        self.step()

    def _end(self) -> None:
        self._worker.fleet.ended(self._worker)


class _Fleet:
    def __init__(self, costs: Costs, house: House, work: Work, seed: int) -> None:
        self.costs, self.work = costs, work
        self.clock = Clock()
        self.cores = Cores(self.clock, house.cores, costs.switch_s)
        own = house.database_cores
        self.database = self.cores if own is None else Cores(self.clock, own, costs.switch_s)
        self.lock = Lock(self.clock)
        self.laps: list[float] = []
        self.undescribed = 0
        self._batches = dict.fromkeys(ORDER, 0)
        self._writes = 0
        self._random = random.Random(seed)
        self._spread = _spread(costs)
        self._workers = [_Worker(self, house.concurrency) for _ in range(house.workers)]
        self._queue: deque[float] = deque()
        self._waits: list[float] = []
        self._done = 0
        self._tasks = work.tasks if work.arrivals_s is None else min(work.tasks, len(work.arrivals_s))

    @property
    def waiting(self) -> int:
        return len(self._queue)

    @property
    def over(self) -> bool:
        return self._done >= self._tasks

    def commit_s(self) -> float:
        """Of a lognormal law with the measured mean, and the measured way from the median to the 99th percentile."""
        if not self._spread:
            return self.costs.commit_s
        return self.costs.commit_s * math.exp(self._spread * self._random.gauss(0, 1) - self._spread**2 / 2)

    def count(self, kind: str, writes: int) -> None:
        self._batches[kind] += 1
        self._writes += writes

    def hand_out(self, count: int) -> None:
        self._waits.extend(self.clock.now - self._queue.popleft() for _ in range(count))

    def ended(self, worker: _Worker) -> None:
        self._done += 1
        self.undescribed += 1
        worker.free += 1
        # Whoever ends with it is back too when the worker looks what it may take.
        worker.python.run(0.0, worker.nudge)

    def run(self) -> Seen:
        times = self.work.arrivals_s
        if times is None:
            self._queue.extend([0.0] * self.work.tasks)
            for worker in self._workers:
                self.clock.after(self._random.uniform(0, STAGGER_S), worker.nudge)
        else:
            for at in times[: self.work.tasks]:
                self.clock.after(at, self._arrive)
        # One worker of all does it.
        self.clock.after(LOOK_S, self._workers[0].describe)
        self.clock.run(lambda: self.over)
        return self._seen()

    def _arrive(self) -> None:
        self._queue.append(self.clock.now)
        max(self._workers, key=lambda each: each.free).nudge()

    def _seen(self) -> Seen:
        seconds = self.clock.now or 1.0
        laps, waits = sorted(self.laps) or [0.0], sorted(self._waits) or [0.0]
        busy = self.cores.busy_s + (self.database.busy_s if self.database is not self.cores else 0.0)
        return Seen(
            tasks_per_s=self._done / seconds,
            step_p50_s=laps[len(laps) // 2],
            step_p99_s=laps[int(len(laps) * 0.99)],
            writes_per_batch=self._writes / max(1, sum(self._batches.values())),
            shares=Shares(
                *(self._batches[kind] / max(1, self._done) for kind in ("claim", "step", "end", "describe"))
            ),
            lock_used=self.lock.busy_s / seconds,
            python_used=sum(each.python.busy_s for each in self._workers) / seconds / len(self._workers),
            cores_used=busy / seconds,
            wait_p99_s=waits[int(len(waits) * 0.99)],
        )


def _spread(costs: Costs) -> float:
    return math.log(costs.commit_tail) / Z99 if costs.commit_s > 0 and costs.commit_tail > 1 else 0.0


def simulated(costs: Costs, house: House, work: Work, seed: int = 1) -> Seen:
    return _Fleet(costs, house, work, seed).run()
