"""Alerts as rows: one a key, however often it comes; ended, and raised anew."""

import pytest

from airworthy.core.errors import InputError
from airworthy.recorder.alerts import Alert, alike, ended, get, listing, raised, restated
from airworthy.recorder.tables import MIGRATIONS
from airworthy.store import Database, Tx, migrate
from airworthy.store.tables import MIGRATIONS as STORE
from tests.database import memory

ALERT = Alert("shape:support:look", "shape", "support", "info", "title", "text", "tsk_1")


@pytest.fixture
def database() -> Database:
    made = memory()
    migrate(made, (*STORE, *MIGRATIONS))
    return made


def test_the_same_key_is_counted_and_says_what_it_said_first(database: Database) -> None:
    other = Alert(ALERT.key, "shape", "support", "critical", "other", "other", "tsk_2")

    first = database.write_now(lambda tx: raised(tx, ALERT, 10))
    second = database.write_now(lambda tx: raised(tx, other, 20))
    row = database.read_now(lambda tx: get(tx, ALERT.key))

    assert (first, second) == (True, False)
    assert (row.count, row.title, row.task_id, row.first_us, row.last_us) == (2, "title", "tsk_1", 10, 20)


def test_a_standing_alert_may_be_said_in_other_words_and_an_ended_one_may_not(
    database: Database,
) -> None:
    worse = Alert(ALERT.key, "shape", "support", "warning", "worse", "more", "tsk_2")

    def op(tx: Tx) -> None:
        raised(tx, ALERT, 10)
        restated(tx, worse, 20)

    database.write_now(op)
    said = database.read_now(lambda tx: get(tx, ALERT.key))
    database.write_now(lambda tx: ended(tx, ALERT.key, "dana", 30))
    database.write_now(lambda tx: restated(tx, ALERT, 40))

    assert (said.title, said.text, said.severity, said.count, said.task_id) == (
        "worse",
        "more",
        "warning",
        2,
        "tsk_1",
    )
    assert database.read_now(lambda tx: get(tx, ALERT.key)).last_us == 20


def test_an_ended_alert_is_raised_anew(database: Database) -> None:
    for at_us in (10, 30):
        assert database.write_now(lambda tx, at_us=at_us: raised(tx, ALERT, at_us))  # type: ignore[misc]
        assert database.write_now(lambda tx, at_us=at_us: ended(tx, ALERT.key, "dana", at_us + 1))  # type: ignore[misc]
        assert not database.write_now(lambda tx: ended(tx, ALERT.key, "dana", 99))

    assert database.read_now(listing) == []
    (row,) = database.read_now(lambda tx: listing(tx, over=True, agents=["support"]))
    assert (row.count, row.first_us, row.ended_by) == (1, 30, "dana")


@pytest.mark.parametrize(
    ("part", "keys"),
    [
        ("a:1", ["a:1"]),
        ("a", ["a:2", "a:11", "a:1"]),
        ("11", ["a:11"]),
        ("b", ["b:1"]),
        ("%", []),
        ("", []),
        ("_", []),
    ],
)
def test_an_alert_is_found_by_a_part_of_its_key_the_standing_before_the_ended(
    database: Database, part: str, keys: list[str]
) -> None:
    def op(tx: Tx) -> None:
        for at, key in enumerate(("a:1", "a:11", "a:2", "a:3", "b:1")):
            raised(tx, Alert(key, "shape", "", "info", "title", "text"), at)
        for key in ("a:3", "b:1"):
            ended(tx, key, "dana", 9)

    database.write_now(op)

    assert [row.key for row in database.read_now(lambda tx: alike(tx, part))] == keys


def test_an_unknown_alert_is_refused(database: Database) -> None:
    with pytest.raises(InputError, match="There is no alert 'nothing'"):
        database.read_now(lambda tx: get(tx, "nothing"))
