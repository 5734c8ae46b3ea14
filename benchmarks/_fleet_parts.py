"""What a simulated fleet is made of: a clock, cores that all compete for, interpreters, one lock. Knows no task."""

import heapq
import math
from collections import deque
from collections.abc import Callable
from functools import partial

from benchmarks._fleet_points import slowed

EVENTS_MAX = 20_000_000

Then = Callable[[], None]


class Clock:
    """Virtual time: what is to happen, in the order of its time."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Then]] = []
        self._count = 0

    def after(self, seconds: float, then: Then) -> None:
        self._count += 1
        heapq.heappush(self._events, (self.now + seconds, self._count, then))

    def run(self, until: Callable[[], bool] = lambda: False) -> None:
        while self._events and not until():
            self.now, _, then = heapq.heappop(self._events)
            then()
            if self._count > EVENTS_MAX:
                raise RuntimeError(f"the simulation did not end within {EVENTS_MAX} events")


class Cores:
    """First come, first served. A machine that others use too is slower instead of smaller."""

    def __init__(self, clock: Clock, cores: float) -> None:
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


class Python:
    """One interpreter: one burst at a time, the writers' before the loop's."""

    def __init__(self, cores: Cores) -> None:
        self._cores = cores
        self._queue: deque[tuple[float, Then]] = deque()
        self._busy = False
        self.busy_s = 0.0

    def run(self, seconds: float, then: Then, *, first: bool = False) -> None:
        if first:
            self._queue.appendleft((seconds, then))
        else:
            self._queue.append((seconds, then))
        self._next()

    def _next(self) -> None:
        while self._queue and not self._busy:
            self._busy = True
            seconds, then = self._queue.popleft()
            if seconds > 0:
                self.busy_s += seconds
                self._cores.use(seconds, partial(self._end, then))
            else:
                self._done(then)

    def _end(self, then: Then) -> None:
        self._done(then)
        self._next()

    def _done(self, then: Then) -> None:
        then()  # What it asks for has its turn after it.
        self._busy = False


class Lock:
    """Shared or exclusive, in the order of asking, as PostgreSQL queues for its locks."""

    def __init__(self, clock: Clock) -> None:
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
