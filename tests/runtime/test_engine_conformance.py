"""What every engine owes the runtime: "advance task X, not before T", at least once, in the caller's transaction."""

import asyncio
from collections.abc import Callable

import pytest

from airworthy.app.build import MIGRATIONS
from airworthy.runtime.admission.queue import wake_id
from airworthy.runtime.engine import EmbeddedEngine, Engine
from airworthy.store import Database, Tx, migrate
from tests.database import memory

ENGINES: dict[str, Callable[[], Engine]] = {"embedded": EmbeddedEngine}


@pytest.fixture
def database() -> Database:
    database = memory()
    migrate(database, MIGRATIONS)
    return database


def schedule(database: Database, engine: Engine, task_id: str, due_us: int, **changes: object) -> None:
    agent, priority = str(changes.get("agent", "support")), int(str(changes.get("priority", 0)))
    database.write_now(lambda tx: engine.schedule(tx, task_id, agent=agent, priority=priority, due_us=due_us))


def take(
    database: Database, engine: Engine, now_us: int, count: int = 10, agent: str = "support"
) -> list[str]:
    return database.write_now(lambda tx: engine.take(tx, [agent], now_us, count))


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_a_task_is_not_given_out_before_its_time(database: Database, name: str) -> None:
    engine = ENGINES[name]()
    schedule(database, engine, "tsk_1", due_us=100)

    assert take(database, engine, now_us=99) == []
    assert take(database, engine, now_us=100) == ["tsk_1"]


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_a_wake_up_is_given_out_once_and_can_be_asked_for_again(database: Database, name: str) -> None:
    engine = ENGINES[name]()
    schedule(database, engine, "tsk_1", due_us=1)

    assert take(database, engine, now_us=5) == ["tsk_1"]
    assert take(database, engine, now_us=5) == []
    schedule(database, engine, "tsk_1", due_us=1)
    assert take(database, engine, now_us=5) == ["tsk_1"]


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_a_task_has_one_wake_up_and_the_latest_wins(database: Database, name: str) -> None:
    engine = ENGINES[name]()
    schedule(database, engine, "tsk_1", due_us=1)
    schedule(database, engine, "tsk_1", due_us=50)

    assert take(database, engine, now_us=10) == []
    assert take(database, engine, now_us=50) == ["tsk_1"]


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_higher_priority_first_then_the_longest_due(database: Database, name: str) -> None:
    engine = ENGINES[name]()
    for task_id, due_us, priority in (("late", 3, 0), ("early", 2, 0), ("urgent", 9, 5), ("idle", 1, -1)):
        schedule(database, engine, task_id, due_us, priority=priority)

    assert take(database, engine, now_us=10) == ["urgent", "early", "late", "idle"]


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_a_worker_gets_no_more_than_it_asked_for_and_the_rest_stays(database: Database, name: str) -> None:
    engine = ENGINES[name]()
    for number in range(5):
        schedule(database, engine, f"tsk_{number}", due_us=number)

    assert take(database, engine, now_us=10, count=2) == ["tsk_0", "tsk_1"]
    assert take(database, engine, now_us=10) == ["tsk_2", "tsk_3", "tsk_4"]


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_tasks_of_other_agents_are_left_alone(database: Database, name: str) -> None:
    engine = ENGINES[name]()
    schedule(database, engine, "mine", due_us=1)
    schedule(database, engine, "theirs", due_us=1, agent="billing")

    assert take(database, engine, now_us=5) == ["mine"]
    assert take(database, engine, now_us=5, agent="billing") == ["theirs"]


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_a_wake_up_in_a_failed_transaction_was_never_asked_for(database: Database, name: str) -> None:
    engine = ENGINES[name]()

    def op(tx: Tx) -> None:
        engine.schedule(tx, "tsk_1", agent="support", priority=0, due_us=1)
        raise KeyError("undone")

    with pytest.raises(KeyError):
        database.write_now(op)

    assert take(database, engine, now_us=5) == []


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_a_forgotten_task_is_not_woken(database: Database, name: str) -> None:
    engine = ENGINES[name]()
    schedule(database, engine, "tsk_1", due_us=1)
    database.write_now(lambda tx: engine.forget(tx, "tsk_1"))

    assert not database.read_now(lambda tx: engine.due(tx, ["support"], 5))


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_what_is_to_be_woken_later_is_pending_and_not_due(database: Database, name: str) -> None:
    engine = ENGINES[name]()
    schedule(database, engine, "tsk_1", due_us=100)

    assert database.read_now(lambda tx: engine.pending(tx, ["support"]))
    assert not database.read_now(lambda tx: engine.due(tx, ["support"], 99))
    assert not database.read_now(lambda tx: engine.pending(tx, ["billing"]))


@pytest.mark.parametrize("name", sorted(ENGINES))
async def test_a_nudge_ends_the_wait_at_once_and_a_wait_ends_by_itself(name: str) -> None:
    engine = ENGINES[name]()
    engine.nudge()

    await engine.wait()
    await engine.wait()


@pytest.mark.parametrize("name", sorted(ENGINES))
async def test_a_wait_is_no_longer_than_asked_for(name: str) -> None:
    """So that a worker that knows when the next task may begin is there at that moment."""
    engine, loop = ENGINES[name](), asyncio.get_running_loop()
    began_s = loop.time()

    await engine.wait(0.03)

    assert 0.03 <= loop.time() - began_s < 0.04


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_a_queue_is_woken_like_a_task(database: Database, name: str) -> None:
    """An agent's queue has one wake-up under a name of its own; what is woken then is the store's to decide."""
    engine = ENGINES[name]()
    queue = wake_id("support")
    schedule(database, engine, queue, due_us=50)
    schedule(database, engine, queue, due_us=10)

    assert take(database, engine, now_us=20) == [queue]
    assert take(database, engine, now_us=60) == []
