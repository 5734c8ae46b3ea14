"""The audit log: whoever changes, removes, adds or moves a row without redoing the rest is found, at the first place;
whoever redoes the rest is found by a head that stands elsewhere.
"""

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airworthy.core.errors import InputError
from airworthy.core.origin import Origin
from airworthy.recorder import audit
from airworthy.recorder.audit import AuditQuery, AuditRow, Break, Entry, Head
from airworthy.recorder.tables import MIGRATIONS
from airworthy.store import Database, SQLiteDatabase, Tx, migrate
from tests.database import memory

ROWS = 6
HERE = Origin("api", "10.0.0.7", "awp_12345678", "dana")
COLUMNS = ("n", "at_us", "who", "what", "about", "outcome", "door", "address", "through", "detail", "digest")


def log(rows: int = ROWS) -> Database:
    database = memory()
    migrate(database, MIGRATIONS)
    for number in range(rows):
        entry = Entry("review.approve", f"rev_{number}", detail={"agent": "support", "nr": number})
        database.write_now(lambda tx, e=entry, at=number: audit.note(tx, e, HERE, 1_000 + at))  # type: ignore[misc]
    return database


def broken(database: Database, *heads: Head) -> Break | None:
    return database.read_now(lambda tx: audit.verify(tx, *heads))


def stored(database: Database) -> list[AuditRow]:
    return database.read_now(lambda tx: list(audit.rows_after(tx, 0)))


def test_a_log_as_it_was_written_verifies_with_every_head_it_ever_had() -> None:
    database = log()
    heads = [Head(row.n, row.digest) for row in stored(database)]

    assert [row.n for row in stored(database)] == [1, 2, 3, 4, 5, 6]
    assert broken(database, *heads) is None
    assert stored(database)[2].facts() == {"agent": "support", "nr": 2}
    assert broken(log(0)) is None


def _other(value: Any) -> st.SearchStrategy[Any]:
    match value:
        case int():
            return st.integers(-(2**62), 2**62).filter(lambda other: other != value)
        case bytes():
            return st.binary(max_size=40).filter(lambda other: other != value)
        case _:
            text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
            return (text | st.just(f"{value} ") | st.just(value.upper())).filter(lambda other: other != value)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_change_of_any_column_of_any_row_is_found(data: st.DataObject) -> None:
    database = log()
    row = data.draw(st.sampled_from(stored(database)))
    column = data.draw(st.sampled_from(COLUMNS))
    value = data.draw(_other(getattr(row, column)))
    if column == "n" and 1 <= value <= ROWS:
        value += ROWS
    database.write_now(lambda tx: tx.execute(f"UPDATE audit SET {column} = ? WHERE n = ?", (value, row.n)))
    found = broken(database)

    assert found is not None
    assert found.n in (row.n, row.n + 1, 1)


@pytest.mark.sqlite("a column there takes a value of any kind")
@pytest.mark.parametrize("value", [b"\xff", b"dana", 7, "text"])
@pytest.mark.parametrize("column", ["who", "at_us", "detail", "digest"])
def test_a_value_of_another_kind_is_found_and_stops_nothing(column: str, value: object) -> None:
    database = log()
    database.write_now(lambda tx: tx.execute(f"UPDATE audit SET {column} = ? WHERE n = 2", (value,)))
    found = broken(database)

    assert found is not None or (column, value) == ("who", b"dana")  # The same bytes, and so the same digest.


@pytest.mark.parametrize("n", range(1, ROWS + 1))
def test_a_row_taken_out_is_found_wherever_it_stood(n: int) -> None:
    database = log()
    database.write_now(lambda tx: tx.execute("DELETE FROM audit WHERE n = ?", (n,)))
    found = broken(database)

    assert found is not None
    assert found.n == n


def test_two_rows_that_changed_places_are_found() -> None:
    database = log()

    def swap(tx: Tx) -> None:
        for old, new in ((2, 99), (3, 2), (99, 3)):
            tx.execute("UPDATE audit SET n = ? WHERE n = ?", (new, old))

    database.write_now(swap)

    assert broken(database) == Break(2, "Row 2, or the one before it, is not as it was written.")


def _forge(tx: Tx, from_: int, to: int = ROWS) -> None:
    """What somebody does who knows how: another history from a row on, with every digest and the head redone."""
    rows = list(audit.rows_after(tx, 0))
    before = rows[from_ - 2].digest if from_ > 1 else audit.BEGINNING
    for row in itertools.islice(rows, from_ - 1, to):
        changed = AuditRow(*(*(getattr(row, name) for name in COLUMNS[:2]), "mallory"),
                           *(getattr(row, name) for name in COLUMNS[3:]))  # fmt: skip
        before = audit.digest_after(before, changed)
        tx.execute("UPDATE audit SET who = 'mallory', digest = ? WHERE n = ?", (before, row.n))
    tx.execute("DELETE FROM audit WHERE n > ?", (to,))
    tx.execute("UPDATE audit_head SET n = ?, digest = ?", (to, before))


