"""Nobody waits for ever: the order of a queue alone, under random arrivals, and the bound that the docs state."""

import random
from collections import Counter, defaultdict

import pytest

from airworthy.app.build import MIGRATIONS
from airworthy.policy import AdmissionRule
from airworthy.runtime import State, TaskRow
from airworthy.runtime.admission import queue
from airworthy.runtime.admission.look import SPARED_EVERY, Look
from airworthy.store import Database, Fence, Tx, migrate
from tests.database import memory


def task(number: int, user: str = "", priority: int = 0, feature: str = "", run: int = 0) -> TaskRow:
    return TaskRow(
        f"tsk_{number:06}", "support", "", "", None, b"", "", user, feature, "", priority, State.QUEUED, number, number,
        run=run,
    )  # fmt: skip


@pytest.fixture
def database() -> Database:
    database = memory()
    migrate(database, MIGRATIONS)
    return database


def enter(database: Database, row: TaskRow) -> None:
    database.write_now(lambda tx: queue.enter(tx, row))


def picked(database: Database, rule: AdmissionRule | None = None, now_us: int = 10**9) -> str | None:
    """Begins the next task and ends it at once."""

    def op(tx: Tx) -> str | None:
        look = Look(tx, "support", rule, now_us)
        chosen = look.choose()
        if chosen is None:
            return None
        look.began(*chosen, Fence(chosen[0], 1))
        return chosen[0]

    return database.write_now(op)


@pytest.mark.parametrize("seed", range(12))
def test_a_task_begins_within_ten_times_priorities_times_users_starts(database: Database, seed: int) -> None:
    """For each task of its user at its priority that was there before it, and for itself."""
    chance = random.Random(seed)
    users = [f"u{number}" for number in range(chance.choice((1, 3, 8)))]
    priorities = chance.sample(range(-1000, 1001), chance.choice((1, 2, 5)))
    weights = [chance.random() ** 3 + 0.01 for _ in users]
    before: Counter[tuple[str, int]] = Counter()
    entered: dict[str, tuple[int, int]] = {}
    whose: dict[str, tuple[str, int]] = {}
    starts = 0
    for number in range(600):
        user, priority = chance.choices(users, weights)[0], chance.choice(priorities)
        row = task(number, user, priority, feature=chance.choice("ab"))
        entered[row.id], whose[row.id] = (starts, before[user, priority]), (user, priority)
        before[user, priority] += 1
        enter(database, row)
        while chance.random() < 0.4 or number == 599:
            name = picked(database)
            if name is None:
                break
            at, ahead = entered.pop(name)
            before[whose[name]] -= 1
            starts += 1
            bound = SPARED_EVERY * (ahead + 1) * len(users) * len(priorities) + SPARED_EVERY
            assert starts - at <= bound, (
                f"seed {seed}: {name} waited for {starts - at} starts, {ahead} before it"
            )

    assert entered == {}


def test_shares_are_equal_whatever_the_backlogs(database: Database) -> None:
    for number in range(300):
        enter(database, task(number, "ann"))
    for number in range(300, 330):
        enter(database, task(number, f"u{number % 3}"))
    begun = _shares(database, 40)

    assert begun == {"ann": 10, "u0": 10, "u1": 10, "u2": 10}


def _shares(database: Database, starts: int) -> dict[str, int]:
    rows = database.read_now(lambda tx: tx.rows("SELECT task_id, user_id FROM waiting"))
    users: dict[str, str] = {row[0]: row[1] for row in rows}
    shares: dict[str, int] = defaultdict(int)
    for _ in range(starts):
        shares[users[str(picked(database))]] += 1
    return dict(shares)


def test_one_who_sends_one_at_a_time_gains_nothing_over_one_with_a_backlog(database: Database) -> None:
    for number in range(50):
        enter(database, task(number, "ann"))
    order = []
    for number in range(100, 120):
        enter(database, task(number, "bob"))
        order += [picked(database), picked(database)]

    assert sum(int(str(name)[-6:]) >= 100 for name in order) == 20


def test_what_comes_back_goes_first_whatever_its_priority_and_counts_in_no_queue(
    database: Database,
) -> None:
    enter(database, task(1, "ann", priority=1000))
    enter(database, task(2, "ann", priority=-1000, run=3))

    assert database.read_now(lambda tx: queue.user_waiting(tx, "support", "ann")) == 1
    assert [picked(database), picked(database), picked(database)] == ["tsk_000002", "tsk_000001", None]


def test_entering_twice_is_once_and_leaving_twice_is_once(database: Database) -> None:
    enter(database, task(1))
    enter(database, task(1))
    enter(database, task(2))
    database.write_now(lambda tx: queue.leave(tx, "tsk_000001"))
    database.write_now(lambda tx: queue.leave(tx, "tsk_000001"))

    assert database.read_now(lambda tx: tx.rows("SELECT waiting, head_us FROM lanes")) == [(1, 2)]
    assert database.read_now(lambda tx: tx.rows("SELECT waiting FROM queues")) == [(1,)]


def test_users_at_their_bound_are_looked_at_once_each(database: Database) -> None:
    """And not again for every start: a lane that may not begin is put out of the way."""
    rule = AdmissionRule(user_concurrency=1)
    for number in range(200):
        enter(database, task(2 * number, f"u{number}"))
        enter(database, task(2 * number + 1, f"u{number}"))
    begun = [picked(database, rule) for _ in range(201)]

    assert len(set(begun[:200])) == 200
    assert begun[200] is None
    assert database.read_now(lambda tx: tx.rows("SELECT COUNT(*) FROM lanes WHERE held = 0")) == [(0,)]
