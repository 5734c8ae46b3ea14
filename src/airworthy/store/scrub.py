"""Takes what was deleted out of the database's bytes, and gives the room back; knows no table but the text index.

A deleted row leaves its bytes behind: in freed pages, in the gaps of pages that rows moved out of, in the log, in the
text index until its parts are merged. Rebuilding the file and emptying the log leaves none of that. On PostgreSQL each
table is written anew; its log, its replicas and its backups are the server's, and forget by its own rules.
"""

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from airworthy.store._connection import BUSY_S_MAX, translated
from airworthy.store._pg import Connection as PostgresConnection
from airworthy.store._pg_errors import Server
from airworthy.store.database import Database
from airworthy.store.postgres import PostgresDatabase
from airworthy.store.sqlite import SQLiteDatabase

# Writers of other processes wait while the file is rebuilt, and give up after BUSY_S_MAX.
AT_ONCE_BYTES_MAX: Final = 2 * 2**30


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """`log_left`: somebody was reading an older state, so the log could not be emptied; do it again later."""

    bytes_before: int
    bytes_after: int
    log_left: bool


def size_of(database: Database) -> int:
    """Bytes of the file and its log, or of the database on its server; 0 of one in memory."""
    if isinstance(database, PostgresDatabase):
        row = database.read_now(lambda tx: tx.row("SELECT pg_database_size(current_database())"))
        return 0 if row is None else int(row[0])
    if not isinstance(database, SQLiteDatabase):
        return 0
    return sum(
        Path(path).stat().st_size for path in (database.path, f"{database.path}-wal") if Path(path).exists()
    )


_TABLES: Final = (
    "SELECT format('%I', relname) FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
    " AND relnamespace = current_schema()::regnamespace ORDER BY relname"
)


def scrub(database: Database, *, wait_s: float = BUSY_S_MAX) -> Scrubbed:
    """Rebuilds the database beside whoever reads it; needs as much free room again, and writers wait meanwhile.

    `wait_s`: for writers before it, and for readers of an older state after it. Raises: StoreError and its children;
    it is as it was then.
    """
    before = size_of(database)
    if isinstance(database, PostgresDatabase):
        _rewrite(database, wait_s)
        return Scrubbed(before, size_of(database), log_left=False)
    if not isinstance(database, SQLiteDatabase):
        return Scrubbed(0, 0, log_left=False)
    try:
        # Its own connection, whose temporary file is on the disk: the copy may not fit into memory.
        raw = sqlite3.connect(database.path, timeout=wait_s, isolation_level=None)
        try:
            raw.execute("PRAGMA secure_delete = ON")
            if raw.execute("SELECT 1 FROM sqlite_master WHERE name = 'texts'").fetchone():
                raw.execute("INSERT INTO texts (texts) VALUES ('optimize')")
            raw.execute("VACUUM")
            busy = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        finally:
            raw.close()
    except sqlite3.Error as error:
        raise translated(error, database.path, wait_s) from error
    return Scrubbed(before, size_of(database), log_left=bool(busy))


def _rewrite(database: PostgresDatabase, wait_s: float) -> None:
    """Table by table; only who needs that very table waits meanwhile."""
    settings = f"SET statement_timeout = 0; SET lock_timeout = '{wait_s * 1000:.0f}ms'"
    connection = PostgresConnection(Server(database.url), name="scrub", settings=settings)
    try:
        connection.open()
        for (table,) in connection.rows(_TABLES):
            connection.execute(f"VACUUM (FULL, ANALYZE) {table}")
    finally:
        connection.close()
