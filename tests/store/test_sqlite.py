"""SQLite's own troubles, each told apart and told with its mend; and that a commit is shared and durable."""

import asyncio
import gc
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airworthy.store import (
    Database,
    Migration,
    SQLiteDatabase,
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreReadOnly,
    Tx,
    migrate,
)

NOTES = Migration(
    "notes", 1, "notes", lambda _: ["CREATE TABLE notes (id INTEGER PRIMARY KEY, words VARCHAR NOT NULL)"]
)
NOBODY = 65534


def put(number: int, words: str = "x") -> Callable[[Tx], int]:
    return lambda tx: tx.execute("INSERT INTO notes (id, words) VALUES (?, ?)", (number, words))


def ids(database: Database) -> list[int]:
    return database.read_now(lambda tx: [row[0] for row in tx.rows("SELECT id FROM notes ORDER BY id")])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.db"


@pytest.fixture
def database(path: Path) -> Iterator[SQLiteDatabase]:
    database = SQLiteDatabase(path)
    migrate(database, (NOTES,))
    yield database
    database.close()


@pytest.fixture
def as_nobody(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Permissions mean nothing to root, so root gives its rights up for the rest of the test."""
    was = os.geteuid()
    shared = next((each for each in tmp_path.parents if each.stat().st_mode & stat.S_ISVTX), tmp_path.parent)
    for folder in (tmp_path, *tmp_path.parents):
        if folder == shared or was != 0:
            break
        folder.chmod(folder.stat().st_mode | 0o055)

    def drop() -> None:
        if was == 0:
            os.seteuid(NOBODY)

    yield drop
    os.seteuid(was)


async def test_writes_that_wait_together_share_one_commit(database: SQLiteDatabase) -> None:
    commits: list[str] = []
    raw = database._writer._connection._raw  # type: ignore[attr-defined]  # to count what reaches the engine
    raw.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)

    await asyncio.gather(*(database.write(put(number)) for number in range(200)))

    assert len(commits) <= 3
    assert len(ids(database)) == 200


def test_two_event_loops_write_to_one_database_at_once(database: SQLiteDatabase) -> None:
    async def many(first: int) -> None:
        for number in range(first, first + 20):
            await database.write(put(number))

    threads = [threading.Thread(target=lambda n=n: asyncio.run(many(100 * n))) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert len(ids(database)) == 80


def test_a_loop_that_ended_before_its_write_was_handed_over_stops_no_later_write(
    database: SQLiteDatabase,
) -> None:
    loop = asyncio.new_event_loop()
    write = database.write(put(1)).__await__()
    asyncio.events._set_running_loop(loop)
    next(write)
    asyncio.events._set_running_loop(None)
    loop.close()

    async def after() -> int:
        return await asyncio.wait_for(database.write(put(2)), 5)

    assert asyncio.run(after()) == 1
    write.close()


def test_what_was_acknowledged_is_there_after_the_process_is_killed(path: Path) -> None:
    """`os._exit` right after the answer: nothing is flushed, closed or checkpointed."""
    script = (
        "import os, sys\n"
        "from airworthy.store import SQLiteDatabase\n"
        "database = SQLiteDatabase(sys.argv[1])\n"
        "database.write_now(lambda tx: tx.execute('CREATE TABLE notes (id INTEGER)'))\n"
        "database.write_now(lambda tx: tx.execute('INSERT INTO notes VALUES (7)'))\n"
        "os._exit(9)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    database = SQLiteDatabase(path)

    assert done.returncode == 9
    assert ids(database) == [7]
    database.close()


def test_two_openers_at_once_make_one_database(path: Path) -> None:
    failed: list[BaseException] = []
    applied: list[str] = []
    start = threading.Barrier(6)

    def work() -> None:
        try:
            start.wait()
            database = SQLiteDatabase(path)
            applied.extend(migrate(database, (NOTES,)))
            database.close()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    assert applied == ["notes 1: notes"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreReadOnly, match="nowhere") as raised:
        SQLiteDatabase(tmp_path / "nowhere" / "a.db")

    assert "mkdir" in raised.value.mend


def test_a_folder_in_place_of_a_file_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(StoreReadOnly, match="cannot be opened"):
        SQLiteDatabase(tmp_path)


def put_at(path: Path, number: int) -> None:
    database = SQLiteDatabase(path)
    try:
        database.write_now(put(number))
    finally:
        database.close()


def test_a_read_only_file_is_named_and_nothing_leaks(path: Path, as_nobody: Callable[[], None]) -> None:
    database = SQLiteDatabase(path)
    migrate(database, (NOTES,))
    database.close()
    path.chmod(0o444)
    path.parent.chmod(0o555)
    as_nobody()

    with pytest.raises(StoreReadOnly, match="permission") as raised:
        put_at(path, 1)

    assert str(path) in str(raised.value)
    gc.collect()  # A connection left open would warn now.


def test_a_read_only_folder_is_named(path: Path, as_nobody: Callable[[], None]) -> None:
    path.parent.chmod(0o555)
    as_nobody()

    with pytest.raises(StoreReadOnly, match="cannot be opened or made"):
        SQLiteDatabase(path)


def test_a_folder_that_may_not_be_entered_is_named(tmp_path: Path, as_nobody: Callable[[], None]) -> None:
    inner = tmp_path / "closed"
    inner.mkdir()
    inner.chmod(0)
    as_nobody()

    with pytest.raises(StoreReadOnly, match="closed"):
        SQLiteDatabase(inner / "deeper" / "a.db")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"this is a letter, not a database\n" * 100, "another file"),
        (b"SQLite format 3\x00" + b"\xff" * 4096, "the right name and nothing right behind it"),
    ],
)
def test_a_file_that_is_no_database_is_left_as_it_is(path: Path, content: bytes, why: str) -> None:
    path.write_bytes(content)

    with pytest.raises(StoreCorrupt, match="damaged or not a database") as raised:
        migrate(SQLiteDatabase(path), (NOTES,))

    assert path.read_bytes() == content, why
    assert "restore a backup" in raised.value.mend
    gc.collect()


def test_a_damaged_page_is_told_as_damage(path: Path) -> None:
    database = SQLiteDatabase(path)
    migrate(database, (NOTES,))
    for number in range(300):
        database.write_now(put(number, "x" * 500))
    database.close()
    raw = bytearray(path.read_bytes())
    raw[4096 * 4 :] = b"\x7f" * (len(raw) - 4096 * 4)
    path.write_bytes(raw)
    damaged = SQLiteDatabase(path)

    with pytest.raises(StoreCorrupt):
        damaged.read_now(lambda tx: tx.rows("SELECT words FROM notes"))
    damaged.close()


async def test_a_full_disk_refuses_the_write_and_keeps_what_was_acknowledged(
    database: SQLiteDatabase,
) -> None:
    await database.write(put(1))
    await database.write(lambda tx: tx.rows("PRAGMA max_page_count = 12"))
    answers = await asyncio.gather(
        database.write(put(2)),
        database.write(put(3, "x" * 200_000)),
        database.write(put(4)),
        return_exceptions=True,
    )

    assert isinstance(answers[1], StoreFull)
    assert "disk space" in answers[1].mend
    stored = set(ids(database))
    assert {number for number, answer in zip((2, 3, 4), answers, strict=True) if answer == 1} | {1} == stored


@pytest.mark.slow
def test_a_disk_that_is_really_full_refuses_and_goes_on_once_there_is_room(tmp_path: Path) -> None:
    """Slow for the mount; only root can mount."""
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("needs root on Linux")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        ballast = disk / "ballast"
        database = SQLiteDatabase(disk / "a.db")
        migrate(database, (NOTES,))
        database.write_now(put(1))
        with ballast.open("wb") as file, pytest.raises(OSError, match="No space"):
            file.write(b"\0" * 300_000)
        full: list[Exception] = []
        for number in range(2, 40):
            try:
                database.write_now(put(number, "x" * 4000))
            except StoreError as error:
                full.append(error)
        kept = ids(database)
        ballast.unlink()
        database.write_now(put(100))
        database.close()
        again = SQLiteDatabase(disk / "a.db")
        after = ids(again)
        again.close()
    finally:
        subprocess.run(["umount", str(disk)], check=True)

    assert full
    assert {type(error) for error in full} == {StoreFull}
    assert 1 in kept
    assert after == [*kept, 100]


def test_a_lock_held_by_another_process_is_waited_for_and_then_told(path: Path) -> None:
    database = SQLiteDatabase(path, busy_s=0.02)
    migrate(database, (NOTES,))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreBusy, match=r"locked by another process for 0\.02 s"):
        database.write_now(put(1))
    other.execute("ROLLBACK")
    other.close()
    database.write_now(put(2))

    assert ids(database) == [2]
    database.close()


def test_readers_do_not_wait_for_a_writer(path: Path) -> None:
    database = SQLiteDatabase(path, busy_s=0.02)
    migrate(database, (NOTES,))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("INSERT INTO notes VALUES (9, 'x')")

    assert ids(database) == []
    other.execute("COMMIT")
    other.close()
    assert ids(database) == [9]
    database.close()


def test_more_readers_than_connections_take_turns(database: SQLiteDatabase) -> None:
    database.write_now(put(1))
    seen: list[list[int]] = []
    threads = [threading.Thread(target=lambda: seen.append(ids(database))) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert seen == [[1]] * 32
