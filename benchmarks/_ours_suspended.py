"""What a suspended task costs in memory: a fresh worker process, before and after so many tasks have gone to sleep,
or wait for a person's approval.

The tasks are submitted by another process, so that only what the worker itself gains is seen.
"""

import argparse
import asyncio
import gc
import json
import os
import sys
from pathlib import Path

from airworthy.policy import Policy, ToolRule
from airworthy.runtime import Agent, Ended, Run
from airworthy.tools import tool
from benchmarks._ours import House

SLEEP_S = 86_400.0
CONCURRENCY = 100
# These fill the pools and caches that a worker fills once, however many tasks follow.
WARM_TASKS = 500
WAIT_S_MAX = 300.0


def sleeper() -> Agent:
    agent = Agent(Policy(agent="sleeper", purpose="Wait for tomorrow."))

    @agent.task
    async def handle(run: Run) -> str:
        await run.sleep(SLEEP_S)
        return "It is tomorrow."

    return agent


def asker() -> Agent:
    """Its one effect is held until a person approves it."""

    @tool(effect="send", keyed=True)
    async def mail(to: str, text: str, *, idempotency_key: str) -> str:
        """Writes to a customer."""
        raise AssertionError("nobody approves it here")

    rule = ToolRule(approval="always")
    agent = Agent(Policy(agent="asker", purpose="Write when told to.", tools={"mail": rule}), tools=[mail])

    @agent.task
    async def handle(run: Run) -> str:
        await run.tool(mail, to="ada@example.com", text=run.text)
        return "It is written."

    return agent


AGENTS = {"time": sleeper, "approval": asker}


def rss_kb() -> float:
    """Resident memory of this process, as the kernel counts it."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024


async def _suspend(path: Path, tasks: int, kind: str, warm: int) -> None:
    house = House(path, AGENTS[kind]())
    worker = house.worker(CONCURRENCY)
    asleep = 0
    reached = asyncio.Event()
    target = warm

    def on_end(ended: Ended) -> None:
        nonlocal asleep
        assert ended.outcome is None, ended
        assert ended.lost is None, ended
        asleep += 1
        if asleep == target:
            reached.set()

    worker.on_end = on_end
    working = asyncio.create_task(worker.run())
    async with asyncio.timeout(WAIT_S_MAX):
        await _submitted_elsewhere(path, warm, kind)
        await reached.wait()
        before_kb = rss_kb()
        target, reached = warm + tasks, asyncio.Event()
        await _submitted_elsewhere(path, tasks, kind)
        await reached.wait()
        after_kb = rss_kb()
    worker.stop()
    await working
    house.database.close()
    print(json.dumps({"tasks": tasks, "before_kb": before_kb, "after_kb": after_kb}), flush=True)


async def _submitted_elsewhere(path: Path, tasks: int, kind: str) -> None:
    arguments = (
        "-m",
        __spec__.name,
        "--submit",
        "--database",
        str(path),
        "--tasks",
        str(tasks),
        "--for",
        kind,
    )
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments)
    if await process.wait() != 0:
        raise RuntimeError("the tasks could not be submitted")


async def _submit(path: Path, tasks: int, kind: str) -> None:
    house = House(path, AGENTS[kind]())
    await house.submit(tasks)
    house.database.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--database", type=Path, required=True)
    parser.add_argument("--tasks", type=int, required=True)
    parser.add_argument("--submit", action="store_true")
    parser.add_argument(
        "--for", dest="kind", choices=sorted(AGENTS), default="time", help="what each waits for"
    )
    parser.add_argument("--warm", type=int, default=WARM_TASKS, help="tasks before memory is first looked at")
    said = parser.parse_args()
    if said.submit:
        asyncio.run(_submit(said.database, said.tasks, said.kind))
    else:
        asyncio.run(_suspend(said.database, said.tasks, said.kind, said.warm))


if __name__ == "__main__":
    main()
