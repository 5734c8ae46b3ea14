"""A worker process under admission: `python -m tests.process.paced DATABASE GATE` works until it is killed.

No task ends before there is a file GATE, so that what begins until then adds up.
"""

import asyncio
import sys
from pathlib import Path

from airworthy import Agent
from airworthy.app.build import assembled, worker
from airworthy.policy import AdmissionRule, ChecksRule, Policy, Rate
from airworthy.runtime import Run
from tests.database import opened

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


@agent.task
async def handle(run: Run) -> str:
    await run.now()
    await asyncio.sleep(0.03)
    while not Path(sys.argv[2]).exists():
        await asyncio.sleep(0.03)
    return "done"


async def main(path: str) -> None:
    app = assembled(opened(path), [agent])
    print("ready", flush=True)
    await worker(app, [agent], concurrency=8).run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
