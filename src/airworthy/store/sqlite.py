"""SQLite in WAL mode: one writer thread with group commit, readers beside it."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from airworthy.core.clock import Clock
from airworthy.store._connection import BUSY_S_MAX, Connection
from airworthy.store.database import StoreReadOnly
from airworthy.store.grouped import GroupedDatabase, announce
from airworthy.store.writer import GroupWriter


class SQLiteDatabase(GroupedDatabase):
    """Implements `Database` on a file. Several processes on one host may open the same file."""

    dialect = "sqlite"

    def __init__(self, path: str | Path, *, durable: bool = True, busy_s: float = BUSY_S_MAX) -> None:
        """`durable=False` skips fsync: for benchmarks of everything else, never for real tasks.

        `busy_s`: how long another process's write lock is waited for before StoreBusy.
        """
        self.path = str(path)
        parent = Path(self.path).resolve().parent
        if not os.path.isdir(parent):  # noqa: PTH112  # pathlib raises where it may not look
            raise StoreReadOnly(
                f"The folder {parent} of the database does not exist, or may not be entered.",
                mend=f"Make it: mkdir -p {parent}",
            )
        super().__init__(
            GroupWriter(Connection(self.path, durable=durable, busy_s=busy_s), announce),
            lambda: Connection(self.path, read_only=True, busy_s=busy_s),
        )

    @property
    def where(self) -> str:
        return self.path

    def clock(self, own: Clock) -> Clock:
        return own  # Everybody who can open the file looks at the same clock.

    def listen(self, topics: Iterable[str], heard: Callable[[str], None]) -> None:  # noqa: ARG002
        return None
