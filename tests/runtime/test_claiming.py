"""Tasks that are taken up in one go: whatever becomes of each, it is the same as one after another."""

import random
from collections.abc import Iterator
from typing import Any

import pytest

from airworthy.app.build import assembled
from airworthy.core.clock import ManualClock
from airworthy.core.ids import Ids
from airworthy.policy import Policy
from airworthy.recorder import Payloads, events, outgoing
from airworthy.runtime import State, Submission, tasks
from airworthy.runtime.claiming import Hands, take_due
from airworthy.runtime.engines import engine_of
from airworthy.runtime.lifecycle import Lifecycle
from airworthy.store import Database, MemoryDatabase, PostgresDatabase, Tx, lease
from airworthy.tools import EffectState, outbox
from airworthy.tools.outbox import EffectRow
from tests.database import fresh

AGENT = "many"
EACH = 4
KINDS = ("plain", "cancelled", "paused", "crashed", "given up", "unreadable")
# What several of them write to, and what tells their ends apart.
ASKED = (
    "SELECT id, state, run, attempts, reason_code, steps, cancel_asked, pause_asked FROM tasks ORDER BY id",
    "SELECT ref, field, value FROM facets ORDER BY ref, field, value",
    "SELECT s.feature, r.width_s, r.ended, r.cancelled, r.dead_lettered FROM rollups r JOIN series s ON id = series_id",
    "SELECT width_s, measure, bin, SUM(count) FROM rollup_bins GROUP BY width_s, measure, bin",
    "SELECT agent, feature FROM series ORDER BY agent, feature",
    "SELECT id, kind, task_id, facts FROM event_due ORDER BY id",
    "SELECT task_id, seq FROM export_due ORDER BY task_id",
    "SELECT task_id FROM touched ORDER BY task_id",
    "SELECT ref FROM index_due ORDER BY ref",
    "SELECT name, holder FROM resources ORDER BY name",
    "SELECT name, owner FROM claims ORDER BY name",
    "SELECT id, state FROM effects ORDER BY id",
    "SELECT task_id FROM wakes ORDER BY task_id",
    "SELECT task_id, seq, kind, name FROM steps ORDER BY task_id, seq",
)


@pytest.fixture
def databases() -> Iterator[list[Database]]:
    made: list[Database] = [MemoryDatabase(), PostgresDatabase(fresh(migrated=True))]
    yield made
    for each in made:
        each.close()


def made_ready(tx: Tx, ids: list[str], now_us: int) -> None:
    """Each in its way, and so that the sums of them all have to begin anew."""
    outgoing.begin(tx, now_us)
    events.set_up(tx, [events.Wish("all", ("task.closed", "effect.in_doubt"))], now_us)
    for place, id_ in enumerate(ids):
        kind = KINDS[place % len(KINDS)]
        tx.execute("INSERT INTO resources (name, version, holder) VALUES (?, 0, ?)", (f"r{place}", id_))
        if kind == "cancelled":
            tasks.update(tx, id_, cancel_asked=1)
        elif kind == "paused":
            tasks.update(tx, id_, pause_asked=1)
        elif kind == "unreadable":
            tx.execute("UPDATE payloads SET body = ? WHERE task_id = ?", (b"no", id_))
        elif kind in ("crashed", "given up"):
            tasks.update(tx, id_, run=1, run_started_us=now_us, attempts=1 if kind == "crashed" else 3)
            tx.execute("UPDATE tasks SET state = 'running' WHERE id = ?", (id_,))
            begun = EffectRow(
                f"eff_{place}", id_, 1, AGENT, "pay", "send", EffectState.STARTED, False, "{}", None, "", 0
            )
            outbox.insert(tx, begun)
    for table in ("rollups", "rollup_bins", "series"):
        tx.execute(f"DELETE FROM {table}")


def taken(database: Database) -> tuple[list[str], list[list[Any]]]:
    clock = ManualClock()
    app = assembled(database, clock=clock, ids=Ids(random.Random(1)))
    policy = Policy(agent=AGENT, purpose="Takes many.")
    ids = [
        app.operations.submit(policy, Submission(str(number), feature=f"f{number % 2}")).task.id
        for number in range(EACH * len(KINDS))
    ]
    database.write_now(lambda tx: made_ready(tx, ids, clock.now_us()))
    lifecycle = Lifecycle(engine_of(database), Payloads())
    hands = Hands("wkr_1", len(ids), {AGENT: 3})
    clock.advance(1)
    found = database.write_now(lambda tx: take_due(tx, lifecycle, [AGENT], hands, clock.now_us()))
    # What each holds is its own: its row, its record and its epoch.
    for each in found.claimed:
        assert each.recorded[0].arguments == str(ids.index(each.task.id))
        assert each.task.state is State.RUNNING
        assert database.read_now(
            lambda tx, each=each: tx.row("SELECT epoch FROM claims WHERE name = ?", (each.task.id,))  # type: ignore[misc]
        ) == (each.fence.epoch,)
    stored = database.read_now(lambda tx: [sorted(tx.rows(asked)) for asked in ASKED])
    assert database.read_now(lambda tx: lease.holder(tx, ids[0])) == "wkr_1"
    return [each.task.id for each in found.claimed], stored


def test_what_becomes_of_many_taken_together_is_the_same_on_a_server(databases: list[Database]) -> None:
    (here, stored), (there, stored_there) = map(taken, databases)

    assert len(here) == 2 * EACH  # The plain and the crashed.
    assert there == here
    for asked, one, other in zip(ASKED, stored, stored_there, strict=True):
        assert other == one, asked
        assert one or "wakes" in asked, asked
