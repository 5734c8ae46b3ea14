"""DBOS on SQLite in WAL mode with synchronous=FULL; run by the Python of DBOS's own environment."""

import asyncio
import sqlite3
import sys
import time
from typing import Any

import sqlalchemy as sa
from dbos import DBOS

from benchmarks._driving import STEPS_PER_TASK, Order, in_slots, measure, measured, noop

_NEW_CLOCK = (3, 42, 0)  # The first SQLite whose unixepoch() knows 'subsec'.
_modes: set[tuple[str, int]] = set()


@sa.event.listens_for(sa.Engine, "connect")
def _same_durability(connection: sqlite3.Connection, _record: object) -> None:
    """On every connection of the engine that DBOS makes for itself, beside its own settings."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    # Read back, because a pragma that is not understood is ignored without a word.
    mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
    synchronous = connection.execute("PRAGMA synchronous").fetchone()[0]
    _modes.add((mode, synchronous))
    if sys.version_info >= (3, 12) and sqlite3.sqlite_version_info < _NEW_CLOCK:
        # DBOS goes by the version of Python, not of SQLite, and would read NULL for the time.
        connection.create_function("unixepoch", -1, lambda *_: time.time())


def _build(folder: str) -> None:
    DBOS(
        config={
            "name": "durable",
            "system_database_url": f"sqlite:///{folder}/dbos.db",
            "log_level": "ERROR",
            # Pinned, so that nothing is spent on hashing the sources.
            "application_version": "1",
            "executor_id": "one",
        }
    )


async def _run(order: Order) -> None:
    _build(str(order.folder))
    step: Any = DBOS.step(name="noop")(noop)

    async def task() -> list[float]:
        laps = []
        for number in range(STEPS_PER_TASK):
            began = time.perf_counter()
            await step(number)
            laps.append(time.perf_counter() - began)
        return laps

    workflow: Any = DBOS.workflow(name="task")(task)
    DBOS.launch()  # Inside the loop, so that workflows run here and not on a loop of another thread.

    async def one(_name: str) -> list[float]:
        laps: list[float] = await workflow()
        return laps

    async def batch(tasks: int) -> tuple[float, list[float]]:
        return await in_slots(one, "task", order.concurrency, tasks)

    tasks, seconds, laps = await measure(batch, order)
    if len(_modes) != 1:
        raise RuntimeError(f"the connections of DBOS differ in how they sync: {sorted(_modes)}")
    measured(order, tasks, seconds, laps, next(iter(_modes))).print()


if __name__ == "__main__":
    asyncio.run(_run(Order.parse()))
    DBOS.destroy()
