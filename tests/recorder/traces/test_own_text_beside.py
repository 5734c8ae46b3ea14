"""Two writes beside one another on PostgreSQL, of which one describes tasks: whichever is first, nothing is lost."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from airworthy.recorder.traces import ours, own_text, text
from airworthy.recorder.traces.ours import Closed, Opened
from airworthy.recorder.traces.own_text import Told
from airworthy.store import Database, PostgresDatabase, Tx
from tests.database import fresh
from tests.recorder.traces.kit import NOON_US

LOOKS_MAX = 2_000
# Somebody of this database waits for another's row, or another's lock.
WAITING = (
    "SELECT 1 FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE NOT l.granted"
    " AND a.datname = current_database() LIMIT 1"
)
Op = Callable[[Tx], Any]


@pytest.fixture
def two() -> Iterator[tuple[Database, Database]]:
    """Processes that share a database."""
    url = fresh(migrated=True)
    made = PostgresDatabase(url), PostgresDatabase(url)
    yield made
    for each in made:
        each.close()


def task(database: Database, name: str, *, over: bool) -> None:
    def op(tx: Tx) -> None:
        ours.opened(tx, Opened(name, name * 4, "agent", "sha256:1", "", "", "", NOON_US))
        ours.closed(tx, name, Closed("answered", "done", "", NOON_US + 1, 1, 0))
        if not over:
            ours.reopened(tx, name, "done", "")

    database.write_now(op)


def ended(name: str) -> Op:
    return lambda tx: ours.closed(tx, name, Closed("answered", "done", "", NOON_US + 2, 1, 0))


def told(database: Database, name: str, *, over: bool) -> Op:
    """A write that describes it, made of what is stored now."""
    stood = database.read_now(lambda tx: own_text.standing(tx, name))
    words = text.Doc(name, NOON_US, f"a lamp of {name}")
    made = Told(name, stood, f"{name} ended.", (words,)) if over else Told(name, stood)
    return lambda tx: own_text.keep(tx, [made])


def overlapping(two: tuple[Database, Database], first: Op, second: Op) -> None:
    """The second write begins when the first has done all it does, and the first ends when the second waits for it."""
    did = threading.Event()

    def held(tx: Tx) -> None:
        first(tx)
        tx.rows("SELECT 1")  # What was put is carried out.
        did.set()
        for _ in range(LOOKS_MAX):
            if two[0].read_now(lambda look: look.row(WAITING)):
                return
        raise AssertionError("the second never waited")

    def write(database: Database, op: Op) -> None:
        asyncio.run(database.write(op, beside=True))

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(write, two[0], held)
        assert did.wait(30)
        other = pool.submit(write, two[1], second)
        one.result()
        other.result()


def stored(database: Database) -> tuple[list[str], list[Any], list[str]]:
    """Which tasks are due, sentences by task, and tasks in the index by their words."""

    def look(tx: Tx) -> tuple[list[str], list[Any], list[str]]:
        return (
            [row[0] for row in tx.rows("SELECT ref FROM index_due ORDER BY ref")],
            [row[0] for row in tx.rows("SELECT sentence FROM traces ORDER BY id")],
            [
                row[0]
                for row in tx.rows("SELECT d.ref FROM docs d JOIN texts t ON t.id = d.id ORDER BY d.ref")
            ],
        )

    return database.read_now(look)


@pytest.mark.parametrize("end_first", [True, False])
def test_an_open_task_that_ends_just_as_it_is_dropped_is_due(
    two: tuple[Database, Database], end_first: bool
) -> None:
    task(two[0], "one", over=False)
    ops = ended("one"), told(two[0], "one", over=False)

    overlapping(two, *(ops if end_first else reversed(ops)))

    assert stored(two[0]) == (["one"], [None], [])


def test_of_two_who_describe_one_task_one_is_late(two: tuple[Database, Database]) -> None:
    task(two[0], "one", over=True)

    overlapping(two, told(two[0], "one", over=True), told(two[1], "one", over=True))

    assert stored(two[0]) == ([], ["one ended."], ["one"])


def test_two_who_describe_tasks_of_one_moment_find_a_place_for_each(two: tuple[Database, Database]) -> None:
    """And make the part for their day once."""
    for name in ("one", "two"):
        task(two[0], name, over=True)

    overlapping(two, told(two[0], "one", over=True), told(two[1], "two", over=True))

    assert stored(two[0]) == ([], ["one ended.", "two ended."], ["one", "two"])
