"""The journal alone, without agent, checks or queue: what a recorded step costs at the least on this machine."""

import asyncio
import time

from airworthy.core.canonical import encode
from airworthy.core.clock import SystemClock
from airworthy.core.task import TaskRef
from airworthy.recorder import Journal, Payloads, StepState
from airworthy.recorder import tables as recorder_tables
from airworthy.store import SQLiteDatabase, lease, migrate
from airworthy.store import tables as store_tables
from benchmarks._driving import STEPS_PER_TASK, Order, in_slots, measure, measured, noop


async def _run(order: Order) -> None:
    database = SQLiteDatabase(order.folder / "journal.db")
    migrate(database, (*store_tables.MIGRATIONS, *recorder_tables.MIGRATIONS))
    clock, payloads = SystemClock(), Payloads()
    batches = 0

    async def one(name: str) -> list[float]:
        """Claim, five records, release."""
        fence = await database.write(lambda tx: lease.take(tx, name, "bench", clock.now_us()))
        journal = Journal(database, clock, payloads, TaskRef(name, "bench", "0" * 32), fence, 1)
        laps = []
        for number in range(STEPS_PER_TASK):
            began = time.perf_counter()
            slot = journal.slot("step", "noop", encode((number,)))
            await journal.record(slot, StepState.DONE, result=encode(await noop(number)))
            laps.append(time.perf_counter() - began)
        await database.write(lambda tx: lease.forget(tx, name), fence=fence)
        return laps

    async def batch(tasks: int) -> tuple[float, list[float]]:
        nonlocal batches
        batches += 1
        return await in_slots(one, f"tsk_{batches}", order.concurrency, tasks)

    tasks, seconds, laps = await measure(batch, order)
    mode = database.write_now(lambda tx: tx.row("PRAGMA journal_mode"))
    synchronous = database.write_now(lambda tx: tx.row("PRAGMA synchronous"))
    assert mode is not None
    assert synchronous is not None
    measured(order, tasks, seconds, laps, (str(mode[0]), int(synchronous[0]))).print()
    database.close()


if __name__ == "__main__":
    asyncio.run(_run(Order.parse()))
