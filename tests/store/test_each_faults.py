"""Works of one transaction that fail, take long, are large or lose their connection: none is lost, doubled or stuck."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import pytest

from airworthy.store import (
    Database,
    Fence,
    PostgresDatabase,
    StoreError,
    Tx,
    _pg_fibers,
    _pg_turn,
    _pg_wire,
    migrate,
)
from airworthy.store import lease as leases
from airworthy.store._pg_fibers import Fibers
from airworthy.store.tables import MIGRATIONS as STORE
from tests.database import fresh
from tests.store.test_conformance import NOTES, ids, opener, put
from tests.store.test_each import COUNT, far, grown, notes

__all__ = ["far", "notes", "opener"]
_WORD: ContextVar[str] = ContextVar("word", default="")


def test_a_statement_that_fails_ends_every_work() -> None:
    def refuses(_: Sequence[Any]) -> Sequence[Any]:
        raise ValueError("refused")

    ended: list[int] = []

    def work(number: int) -> Callable[[], None]:
        def run() -> None:
            try:
                fibers.answer("SELECT", (number,))
            finally:
                ended.append(number)

        return run

    fibers = Fibers(refuses)
    with pytest.raises(ValueError, match="refused"):
        fibers.run([work(number) for number in range(3)])

    assert ended == [0, 1, 2]
    assert not fibers.inside


def test_works_that_fail_while_they_are_ended_hold_up_no_other_and_hide_nothing() -> None:
    ended: list[int] = []

    def refuses(_: Sequence[Any]) -> Sequence[Any]:
        raise ValueError("the first")

    def work(number: int) -> None:
        try:
            fibers.answer("SELECT", (number,))
        finally:
            ended.append(number)
            raise KeyError("the connection is gone")

    fibers = Fibers(refuses)
    with pytest.raises(ValueError, match="the first"):
        fibers.run([lambda number=number: work(number) for number in range(3)])  # type: ignore[misc]

    assert ended == [0, 1, 2]


async def test_a_connection_cut_in_the_middle_of_them_stores_each_once(far: PostgresDatabase) -> None:
    cut: list[int] = []

    def op(number: int) -> Callable[[Tx], None]:
        def run(tx: Tx) -> None:
            try:
                grown(tx, number)
                if number == 3_005 and not cut:
                    cut.append(number)
                    tx.rows("SELECT pg_terminate_backend(pg_backend_pid())")
                tx.execute("UPDATE notes SET words = words || 'b' WHERE id = ?", (number,))
            finally:
                tx.execute("UPDATE notes SET words = words || 'c' WHERE id = ?", (number,))

        return run

    fences = far.write_now(lambda tx: [leases.take(tx, f"c{n}", "w", 1) for n in range(10)])
    await asyncio.gather(
        *(far.write(op(3_000 + number), fence=fence, beside=True) for number, fence in enumerate(fences))
    )

    stored = far.read_now(lambda tx: tx.rows("SELECT id, words FROM notes WHERE id >= 3000 AND id < 4000"))
    assert cut
    assert sorted(stored) == [(number, f"a{number}bc") for number in range(3_000, 3_010)]


async def test_works_that_take_long_together_do_not_lose_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is idle for a fraction of what the server allows. Patched: the bounds are made short, nothing else."""
    monkeypatch.setattr(_pg_turn, "IDLE_IN_TURN_MS", 200)
    monkeypatch.setattr(_pg_fibers, "GAP_S_MAX", 0.03)
    database, tries = PostgresDatabase(fresh()), []
    migrate(database, (*STORE, NOTES))

    def op(number: int) -> Callable[[Tx], None]:
        def run(tx: Tx) -> None:
            tries.append(number)
            assert tx.row(COUNT, (number,)) == (0,)
            until_s = time.monotonic() + 0.04
            while time.monotonic() < until_s:
                pass
            tx.put("INSERT INTO notes (id, words) VALUES (?, ?)", (number, "a"))

        return run

    fences = database.write_now(lambda tx: [leases.take(tx, f"t{n}", "w", 1) for n in range(10)])
    await asyncio.gather(
        *(database.write(op(number), fence=fence, beside=True) for number, fence in enumerate(fences))
    )

    assert ids(database) == list(range(10))
    assert len(tries) < 50  # As many as are tried before all are given up.
    database.close()


