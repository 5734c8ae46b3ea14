"""One SQLite connection: its settings, its transactions, and its errors in our words."""

import sqlite3
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from airworthy.store.database import (
    Row,
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreReadOnly,
)
from airworthy.store.tally import Tally
from airworthy.store.writer import FENCE_SQL

BUSY_S_MAX = 30.0
STATEMENTS_CACHED = 256


class Connection:
    """A transaction at a time; used by one thread at a time."""

    dialect = "sqlite"
    apart = False  # One writer, and no journey that could be shared.

    def __init__(
        self,
        path: str,
        *,
        durable: bool = True,
        read_only: bool = False,
        untouched: bool = False,
        busy_s: float = BUSY_S_MAX,
    ) -> None:
        """`busy_s`: how long a lock of another process is waited for. `untouched`: read only, and no byte of the file
        changes, not even by folding in a log that was left behind.
        """
        self.path = path
        self.busy_s = busy_s
        self._tally = Tally()
        read_only = read_only or untouched
        try:
            self._raw = sqlite3.connect(
                f"{Path(path).resolve().as_uri()}?mode=ro" if untouched else path,
                uri=untouched,
                timeout=busy_s,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=STATEMENTS_CACHED,
            )
        except sqlite3.Error as error:
            raise translated(error, path, busy_s) from error
        try:
            for pragma in _pragmas(durable=durable, read_only=read_only, in_memory=path == ":memory:"):
                self._raw.execute(pragma)
        except sqlite3.Error as error:
            self._raw.close()
            raise translated(error, path, busy_s) from error
        # A connection that nobody closed is closed with its owner; from 3.13 on Python warns of one that is not.
        weakref.finalize(self, self._raw.close)

    def begin(self, fences: Sequence[str] = ()) -> None:  # noqa: ARG002  # each is read when it is asked for
        self._tally.clear()
        self._guard("BEGIN IMMEDIATE")

    def epoch(self, name: str) -> int | None:
        row = self.row(FENCE_SQL, (name,))
        return None if row is None else row[0]

    def begin_read(self) -> None:
        self._guard("BEGIN")

    def flush(self) -> None:
        for sql, rows in self._tally.poured():
            self.many(sql, rows)

    def commit(self) -> None:
        self._guard("COMMIT")

    def rollback(self) -> None:
        if self._raw.in_transaction:
            self._guard("ROLLBACK")

    def savepoint(self) -> None:
        self._guard("SAVEPOINT one")

    def release(self) -> None:
        self._guard("RELEASE one")

    def rollback_to(self) -> None:
        self._tally.clear()
        self._guard("ROLLBACK TO one")
        self._guard("RELEASE one")

    @property
    def in_transaction(self) -> bool:
        """False also when the engine gave the transaction up by itself, as it may on a full or broken disk."""
        return self._raw.in_transaction

    def execute(self, sql: str, params: Sequence[Any] = ()) -> int:
        try:
            return self._raw.execute(sql, params).rowcount
        except sqlite3.Error as error:
            raise translated(error, self.path, self.busy_s) from error

    def put(self, sql: str, params: Sequence[Any] = ()) -> None:
        self.execute(sql, params)

    def notify(self, topic: str) -> None:
        """Nobody can listen to a file."""

    def tally(self, sql: str, key: Sequence[Any], amounts: Sequence[int]) -> None:
        self._tally.add(sql, key, amounts)

    def each(self, work: Callable[[Any], None], items: Sequence[Any]) -> None:
        for item in items:
            work(item)

    def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        try:
            self._raw.executemany(sql, rows)
        except sqlite3.Error as error:
            raise translated(error, self.path, self.busy_s) from error

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        try:
            return self._raw.execute(sql, params).fetchall()
        except sqlite3.Error as error:
            raise translated(error, self.path, self.busy_s) from error

    def row(self, sql: str, params: Sequence[Any] = ()) -> Row | None:
        try:
            found: Row | None = self._raw.execute(sql, params).fetchone()
        except sqlite3.Error as error:
            raise translated(error, self.path, self.busy_s) from error
        return found

    def image(self) -> bytes:
        return self._raw.serialize()

    def load(self, image: bytes) -> None:
        """In place of all that is in it; only for a database in memory."""
        self._raw.deserialize(image)

    def close(self) -> None:
        self._raw.close()

    def _guard(self, statement: str) -> None:
        try:
            self._raw.execute(statement)
        except sqlite3.Error as error:
            raise translated(error, self.path, self.busy_s) from error


def _pragmas(*, durable: bool, read_only: bool, in_memory: bool) -> list[str]:
    if in_memory:
        return ["PRAGMA temp_store = MEMORY"]
    common = ["PRAGMA cache_size = -8000", "PRAGMA temp_store = MEMORY"]
    if read_only:
        return [*common, "PRAGMA query_only = ON"]
    return [
        "PRAGMA journal_mode = WAL",
        # FULL: an acknowledged write survives the machine, not only the process.
        f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}",
        # A larger log between checkpoints, so that the checkpoint's own fsync is rare.
        "PRAGMA wal_autocheckpoint = 4000",
        *common,
    ]


def translated(error: sqlite3.Error, path: str, busy_s: float = BUSY_S_MAX) -> StoreError:
    text = str(error)
    lowered = text.lower()
    if "locked" in lowered or "busy" in lowered:
        return StoreBusy(
            f"The database {path} stayed locked by another process for {busy_s:g} s.",
            mend="Look for a stopped or hung airworthy process on this file and end it.",
        )
    if "full" in lowered:
        return StoreFull(
            f"No room to write the database {path}.",
            mend="Free disk space, then start the worker again; what was acknowledged is safe.",
        )
    if "readonly" in lowered or "read-only" in lowered:
        return StoreReadOnly(
            f"The database {path} cannot be written.",
            mend="Give this user write permission on the file and its folder, or choose another --database.",
        )
    if "unable to open" in lowered:
        return StoreReadOnly(
            f"The database {path} cannot be opened or made.",
            mend="Check that the folder exists and can be written, or choose another --database.",
        )
    if "malformed" in lowered or "not a database" in lowered:
        return StoreCorrupt(
            f"The file {path} is damaged or not a database ({text}).",
            mend="Move it aside together with its -wal and -shm files and restore a backup; do not delete it.",
        )
    return StoreError(f"SQLite refused: {text} (database {path}).")
