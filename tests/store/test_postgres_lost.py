"""What a connection to PostgreSQL that is lost at the worst moment leaves behind: each write stored once, or told."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
import pytest
from benchmarks._wire import Fate, Wire

from airworthy.core.clock import SystemClock
from airworthy.store import (
    Fence,
    Migration,
    PostgresDatabase,
    StaleFence,
    StoreBusy,
    StoreError,
    Tx,
    _pg_turn,
    _pg_wait,
    _pg_wire,
    lease,
    migrate,
)
from airworthy.store._pg_queue import Queue
from airworthy.store.postgres import ServerClock
from airworthy.store.tables import MIGRATIONS as STORE
from tests.database import fresh

NOTES = Migration(
    "notes", 1, "notes", lambda _: ["CREATE TABLE notes (id INTEGER PRIMARY KEY, words VARCHAR NOT NULL)"]
)


# By anybody, in this database: others stand on the same server.
HELD = (
    "SELECT 1 FROM pg_locks WHERE objid = ?"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def put(number: int, words: str = "x") -> Callable[[Tx], int]:
    return lambda tx: tx.execute("INSERT INTO notes (id, words) VALUES (?, ?)", (number, words))


def ids(database: PostgresDatabase) -> list[int]:
    return database.read_now(lambda tx: [row[0] for row in tx.rows("SELECT id FROM notes ORDER BY id")])


class Once:
    """The first piece that has `text` in it meets `fate`; how often the text was seen stands in `seen`."""

    def __init__(self, text: bytes, fate: Fate, times: int = 1) -> None:
        self.text, self.fate, self.times, self.seen = text, fate, times, 0

    def __call__(self, piece: bytes) -> Fate:
        if self.text not in piece:
            return Fate.PASS
        self.seen += 1
        return self.fate if self.seen <= self.times else Fate.PASS


@pytest.fixture(scope="module")
def made() -> str:
    url = fresh()
    database = PostgresDatabase(url)
    migrate(database, (*STORE, NOTES))
    database.close()
    return url


@pytest.fixture
def url(made: str) -> str:
    with psycopg.connect(made, autocommit=True) as raw:
        raw.execute("TRUNCATE notes, claims, commits")
    return made


@pytest.fixture
def wire(url: str) -> Iterator[Wire]:
    with Wire(url) as wire:
        yield wire


@pytest.fixture
def database(wire: Wire) -> Iterator[PostgresDatabase]:
    database = PostgresDatabase(wire.url, outage_s=5.0)
    yield database
    database.close()


def test_cut_before_the_commit_arrives_the_write_is_done_again(
    wire: Wire, database: PostgresDatabase
) -> None:
    wire.judge = cut = Once(b"COMMIT", Fate.CUT)

    database.write_now(put(1))

    assert ids(database) == [1]
    assert cut.seen == 2


def test_cut_before_the_answer_comes_the_write_is_not_done_again(
    wire: Wire, database: PostgresDatabase
) -> None:
    """Done again, it would fail: the id is taken."""
    wire.judge = deaf = Once(b"COMMIT", Fate.DEAF)

    assert database.write_now(put(1)) == 1

    assert ids(database) == [1]
    assert deaf.seen == 1


def test_what_a_function_stored_inside_a_select_is_not_stored_again(
    wire: Wire, database: PostgresDatabase
) -> None:
    """The server says whether anything was written; the text of a statement does not."""
    make = "CREATE FUNCTION add_note() RETURNS bigint LANGUAGE sql AS $$"
    insert = "INSERT INTO notes (id, words) SELECT COUNT(*), 'x' FROM notes RETURNING id $$"
    database.write_now(lambda tx: tx.execute(f"{make} {insert}"))
    wire.judge = Once(b"COMMIT", Fate.DEAF)

    database.write_now(lambda tx: tx.rows("SELECT add_note()"))

    assert ids(database) == [0]


def test_cut_again_while_it_asks_whether_it_was_stored(wire: Wire, database: PostgresDatabase) -> None:
    """Twice lost is not twice refused: the first time it was stored."""
    committed, asked = Once(b"COMMIT", Fate.DEAF), Once(b"SELECT batch FROM commits", Fate.CUT, times=2)
    wire.judge = lambda piece: committed(piece) if b"COMMIT" in piece else asked(piece)

    database.write_now(put(1))

    assert ids(database) == [1]
    assert (committed.seen, asked.seen) == (1, 3)


def test_a_commit_before_is_not_taken_for_the_one_that_was_lost(
    wire: Wire, database: PostgresDatabase
) -> None:
    database.write_now(put(1))
    wire.judge = Once(b"COMMIT", Fate.CUT)

    database.write_now(put(2))

    assert ids(database) == [1, 2]


def test_nobody_knows_and_nobody_says_otherwise(wire: Wire) -> None:
    """The server is lost in the commit and stays away: neither stored nor refused is said."""
    database = PostgresDatabase(wire.url, outage_s=0.2)

    def judge(piece: bytes) -> Fate:
        if b"COMMIT" not in piece:
            return Fate.PASS
        wire.refuse()
        return Fate.DEAF

    wire.judge = judge
    with pytest.raises(StoreError, match="could not be asked afterwards") as raised:
        database.write_now(put(1))
    wire.refuse(False)

    assert not isinstance(raised.value, StoreBusy)
    assert ids(database) == [1]
    database.close()


async def test_cut_in_the_middle_of_a_batch_all_of_it_is_stored_once(
    wire: Wire, database: PostgresDatabase
) -> None:
    wire.judge = Once(b"cut here", Fate.CUT)

    await asyncio.gather(*(database.write(put(n, "cut here" if n == 5 else "x")) for n in range(9)))

    assert ids(database) == list(range(9))


async def test_cut_in_a_batch_with_a_write_that_fails_only_that_one_fails(
    wire: Wire, database: PostgresDatabase
) -> None:
    """The batch was being told apart, write by write, when it was lost."""
    database.write_now(put(2))
    wire.judge = Once(b"SAVEPOINT", Fate.CUT)

    answers = await asyncio.gather(*(database.write(put(n)) for n in range(4)), return_exceptions=True)

    assert [isinstance(each, StoreError) for each in answers] == [False, False, True, False]
    assert ids(database) == [0, 1, 2, 3]


def test_a_claim_that_passed_on_while_the_connection_was_lost_refuses_the_write(wire: Wire, url: str) -> None:
    """The fence is asked again when the batch is run again."""
    database, other = PostgresDatabase(wire.url), PostgresDatabase(url)
    fence: Fence = other.write_now(lambda tx: lease.take(tx, "tsk_1", "one", 1))

    def judge(piece: bytes) -> Fate:
        if b"from one" not in piece:
            return Fate.PASS
        # Beside the connection that is cut here, whose turn ends with it.
        threading.Thread(target=other.write_now, args=(lambda tx: lease.take(tx, "tsk_1", "two", 2),)).start()
        return Fate.CUT

    wire.judge = judge
    with pytest.raises(StaleFence):
        asyncio.run(database.write(put(1, "from one"), fence=fence))

    assert ids(other) == []
    database.close()
    other.close()


def test_an_idle_connection_that_was_cut_is_noticed_by_nobody(wire: Wire, database: PostgresDatabase) -> None:
    database.write_now(put(1))
    assert ids(database) == [1]

    wire.cut()

    assert ids(database) == [1]
    wire.cut()
    database.write_now(put(2))
    assert ids(database) == [1, 2]


def test_a_read_that_is_cut_is_asked_again(wire: Wire, database: PostgresDatabase) -> None:
    database.write_now(put(1))
    wire.judge = cut = Once(b"SELECT id FROM notes", Fate.DEAF, times=2)

    assert ids(database) == [1]
    assert cut.seen == 3


def test_sessions_ended_by_the_server_are_opened_again(url: str, database: PostgresDatabase) -> None:
    """As `pg_terminate_backend` does, and a server that is restarted."""
    database.write_now(put(1))
    assert ids(database) == [1]
    admin = PostgresDatabase(url)
    admin.write_now(
        lambda tx: tx.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    )

    database.write_now(put(2))
    assert ids(database) == [1, 2]
    admin.close()


def test_a_network_that_swallows_everything_is_given_up(
    monkeypatch: pytest.MonkeyPatch, wire: Wire, database: PostgresDatabase
) -> None:
    """Its ends stay connected, so no kernel would ever tell. Patched: the bound is made short, nothing else."""
    monkeypatch.setattr(_pg_wait, "SILENCE_S_MAX", 0.2)
    database.write_now(put(1))
    wire.hold()
    before = wire.outgoing()
    threading.Timer(0.4, wire.go).start()

    database.write_now(put(2))

    assert ids(database) == [1, 2]
    assert not set(wire.outgoing()) & set(before)


def test_an_outage_longer_than_the_bound_is_told_and_then_at_once(wire: Wire) -> None:
    database = PostgresDatabase(wire.url, outage_s=0.3)
    wire.refuse()
    wire.cut()

    began_s = time.monotonic()
    with pytest.raises(StoreBusy, match="did not answer"):
        database.write_now(put(1))
    assert time.monotonic() - began_s >= 0.3

    began_s = time.monotonic()
    with pytest.raises(StoreBusy, match="did not answer"):
        database.write_now(put(1))
    assert time.monotonic() - began_s < 0.3

    wire.refuse(False)
    database.write_now(put(1))
    assert ids(database) == [1]
    database.close()


def test_an_outage_within_the_bound_is_borne(wire: Wire, database: PostgresDatabase) -> None:
    wire.refuse()
    wire.cut()
    threading.Timer(0.15, lambda: wire.refuse(False)).start()

    database.write_now(put(1))

    assert ids(database) == [1]


def test_a_writer_that_is_frozen_in_its_turn_loses_it_and_does_its_write_again(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """Patched: the bound of two seconds is made short, nothing else."""
    monkeypatch.setattr(_pg_turn, "IDLE_IN_TURN_MS", 150)
    frozen, other = PostgresDatabase(url), PostgresDatabase(url)
    in_turn, thaw, calls = threading.Event(), threading.Event(), []

    def op(tx: Tx) -> None:
        calls.append(1)
        tx.execute("INSERT INTO notes (id, words) VALUES (1, 'frozen')")
        if len(calls) == 1:
            in_turn.set()
            thaw.wait(10)

    thread = threading.Thread(target=frozen.write_now, args=(op,))
    thread.start()
    in_turn.wait(10)
    other.write_now(put(2))
    thaw.set()
    thread.join()

    assert ids(other) == [1, 2]
    assert len(calls) == 2
    frozen.close()
    other.close()


def test_what_is_sent_leaves_in_one_piece_so_that_no_writer_freezes_in_between(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """Patched to look in the middle: a turn taken by half a message would be held without counting as idle."""
    other = PostgresDatabase(url)
    real, seen = _pg_wire.Wire._sent, []

    def looking(wire: Any, sql: str, params: Any, new: Any) -> int:
        if "clock_timestamp" in sql:  # The turn has been asked for by what is queued before it.
            seen.append(other.read_now(lambda tx: tx.rows(HELD, (_pg_turn.TURN,))))
        return real(wire, sql, params, new)

    database = PostgresDatabase(url)
    database.write_now(put(1))
    monkeypatch.setattr(_pg_wire.Wire, "_sent", looking)
    database.write_now(put(2))

    assert seen == [[]]
    database.close()
    other.close()


async def test_a_write_that_fails_before_it_has_sent_anything_takes_no_neighbour_along(
    database: PostgresDatabase,
) -> None:
    def fails(tx: Tx) -> None:
        tx.put("INSERT INTO notes (id, words) VALUES (9, 'x')")
        raise ValueError("of its own")

    answers = await asyncio.gather(database.write(put(1)), database.write(fails), return_exceptions=True)

    assert isinstance(answers[1], ValueError)
    assert ids(database) == [1]


def test_a_writer_frozen_with_half_a_message_sent_loses_its_turn_to_those_who_wait(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """The server would wait for the other half without end. Patched: the bounds are made short, nothing else."""
    monkeypatch.setattr(_pg_turn, "IDLE_IN_TURN_MS", 100)
    monkeypatch.setattr(_pg_turn, "SLICE_S", 0.15)
    database = PostgresDatabase(url)
    lost, frozen = contextlib.suppress(psycopg.OperationalError), psycopg.connect(url, autocommit=True)
    with frozen, lost, frozen.pipeline():
        frozen.execute("BEGIN")
        frozen.execute("SELECT pg_advisory_xact_lock(%s)", (_pg_turn.TURN,))  # And no Sync behind it.

        database.write_now(put(1))

    assert ids(database) == [1]
    database.close()


@pytest.mark.slow
def test_two_beside_each_other_that_wait_for_one_another_are_both_done(url: str) -> None:
    """Slow: the server looks for deadlocks once a second. It gives one of the two up, which is done again."""
    one, other = PostgresDatabase(url), PostgresDatabase(url)
    one.write_now(lambda tx: [put(1, "")(tx), put(2, "")(tx)])
    met = threading.Barrier(2)

    def op(first: int, second: int) -> Callable[[Tx], None]:
        calls: list[int] = []

        def add(tx: Tx) -> None:
            calls.append(1)
            tx.execute("UPDATE notes SET words = words || 'x' WHERE id = ?", (first,))
            if len(calls) == 1:
                met.wait(10)
            tx.execute("UPDATE notes SET words = words || 'x' WHERE id = ?", (second,))

        return add

    def run(database: PostgresDatabase, first: int, second: int) -> None:
        asyncio.run(database.write(op(first, second), beside=True))

    thread = threading.Thread(target=run, args=(one, 1, 2))
    thread.start()
    run(other, 2, 1)
    thread.join()

    assert one.read_now(lambda tx: tx.rows("SELECT words FROM notes")) == [("xx",), ("xx",)]
    one.close()
    other.close()


def test_the_time_is_the_servers_whatever_the_machine_says(url: str) -> None:
    class Ahead(SystemClock):
        def now_us(self) -> int:
            return super().now_us() + 300_000_000

    database = PostgresDatabase(url)

    assert abs(database.clock(Ahead()).now_us() - SystemClock().now_us()) < 5_000_000
    database.close()


def test_an_answer_that_lay_about_while_the_process_was_frozen_does_not_set_its_clock_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Patched: the monotonic clock, which goes on while a process is stopped."""
    now_s = 1000.0
    monkeypatch.setattr("airworthy.store.postgres.time.monotonic_ns", lambda: round(now_s * 1e9))
    clock = ServerClock()
    clock.heard(5_000_000_000)
    now_s += 20.0

    clock.heard(5_000_000_100)

    assert clock.now_us() == 5_020_000_000


