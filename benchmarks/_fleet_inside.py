"""A fleet from inside, event by event: Python loops, writers that share commits, one lock, cores that all compete for.

A worker's Python runs one thing at a time; its writer goes first. Whatever waits when a writer turns to its queue goes
into one batch. A batch has the lock from its first statement to the end of its commit; batches of steps may share it,
those of claims and ends may not. Everything that computes needs a core; the disk and the wire do not.
"""

import heapq
import math
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from benchmarks._fleet_costs import Costs
from benchmarks._fleet_points import slowed

BATCH_MAX = 512
EVENTS_MAX = 20_000_000
STAGGER_S = 0.05
Z99 = 2.326  # Of the normal law.

Then = Callable[[], None]


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
    batches_per_task: float
    lock_used: float  # Share of the time that somebody had it.
    python_used: float  # Share of the time that a worker's Python ran, on average.
    cores_used: float
    wait_p99_s: float  # Until a place was free.


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Then]] = []
        self._count = 0

    def after(self, seconds: float, then: Then) -> None:
        self._count += 1
        heapq.heappush(self._events, (self.now + seconds, self._count, then))

    def run(self) -> None:
        while self._events:
            self.now, _, then = heapq.heappop(self._events)
            then()
            if self._count > EVENTS_MAX:
                raise RuntimeError(f"the simulation did not end within {EVENTS_MAX} events")


class _Cores:
    """First come, first served. A machine that others use too is slower instead of smaller."""

    def __init__(self, clock: _Clock, cores: float) -> None:
        self._clock = clock
        self._free = max(1, math.ceil(cores - 1e-9))
        self._slower = slowed(cores)
        self._queue: deque[tuple[float, Then]] = deque()
        self.busy_s = 0.0

    def use(self, seconds: float, then: Then) -> None:
        if seconds <= 0:
            then()
        elif self._free:
            self._begin(seconds, then)
        else:
            self._queue.append((seconds, then))

    def _begin(self, seconds: float, then: Then) -> None:
        self._free -= 1
        self.busy_s += seconds
        self._clock.after(seconds * self._slower, lambda: self._end(then))

    def _end(self, then: Then) -> None:
        self._free += 1
        if self._queue:
            self._begin(*self._queue.popleft())
        then()


class _Python:
    """One interpreter: one burst at a time, the writers' before the loop's."""

    def __init__(self, cores: _Cores) -> None:
        self._cores = cores
        self._queue: deque[tuple[float, Then]] = deque()
        self._busy = False
        self.busy_s = 0.0

    def run(self, seconds: float, then: Then, *, first: bool = False) -> None:
        if first:
            self._queue.appendleft((seconds, then))
        else:
            self._queue.append((seconds, then))
        if not self._busy:
            self._next()

    def _next(self) -> None:
        if not self._queue:
            return
        self._busy = True
        seconds, then = self._queue.popleft()
        self.busy_s += seconds
        self._cores.use(seconds, lambda: self._end(then))

    def _end(self, then: Then) -> None:
        self._busy = False
        then()
        if not self._busy:
            self._next()


class _Lock:
    """Shared or exclusive, in the order of asking, as PostgreSQL queues for its locks."""

    def __init__(self, clock: _Clock) -> None:
        self._clock = clock
        self._queue: deque[tuple[bool, Then]] = deque()
        self._held, self._exclusive = 0, False
        self._since = 0.0
        self.busy_s = 0.0

    def acquire(self, then: Then, *, shared: bool) -> None:
        self._queue.append((shared, then))
        self._grant()

    def release(self) -> None:
        self._held -= 1
        self._exclusive = False
        if not self._held:
            self.busy_s += self._clock.now - self._since
        self._grant()

    def _grant(self) -> None:
        while self._queue:
            shared, then = self._queue[0]
            if self._held and (self._exclusive or not shared):
                return
            self._queue.popleft()
            if not self._held:
                self._since = self._clock.now
            self._held += 1
            self._exclusive = not shared
            then()


@dataclass(slots=True)
class _Write:
    """`task`: which part of a task's own cost it is; `step`: 1 for a step."""

    task: float
    step: int
    beside: bool
    done: Then


def _answer(batch: Sequence[_Write]) -> None:
    for each in batch:
        each.done()


class _Writer:
    """One connection of a worker: a batch at a time, of all that waits."""

    def __init__(self, fleet: "_Fleet", python: _Python, *, shared: bool) -> None:
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
        steps, tasks = sum(each.step for each in batch), sum(each.task for each in batch)

        def of(cost_task: float, cost_step: float, cost_batch: float) -> float:
            return tasks * cost_task + steps * cost_step + cost_batch

        mine = of(costs.writer.task_s, costs.writer.step_s, costs.writer.batch_s)
        theirs = of(costs.database.task_s, costs.database.step_s, costs.database.batch_s)
        rest = of(costs.wire.task_s, costs.wire.step_s, costs.wire.batch_s) + fleet.commit_s()
        self._python.run(
            mine,
            lambda: fleet.database.use(theirs, lambda: fleet.clock.after(rest, lambda: self._commit(batch))),
            first=True,
        )

    def _commit(self, batch: Sequence[_Write]) -> None:
        self._fleet.batches += 1
        self._fleet.writes += len(batch)
        self._fleet.lock.release()
        self._busy = False
        # The loop's own part of each batch: one call into it, however many writes it answers.
        self._python.run(self._fleet.costs.loop.batch_s, lambda: _answer(batch))
        if self._waiting and not self._busy:
            self._take()


