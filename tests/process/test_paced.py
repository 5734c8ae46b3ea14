"""Two real workers on one database under one policy, sent ten times what they may begin; one of them is killed."""

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from airworthy.app.build import App, assembled
from airworthy.runtime import QueueFull, State, Submission
from tests.database import address, opened
from tests.process.paced import CONCURRENCY, QUEUE_MAX, RATE, USER_CONCURRENCY, agent

pytestmark = [pytest.mark.process, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
SENT = 1200
WAIT_S = 60.0
# Five places among so few users: one of them must get two, and no more.
USERS_AT_FIRST, USERS = 3, 7
# Looks at what is under way, by the claims, inside every transaction that begins or takes over a task: no machine is so
# busy that it misses one.
LOOKS = "CREATE TABLE looks (run BIGINT, began_us BIGINT, under_way BIGINT, of_user BIGINT)"
LOOK = (
    "INSERT INTO looks SELECT NEW.run, NEW.run_started_us, COUNT(*),"
    " SUM(CASE WHEN t.user_id = NEW.user_id THEN 1 ELSE 0 END) FROM tasks t"
    " JOIN claims c ON c.name = t.id WHERE c.owner IS NOT NULL AND t.state = 'running';"
)
SPIED = (
    "CREATE TRIGGER spy AFTER UPDATE OF state ON tasks FOR EACH ROW WHEN (NEW.state = 'running')"
    " EXECUTE FUNCTION look()"
)
SPY = {
    "sqlite": [
        f"CREATE TRIGGER spy AFTER UPDATE OF state ON tasks WHEN NEW.state = 'running' BEGIN {LOOK} END"
    ],
    "postgresql": [
        f"CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {LOOK} RETURN NULL; END $$",
        SPIED,
    ],
}


def started(database: str, gate: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.process.paced", database, str(gate)],
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


def spied(app: App) -> None:
    app.database.write_now(
        lambda tx: [tx.execute(statement) for statement in (LOOKS, *SPY[app.database.dialect])]
    )


def most(app: App) -> tuple[int, int, int]:
    """Looks taken, the most tasks under way at any of them, and the most of one user."""
    row = app.database.read_now(
        lambda tx: tx.row(
            "SELECT COUNT(*), COALESCE(MAX(under_way), 0), COALESCE(MAX(of_user), 0) FROM looks"
        )
    )
    assert row is not None
    return row[0], row[1], row[2]


def wait_until(true: Callable[[], bool], app: App) -> None:
    ends_s = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < ends_s, (app.operations.counts(), most(app))
        threading.Event().wait(0.02)


def test_ten_times_the_load_is_paced_refused_or_done_and_never_lost(tmp_path: Path) -> None:
    database, gate = address(tmp_path), tmp_path / "gate"
    app = assembled(opened(database), [agent])
    spied(app)
    one, other = started(database, gate), started(database, gate)
    accepted: list[str] = []
    promised: list[float] = []
    try:
        for number in range(SENT):
            try:
                users = USERS_AT_FIRST if number < SENT // 2 else USERS
                submission = Submission(number, user=f"u{number % users}", key=str(number))
                accepted.append(app.operations.submit(agent.policy, submission).task.id)
            except QueueFull as told:
                promised.append(told.retry_after_s)
            if number == SENT // 2:
                wait_until(lambda: most(app)[1] >= CONCURRENCY, app)
                killed(one)
                gate.touch()
        wait_until(lambda: not open_tasks(app), app)
    finally:
        for process in (one, other):
            killed(process)

    outcomes = app.database.read_now(
        lambda tx: Counter(row[0] for row in tx.rows("SELECT task_id FROM steps WHERE kind = 'outcome'"))
    )
    assert len(accepted) + len(promised) == SENT
    assert all(1.0 <= seconds <= 3600.0 for seconds in promised)
    assert promised
    assert len(accepted) >= QUEUE_MAX
    assert dict(outcomes) == dict.fromkeys(accepted, 1)
    looks, most_under_way, most_of_user = most(app)
    assert looks > 100
    assert most_under_way == CONCURRENCY
    assert most_of_user == USER_CONCURRENCY
    kept = app.database.read_now(lambda tx: tx.rows("SELECT COUNT(*) FROM starts"))
    assert kept == [(RATE.calls,)]  # No more than the window needs.
    began = app.database.read_now(
        lambda tx: [row[0] for row in tx.rows("SELECT began_us FROM looks WHERE run = 1 ORDER BY began_us")]
    )
    assert len(began) == len(accepted)
    gaps = [later - earlier for earlier, later in zip(began, began[RATE.calls :], strict=False)]
    assert min(gaps) >= RATE.per_s * 1e6
    app.database.close()
