"""One worker of a measured fleet: it may hand tasks in, and works them off when it is told to go.

Told on standard input; answers in JSON lines on standard output.
"""

import argparse
import asyncio
import gc
import json
import os
import resource
import sys
import time

from airworthy.app.build import App, assembled
from airworthy.app.build import worker as worker_of
from airworthy.core.clock import US_PER_S, SystemClock
from airworthy.core.outcome import Outcome
from airworthy.policy import ChecksRule, Limits, Policy
from airworthy.runtime import Agent, Ended, Run, Submission
from airworthy.store import Database
from benchmarks._driving import noop
from benchmarks._figures import percentile
from benchmarks._fleet_meter import Writers, resident_mb

SUBMITTED_AT_ONCE = 500
IDLE_BEFORE_S = 1.0  # Until what a start brings with it is over.


def opened(where: str) -> Database:
    """A file, or the URL of a server."""
    if where.startswith("postgresql:"):
        from airworthy.store.postgres import PostgresDatabase

        return PostgresDatabase(where)
    from airworthy.store import SQLiteDatabase

    return SQLiteDatabase(where)


def agent_of(steps: int, model_s: float, laps: list[float]) -> Agent:
    policy = Policy(
        agent="fleet",
        purpose="Take steps that do nothing.",
        checks=ChecksRule(input=(), output=()),
        limits=Limits(steps=steps + 1, seconds=3600),
    )
    agent = Agent(policy)

    async def model(value: int) -> int:
        await asyncio.sleep(model_s)
        return value

    @agent.task
    async def handle(run: Run) -> int:
        for number in range(steps):
            began = time.perf_counter()
            await run.step("step", model if model_s else noop, number)
            laps.append(time.perf_counter() - began)
        return steps

    return agent


async def _submit(app: App, policy: Policy, tasks: int) -> None:
    for first in range(0, tasks, SUBMITTED_AT_ONCE):
        numbers = range(first, min(first + SUBMITTED_AT_ONCE, tasks))
        questions = [Submission(f"This is question number {number}.") for number in numbers]
        await asyncio.gather(*(app.operations.submit_in_loop(policy, each) for each in questions))


async def _work(said: argparse.Namespace) -> None:
    laps: list[float] = []
    meter = Writers()
    meter.install()
    agent = agent_of(said.steps, said.model_ms / 1000, laps)
    app = assembled(opened(said.database), (agent,))
    await _submit(app, agent.policy, said.tasks)
    worker = worker_of(app, (agent,), concurrency=said.concurrency)
    clock = SystemClock()  # The process's own: it is compared only with those of the same machine.
    ended_us: list[int] = []
    most_mb = 0.0

    def on_end(ended: Ended) -> None:
        nonlocal most_mb
        assert ended.outcome is Outcome.ANSWERED, ended
        ended_us.append(clock.now_us())
        if len(ended_us) == said.concurrency:
            most_mb = resident_mb(os.getpid())

    worker.on_end = on_end
    gc.collect()
    print(json.dumps({"ready": os.getpid(), "mb": resident_mb(os.getpid())}), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    meter.clear()
    began_us, before = clock.now_us(), resource.getrusage(resource.RUSAGE_SELF)
    await worker.run(until_idle=True)
    after = resource.getrusage(resource.RUSAGE_SELF)
    found = meter.said() | {
        "tasks": len(ended_us),
        "began_s": began_us / US_PER_S,
        "ended_s": max(ended_us, default=began_us) / US_PER_S,
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "step_p50_ms": percentile(laps, 50) * 1000 if laps else None,
        "step_p99_ms": percentile(laps, 99) * 1000 if laps else None,
        "busy_mb": most_mb,
    }
    print(json.dumps(found), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    app.database.close()


async def _idle(said: argparse.Namespace) -> None:
    """Looks for work for so long, and finds none."""
    agent = agent_of(said.steps, 0.0, [])
    app = assembled(opened(said.database), (agent,))
    worker = worker_of(app, (agent,), concurrency=said.concurrency)
    running = asyncio.create_task(worker.run())
    await asyncio.sleep(IDLE_BEFORE_S)
    print(json.dumps({"ready": os.getpid(), "mb": resident_mb(os.getpid())}), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    began, before = time.perf_counter(), time.process_time()
    await asyncio.sleep(said.idle_s)
    print(
        json.dumps({"cpu_s": time.process_time() - before, "seconds": time.perf_counter() - began}),
        flush=True,
    )
    await asyncio.to_thread(sys.stdin.readline)
    worker.stop()
    await running
    app.database.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--database", required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--tasks", type=int, default=0, help="hand in so many before the work begins")
    parser.add_argument("--concurrency", type=int, default=1)
    parser.add_argument("--model-ms", type=float, default=0.0)
    parser.add_argument("--idle-s", type=float, default=0.0, help="look for work for so long, and find none")
    said = parser.parse_args()
    asyncio.run(_idle(said) if said.idle_s else _work(said))


if __name__ == "__main__":
    main()
