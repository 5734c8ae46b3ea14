"""A worker among tasks that wait, as a process of its own: told on standard input, answers in JSON lines.

`suspend` puts one task to sleep and ends; `work` runs until it is told to leave; `look` times what grows.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from airworthy.app.build import App, assembled
from airworthy.app.build import worker as worker_of
from airworthy.policy import ChecksRule, Policy
from airworthy.runtime import Agent, Ended, Run, Submission, Worker
from airworthy.runtime import tasks as task_rows
from airworthy.runtime.sweeping import sweep
from airworthy.runtime.tasks import TaskQuery
from airworthy.store import Database, PostgresDatabase, Tx
from benchmarks._figures import percentile
from benchmarks._fleet_meter import resident_mb

SLEEP_S = 365 * 86_400.0
LAPS = 15
PAGE = 50


class _Undone(Exception):
    """So that what was timed is as it was."""


def sleeper() -> Agent:
    policy = Policy(agent="sleeper", purpose="Wait for next year.", checks=ChecksRule(input=(), output=()))
    agent = Agent(policy)

    @agent.task
    async def handle(run: Run) -> str:
        await run.sleep(SLEEP_S)
        return "It is next year."

    return agent


async def _suspend(app: App, worker: Worker, agent: Agent) -> None:
    asleep = asyncio.Event()

    def on_end(ended: Ended) -> None:
        assert ended.outcome is None, ended
        asleep.set()

    worker.on_end = on_end
    ticket = await app.operations.submit_in_loop(agent.policy, Submission("Wake me next year."))
    working = asyncio.create_task(worker.run())
    await asleep.wait()
    worker.stop()
    await working
    print(json.dumps({"task": ticket.task.id}), flush=True)


async def _work(worker: Worker) -> None:
    working = asyncio.create_task(worker.run())
    print(json.dumps({"ready": True}), flush=True)
    while (await asyncio.to_thread(sys.stdin.readline)).strip() == "look":
        print(json.dumps({"mb": resident_mb(os.getpid())}), flush=True)
    worker.stop()
    await working


async def _look(app: App, worker: Worker, agent: Agent) -> None:
    """Medians in ms, one caller, on what is there."""
    database = app.database
    await app.operations.submit_in_loop(agent.policy, Submission("Now."))
    await worker._join()
    found = {
        "list_ms": _median(
            lambda: database.read_now(lambda tx: task_rows.listing(tx, TaskQuery(limit=PAGE)))
        ),
        "claim_ms": _median(lambda: _undone(database, lambda tx: _claimed(worker, tx))),
        "sweep_ms": _median(
            lambda: _undone(database, lambda tx: sweep(tx, worker._lifecycle, app.clock.now_us()))
        ),
    }
    await worker._leave()
    print(json.dumps(found), flush=True)


def _claimed(worker: Worker, tx: Tx) -> None:
    assert len(worker._claim_in(tx, 1).claimed) == 1, "the task that is due was not found"


def _undone(database: Database, op: Callable[[Tx], Any]) -> None:
    def undone(tx: Tx) -> None:
        op(tx)
        raise _Undone

    with suppress(_Undone):
        database.write_now(undone)


def _median(once: Callable[[], Any]) -> float:
    once()  # Plans are made and pages read.
    laps = []
    for _ in range(LAPS):
        began = time.perf_counter()
        once()
        laps.append(time.perf_counter() - began)
    return round(percentile(laps, 50) * 1000, 3)


async def _run(what: str, url: str) -> None:
    agent = sleeper()
    app = assembled(PostgresDatabase(url), (agent,))
    worker = worker_of(app, (agent,), concurrency=100)
    if what == "suspend":
        await _suspend(app, worker, agent)
    elif what == "work":
        await _work(worker)
    else:
        await _look(app, worker, agent)
    app.database.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("suspend", "work", "look"))
    parser.add_argument("--url", required=True)
    said = parser.parse_args()
    asyncio.run(_run(said.what, said.url))


if __name__ == "__main__":
    main()
