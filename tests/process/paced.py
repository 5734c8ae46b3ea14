"""A worker process under admission: `python -m tests.process.paced DATABASE` works until it is killed.

No task ends before there is a file at `gate_of` the database, so that what begins until then adds up.
"""

import asyncio
import sys
from pathlib import Path

from airworthy import Agent
from airworthy.app.build import assembled, worker
from airworthy.policy import AdmissionRule, ChecksRule, Policy, Rate
from airworthy.runtime import Run
from airworthy.store import SQLiteDatabase

CONCURRENCY, USER_CONCURRENCY = 5, 2
RATE = Rate(calls=60, per_s=1.0)
QUEUE_MAX = 100

agent = Agent(
    Policy(
        agent="paced",
        purpose="Begins no more than it may.",
        admission=AdmissionRule(
            concurrency=CONCURRENCY, user_concurrency=USER_CONCURRENCY, rate=RATE, queue_max=QUEUE_MAX
        ),
        checks=ChecksRule(input=(), output=()),
    )
)


def gate_of(database: str) -> Path:
    return Path(f"{database}.gate")


@agent.task
async def handle(run: Run) -> str:
    await run.now()
    await asyncio.sleep(0.03)
    while not gate_of(sys.argv[1]).exists():
        await asyncio.sleep(0.03)
    return "done"


async def main(path: str) -> None:
    app = assembled(SQLiteDatabase(path), [agent])
    print("ready", flush=True)
    await worker(app, [agent], concurrency=8).run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
