"""What is told through PostgreSQL reaches whoever listens, and they know when it does not."""

import queue
from collections.abc import Iterator

import pytest

from airworthy.store import PostgresDatabase, Tx
from tests.database import fresh

WAIT_S = 20.0


@pytest.fixture(scope="module")
def url() -> str:
    return fresh()


@pytest.fixture
def database(url: str) -> Iterator[PostgresDatabase]:
    database = PostgresDatabase(url)
    yield database
    database.close()


def tell(database: PostgresDatabase, *topics: str) -> None:
    def op(tx: Tx) -> None:
        for topic in topics:
            tx.notify(topic)

    database.write_now(op)


def hears(database: PostgresDatabase, *topics: str) -> "queue.SimpleQueue[str]":
    """Once it hears; that it may have missed something before is said first."""
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()
    database.listen(topics, heard.put)
    for _ in topics:
        heard.get(timeout=WAIT_S)
    return heard


def test_what_another_process_stores_is_heard_once_however_often_it_was_said(
    database: PostgresDatabase, url: str
) -> None:
    heard = hears(database, "wakes support", "end")
    other = PostgresDatabase(url)
    tell(other, "wakes support", "wakes billing", "wakes support")
    tell(other, "end")
    other.close()

    assert heard.get(timeout=WAIT_S) == "wakes support"
    assert heard.get(timeout=WAIT_S) == "end"


def test_what_was_not_stored_is_not_heard(database: PostgresDatabase) -> None:
    def op(tx: Tx) -> None:
        tx.notify("wakes support")
        raise KeyError("undone")

    heard = hears(database, "wakes support", "end")
    with pytest.raises(KeyError):
        database.write_now(op)
    tell(database, "end")

    assert heard.get(timeout=WAIT_S) == "end"


def test_a_lost_connection_is_made_anew_and_what_was_missed_meanwhile_is_made_good(
    database: PostgresDatabase, url: str
) -> None:
    heard = hears(database, "orders")
    other = PostgresDatabase(url)
    other.write_now(
        lambda tx: tx.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'airworthy listener'"
        )
    )
    other.close()

    assert heard.get(timeout=WAIT_S) == "orders", "it is deaf now: look by yourself"
    assert heard.get(timeout=WAIT_S) == "orders", "it hears again: look at what came meanwhile"


def test_who_has_closed_its_ear_hears_nothing_and_whoever_listens_after_the_end_is_deaf(
    database: PostgresDatabase,
) -> None:
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()
    ear = database.listen(["orders"], heard.put)
    heard.get(timeout=WAIT_S)
    heard_then = ear.alive
    ear.close()
    tell(database, "orders")
    database.close()

    assert heard_then
    assert heard.empty()
    assert not ear.alive
