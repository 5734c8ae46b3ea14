"""Two real workers on one file under one policy, sent ten times what they may begin; one of them is killed."""

import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from airworthy.app.build import App, assembled
from airworthy.runtime import QueueFull, State, Submission
from airworthy.store import SQLiteDatabase
from tests.process.paced import CONCURRENCY, QUEUE_MAX, RATE, USER_CONCURRENCY, agent

pytestmark = [pytest.mark.process, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
SENT = 1200
WAIT_S = 60.0
UNDER_WAY = (
    "SELECT t.user_id, COUNT(*) FROM tasks t JOIN claims c ON c.name = t.id"
    " WHERE c.owner IS NOT NULL AND t.state = 'running' GROUP BY t.user_id"
)


def started(database: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.process.paced", str(database)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def killed(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def open_tasks(app: App) -> int:
    counts = app.operations.counts()
    return counts.get(State.QUEUED, 0) + counts.get(State.RUNNING, 0)


class Spy(threading.Thread):
    """Looks at what is under way, by the claims, as often as it can."""

    def __init__(self, app: App) -> None:
        super().__init__(daemon=True)
        self.app = app
        self.over = threading.Event()
        self.most, self.most_of_user, self.looks = 0, 0, 0

    def run(self) -> None:
        while not self.over.wait(0.003):
            rows = self.app.database.read_now(lambda tx: tx.rows(UNDER_WAY))
            self.looks += 1
            self.most = max(self.most, sum(row[1] for row in rows))
            self.most_of_user = max(self.most_of_user, *(row[1] for row in rows), 0)


def test_ten_times_the_load_is_paced_refused_or_done_and_never_lost(tmp_path: Path) -> None:
    database = tmp_path / "a.db"
    app = assembled(SQLiteDatabase(database), [agent])
    one, other = started(database), started(database)
    spy = Spy(app)
    spy.start()
    accepted: list[str] = []
    promised: list[float] = []
    try:
        for number in range(SENT):
            try:
                submission = Submission(number, user=f"u{number % 7}", key=str(number))
                accepted.append(app.operations.submit(agent.policy, submission).task.id)
            except QueueFull as told:
                promised.append(told.retry_after_s)
            if number == SENT // 2:
                killed(one)
        ends_s = time.monotonic() + WAIT_S
        while open_tasks(app):
            assert time.monotonic() < ends_s, app.operations.counts()
            threading.Event().wait(0.02)
    finally:
        spy.over.set()
        spy.join()
        killed(other)

    outcomes = app.database.read_now(
        lambda tx: Counter(row[0] for row in tx.rows("SELECT task_id FROM steps WHERE kind = 'outcome'"))
    )
    assert len(accepted) + len(promised) == SENT
    assert all(1.0 <= seconds <= 3600.0 for seconds in promised)
    assert promised
    assert len(accepted) >= QUEUE_MAX
    assert dict(outcomes) == dict.fromkeys(accepted, 1)
    assert spy.looks > 10
    assert 1 < spy.most <= CONCURRENCY
    assert 0 < spy.most_of_user <= USER_CONCURRENCY
    kept = app.database.read_now(lambda tx: tx.rows("SELECT COUNT(*) FROM starts"))
    assert kept == [(RATE.calls,)]  # No more than the window needs.
    firsts = app.database.read_now(
        lambda tx: [
            row[0]
            for row in tx.rows(
                "SELECT MIN(started_us) AS at_us FROM steps WHERE kind = 'now' GROUP BY task_id ORDER BY at_us"
            )
        ]
    )
    assert len(firsts) == len(accepted)
    gaps = [later - earlier for earlier, later in zip(firsts, firsts[RATE.calls :], strict=False)]
    # A first step is recorded some time after its start was counted, so the gap between two may be a little less.
    assert min(gaps) > 0.7e6
    app.database.close()
