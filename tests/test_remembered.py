"""What a test's database remembers of its answers is never older than what was written last."""

import pytest

from tests.remembered import Remembered, changes

TASKS = "SELECT id FROM tasks t LEFT JOIN claims c ON c.name = t.id WHERE t.state = ?"


def kept() -> Remembered:
    known = Remembered()
    known.keep(TASKS, ("queued",), [("tsk_1",)])
    known.keep("SELECT epoch FROM claims WHERE name = ?", ("tsk_1",), [(1,)])
    known.keep("SELECT scope FROM switches", (), [])
    return known


def left(known: Remembered) -> list[bool]:
    asked = (
        (TASKS, ("queued",)),
        ("SELECT epoch FROM claims WHERE name = ?", ("tsk_1",)),
        ("SELECT scope FROM switches", ()),
    )
    return [known.answer(*each) is not None for each in asked]


@pytest.mark.parametrize(
    ("sql", "still_known"),
    [
        ("UPDATE tasks SET state = ?", [False, True, True]),
        ("INSERT INTO claims (name) VALUES (?) ON CONFLICT (name) DO UPDATE SET epoch = 2", [False, False, True]),
        ("WITH gone AS (DELETE FROM switches RETURNING scope) SELECT scope FROM gone", [True, True, False]),
        ("DELETE FROM elsewhere", [True, True, True]),
        ("DELETE FROM spans_20261126", [False, False, False]),
        ("CREATE TABLE more (id TEXT)", [False, False, False]),
        ("SELECT procrastinate_defer_jobs_v1(?)", [False, False, False]),
    ],
)  # fmt: skip
def test_an_answer_is_known_until_one_of_its_tables_is_written(sql: str, still_known: list[bool]) -> None:
    known = kept()

    known.changed(sql)

    assert left(known) == still_known


def test_an_answer_is_of_one_question_and_cannot_be_changed_by_who_got_it() -> None:
    known = kept()

    found = known.answer(TASKS, ("queued",))
    assert found is not None
    found.clear()

    assert known.answer(TASKS, ("queued",)) == [("tsk_1",)]
    assert known.answer(TASKS, ("running",)) is None


@pytest.mark.parametrize(
    ("sql", "may"),
    [
        (TASKS, False),
        ("WITH asked (unit) AS (VALUES (?)) SELECT MAX(id) FROM docs", False),
        ("WITH gone AS (DELETE FROM wakes RETURNING id) SELECT id FROM gone", True),
        ("SELECT procrastinate_fetch_job_v2(?)", True),
        ("UPDATE tasks SET state = ?", True),
        ("SAVEPOINT one", True),
    ],
)
def test_what_may_change_something_is_asked_each_time(sql: str, may: bool) -> None:
    assert changes(sql) is may
