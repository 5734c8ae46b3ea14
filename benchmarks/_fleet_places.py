"""How long tasks wait for a place in a worker: arrivals and durations in, waits out; one event at a time.

A worker holds so many tasks at once, and takes the oldest of the common queue whenever it has a place. One may die:
its tasks are taken over when its lease ends, go ahead of all that have not begun, and go on where they stood.
"""

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

TAKEOVER_S = 12.0  # The lease of 10 s, and the sweep that finds it ended.


@dataclass(frozen=True)
class Death:
    worker: int
    at_s: float
    takeover_s: float = TAKEOVER_S


@dataclass(frozen=True)
class Waits:
    """`waits_s`: of each task, in the order of arrival, until it began. `ends_s`: when it ended, the same order."""

    waits_s: tuple[float, ...]
    ends_s: tuple[float, ...]
    active_most: int

    def at(self, share: float) -> float:
        return at_share(self.waits_s, share)


def at_share(values: Sequence[float], share: float) -> float:
    """The value that `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def waits(
    times_s: Sequence[float],
    durations_s: Sequence[float],
    workers: int,
    places: int,
    death: Death | None = None,
) -> Waits:
    """`durations_s`: one for each arrival, used again from the start when there are fewer."""
    return _Room(times_s, durations_s, workers, places).run(death)


class _Room:
    def __init__(
        self, times_s: Sequence[float], durations_s: Sequence[float], workers: int, places: int
    ) -> None:
        self._times, self._durations = times_s, durations_s
        self._idle = (
            list(range(workers)) * places
        )  # The worker of each free place, the next to be taken last.
        self._queue: deque[int] = deque()
        self._left = [0.0] * len(times_s)
        self._began: list[float | None] = [None] * len(times_s)
        self._ended = [0.0] * len(times_s)
        self._under_way: dict[int, tuple[int, float]] = {}  # Task: its worker, and when it will have ended.
        self._ends: list[tuple[float, int, int]] = []  # When, task, worker.
        self._dead: int | None = None
        self._most = 0

    def run(self, death: Death | None) -> Waits:
        times, ends = self._times, self._ends
        following, back = 0, list[int]()
        died_at = death.at_s if death is not None else float("inf")
        back_at = float("inf")
        while following < len(times) or ends or back or self._queue:
            arrives = times[following] if following < len(times) else float("inf")
            ended = ends[0][0] if ends else float("inf")
            now = min(arrives, ended, died_at, back_at)
            if now == float("inf"):
                break  # Nobody is left to take what waits.
            if now == died_at and death is not None:
                back, back_at = self._kill(death.worker, now), now + death.takeover_s
                died_at = float("inf")
            elif now == back_at:
                self._queue.extendleft(reversed(back))
                back, back_at = [], float("inf")
            elif now == ended:
                self._end(*heapq.heappop(ends))
            else:
                self._left[following] = self._durations[following % len(self._durations)]
                self._queue.append(following)
                following += 1
            self._begin(now)
        waited = (began - at for began, at in zip(self._began, times, strict=True) if began is not None)
        return Waits(tuple(waited), tuple(self._ended), self._most)

    def _begin(self, now: float) -> None:
        while self._queue and self._idle:
            worker = self._idle.pop()
            if worker == self._dead:
                continue
            task = self._queue.popleft()
            if self._began[task] is None:
                self._began[task] = now
            end = now + self._left[task]
            self._under_way[task] = (worker, end)
            heapq.heappush(self._ends, (end, task, worker))
        self._most = max(self._most, len(self._under_way))

    def _end(self, at: float, task: int, worker: int) -> None:
        # What the dead worker would have ended stays in the heap, and counts for nothing.
        if self._under_way.get(task) == (worker, at):
            del self._under_way[task]
            self._ended[task] = at
            self._idle.append(worker)

    def _kill(self, worker: int, now: float) -> list[int]:
        self._dead = worker
        lost = sorted(task for task, (whose, _) in self._under_way.items() if whose == worker)
        for task in lost:
            _, end = self._under_way.pop(task)
            self._left[task] = end - now
        return lost
