"""The task of no-op steps in DBOS, whatever its database; imported by the Python of DBOS's own environment."""

import time
from typing import Any

from dbos import DBOS

from benchmarks._driving import OneTask, noop


def launched(name: str, url: str, steps: int) -> OneTask:
    """To be called inside the loop, so that workflows run here and not on a loop of another thread."""
    DBOS(
        config={
            "name": name,
            "system_database_url": url,
            "log_level": "ERROR",
            # Pinned, so that nothing is spent on hashing the sources.
            "application_version": "1",
            "executor_id": "one",
        }
    )
    step: Any = DBOS.step(name="noop")(noop)

    async def task() -> list[float]:
        laps = []
        for number in range(steps):
            began = time.perf_counter()
            await step(number)
            laps.append(time.perf_counter() - began)
        return laps

    workflow: Any = DBOS.workflow(name="task")(task)
    DBOS.launch()

    async def one(_name: str) -> list[float]:
        laps: list[float] = await workflow()
        return laps

    return one
