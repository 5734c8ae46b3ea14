"""Two processes decide on one thing in the same instant: one decides, the other is told by whom and when."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from airworthy import Agent, Run, tool
from airworthy.app.build import assembled, worker
from airworthy.policy import Policy, ToolRule
from airworthy.review import Act, ItemQuery
from airworthy.runtime import Submission
from airworthy.runtime.looking import Look
from airworthy.tools import EffectState
from tests.database import address, opened

ROUNDS = 3
PAIR = (("dana", "approve"), ("lee", "reject"))
ROOT = Path(__file__).parents[2]
START_S = 4.0


@tool(effect="send")
async def pay(to: str) -> str:
    """Pays."""
    return to


def agent() -> Agent:
    made = Agent(Policy(agent="shop", purpose="x", tools={"pay": ToolRule(approval="always")}), tools=[pay])

    @made.task
    async def handle(run: Run) -> Any:
        return await run.tool(pay, to=str(run.input))

    return made


def decides(path: str, line: Look, by: str, act: str, at_ns: int) -> "subprocess.Popen[str]":
    about = [path, line.item.id, line.seal, by, act, str(at_ns)]
    command = [sys.executable, "-m", "tests.process.deciding", *about]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.process
async def test_one_of_two_processes_decides_and_the_other_is_told(tmp_path: Path) -> None:
    path, shop = address(tmp_path), agent()
    database = opened(path)
    app = assembled(database, [shop])
    for number in range(ROUNDS):
        app.operations.submit(shop.policy, Submission(f"ann {number}"))
    await worker(app, [shop], concurrency=4).run(until_idle=True)
    lines = app.reviews.listing(ItemQuery())
    assert len(lines) == ROUNDS
    at_ns = time.monotonic_ns() + round(START_S * 1e9)
    running = [(line, [decides(path, line, by, act, at_ns) for by, act in PAIR]) for line in lines]

    for line, processes in running:
        said = sorted(process.communicate(timeout=60)[0].strip() for process in processes)

        after = app.reviews.item(line.item.id)
        (record,) = after.records
        effect = app.operations.effects(line.item.task_id)[0]
        assert said[1] == "decided"
        assert said[0].startswith(
            f"already_decided: {line.item.id} was decided ({record.act}) by {record.by} on 2"
        )
        assert effect.state is (EffectState.APPROVED if record.act is Act.APPROVE else EffectState.REJECTED)
    database.close()
