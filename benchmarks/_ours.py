"""Our side: a real agent with the default checks, its tasks submitted, then claimed by a real worker.

Beside its five steps a task here also stores its claim, two check reports and its outcome; none of those is counted.
"""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

from airworthy.app.build import assembled
from airworthy.app.build import worker as worker_of
from airworthy.core.clock import US_PER_S
from airworthy.core.outcome import Outcome
from airworthy.policy import ChecksRule, Policy
from airworthy.runtime import Agent, Ended, Run, Submission, Worker
from airworthy.store import SQLiteDatabase
from benchmarks._disk import commit_laps
from benchmarks._driving import STEPS_PER_TASK, Order, measure, measured, noop
from benchmarks._figures import percentile

SUBMITTED_AT_ONCE = 1000
COMMITS_S = 0.2  # How long the disk is measured each time.


class House:
    """One database with one agent, and workers on it."""

    def __init__(self, path: Path, agent: Agent) -> None:
        self.agent = agent
        self.database = SQLiteDatabase(path)
        self.app = assembled(self.database, (agent,))

    def worker(self, concurrency: int) -> Worker:
        return worker_of(self.app, (self.agent,), concurrency=concurrency)

    async def submit(self, tasks: int) -> None:
        policy, submit = self.agent.policy, self.app.operations.submit_in_loop
        for first in range(0, tasks, SUBMITTED_AT_ONCE):
            numbers = range(first, min(first + SUBMITTED_AT_ONCE, tasks))
            questions = [Submission(f"This is question number {number}.") for number in numbers]
            await asyncio.gather(*(submit(policy, question) for question in questions))

    def fsync(self) -> tuple[str, int]:
        """Read from the writing connection itself."""
        mode = self.database.write_now(lambda tx: tx.row("PRAGMA journal_mode"))
        synchronous = self.database.write_now(lambda tx: tx.row("PRAGMA synchronous"))
        assert mode is not None
        assert synchronous is not None
        return str(mode[0]), int(synchronous[0])


def agent_of_steps(laps: list[float]) -> Agent:
    """Five steps a task; how long each took goes to `laps`."""
    # No checks: the others have none to run.
    checks = ChecksRule(input=(), output=())
    agent = Agent(Policy(agent="durable", purpose="Take five steps that do nothing.", checks=checks))

    @agent.task
    async def handle(run: Run) -> int:
        for number in range(STEPS_PER_TASK):
            began = time.perf_counter()
            await run.step("noop", noop, number)
            laps.append(time.perf_counter() - began)
        return STEPS_PER_TASK

    return agent


async def _run(order: Order) -> None:
    laps: list[float] = []
    house = House(order.folder / "airworthy.db", agent_of_steps(laps))

    async def batch(tasks: int) -> tuple[float, list[float]]:
        """From the first claim to the last outcome, both as the worker saw them."""
        laps.clear()
        await house.submit(tasks)
        worker = house.worker(order.concurrency)
        ended_us: list[int] = []

        def on_end(ended: Ended) -> None:
            assert ended.outcome is Outcome.ANSWERED, ended
            ended_us.append(house.app.clock.now_us())

        worker.on_end = on_end
        began_us = house.app.clock.now_us()
        await worker.run(until_idle=True)
        assert len(ended_us) == tasks, f"{len(ended_us)} of {tasks} tasks ended"
        claimed = await house.database.read(
            lambda tx: tx.row("SELECT MIN(run_started_us) FROM tasks WHERE run_started_us >= ?", (began_us,))
        )
        assert claimed is not None
        return (max(ended_us) - claimed[0]) / US_PER_S, list(laps)

    commits: list[float] = []

    def disk() -> None:
        commits.extend(commit_laps(order.folder / "commits.db", COMMITS_S))

    alone = order.concurrency == 1
    tasks, seconds, taken = await measure(batch, order, disk if alone else None)
    found = measured(order, tasks, seconds, taken, house.fsync())
    if alone:
        found = replace(
            found, commit_p50_ms=percentile(commits, 50) * 1000, commit_p99_ms=percentile(commits, 99) * 1000
        )
    found.print()
    house.database.close()


if __name__ == "__main__":
    asyncio.run(_run(Order.parse()))
