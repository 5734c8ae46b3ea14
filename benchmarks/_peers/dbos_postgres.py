"""DBOS on a PostgreSQL server, its own engine and pool; run by the Python of DBOS's own environment."""

import argparse
import asyncio
import json

from dbos import DBOS

from benchmarks._driving import in_slots
from benchmarks._peers._dbos import launched

WARM_TASKS = 50


async def _run(url: str, steps: int, tasks: int, concurrency: int) -> None:
    one = launched("scale", url, steps)
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
