"""Works of one transaction that know nothing of each other: as one after another, in fewer journeys to a server."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airworthy.store import (
    Database,
    Fence,
    PostgresDatabase,
    Tx,
    _pg_fibers,
    _pg_wire,
    migrate,
)
from airworthy.store import lease as leases
from airworthy.store._pg_fibers import distinct
from airworthy.store.tables import MIGRATIONS as STORE
from tests.database import fresh
from tests.store.test_conformance import NOTES, ids, opener, put, put_then

__all__ = ["opener"]
COUNT = "SELECT COUNT(*) FROM notes WHERE id = ?"


@pytest.fixture
def notes(opener: Callable[[], Database]) -> Iterator[Database]:
    database = opener()
    migrate(database, (*STORE, NOTES))
    yield database
    database.close()


@pytest.fixture(scope="module")
def far() -> Iterator[PostgresDatabase]:
    database = PostgresDatabase(fresh())
    migrate(database, (*STORE, NOTES))
    yield database
    database.close()


@pytest.fixture
def journeys(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """By journey, how many statements it carried."""
    made: list[int] = []
    one, together = _pg_wire.Wire.one, _pg_wire.Wire.together

    def alone(wire: Any, sql: str, values: Any) -> Any:
        made.append(1)
        return one(wire, sql, values)

    def many(wire: Any, statements: Sequence[Any]) -> Any:
        made.append(len(statements))
        return together(wire, statements)

    # A machine that has much else to do may take longer than that from one question to the next.
    monkeypatch.setattr(_pg_fibers, "GAP_S_MAX", 60.0)
    monkeypatch.setattr(_pg_wire.Wire, "one", alone)
    monkeypatch.setattr(_pg_wire.Wire, "together", many)
    return made


def grown(tx: Tx, number: int) -> None:
    """Asks, stores, and asks again what it stored."""
    assert tx.row(COUNT, (number,)) == (0,)
    tx.put("INSERT INTO notes (id, words) VALUES (?, ?)", (number, "a"))
    assert tx.row("SELECT words FROM notes WHERE id = ?", (number,)) == ("a",)
    assert tx.execute("UPDATE notes SET words = ? WHERE id = ?", (f"a{number}", number)) == 1


def test_every_work_is_done_and_sees_what_it_did(notes: Database) -> None:
    notes.write_now(lambda tx: tx.each(lambda number: grown(tx, number), range(40)))

    stored = notes.read_now(lambda tx: tx.rows("SELECT words FROM notes ORDER BY id"))
    assert stored == [(f"a{number}",) for number in range(40)]


def test_works_within_a_work_are_done(notes: Database) -> None:
    def outer(tx: Tx) -> None:
        tx.each(lambda ten: tx.each(lambda one: grown(tx, 10 * ten + one), range(3)), range(3))

    notes.write_now(outer)

    assert ids(notes) == [0, 1, 2, 10, 11, 12, 20, 21, 22]


def test_when_one_fails_its_error_comes_out_and_nothing_is_stored_of_any(notes: Database) -> None:
    ended: list[int] = []

    def work(tx: Tx, number: int) -> None:
        try:
            grown(tx, number)
            if number == 2:
                raise ValueError("mine")
        finally:
            ended.append(number)

    with pytest.raises(ValueError, match="mine"):
        notes.write_now(lambda tx: tx.each(lambda number: work(tx, number), range(5)))

    assert ids(notes) == []
    # Whatever was begun is over: nothing of it runs later, in a transaction of somebody else.
    assert set(ended) >= {2}
    notes.write_now(put(7))
    assert ids(notes) == [7]


async def test_of_writes_beside_one_another_each_fails_alone(notes: Database) -> None:
    def op(number: int) -> Callable[[Tx], None]:
        return lambda tx: grown(tx, number)

    fences: list[Fence] = notes.write_now(lambda tx: [leases.take(tx, f"t{n}", "w", 1) for n in range(4)])
    notes.write_now(put(1))
    ops: list[Callable[[Tx], object]] = [op(0), op(1), put_then(2, ValueError("mine")), op(3)]  # 1 is there.
    writes = [notes.write(op, fence=fence, beside=True) for op, fence in zip(ops, fences, strict=True)]
    done = await asyncio.gather(*writes, return_exceptions=True)

    assert [type(each) for each in done] == [type(None), AssertionError, ValueError, type(None)]
    assert ids(notes) == [0, 1, 3]


async def test_writes_of_one_fence_stay_in_their_order(notes: Database) -> None:
    fences: list[Fence] = notes.write_now(lambda tx: [leases.take(tx, f"t{n}", "w", 1) for n in range(3)])

    def append(number: int, letter: str) -> Callable[[Tx], None]:
        def op(tx: Tx) -> None:
            row = tx.row("SELECT words FROM notes WHERE id = ?", (number,))
            if row is None:
                tx.put("INSERT INTO notes (id, words) VALUES (?, ?)", (number, letter))
            else:
                tx.put("UPDATE notes SET words = ? WHERE id = ?", (row[0] + letter, number))

        return op

    await asyncio.gather(
        *(
            notes.write(append(number, letter), fence=fences[number], beside=True)
            for letter in "abcd"
            for number in range(3)
        )
    )

    assert notes.read_now(lambda tx: tx.rows("SELECT words FROM notes")) == [("abcd",)] * 3


def test_a_server_is_asked_once_for_all(far: PostgresDatabase, journeys: list[int]) -> None:
    far.write_now(lambda _: None)  # What a first write asks.
    journeys.clear()
    far.write_now(lambda tx: tx.each(lambda number: grown(tx, number), range(1_000, 1_100)))

    assert len(journeys) == 5  # Its turn, three questions, the commit.


async def test_writes_beside_one_another_ask_a_server_once_for_all(
    far: PostgresDatabase, journeys: list[int]
) -> None:
    def op(number: int) -> Callable[[Tx], None]:
        return lambda tx: grown(tx, number)

    fences = far.write_now(lambda tx: [leases.take(tx, f"j{n}", "w", 1) for n in range(100)])
    await far.write(lambda _: None, beside=True)
    journeys.clear()
    await asyncio.gather(
        *(far.write(op(2_000 + number), fence=fence, beside=True) for number, fence in enumerate(fences))
    )

    assert len(journeys) == 5


STEPS = st.lists(st.sampled_from(["ask", "put", "change", "change many", "fail"]), max_size=6)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEPS, min_size=1, max_size=8))
async def test_whatever_works_do_it_comes_to_the_same_as_one_after_another(
    far: PostgresDatabase, programs: list[list[str]]
) -> None:
    def op(number: int, program: list[str], seen: list[Any]) -> Callable[[Tx], None]:
        def run(tx: Tx) -> None:
            seen.clear()
            for step in program:
                if step == "ask":
                    seen.append(tx.rows("SELECT words FROM notes WHERE id = ?", (number,)))
                elif step == "put":
                    sql = "INSERT INTO notes (id, words) VALUES (?, ?) ON CONFLICT (id) DO NOTHING"
                    tx.put(sql, (number, "p"))
                elif step == "change":
                    sql = "UPDATE notes SET words = words || ? WHERE id = ?"
                    seen.append(tx.execute(sql, ("c", number)))
                elif step == "change many":
                    tx.many("UPDATE notes SET words = words || ? WHERE id = ?", [("m", number)] * 2)
                else:
                    raise ValueError(number)

        return run

    def model(program: list[str]) -> tuple[list[Any], str | None]:
        words: str | None = None
        seen: list[Any] = []
        for step in program:
            if step == "ask":
                seen.append([] if words is None else [(words,)])
            elif step == "put":
                words = words or "p"
            elif step == "change":
                seen.append(int(words is not None))
                words = words and words + "c"
            elif step == "change many":
                words = words and words + "mm"
            else:
                return [], None
        return seen, words

    far.write_now(lambda tx: tx.execute("DELETE FROM notes"))
    seen: list[list[Any]] = [[] for _ in programs]
    writes = [far.write(op(number, each, seen[number]), beside=True) for number, each in enumerate(programs)]
    done = await asyncio.gather(*writes, return_exceptions=True)

    assert [isinstance(each, ValueError) for each in done] == ["fail" in each for each in programs]
    for number, program in enumerate(programs):
        if "fail" not in program:
            assert seen[number] == model(program)[0]
    words = [(number, model(each)[1]) for number, each in enumerate(programs)]
    stored = far.read_now(lambda tx: tx.rows("SELECT id, words FROM notes ORDER BY id"))
    assert stored == [each for each in words if each[1] is not None]


def test_what_is_asked_alike_is_sent_once_until_something_changes() -> None:
    asks, other, change = ("SELECT a", (1,)), ("SELECT a", (2,)), ("UPDATE b", (1,))

    assert distinct([asks, other, asks]) == ([asks, other], [0, 1, 0])
    assert distinct([asks, change, asks, asks]) == ([asks, change, asks], [0, 1, 2, 2])
    assert distinct([change, change]) == ([change, change], [0, 1])


def test_what_a_function_answers_is_not_shared() -> None:
    """It may answer otherwise the next time, and may change something."""
    asks, calls = ("SELECT MAX(a) FROM b", ()), ("SELECT nextval('b') FROM c", ())

    assert distinct([asks, asks]) == ([asks], [0, 0])
    assert distinct([asks, calls, calls, asks]) == ([asks, calls, calls, asks], [0, 1, 2, 3])


def test_works_that_count_on_with_one_sequence_get_a_number_each(far: PostgresDatabase) -> None:
    numbers: list[int] = []

    def work(tx: Tx) -> None:
        row = tx.row("SELECT nextval('counted') FROM generate_series(1, ?)", (1,))
        assert row is not None
        numbers.append(row[0])

    far.write_now(lambda tx: tx.execute("CREATE SEQUENCE counted"))
    far.write_now(lambda tx: tx.each(lambda _: work(tx), range(3)))

    assert sorted(numbers) == [1, 2, 3]