class _Worker:
    def __init__(self, fleet: "_Fleet", concurrency: int) -> None:
        self.fleet = fleet
        self.python = _Python(fleet.cores)
        self.free = concurrency
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
        self._alone.submit([each for each in writes if not each.beside])
        self._beside.submit([each for each in writes if each.beside])


class _Task:
    """Its claim, its steps, its end, each a write; the worker computes before each.

    Where claims and ends are written alike, they are one write at the end: a worker claims many tasks at once.
    """

    def __init__(self, worker: _Worker, work: Work) -> None:
        self._worker, self._work = worker, work
        self._costs = worker.fleet.costs
        self._left = work.steps
        self._asked = 0.0

    def begin(self) -> None:
        costs = self._costs
        if costs.ends_beside:
            claim = _Write(costs.alone_share, 0, beside=False, done=self._step)
            self._compute(costs.alone_share * costs.loop.task_s, claim)
        else:
            self._step()

    def _compute(self, seconds: float, write: _Write) -> None:
        self._worker.python.run(seconds, lambda: self._worker.write(write))

    def _step(self) -> None:
        if not self._left:
            costs = self._costs
            share = 1 - costs.alone_share if costs.ends_beside else 1.0
            end = _Write(share, 0, beside=costs.ends_beside, done=self._end)
            self._compute(share * costs.loop.task_s, end)
        elif self._work.model_s:
            self._worker.fleet.clock.after(self._work.model_s, self._record)
        else:
            self._record()

    def _record(self) -> None:
        self._asked = self._worker.fleet.clock.now
        write = _Write(0.0, 1, beside=self._costs.beside, done=self._recorded)
        self._compute(self._costs.loop.step_s, write)

    def _recorded(self) -> None:
        fleet = self._worker.fleet
        fleet.laps.append(fleet.clock.now - self._asked)
        self._left -= 1
        self._step()

    def _end(self) -> None:
        self._worker.fleet.ended(self._worker)


class _Fleet:
    def __init__(self, costs: Costs, house: House, work: Work, seed: int) -> None:
        self.costs, self._house, self._job = costs, house, work
        self.clock = _Clock()
        self.cores = _Cores(self.clock, house.cores)
        own = house.database_cores
        self.database = self.cores if own is None else _Cores(self.clock, own)
        self.lock = _Lock(self.clock)
        self.laps: list[float] = []
        self.batches = self.writes = 0
        self._random = random.Random(seed)
        self._spread = _spread(costs)
        self._workers = [_Worker(self, house.concurrency) for _ in range(house.workers)]
        self._queue: deque[float] = deque()
        self._waits: list[float] = []
        self._done = 0

    def commit_s(self) -> float:
        """Of a lognormal law with the measured mean, and the measured way from the median to the 99th percentile."""
        if not self._spread:
            return self.costs.commit_s
        return self.costs.commit_s * math.exp(self._spread * self._random.gauss(0, 1) - self._spread**2 / 2)

    def ended(self, worker: _Worker) -> None:
        self._done += 1
        worker.free += 1
        self._hand_out()

    def run(self) -> Seen:
        times = self._job.arrivals_s
        if times is None:
            self._queue.extend([0.0] * self._job.tasks)
            # Tasks that began in one moment would stay in step for ever, and no worker does that to them.
            for worker in self._workers:
                places, worker.free = worker.free, 0
                for _ in range(places):
                    self.clock.after(
                        self._random.uniform(0, STAGGER_S + self._job.model_s), partial(self._open, worker)
                    )
        else:
            for at in times[: self._job.tasks]:
                self.clock.after(at, self._arrive)
        self.clock.run()
        return self._seen()

    def _open(self, worker: _Worker) -> None:
        worker.free += 1
        self._hand_out()

    def _arrive(self) -> None:
        self._queue.append(self.clock.now)
        self._hand_out()

    def _hand_out(self) -> None:
        while self._queue:
            worker = max(self._workers, key=lambda each: each.free)
            if not worker.free:
                return
            worker.free -= 1
            self._waits.append(self.clock.now - self._queue.popleft())
            _Task(worker, self._job).begin()

    def _seen(self) -> Seen:
        seconds = self.clock.now or 1.0
        laps, waits = sorted(self.laps) or [0.0], sorted(self._waits) or [0.0]
        busy = self.cores.busy_s + (self.database.busy_s if self.database is not self.cores else 0.0)
        return Seen(
            tasks_per_s=self._done / seconds,
            step_p50_s=laps[len(laps) // 2],
            step_p99_s=laps[int(len(laps) * 0.99)],
            writes_per_batch=self.writes / max(1, self.batches),
            batches_per_task=self.batches / max(1, self._done),
            lock_used=self.lock.busy_s / seconds,
            python_used=sum(each.python.busy_s for each in self._workers) / seconds / len(self._workers),
            cores_used=busy / seconds,
            wait_p99_s=waits[int(len(waits) * 0.99)],
        )


def _spread(costs: Costs) -> float:
    return math.log(costs.commit_tail) / Z99 if costs.commit_s > 0 and costs.commit_tail > 1 else 0.0


def simulated(costs: Costs, house: House, work: Work, seed: int = 1) -> Seen:
    return _Fleet(costs, house, work, seed).run()
