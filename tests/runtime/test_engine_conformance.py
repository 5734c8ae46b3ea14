"""What every engine owes the runtime: "advance task X, not before T", at least once, in the caller's transaction."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from airworthy.app.build import MIGRATIONS
from airworthy.runtime.admission.queue import wake_id
from airworthy.runtime.engine import EmbeddedEngine, Engine, PostgresEngine
from airworthy.runtime.engine_procrastinate import ProcrastinateEngine
from airworthy.store import Database, MemoryDatabase, Tx, migrate
from tests.database import Rehearsal, lasting

ENGINES: dict[str, tuple[Callable[[], Database], Callable[[], Engine]]] = {
    "embedded on sqlite": (MemoryDatabase, EmbeddedEngine),
    "embedded on postgresql": (Rehearsal, PostgresEngine),
    "procrastinate": (Rehearsal, ProcrastinateEngine),
}


@dataclass
class House:
    """`now_us`: when things are scheduled; nothing is due before, so all of them wait for their time."""

    database: Database
    engine: Engine
    now_us: int = 0

    def schedule(self, task_id: str, due_us: int, agent: str = "support", priority: int = 0) -> None:
        self.database.write_now(
            lambda tx: self.engine.schedule(
                tx, task_id, agent=agent, priority=priority, due_us=due_us, now_us=self.now_us
            )
        )

    def take(self, now_us: int, count: int = 10, agent: str = "support") -> list[str]:
        return self.database.write_now(lambda tx: self.engine.take(tx, [agent], now_us, count))

    def next_us(self, agent: str = "support") -> int | None:
        return self.database.read_now(lambda tx: self.engine.next_us(tx, [agent]))

    def unknown(self, task_id: str) -> bool:
        sql = f"SELECT 1 WHERE {self.engine.unknown('?')}"
        return self.database.read_now(lambda tx: tx.row(sql, [task_id] * sql.count("?"))) is not None


@pytest.fixture(scope="module")
def houses() -> dict[str, House]:
    """Made once: procrastinate's tables take a fifth of a second."""
    return {}


@pytest.fixture(params=sorted(ENGINES))
def house(request: pytest.FixtureRequest, houses: dict[str, House]) -> House:
    open_, engine = ENGINES[request.param]
    if request.param not in houses:
        with lasting():
            database = open_()
        if isinstance(database, MemoryDatabase):
            migrate(database, MIGRATIONS)
        engine().prepare(database)
        houses[request.param] = House(database, engine())
    database = houses[request.param].database
    engine().prepare(database)
    database.write_now(lambda tx: tx.execute("DELETE FROM wakes"))
    if request.param == "procrastinate":
        database.write_now(lambda tx: tx.execute("DELETE FROM procrastinate_jobs"))
    return House(database, engine())


def test_a_task_is_not_given_out_before_its_time(house: House) -> None:
    house.schedule("tsk_1", due_us=100)

    assert house.take(now_us=99) == []
    assert house.take(now_us=100) == ["tsk_1"]


def test_a_wake_up_is_given_out_once_and_can_be_asked_for_again(house: House) -> None:
    house.schedule("tsk_1", due_us=1)

    assert house.take(now_us=5) == ["tsk_1"]
    assert house.take(now_us=5) == []
    house.schedule("tsk_1", due_us=1)
    assert house.take(now_us=5) == ["tsk_1"]


def test_a_task_has_one_wake_up_and_the_latest_wins(house: House) -> None:
    house.schedule("tsk_1", due_us=1)
    house.schedule("tsk_1", due_us=50)

    assert house.take(now_us=10) == []
    assert house.take(now_us=50) == ["tsk_1"]


def test_higher_priority_first_then_the_longest_due(house: House) -> None:
    for task_id, due_us, priority in (("late", 3, 0), ("early", 2, 0), ("urgent", 9, 5), ("idle", 1, -1)):
        house.schedule(task_id, due_us, priority=priority)

    assert house.take(now_us=10) == ["urgent", "early", "late", "idle"]


def test_a_worker_gets_no_more_than_it_asked_for_and_the_rest_stays(house: House) -> None:
    for number in range(5):
        house.schedule(f"tsk_{number}", due_us=number)

    assert house.take(now_us=10, count=2) == ["tsk_0", "tsk_1"]
    assert house.take(now_us=10) == ["tsk_2", "tsk_3", "tsk_4"]


