"""On PostgreSQL a day of spans, payloads and words is a part of its table, made when needed, and dropped whole."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from airworthy.core.clock import US_PER_S
from airworthy.recorder.holdings import RECORDER, Kept
from airworthy.recorder.retention_days import drop_days
from airworthy.recorder.traces import days
from airworthy.recorder.traces.read import span_of, spans_of
from airworthy.store import Database, PostgresDatabase, Tx
from airworthy.store.scrub import scrub, size_of
from tests.database import fresh
from tests.recorder.traces import kit
from tests.recorder.traces.kit import TRACE, put, span

DAY_US = days.US_PER_DAY
FIRST = days.FIRST_DAY + 300
NOON_US = FIRST * DAY_US + DAY_US // 2
OTHER, THIRD = "b" * 32, "c" * 32
HOLDINGS = [holding for holding in RECORDER if holding.table != "touched"]


@pytest.fixture(scope="module")
def server() -> Iterator[Database]:
    made = PostgresDatabase(fresh(migrated=True))
    yield made
    made.close()


@pytest.fixture
def database(server: Database) -> Database:
    kit.emptied(server)

    def empty(tx: Tx) -> None:
        for day in days.known(tx):
            for table in days.COLUMNS:
                tx.execute(f"DROP TABLE IF EXISTS {days.name_of(table, day)}")
        tx.execute("DELETE FROM sealed")
        tx.execute("DELETE FROM touched")

    server.write_now(empty)
    return server


def told(database: Database, trace: str, at_us: int, number: int = 1, **said: Any) -> None:
    put(
        database,
        [span(number, trace_id=trace, started_us=at_us, ended_us=at_us + 5, text="alpha", **said)],
        at_us + 9,
    )


def here(database: Database) -> list[int]:
    return database.read_now(days.known)


def dropped(database: Database, kind: Kept, day: int, **more: Any) -> dict[str, int]:
    return dict(drop_days(database, HOLDINGS, kind, day * DAY_US, sealed=more.get("sealed", False)))


def test_a_day_is_made_when_its_first_span_comes_and_what_is_older_than_all_lies_together(
    database: Database,
) -> None:
    told(database, TRACE, NOON_US)
    told(database, OTHER, NOON_US + DAY_US)
    told(database, THIRD, 1_000_000_000 * US_PER_S)

    assert here(database) == [FIRST, FIRST + 1]
    for trace in (TRACE, OTHER, THIRD):
        page = database.read_now(partial(spans_of, trace_id=trace))
        assert [one.payload is not None for one in page.spans] == [True]
    assert kit.words(database, "alpha") == [OTHER, TRACE, THIRD]


def test_a_new_chunk_has_another_number_than_those_that_were_moved_here(database: Database) -> None:
    moved = [days.chunk_on(FIRST, number) for number in (7, 1_000_000)]
    database.write_now(lambda tx: days.count_on(tx, moved))
    told(database, TRACE, NOON_US)
    (row,) = database.read_now(lambda tx: tx.rows("SELECT id FROM chunks"))

    assert row[0] > days.chunk_on(FIRST, 1_000_000)
    assert [days.day_of_chunk(id_) for id_ in (*moved, row[0])] == [FIRST] * 3


def test_days_are_made_ahead_once(database: Database) -> None:
    days.ahead(database, NOON_US)
    days.ahead(database, NOON_US)

    assert here(database) == [FIRST, FIRST + 1, FIRST + 2]


def test_a_span_that_comes_days_later_lies_with_its_trace_and_is_known_when_it_comes_again(
    database: Database,
) -> None:
    told(database, TRACE, NOON_US)
    told(database, TRACE, NOON_US + 3 * DAY_US, 2)
    told(database, TRACE, NOON_US + 3 * DAY_US, 2)

    assert here(database) == [FIRST]
    assert database.read_now(lambda tx: spans_of(tx, TRACE)).total == 2


def test_a_trace_at_the_very_end_of_a_day_is_found_by_its_words(database: Database) -> None:
    """Its entry in the index may lie with the day after."""
    for number in range(1, 4):
        told(database, f"{number:032x}", (FIRST + 1) * DAY_US - number)

    assert len(kit.words(database, "alpha")) == 3


def test_payloads_and_words_of_a_day_go_as_one_and_its_spans_stay(database: Database) -> None:
    told(database, TRACE, NOON_US)
    told(database, OTHER, NOON_US + DAY_US)

    gone = dropped(database, Kept.PAYLOADS, FIRST + 1)
    (left,) = database.read_now(lambda tx: spans_of(tx, TRACE)).spans

    assert gone == {"chunks": 1, "docs": 1, "texts": 1}
    assert left.payload is None
    assert kit.words(database, "alpha") == [OTHER]
    assert dropped(database, Kept.PAYLOADS, FIRST + 1) == {}
    assert dropped(database, Kept.TRACES, FIRST + 1) == {"spans": 1}


def test_a_day_that_went_comes_again_with_a_late_span(database: Database) -> None:
    told(database, TRACE, NOON_US)
    dropped(database, Kept.PAYLOADS, FIRST + 1)
    told(database, TRACE, NOON_US, 2)
    read = database.read_now(lambda tx: [span_of(tx, TRACE, f"{number:016x}") for number in (1, 2)])

    assert [one is not None and one.payload is not None for one in read] == [False, True]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("UPDATE traces SET ended_us = {now}", "one ended later, and is younger than its day"),
        ("UPDATE traces SET origin = 'task', ended_us = NULL", "a task is open"),
        ("INSERT INTO touched (task_id) SELECT id FROM traces", "a task waits"),
    ],
)
def test_a_day_stays_while_one_that_began_on_it_may_not_go(database: Database, change: str, why: str) -> None:
    told(database, TRACE, NOON_US)
    told(database, OTHER, NOON_US + 1)
    database.write_now(lambda tx: tx.execute("UPDATE traces SET origin = 'task' WHERE id = ?", (TRACE,)))
    database.write_now(lambda tx: tx.execute(change.format(now=NOON_US + 2 * DAY_US)))
    gone = drop_days(database, RECORDER, Kept.TRACES, (FIRST + 1) * DAY_US, sealed=False)

    assert (gone, here(database)) == ({}, [FIRST]), why


def test_a_day_stays_until_all_of_it_is_sealed_as_it_is_now(database: Database) -> None:
    told(database, TRACE, NOON_US)
    before = dropped(database, Kept.PAYLOADS, FIRST + 1, sealed=True)
    seal = (
        "INSERT INTO sealed (ref, part, pieces) VALUES (?, 'p', ?)"
        " ON CONFLICT (ref) DO UPDATE SET pieces = excluded.pieces"
    )
    database.write_now(lambda tx: tx.execute(seal, (TRACE, 7)))
    other = dropped(database, Kept.PAYLOADS, FIRST + 1, sealed=True)
    database.write_now(lambda tx: tx.execute(seal, (TRACE, 1)))

    assert (before, other) == ({}, {})
    assert dropped(database, Kept.PAYLOADS, FIRST + 1, sealed=True) == {"chunks": 1, "docs": 1, "texts": 1}


def test_a_reader_that_goes_on_for_long_keeps_the_day_and_stops_nobody(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airworthy.recorder.retention_days.WAIT_MS", 20)
    told(database, TRACE, NOON_US)

    def read(tx: Any) -> dict[str, int]:
        tx.rows("SELECT COUNT(*) FROM spans")
        return dropped(database, Kept.TRACES, FIRST + 1)

    assert database.read_now(read) == {}
    told(database, OTHER, NOON_US)
    assert kit.words(database, "alpha") == [OTHER, TRACE]


def test_only_its_own_day_is_looked_at_for_a_trace(database: Database) -> None:
    for number in range(4):
        told(database, f"{number:032x}", NOON_US + number * DAY_US)
    where = database.read_now(lambda tx: days.chunks_of(tx, f"{2:032x}"))
    plan = database.read_now(
        lambda tx: tx.rows(f"EXPLAIN SELECT span FROM spans WHERE {days.OF_TRACE}", (bytes(16), *where))
    )
    touched = {name for (line,) in plan for name in line.split() if name.startswith("spans_20")}

    assert {name[:16] for name in touched} == {days.name_of("spans", FIRST + 2)}


def test_a_scrubbed_database_holds_what_it_held(database: Database) -> None:
    told(database, TRACE, NOON_US)
    done = scrub(database)

    assert done.bytes_after == size_of(database) > 0
    assert kit.words(database, "alpha") == [TRACE]


def test_an_entry_far_beyond_any_bound_is_found_by_what_is_kept(database: Database) -> None:
    """A word of more bytes than the engine takes, and more different words than an entry may have."""
    long = "x" * 5_000
    many = " ".join(chr(0x4E00 + number % 20_000) + chr(0x4E00 + number // 7) for number in range(90_000))
    put(database, [span(1, started_us=NOON_US, text=f"{long} {many}")], NOON_US + 9)

    assert kit.words(database, "x" * 2_046) == [TRACE]
