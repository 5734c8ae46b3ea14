"""What every engine promises, each promise as one test. A new engine joins by one line in ENGINES."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from airworthy.core.errors import ConfigError
from airworthy.core.halt import Stop
from airworthy.core.outcome import Outcome, Reason, ReasonCode
from airworthy.store import (
    Database,
    Fence,
    MemoryDatabase,
    Migration,
    PostgresDatabase,
    SQLiteDatabase,
    StaleFence,
    StoreError,
    StoreInUse,
    StoreNewer,
    Tx,
    check_readable,
    migrate,
)
from airworthy.store import lease as leases
from airworthy.store.migrate import missing
from airworthy.store.tables import MIGRATIONS as STORE
from tests.database import fresh

Open = Callable[[], Database]

ENGINES: dict[str, Callable[[Path], Open]] = {
    "sqlite": lambda folder: lambda: SQLiteDatabase(folder / "a.db"),
    "memory": lambda _: MemoryDatabase,
    "postgresql": lambda _: partial(PostgresDatabase, fresh()),
}


def notes_table(dialect: str) -> list[str]:
    return ["CREATE TABLE notes (id INTEGER PRIMARY KEY, words VARCHAR NOT NULL)"]


NOTES = Migration("notes", 1, "notes", notes_table)


@pytest.fixture(params=sorted(ENGINES))
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    return ENGINES[request.param](tmp_path)


@pytest.fixture
def database(opener: Open) -> Iterator[Database]:
    database = opener()
    migrate(database, (*STORE, NOTES))
    yield database
    database.close()


def put(number: int, words: str = "x") -> Callable[[Tx], int]:
    def op(tx: Tx) -> int:
        return tx.execute("INSERT INTO notes (id, words) VALUES (?, ?)", (number, words))

    return op


def put_then(number: int, error: BaseException) -> Callable[[Tx], int]:
    def op(tx: Tx) -> int:
        put(number)(tx)
        raise error

    return op


def _execute(tx: Tx, sql: str) -> int:
    return tx.execute(sql)


def ids(database: Database) -> list[int]:
    return database.read_now(lambda tx: [row[0] for row in tx.rows("SELECT id FROM notes ORDER BY id")])


async def test_a_write_answers_with_what_its_operation_answered_and_is_stored(database: Database) -> None:
    answer = await database.write(put(1))

    assert answer == 1
    assert ids(database) == [1]
    assert await database.read(lambda tx: tx.row("SELECT words FROM notes WHERE id = ?", (1,))) == ("x",)
    assert await database.read(lambda tx: tx.row("SELECT words FROM notes WHERE id = ?", (9,))) is None


FAILURES = [
    (ValueError("mine"), ValueError, "an error of the caller's own"),
    (Stop(Outcome.CANCELLED, Reason(code=ReasonCode.CANCELLED, text="c")), Stop, "a halt, which no framework catches"),
    (StopIteration("odd"), RuntimeError, "what no future can carry is told as something it can"),
]  # fmt: skip


@pytest.mark.parametrize(("error", "seen", "why"), FAILURES)
async def test_an_operation_that_raises_stores_nothing_and_its_neighbours_are_stored(
    database: Database, error: BaseException, seen: type[BaseException], why: str
) -> None:
    writes = [database.write(put(1)), database.write(put_then(2, error)), database.write(put(3))]
    answers = await asyncio.gather(*(asyncio.ensure_future(w) for w in writes), return_exceptions=True)

    assert answers[0] == answers[2] == 1, why
    assert isinstance(answers[1], seen)
    assert ids(database) == [1, 3]


async def test_a_broken_statement_is_a_store_error_and_harms_no_neighbour(database: Database) -> None:
    await database.write(put(1))
    answers = await asyncio.gather(
        database.write(put(2)), database.write(put(1)), database.write(put(3)), return_exceptions=True
    )

    assert isinstance(answers[1], StoreError)
    assert ids(database) == [1, 2, 3]


async def test_two_hundred_writes_at_once_are_all_stored_in_the_order_they_were_asked_for(
    database: Database,
) -> None:
    order: list[int] = []

    def op(number: int) -> Callable[[Tx], None]:
        def run(tx: Tx) -> None:
            put(number)(tx)
            found = tx.row("SELECT COUNT(*) FROM notes")
            assert found is not None
            order.append(found[0])

        return run

    await asyncio.gather(*(database.write(op(number)) for number in range(200)))

    assert order == list(range(1, 201))
    assert ids(database) == list(range(200))


async def test_a_write_with_the_newest_fence_is_stored_and_one_with_an_older_is_refused(
    database: Database,
) -> None:
    old = await database.write(lambda tx: leases.take(tx, "task", "first", 1_000))
    await database.write(put(1), fence=old)
    new = await database.write(lambda tx: leases.take(tx, "task", "second", 2_000))
    answers = await asyncio.gather(
        database.write(put(2), fence=old), database.write(put(3), fence=new), return_exceptions=True
    )

    assert isinstance(answers[0], StaleFence)
    assert "task" in str(answers[0])
    assert answers[1] == 1
    assert ids(database) == [1, 3]


async def test_a_fence_on_a_name_nobody_ever_took_is_refused(database: Database) -> None:
    with pytest.raises(StaleFence, match="newest epoch: none"):
        await database.write(put(1), fence=Fence("nobody", 1))

    assert ids(database) == []


async def test_a_claim_taken_in_the_same_commit_counts_for_the_writes_behind_it(database: Database) -> None:
    old = await database.write(lambda tx: leases.take(tx, "task", "first", 1_000))
    answers = await asyncio.gather(
        database.write(lambda tx: leases.take(tx, "task", "second", 2_000)),
        database.write(put(1), fence=old),
        return_exceptions=True,
    )

    assert isinstance(answers[1], StaleFence)
    assert ids(database) == []


async def test_a_read_sees_what_is_committed_and_changes_nothing(database: Database) -> None:
    await database.write(put(1))

    def meddle(tx: Tx) -> None:
        put(2)(tx)

    try:
        await database.read(meddle)
    except StoreError:
        pass  # An engine may refuse it or forget it.

    assert ids(database) == [1]


async def test_a_read_that_raises_hands_the_error_on_and_the_next_one_works(database: Database) -> None:
    def fail(tx: Tx) -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await database.read(fail)
    with pytest.raises(StoreError):
        await database.read(lambda tx: tx.rows("SELECT nothing FROM nowhere"))

    assert ids(database) == []


async def test_an_operation_run_a_second_time_leaves_no_trace_of_the_first(database: Database) -> None:
    runs: list[int] = []

    def counted(tx: Tx) -> int:
        runs.append(1)
        put(1)(tx)
        return len(runs)

    answers = await asyncio.gather(
        database.write(counted), database.write(put_then(2, ValueError())), return_exceptions=True
    )

    # Twice where the two shared a commit; the answer is the last run's, and one row is stored.
    assert answers[0] == len(runs)
    assert ids(database) == [1]


def test_many_rows_are_stored_as_they_are(database: Database) -> None:
    odd = (
        "plain",
        "a\tb\nc\\d\\N\\.",
        "",
        "'quoted' \"twice\"",
        "r\u00e9sum\u00e9 \u9000\u6b3e",
        "\\.",
        "NULL",
    )
    rows = [(number, odd[number % len(odd)]) for number in range(200)]
    database.write_now(lambda tx: tx.many("INSERT INTO notes (id, words) VALUES (?, ?)", rows))

    assert database.read_now(lambda tx: tx.rows("SELECT id, words FROM notes ORDER BY id")) == rows


def test_of_many_rows_those_that_are_there_stay_as_they_are(database: Database) -> None:
    insert = "INSERT INTO notes (id, words) VALUES (?, ?) ON CONFLICT (id) DO NOTHING"
    database.write_now(lambda tx: tx.many(insert, [(7, "first"), (7, "again")]))
    database.write_now(lambda tx: tx.many(insert, [(number % 150, "later") for number in range(200)]))

    stored: dict[int, str] = database.read_now(lambda tx: dict(tx.rows("SELECT id, words FROM notes")))
    assert stored == {number: "first" if number == 7 else "later" for number in range(150)}


def test_many_rows_of_which_one_cannot_be_stored_are_none(database: Database) -> None:
    rows = [(number % 99, "x") for number in range(100)]

    def op(tx: Tx) -> None:
        tx.execute("INSERT INTO notes (id, words) VALUES (500, 'before')")
        tx.many("INSERT INTO notes (id, words) VALUES (?, ?)", rows)

    with pytest.raises(StoreError):
        database.write_now(op)
    database.write_now(put(1))

    assert ids(database) == [1]


def test_writes_from_many_threads_are_all_stored(database: Database) -> None:
    failed: list[BaseException] = []

    def work(first: int) -> None:
        try:
            for number in range(first, first + 25):
                database.write_now(put(number))
                assert number in ids(database)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(100 * n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    assert len(ids(database)) == 200


def test_write_now_hands_the_operations_error_to_its_caller(database: Database) -> None:
    with pytest.raises(ValueError, match="mine"):
        database.write_now(put_then(1, ValueError("mine")))

    assert ids(database) == []


def test_a_write_inside_a_writes_operation_is_refused_and_the_outer_one_still_whole(
    database: Database,
) -> None:
    def outer(tx: Tx) -> None:
        put(1)(tx)
        with pytest.raises(StoreError, match="inside another"):
            database.write_now(put(2))
        put(3)(tx)

    database.write_now(outer)

    assert ids(database) == [1, 3]


async def test_a_value_that_no_text_can_hold_harms_no_neighbour(database: Database) -> None:
    """It is known only when what was put is sent, together with what neighbours put."""

    def broken(tx: Tx) -> None:
        tx.put("INSERT INTO notes (id, words) VALUES (?, ?)", (2, "x"))
        tx.put("UPDATE notes SET words = ? WHERE id = ?", ("\ud800", 2))

    done = await asyncio.gather(
        database.write(put(1)), database.write(broken), database.write(put(3)), return_exceptions=True
    )

    assert [type(each) for each in done] == [int, UnicodeEncodeError, int]
    assert ids(database) == [1, 3]


async def test_what_is_answered_is_stored_though_an_operation_kept_its_error_to_itself(
    database: Database,
) -> None:
    """SQLite goes on after an error and PostgreSQL does not; neither says that what is not there is stored."""

    def hides(tx: Tx) -> str:
        put(2)(tx)
        with contextlib.suppress(StoreError):
            put(2)(tx)
        return "stored"

    done = await asyncio.gather(
        database.write(put(1)), database.write(hides), database.write(put(3)), return_exceptions=True
    )

    assert (done[0], done[2]) == (1, 1)
    assert isinstance(done[1], StoreError) or done[1] == "stored"
    assert ids(database) == [1, *([2] if done[1] == "stored" else []), 3]


def test_an_error_does_not_quote_the_rows_it_is_about(database: Database) -> None:
    rows = [(number, f"secret {number}") for number in range(40)]

    for op in (
        lambda tx: tx.execute("INSERT INTO notes (id, words) VALUES (NULL, ?), (1, NULL)", ("secret",)),
        lambda tx: tx.many("INSERT INTO notes (id, words) VALUES (?, ?)", [*rows, (50, None)]),
        lambda tx: tx.many(
            "INSERT INTO notes (words, id) VALUES (?, ?)",
            [*((words, number) for number, words in rows), ("secret", 3)],
        ),
    ):
        with pytest.raises(StoreError) as refused:
            database.write_now(op)

        assert "secret" not in str(refused.value)


def test_no_number_is_null(database: Database) -> None:
    database.write_now(
        lambda tx: tx.execute("CREATE TABLE shares (id INTEGER PRIMARY KEY, share DOUBLE PRECISION)")
    )
    rows = [(number, float("nan") if number % 2 else 0.5) for number in range(40)]

    database.write_now(lambda tx: tx.many("INSERT INTO shares (id, share) VALUES (?, ?)", rows))
    database.write_now(
        lambda tx: tx.execute("INSERT INTO shares (id, share) VALUES (?, ?)", (40, float("nan")))
    )

    assert database.read_now(lambda tx: tx.rows("SELECT COUNT(*) FROM shares WHERE share IS NULL")) == [(21,)]


async def test_after_close_writes_and_reads_are_refused_and_close_twice_is_once(opener: Open) -> None:
    database = opener()
    migrate(database, (NOTES,))
    database.close()
    database.close()

    for attempt in (
        lambda: database.write_now(put(1)),
        lambda: database.read_now(lambda tx: tx.rows("SELECT 1")),
    ):
        with pytest.raises(StoreError, match="closed"):
            attempt()
    with pytest.raises(StoreError, match="closed"):
        await database.write(put(1))
    with pytest.raises(StoreError, match="closed"):
        await database.read(lambda tx: tx.rows("SELECT 1"))


async def test_close_while_writes_wait_leaves_nobody_waiting(opener: Open) -> None:
    database = opener()
    migrate(database, (NOTES,))
    writes = [asyncio.ensure_future(database.write(put(number))) for number in range(20)]
    writes[3].cancel()
    await asyncio.sleep(0)
    database.close()
    answers = await asyncio.gather(*writes, return_exceptions=True)

    assert all(answer == 1 or isinstance(answer, StoreError | asyncio.CancelledError) for answer in answers)


async def test_a_caller_that_gives_up_harms_no_neighbour(database: Database) -> None:
    gone = asyncio.ensure_future(database.write(put(1)))
    stays = asyncio.ensure_future(database.write(put(2)))
    await asyncio.sleep(0)
    gone.cancel()

    assert await stays == 1
    assert 2 in ids(database)


def test_each_migration_is_applied_once_and_in_order(opener: Open) -> None:
    database = opener()
    later = Migration("notes", 2, "authors", lambda _: ["ALTER TABLE notes ADD COLUMN author VARCHAR"])

    first = migrate(database, (NOTES,))
    second = migrate(database, (NOTES, later))
    third = migrate(database, (NOTES, later))
    database.close()

    assert first == ("notes 1: notes",)
    assert second == ("notes 2: authors",)
    assert third == ()


def test_a_migration_that_fails_leaves_the_database_as_it_was(opener: Open) -> None:
    database = opener()
    broken = Migration("notes", 2, "broken", lambda _: ["CREATE TABLE half (id INTEGER)", "CREATE NONSENSE"])

    with pytest.raises(StoreError):
        migrate(database, (NOTES, broken))
    with pytest.raises(StoreError):
        database.read_now(lambda tx: tx.rows("SELECT * FROM half"))
    applied = migrate(database, (NOTES,))
    database.close()

    assert applied == ("notes 1: notes",)


WIDER = Migration("notes", 2, "authors", lambda _: ["ALTER TABLE notes ADD COLUMN author VARCHAR"])
RENAMED = Migration(
    "notes", 2, "from tomorrow", lambda _: ["ALTER TABLE notes RENAME COLUMN words TO text"], breaks=True
)


def test_a_database_made_by_a_newer_version_is_refused_and_untouched(opener: Open) -> None:
    database = opener()
    migrate(database, (NOTES, RENAMED))

    with pytest.raises(StoreNewer, match=r"newer airworthy.*notes step 2") as raised:
        migrate(database, (NOTES,))
    with pytest.raises(StoreNewer):
        database.read_now(lambda tx: check_readable(tx, database.dialect, (NOTES,)))
    database.close()

    assert raised.value.mend


def test_an_older_version_goes_on_beside_a_newer_one_whose_steps_only_add(opener: Open) -> None:
    """An upgrade of many machines takes minutes, in which both are at work on one database."""
    database = opener()
    migrate(database, (*STORE, NOTES))
    migrate(database, (*STORE, NOTES, WIDER))

    older = migrate(database, (*STORE, NOTES))
    database.write_now(put(1))
    database.read_now(lambda tx: check_readable(tx, database.dialect, (*STORE, NOTES)))
    known = missing(database, (*STORE, NOTES, WIDER))
    kept = ids(database)
    database.close()

    assert (older, known, kept) == ((), (), [1])


def test_what_another_room_lacks_is_applied_beside_unknown_steps(opener: Open) -> None:
    database = opener()
    migrate(database, (NOTES, WIDER))

    wanted = missing(database, (*STORE, NOTES))
    applied = migrate(database, (*STORE, NOTES))
    database.close()

    assert [str(each) for each in wanted] == list(applied) == [str(each) for each in STORE]


def test_a_ledger_from_before_steps_could_break_is_read_and_widened(opener: Open) -> None:
    database = opener()
    old = (
        "CREATE TABLE migrations (room VARCHAR NOT NULL, number INTEGER NOT NULL, name VARCHAR NOT NULL,"
        " PRIMARY KEY (room, number))"
    )
    for sql in (old, "INSERT INTO migrations VALUES ('notes', 1, 'notes')", *notes_table(database.dialect)):
        database.write_now(partial(_execute, sql=sql))

    database.read_now(lambda tx: check_readable(tx, database.dialect, (NOTES,)))
    applied = migrate(database, (NOTES, RENAMED))
    with pytest.raises(StoreNewer):
        migrate(database, (NOTES,))
    database.close()

    assert applied == ("notes 2: from tomorrow",)


@pytest.mark.parametrize(
    ("at_work", "step", "refused", "why"),
    [
        (["wkr_1"], RENAMED, True, "who is at work would misread what it leaves"),
        ([], RENAMED, False, "nobody is at work"),
        (["wkr_1"], WIDER, False, "it only adds"),
    ],
)
def test_a_step_that_breaks_is_applied_only_where_nobody_is_at_work(
    opener: Open, at_work: list[str], step: Migration, refused: bool, why: str
) -> None:
    database = opener()
    migrate(database, (NOTES,), lambda _: pytest.fail("a new database disturbs nobody"))
    try:
        migrate(database, (NOTES, step), lambda _: at_work)
        told = ""
    except StoreInUse as error:
        told = error.message
    left = missing(database, (NOTES, step))
    database.close()

    assert ("wkr_1" in told) is refused, why
    assert bool(left) is refused, why


def test_of_many_that_start_at_once_one_migrates_and_all_go_on(opener: Open) -> None:
    database = opener()
    applied: list[tuple[str, ...]] = []
    threads = [
        threading.Thread(target=lambda: applied.append(migrate(database, (*STORE, NOTES, WIDER))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    database.close()

    assert sorted(len(each) for each in applied) == [0, 0, 0, len(STORE) + 2]


def test_a_server_whose_locks_hold_nobody_off_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some speak PostgreSQL and answer every advisory lock with yes; two workers would then act at once."""
    database = PostgresDatabase(fresh())
    database.check_turns()

    monkeypatch.setattr(database, "read_now", lambda _: (True,))
    with pytest.raises(ConfigError, match="one lock to two"):
        database.check_turns()
    database.close()