def test_a_history_that_was_redone_whole_passes_by_itself_and_not_beside_a_head_kept_elsewhere() -> None:
    """Said as it is: without a head elsewhere, whoever may write all of the database can write another log."""
    database = log()
    kept = database.read_now(audit.head)
    database.write_now(lambda tx: _forge(tx, 3))
    found = broken(database, kept)

    assert broken(database) is None
    assert found is not None
    assert found.n == ROWS
    assert "differs" in found.why


def test_rows_before_a_kept_head_are_safe_and_later_ones_are_not() -> None:
    database = log()
    third = stored(database)[2]
    database.write_now(lambda tx: _forge(tx, 4))
    later = broken(database, Head(third.n, third.digest))
    database.write_now(lambda tx: _forge(tx, 3))
    earlier = broken(database, Head(third.n, third.digest))

    also = broken(database, Head(third.n, third.digest), Head(third.n, stored(database)[2].digest))

    assert also is not None  # Two heads of one row that differ: one of them is not of this log.
    assert later is None
    assert earlier is not None
    assert earlier.n == 3


def test_a_tail_cut_off_with_its_head_redone_is_found_by_a_kept_head_alone() -> None:
    database = log()
    kept = database.read_now(audit.head)
    database.write_now(lambda tx: _forge(tx, 5, to=4))
    found = broken(database, kept)

    assert broken(database) is None
    assert found is not None
    assert (found.n, "cut off" in found.why) == (5, True)


def test_a_tail_cut_off_alone_is_found_by_the_logs_own_account() -> None:
    database = log()
    database.write_now(lambda tx: tx.execute("DELETE FROM audit WHERE n > 4"))
    found = broken(database)

    assert found is not None
    assert found.n == 5


def test_a_write_that_fails_leaves_no_row_and_no_gap() -> None:
    database = log()

    def fails(tx: Tx) -> None:
        audit.note(tx, Entry("review.approve", "rev_x"), HERE, 9)
        raise InputError("no")

    with pytest.raises(InputError):
        database.write_now(fails)
    database.write_now(lambda tx: audit.note(tx, Entry("review.reject", "rev_y"), HERE, 9))

    assert [row.about for row in stored(database)][-2:] == ["rev_5", "rev_y"]
    assert broken(database) is None


@pytest.mark.slow
def test_two_processes_that_add_at_once_make_one_chain(tmp_path: Any) -> None:
    """Two connections of their own stand for two processes; each write goes to the disk."""
    import threading

    first, second = (SQLiteDatabase(tmp_path / "airworthy.db") for _ in range(2))
    migrate(first, MIGRATIONS)

    def add(database: Database, who: str) -> None:
        for number in range(25):
            entry = Entry("review.approve", str(number), who)
            database.write_now(lambda tx: audit.note(tx, entry, HERE, 1))  # noqa: B023  # done before the next

    threads = [threading.Thread(target=add, args=each) for each in ((first, "a"), (second, "b"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows, found = stored(first), broken(second)
    first.close()
    second.close()

    assert ([row.n for row in rows], found) == (list(range(1, 51)), None)
    assert {row.who for row in rows} == {"a", "b"}


def test_what_is_too_long_is_cut_and_the_row_still_stands() -> None:
    database = log(0)
    entry = Entry("x" * 900, "\udcff", "w" * 900, detail={"much": "y" * 10_000})
    database.write_now(lambda tx: audit.note(tx, entry, HERE, 1))
    [row] = stored(database)

    assert (len(row.what), len(row.who), row.about) == (500, 500, "\\udcff")
    assert row.facts() == {"left_out_bytes": 10_011}
    assert broken(database) is None


def test_the_log_is_asked_by_who_what_and_about() -> None:
    database = log()
    database.write_now(lambda tx: audit.note(tx, Entry("reviewer.odd", "rev_1", "erik"), HERE, 5_000))

    def found(**asked: Any) -> list[int]:
        return [row.n for row in database.read_now(lambda tx: audit.listing(tx, AuditQuery(**asked)))]

    assert found(who="erik") == [7]
    assert found(what="review", limit=2) == [6, 5]
    assert found(what="review.approve", before=3) == [2, 1]
    assert found(about="rev_1") == [7, 2]
    assert found(since_us=1_004) == [7, 6, 5]


@pytest.mark.parametrize("text", ["", "3", "3:", "3:zz", f"-1:{'0' * 64}", f"x:{'0' * 64}", f"3:{'0' * 62}"])
def test_a_head_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="no head"):
        audit.head_from(text)


def test_a_head_is_read_as_it_is_printed() -> None:
    head = log().read_now(audit.head)

    assert audit.head_from(str(head)) == head
