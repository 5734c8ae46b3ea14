"""Drives any system through the same work: a batch of tasks of five no-op steps, so many at a time. Standard library
only, because the peers run it in environments of their own.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks._figures import percentile

STEPS_PER_TASK = 5
WARM_TASKS_MIN = 20
PARTS = 5

# Runs the task of this number to its end and answers how long each of its steps took, in seconds.
OneTask = Callable[[str], Awaitable[list[float]]]
# Runs this many tasks, so many at a time: the seconds from the first start to the last end, and all steps' seconds.
Batch = Callable[[int], Awaitable[tuple[float, list[float]]]]


@dataclass(frozen=True)
class Order:
    """One measurement, as the child process is asked for it."""

    folder: Path
    concurrency: int
    seconds: float
    rounds_min: int

    @classmethod
    def parse(cls) -> "Order":
        parser = argparse.ArgumentParser()
        parser.add_argument("--folder", type=Path, required=True)
        parser.add_argument("--concurrency", type=int, required=True)
        parser.add_argument("--seconds", type=float, required=True)
        parser.add_argument("--rounds-min", type=int, required=True)
        said = parser.parse_args()
        return cls(said.folder, said.concurrency, said.seconds, said.rounds_min)

    def arguments(self) -> list[str]:
        return [
            "--folder", str(self.folder), "--concurrency", str(self.concurrency),
            "--seconds", str(self.seconds), "--rounds-min", str(self.rounds_min),
        ]  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """What the child process answers. `journal_mode` and `synchronous` were read back from its connections."""

    concurrency: int
    tasks: int
    seconds: float
    steps_per_s: float
    step_p50_ms: float
    step_p99_ms: float
    journal_mode: str
    synchronous: int
    python: str
    sqlite: str
    commit_p50_ms: float | None = None  # The disk's own commit in the same moments, where it was measured.
    commit_p99_ms: float | None = None

    def print(self) -> None:
        print(json.dumps(asdict(self)), flush=True)


async def noop(value: int) -> int:
    """The step of every system."""
    return value


async def in_slots(one_task: OneTask, prefix: str, concurrency: int, tasks: int) -> tuple[float, list[float]]:
    """`tasks` tasks through `concurrency` slots, each slot taking the next as soon as it is free."""
    numbers = iter(range(tasks))
    laps: list[float] = []

    async def slot() -> None:
        for number in numbers:
            laps.extend(await one_task(f"{prefix}-{number}"))

    began = time.perf_counter()
    await asyncio.gather(*(slot() for _ in range(concurrency)))
    return time.perf_counter() - began, laps


def batch_size(warm_tasks: int, warm_s: float, order: Order) -> int:
    """As many tasks as fill the time at the pace of the warm-up, but enough rounds that the ends do not count."""
    fitting = round(order.seconds * warm_tasks / warm_s)
    return max(fitting, order.concurrency * order.rounds_min, 1)


async def measure(
    batch: Batch, order: Order, between: Callable[[], None] | None = None
) -> tuple[int, float, list[float]]:
    """A warm-up, then the work that counts: its tasks, its seconds, its steps' seconds.

    `between` is called before, between and after parts of the work, its time not counted: for what has to be measured
    in the same moments, because a disk changes its pace within seconds.
    """
    warm_tasks = max(order.concurrency, WARM_TASKS_MIN)
    warm_s, _ = await batch(warm_tasks)
    parts = 1 if between is None else PARTS
    each = max(1, batch_size(warm_tasks, warm_s, order) // parts)
    seconds, laps = 0.0, list[float]()
    for _ in range(parts):
        if between is not None:
            between()
        part_s, part_laps = await batch(each)
        seconds += part_s
        laps += part_laps
    if between is not None:
        between()
    assert len(laps) == each * parts * STEPS_PER_TASK, "a task ended without all of its steps"
    return each * parts, seconds, laps


def measured(order: Order, tasks: int, seconds: float, laps: list[float], fsync: tuple[str, int]) -> Measured:
    import platform
    import sqlite3

    return Measured(
        concurrency=order.concurrency,
        tasks=tasks,
        seconds=round(seconds, 3),
        steps_per_s=round(tasks * STEPS_PER_TASK / seconds, 1),
        step_p50_ms=round(percentile(laps, 50) * 1000, 4),
        step_p99_ms=round(percentile(laps, 99) * 1000, 4),
        journal_mode=fsync[0],
        synchronous=fsync[1],
        python=platform.python_version(),
        sqlite=sqlite3.sqlite_version,
    )
