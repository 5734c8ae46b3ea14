"""What a simulated fleet is made of: a clock, cores that all compete for, interpreters, one lock. Knows no task."""

import heapq
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from benchmarks._fleet_points import slowed

EVENTS_MAX = 20_000_000
SLICE_S = 0.003  # After so long another process that waits for the core has it, as Linux does it by default.

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
    """First come, first served. A machine that others use too is slower instead of smaller.

    `switch_s`: what a burst costs more that had to wait, on a core that has just done something else.
    """

    def __init__(self, clock: Clock, cores: float, switch_s: float = 0.0) -> None:
        self._clock = clock
        self._switch_s = switch_s
        self._free = max(1, math.ceil(cores - 1e-9))
        self._slower = slowed(cores)
        self._queue: deque[tuple[Burst, float]] = deque()  # Each with when it came.
        self.busy_s = 0.0

    def use(self, burst: "Burst") -> None:
        if burst.seconds <= 0:
            burst.then()
        elif self._free:
            self._free -= 1
            self._go(burst, 0.0)
        else:
            self._queue.append((burst, self._clock.now))

    def _go(self, burst: "Burst", held_s: float) -> None:
        """`held_s`: for how long the core has been with the same process."""
        self.busy_s += burst.seconds
        seconds = burst.seconds * self._slower
        self._clock.after(seconds, lambda: self._end(burst, held_s + seconds))

    def _end(self, burst: "Burst", held_s: float) -> None:
        more = burst.then()
        if more is not None and (held_s < SLICE_S or not self._queue):
            self._go(more, held_s)
            return
        if more is not None:
            self._queue.append((more, self._clock.now))
        if not self._queue:
            self._free += 1
            return
        following, since = self._queue.popleft()
        switch_s = self._switch_s if self._clock.now > since else 0.0
        self._go(Burst(following.seconds + switch_s, following.then), 0.0)


@dataclass(frozen=True, slots=True)
class Burst:
    """What is computed in one go. `then` may name what the same process goes on with, on the same core."""

    seconds: float
    then: "Callable[[], Burst | None]"


class Python:
    """One interpreter: one burst at a time, the writers' before the loop's. It keeps its core while it has any."""

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
        if not self._busy:
            burst = self._next()
            if burst is not None:
                self._cores.use(burst)

    def _next(self) -> Burst | None:
        """The next that needs a core; what needs none is done on the way."""
        self._busy = True
        while self._queue:
            seconds, then = self._queue.popleft()
            if seconds > 0:
                self.busy_s += seconds
                return Burst(seconds, partial(self._end, then))
            then()
        self._busy = False
        return None

    def _end(self, then: Then) -> Burst | None:
        then()  # What it asks for has its turn after it.
        return self._next()


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