def test_a_server_whose_clock_was_set_back_is_believed_within_minutes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Patched: the monotonic clock."""
    now_s = 1000.0
    monkeypatch.setattr("airworthy.store.postgres.time.monotonic_ns", lambda: round(now_s * 1e9))
    clock, told = ServerClock(), []
    clock.heard(5_000_000_000)
    for _ in range(70):
        now_s += 1.0
        clock.heard(5_000_000_000 + round((now_s - 1000.0 - 40.0) * 1e6))
        told.append(clock.now_us())

    assert told == sorted(told)
    assert told[9] == 5_010_000_000
    assert all(after > before for before, after in pairwise(told)), "it never stands still"
    now_s += 100.0
    assert clock.now_us() == 5_130_000_000


def test_what_a_role_has_set_otherwise_harms_nothing(url: str) -> None:
    """A snapshot taken before the turn, bytes in another form, doubles cut short, an answer before it is on disk."""
    odd = {
        "default_transaction_isolation": "repeatable read", "bytea_output": "escape", "extra_float_digits": "0",
        "synchronous_commit": "off", "client_encoding": "LATIN1",
    }  # fmt: skip
    options = " ".join(f"-c {name}={value.replace(' ', chr(92) + ' ')}" for name, value in odd.items())
    database = PostgresDatabase(f"{url}?{urlencode({'options': options}, quote_via=quote)}")
    asked = "SELECT ?::bytea, 0.1::float8 + 0.2::float8, ?::text, " + ", ".join(
        f"current_setting('{name}')" for name in ("transaction_isolation", "synchronous_commit")
    )

    try:
        assert database.write_now(lambda tx: tx.row(asked, (b"\x00a\xff", "\u20ac"))) == (
            b"\x00a\xff", 0.1 + 0.2, "\u20ac", "read committed", "on",
        )  # fmt: skip
    finally:
        database.close()


@pytest.mark.parametrize(
    ("queued", "asked", "passes"),
    [
        ("INSERT INTO a (x) VALUES (?)", "SELECT x FROM b", True),
        ("INSERT INTO a (x) VALUES (?)", "SELECT x FROM b JOIN a ON b.x = a.x", False),
        ("INSERT INTO a (x) VALUES (?)", "SELECT x FROM b AS c, a", False),
        ("INSERT INTO a (x) VALUES (?)", "DELETE FROM b USING a WHERE a.x = b.x", False),
        ("INSERT INTO a (x) VALUES (?)", 'SELECT x FROM "a"', False),
        ("DELETE FROM b USING a WHERE a.x = b.x", "UPDATE a SET x = ?", False),
        ("WITH w AS (SELECT 1) INSERT INTO a SELECT * FROM w", "SELECT x FROM b", False),
    ],
)
def test_a_statement_passes_only_what_waits_for_other_tables(queued: str, asked: str, passes: bool) -> None:
    waiting = Queue()
    waiting.add(queued, ())

    assert waiting.lets_pass(asked) is passes
