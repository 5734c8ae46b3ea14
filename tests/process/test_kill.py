"""SIGKILL at random moments: no handler runs, nothing is flushed, and still every task ends once and every effect
happens once. Marked slow: starting a Python process takes a second, and eleven are started.
"""

import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from airworthy.app.build import App, assembled
from airworthy.runtime import State, Submission, TaskQuery
from airworthy.tools import EffectState
from tests.database import ON_POSTGRES, address, opened
from tests.process.receiver import Receiver, Server
from tests.process.work import agent, labels

pytestmark = [pytest.mark.process, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
TASKS = 200
SEED = 20_26
WAIT_S = 45.0


def started(database: str, port: int) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.process.work", database, str(port)],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def killed(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def submitted(app: App) -> list[str]:
    return [
        app.operations.submit(agent.policy, Submission({"number": number}, key=str(number))).task.id
        for number in range(TASKS)
    ]


def wait(until: Callable[[], bool], patience_s: float) -> None:
    """Polls, because what it waits for happens in another process."""
    ends_s = time.monotonic() + patience_s
    while not until():
        assert time.monotonic() < ends_s, "the processes did not get there"
        pause(0.01)


def pause(seconds: float) -> None:
    """Really waits: nothing in this process could tell when another is in the middle of its work."""
    threading.Event().wait(seconds)


def progress(app: App) -> int:
    return counted(app, "SELECT COUNT(*) FROM steps")


def counted(app: App, sql: str) -> int:
    row = app.database.read_now(lambda tx: tx.row(sql))
    assert row is not None
    return int(row[0])


def all_closed(app: App) -> bool:
    row = app.database.read_now(
        lambda tx: tx.row(
            "SELECT (SELECT COUNT(*) FROM tasks WHERE closed_us IS NULL),"
            " (SELECT COUNT(*) FROM effects WHERE state IN ('scheduled', 'started'))"
        )
    )
    return row == (0, 0)


def verdict(app: App, receiver: Receiver, ids: list[str], database: str) -> None:
    rows = app.operations.tasks(TaskQuery(limit=10 * TASKS))
    assert {row.id for row in rows} == set(ids)
    doubtful = 0
    for number, task_id in enumerate(ids):
        task, effects = app.operations.task(task_id), app.operations.effects(task_id)
        outcomes = [step for step in app.operations.steps(task_id) if step.kind == "outcome"]
        assert len(outcomes) == 1
        in_doubt = [row for row in effects if row.state is EffectState.IN_DOUBT]
        doubtful += len(in_doubt)
        assert all(row.tool == "post" for row in in_doubt)
        assert {row.state for row in effects} <= {EffectState.DONE, EffectState.IN_DOUBT}
        assert task.state is (State.ESCALATED if in_doubt else State.ANSWERED), task.why
        if not in_doubt:
            assert [receiver.done[label] for label in labels(number)] == [1] * len(labels(number))
            assert receiver.done[f"{number}/post"] == (1 if number % 4 == 0 else 0)
    assert max(receiver.done.values()) == 1
    assert all(len(keys) == 1 for keys in receiver.keys_of.values())
    assert all(len(bodies) == 1 for bodies in receiver.bodies.values())
    assert doubtful < TASKS // 4  # A kill can leave no more in doubt than were under way.
    app.database.close()
    if ON_POSTGRES:
        return
    with sqlite3.connect(database) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    raw.close()


def test_ten_kills_lose_no_task_and_repeat_no_effect(tmp_path: Path) -> None:
    database, chance = address(tmp_path), random.Random(SEED)
    app = assembled(opened(database), [agent])
    ids = submitted(app)
    at_work = 0
    with Server() as server:
        for _ in range(10):
            process = started(database, server.port)
            before = progress(app)
            wait(lambda: progress(app) > before + 5 or all_closed(app), WAIT_S)  # noqa: B023
            pause(chance.uniform(0.0, 0.12))
            killed(process)
            at_work += counted(app, "SELECT COUNT(*) FROM tasks WHERE state = 'running'") > 0
        last = started(database, server.port)
        wait(lambda: all_closed(app), WAIT_S)
        killed(last)

        assert at_work >= 7, "most kills found nothing under way, so they proved nothing"
        verdict(app, server.receiver, ids, database)


def test_of_two_workers_on_one_database_the_other_goes_on_when_one_is_killed(tmp_path: Path) -> None:
    database, chance = address(tmp_path), random.Random(SEED)
    app = assembled(opened(database), [agent])
    ids = submitted(app)
    with Server() as server:
        one, other = started(database, server.port), started(database, server.port)
        before = progress(app)
        wait(lambda: progress(app) > before + 100, WAIT_S)
        pause(chance.uniform(0.0, 0.1))
        killed(one)
        wait(lambda: all_closed(app), WAIT_S)
        killed(other)

        verdict(app, server.receiver, ids, database)
