"""What waits to be sent to PostgreSQL: rows share statements, and nothing comes to be said in another order."""

import sqlite3
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airworthy.store._pg_queue import Queue, Statement, together

PLAIN = "INSERT INTO notes (id, words) VALUES (?, ?)"
KEPT = "INSERT INTO notes (id, words) VALUES (?, ?) ON CONFLICT (id) DO NOTHING"
SUMMED = "INSERT INTO sums (name, n) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET n = sums.n + excluded.n"
OTHER = "INSERT INTO sums (name, n) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET n = excluded.n"
CHANGED = "UPDATE notes SET words = ? WHERE id = ?"

NAMES = st.sampled_from("abcd")
STEPS = st.one_of(
    st.tuples(st.just(KEPT), st.tuples(st.integers(0, 9), NAMES)),
    st.tuples(st.just(SUMMED), st.tuples(NAMES, st.integers(0, 9))),
    st.tuples(st.just(OTHER), st.tuples(NAMES, st.integers(0, 9))),
    st.tuples(st.just(CHANGED), st.tuples(NAMES, st.integers(0, 9))),
)


def carried_out(statements: Sequence[Statement]) -> list[list[Any]]:
    raw = sqlite3.connect(":memory:")
    raw.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, words TEXT)")
    raw.execute("CREATE TABLE sums (name TEXT PRIMARY KEY, n INTEGER)")
    for sql, params in statements:
        raw.execute(sql, params)
    tables = [raw.execute(f"SELECT * FROM {name} ORDER BY 1").fetchall() for name in ("notes", "sums")]
    raw.close()
    return tables


@given(st.lists(STEPS, max_size=40))
def test_what_is_put_together_does_what_one_after_another_does(statements: list[Statement]) -> None:
    assert carried_out(together(statements)) == carried_out(statements)


@given(st.lists(NAMES, max_size=12))
def test_one_statement_changes_a_row_that_lies_there_once(names: list[str]) -> None:
    for _, params in together([(SUMMED, (name, 1)) for name in names]):
        assert len(set(params[::2])) == len(params[::2])


@pytest.mark.parametrize(("rows", "sizes"), [(1, [1]), (3, [2, 1]), (100, [64, 32, 4]), (130, [64, 64, 2])])
@pytest.mark.parametrize("sql", [PLAIN, KEPT, SUMMED])
def test_rows_of_one_kind_share_few_statements(sql: str, rows: int, sizes: list[int]) -> None:
    made = together([(sql, (number, number)) for number in range(rows)])

    assert [len(params) // 2 for _, params in made] == sizes


@pytest.mark.parametrize(
    ("waits", "sql", "passes", "why"),
    [
        ((PLAIN,), "SELECT n FROM sums", True, "another table"),
        ((PLAIN,), "SELECT words FROM notes", False, "the same"),
        ((PLAIN,), "SELECT 1 FROM sums s, notes n", False, "a list of tables"),
        ((CHANGED,), "UPDATE sums SET n = 1", True, "a change of another table"),
        (("SAVEPOINT one",), "SELECT n FROM sums", False, "nothing passes what is no change"),
        ((PLAIN,), "COMMIT", False, "only what asks or changes passes"),
    ],
)
def test_what_is_about_other_tables_may_pass(waits: Sequence[str], sql: str, passes: bool, why: str) -> None:
    queue = Queue()
    for each in waits:
        queue.add(each, (1, "x"))

    assert queue.lets_pass(sql) == passes, why
