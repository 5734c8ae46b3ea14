"""One worker process of the scale benchmark: submits tasks, or waits for the word to begin and works until idle."""

import argparse
import asyncio
import json
import resource
import sys
import time

from airworthy.app.build import assembled
from airworthy.app.build import worker as worker_of
from airworthy.policy import ChecksRule, Limits, Policy
from airworthy.runtime import Agent, Run, Submission
from airworthy.store import PostgresDatabase
from benchmarks._driving import noop

SUBMITTED_AT_ONCE = 1000


def agent_of_steps(steps: int) -> Agent:
    """No-op steps only; no checks but those that always run."""
    agent = Agent(
        Policy(
            agent="durable", purpose="Take steps that do nothing.", checks=ChecksRule(input=(), output=()),
            limits=Limits(steps=max(20, steps + 1)),
        )
    )  # fmt: skip

    @agent.task
    async def handle(run: Run) -> int:
        for number in range(steps):
            await run.step("noop", noop, number)
        return steps

    return agent


async def _submit(url: str, agent: Agent, tasks: int) -> None:
    app = assembled(PostgresDatabase(url), (agent,))
    submit = app.operations.submit_in_loop
    for first in range(0, tasks, SUBMITTED_AT_ONCE):
        numbers = range(first, min(first + SUBMITTED_AT_ONCE, tasks))
        await asyncio.gather(*(submit(agent.policy, Submission(f"This is question number {n}.")) for n in numbers))
    app.database.close()


async def _work(url: str, agent: Agent, concurrency: int) -> None:
    app = assembled(PostgresDatabase(url), (agent,))
    worker = worker_of(app, (agent,), concurrency=concurrency)
    worker.chores = ()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    await worker.run(until_idle=True)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps({
            "seconds": time.perf_counter() - began_s, "cpu_s": time.process_time() - began_cpu_s,
            "rss_mb": used.ru_maxrss / 1024,
        }), flush=True,
    )  # fmt: skip
    app.database.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("submit", "work"))
    parser.add_argument("--url", required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--tasks", type=int, default=0)
    parser.add_argument("--concurrency", type=int, default=100)
    said = parser.parse_args()
    agent = agent_of_steps(said.steps)
    if said.what == "submit":
        asyncio.run(_submit(said.url, agent, said.tasks))
    else:
        asyncio.run(_work(said.url, agent, said.concurrency))


if __name__ == "__main__":
    main()