def test_much_in_both_directions_at_once_does_not_stop_it(far: PostgresDatabase) -> None:
    """More than what lies between two who both write and do not read."""
    sizes: list[int] = []

    def work(tx: Tx, number: int) -> None:
        row = tx.row("SELECT ? || repeat('y', 1000000)", (str(number) * 1_000_000,))
        assert row is not None
        sizes.append(len(row[0]))

    far.write_now(lambda tx: tx.each(lambda number: work(tx, number), range(10)))

    assert sizes == [2_000_000] * 10


def test_a_work_may_write_many_rows_at_once(notes: Database) -> None:
    def work(tx: Tx, hundred: int) -> None:
        tx.put("INSERT INTO notes (id, words) VALUES (?, ?)", (hundred, "first"))
        rows = [(hundred + number, "x") for number in range(1, 50)]
        tx.many("INSERT INTO notes (id, words) VALUES (?, ?)", rows)
        sql = "SELECT COUNT(*) FROM notes WHERE id >= ? AND id < ?"
        assert tx.row(sql, (hundred, hundred + 100)) == (50,)

    notes.write_now(lambda tx: tx.each(lambda hundred: work(tx, hundred), [100, 200, 300]))

    assert len(ids(notes)) == 150


def test_works_may_read_beside_one_another(notes: Database) -> None:
    for number in range(3):
        notes.write_now(put(number, f"w{number}"))
    found: list[object] = []

    def work(tx: Tx, number: int) -> None:
        found.append(tx.row("SELECT words FROM notes WHERE id = ?", (number,)))

    notes.read_now(lambda tx: tx.each(lambda number: work(tx, number), range(3)))

    assert found == [("w0",), ("w1",), ("w2",)]


def test_a_work_sees_what_its_caller_set(notes: Database) -> None:
    seen: list[str] = []

    def op(tx: Tx) -> None:
        _WORD.set("of the caller")
        tx.each(lambda _: seen.append(_WORD.get()), range(2))

    notes.write_now(op)

    assert seen == ["of the caller"] * 2


async def test_an_error_that_a_write_kept_to_itself_harms_no_other(notes: Database) -> None:
    """SQLite stores what it did besides, PostgreSQL nothing of it: there its transaction is over."""
    fences: list[Fence] = notes.write_now(lambda tx: [leases.take(tx, f"t{n}", "w", 1) for n in range(3)])
    notes.write_now(put(9))

    def keeps(tx: Tx) -> None:
        with contextlib.suppress(StoreError):
            tx.execute("INSERT INTO notes (id, words) VALUES (?, ?)", (9, "again"))
        tx.execute("UPDATE notes SET words = ? WHERE id = ?", ("kept", 9))

    ops: list[Callable[[Tx], object]] = [put(0), keeps, put(2)]
    writes = [notes.write(op, fence=fence, beside=True) for op, fence in zip(ops, fences, strict=True)]
    done = await asyncio.gather(*writes, return_exceptions=True)

    assert done[0] == done[2] == 1
    assert ids(notes) == [0, 2, 9]
    words = notes.read_now(lambda tx: tx.row("SELECT words FROM notes WHERE id = 9"))
    assert words == ("x" if isinstance(done[1], StoreError) else "kept",)


def test_a_server_keeps_few_statements_however_many_kinds_are_asked_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Patched: the bounds are made small, nothing else."""
    monkeypatch.setattr(_pg_wire, "STATEMENTS_PREPARED", 20)
    monkeypatch.setattr(_pg_wire, "OLD_MAX", 5)
    database, kept = PostgresDatabase(fresh()), []
    migrate(database, (*STORE, NOTES))

    def asks(kind: int) -> Callable[[Tx], None]:
        def work(tx: Tx, what: str) -> None:
            row = tx.row(f"SELECT {what}, {kind} FROM pg_prepared_statements WHERE ? <> ''", ("x",))
            kept.append(0 if row is None else row[0])

        return lambda tx: tx.each(lambda what: work(tx, what), ["COUNT(*)", "MAX(1)"])

    for kind in range(50):
        database.write_now(asks(kind))

    assert max(kept) <= 30
    database.close()
