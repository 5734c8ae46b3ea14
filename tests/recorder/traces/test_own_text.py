"""The number by which a description knows that its task is still as it was read."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airworthy.recorder.traces import ours, own_text, text
from airworthy.recorder.traces.ours import Closed, Opened
from airworthy.recorder.traces.own_text import Told
from airworthy.store import Database, Tx
from tests.database import migrated
from tests.recorder.traces.kit import NOON_US

END = Closed("answered", "done", "", NOON_US + 1, 1, 0)


@pytest.fixture
def database() -> Iterator[Database]:
    """With a task that is over."""
    made = migrated()

    def op(tx: Tx) -> None:
        ours.opened(tx, Opened("one", "ab" * 16, "agent", "sha256:1", "", "", "", NOON_US))
        ours.closed(tx, "one", END)

    made.write_now(op)
    yield made
    made.close()


def told(database: Database) -> Told:
    stood = database.read_now(lambda tx: own_text.standing(tx, "one"))
    return Told("one", stood, "It ended.", (text.Doc("one", NOON_US, "a heliotrope lamp"),))


def docs(database: Database) -> int:
    return len(database.read_now(lambda tx: tx.rows("SELECT id FROM docs")))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda tx: ours.closed(tx, "one", END), "it ended"),
        (lambda tx: ours.reopened(tx, "one", "done", ""), "it was opened again"),
        (lambda tx: own_text.forget(tx, "one"), "its words were taken out"),
        (lambda tx: own_text.changes(tx, "one"), "a step of it was written over"),
    ],
)
def test_the_number_grows_with_whatever_changes_what_is_told(
    database: Database, change: Callable[[Tx], Any], why: str
) -> None:
    before = told(database).standing
    database.write_now(change)
    after = told(database).standing

    assert before is not None
    assert after is not None
    assert after.revision > before.revision, why


def test_what_ended_again_at_the_same_moment_is_not_what_was_read(database: Database) -> None:
    read = told(database)

    def again(tx: Tx) -> None:
        ours.reopened(tx, "one", "done", "")
        ours.closed(tx, "one", END)

    database.write_now(again)
    database.write_now(lambda tx: own_text.keep(tx, [read]))
    assert docs(database) == 0

    fresh = told(database)
    database.write_now(lambda tx: own_text.keep(tx, [fresh]))
    assert docs(database) == 1


def test_what_is_kept_is_kept_once_though_it_is_due_again(database: Database) -> None:
    read = told(database)
    for _ in range(2):
        database.write_now(lambda tx: own_text.keep(tx, [read]))
        database.write_now(lambda tx: own_text.due(tx, "one"))

    assert docs(database) == 1