def test_tasks_of_other_agents_are_left_alone(house: House) -> None:
    house.schedule("mine", due_us=1)
    house.schedule("theirs", due_us=1, agent="billing")

    assert house.take(now_us=5) == ["mine"]
    assert house.take(now_us=5, agent="billing") == ["theirs"]


def test_a_wake_up_in_a_failed_transaction_was_never_asked_for(house: House) -> None:
    def op(tx: Tx) -> None:
        house.engine.schedule(tx, "due", agent="support", priority=0, due_us=0, now_us=0)
        house.engine.schedule(tx, "later", agent="support", priority=0, due_us=1, now_us=0)
        raise KeyError("undone")

    with pytest.raises(KeyError):
        house.database.write_now(op)

    assert house.take(now_us=5) == []


@pytest.mark.parametrize("due_us", [0, 1])
def test_a_forgotten_task_is_not_woken(house: House, due_us: int) -> None:
    house.schedule("tsk_1", due_us)
    house.database.write_now(lambda tx: house.engine.forget(tx, "tsk_1"))

    assert house.next_us() is None
    assert house.unknown("tsk_1")


def test_it_is_known_when_the_next_task_is_to_be_woken(house: House) -> None:
    house.schedule("tsk_1", due_us=100)
    house.schedule("tsk_2", due_us=90, priority=-1)

    assert house.next_us() == 90
    assert house.next_us("billing") is None


def test_what_is_due_at_once_is_given_out_in_the_order_it_was_asked_for(house: House) -> None:
    for task_id, priority in (("first", 0), ("second", 0), ("urgent", 5)):
        house.now_us += 1
        house.schedule(task_id, due_us=house.now_us, priority=priority)
    due_us = house.next_us()

    assert due_us is not None
    assert due_us <= house.now_us
    assert house.take(house.now_us) == ["urgent", "first", "second"]
    assert house.next_us() is None


def test_what_is_due_can_be_put_off_made_urgent_and_given_to_another_agent(house: House) -> None:
    house.now_us = 10
    for task_id in ("put off", "urgent", "given away", "asked for twice"):
        house.schedule(task_id, due_us=10)
    house.schedule("put off", due_us=20)
    house.schedule("urgent", due_us=10, priority=9)
    house.schedule("given away", due_us=10, agent="billing")
    house.schedule("asked for twice", due_us=10)

    assert house.take(now_us=10) == ["urgent", "asked for twice"]
    assert house.take(now_us=10, agent="billing") == ["given away"]
    assert house.take(now_us=20) == ["put off"]


@pytest.mark.parametrize("due_us", [0, 1])
def test_the_sweeper_is_told_which_tasks_have_a_wake_up(house: House, due_us: int) -> None:
    house.schedule("tsk_1", due_us)

    assert not house.unknown("tsk_1")
    assert house.unknown("tsk_2")
    house.take(now_us=1)
    assert house.unknown("tsk_1")


def test_an_agent_may_have_as_long_a_name_as_a_policy_allows(house: House) -> None:
    names = ["a" * 62 + last for last in "xy"]
    for agent in names:
        house.schedule(f"tsk_{agent}", due_us=0, agent=agent)

    for agent in names:
        assert house.take(now_us=0, agent=agent) == [f"tsk_{agent}"]


async def test_a_nudge_ends_the_wait_at_once_and_a_wait_ends_by_itself(house: House) -> None:
    house.engine.nudge()

    await house.engine.wait()
    await house.engine.wait()


async def test_a_wait_is_no_longer_than_asked_for(house: House) -> None:
    """So that a worker that knows when the next task may begin is there at that moment."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()

    await house.engine.wait(0.03)

    assert 0.03 <= loop.time() - began_s < 0.04


def test_a_queue_is_woken_like_a_task(house: House) -> None:
    """An agent's queue has one wake-up under a name of its own; what is woken then is the store's to decide."""
    queue = wake_id("support")
    house.schedule(queue, due_us=50)
    house.schedule(queue, due_us=10)

    assert house.take(now_us=20) == [queue]
    assert house.take(now_us=60) == []
