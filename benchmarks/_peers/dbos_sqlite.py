"""DBOS on SQLite in WAL mode with synchronous=FULL; run by the Python of DBOS's own environment."""

import asyncio
import sqlite3
import sys
import time

import sqlalchemy as sa
from dbos import DBOS

from benchmarks._driving import STEPS_PER_TASK, Order, in_slots, measure, measured
from benchmarks._peers._dbos import launched

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


async def _run(order: Order) -> None:
    one = launched("durable", f"sqlite:///{order.folder}/dbos.db", STEPS_PER_TASK)

    async def batch(tasks: int) -> tuple[float, list[float]]:
        return await in_slots(one, "task", order.concurrency, tasks)

    tasks, seconds, laps = await measure(batch, order)
    if len(_modes) != 1:
        raise RuntimeError(f"the connections of DBOS differ in how they sync: {sorted(_modes)}")
    measured(order, tasks, seconds, laps, next(iter(_modes))).print()


if __name__ == "__main__":
    asyncio.run(_run(Order.parse()))
    DBOS.destroy()
