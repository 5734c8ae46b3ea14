"""DBOS on a PostgreSQL server, its own engine and pool; run by the Python of DBOS's own environment."""

import argparse
import asyncio
import json
import time
from typing import Any

from dbos import DBOS

from benchmarks._driving import in_slots, noop

WARM_TASKS = 50


async def _run(url: str, steps: int, tasks: int, concurrency: int) -> None:
    DBOS(
        config={
            "name": "scale",
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
    DBOS.launch()  # Inside the loop, so that workflows run here and not on a loop of another thread.

    async def one(_name: str) -> list[float]:
        laps: list[float] = await workflow()
        return laps

    await in_slots(one, "warm", concurrency, WARM_TASKS)
    seconds, laps = await in_slots(one, "task", concurrency, tasks)
    assert len(laps) == tasks * steps, "a task ended without all of its steps"
    print(json.dumps({"seconds": seconds, "steps_per_s": tasks * steps / seconds}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    for name in ("steps", "tasks", "concurrency"):
        parser.add_argument(f"--{name}", type=int, required=True)
    said = parser.parse_args()
    asyncio.run(_run(said.url, said.steps, said.tasks, said.concurrency))


if __name__ == "__main__":
    main()
    DBOS.destroy()
