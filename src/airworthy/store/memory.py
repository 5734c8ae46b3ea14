"""The store without a disk or a thread: SQLite in memory, every write in place. For tests; passes the same suite."""

import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

from airworthy.core.clock import Clock
from airworthy.store._connection import Connection
from airworthy.store.database import Fence, StoreError, Tx
from airworthy.store.writer import Job, nested, run_batch

T = TypeVar("T")


class MemoryDatabase:
    """Implements `Database`; nothing outlives the object. Deterministic: a write never yields to another."""

    dialect = "sqlite"

    def __init__(self, image: bytes | None = None) -> None:
        """`image`: of another one, which this begins as a copy of; a thousandth of what migrating costs."""
        self._connection = Connection(":memory:")
        if image is not None:
            self._connection.load(image)
        self._turn = threading.RLock()  # Callers in threads take turns; a write inside a write is refused.
        self._closed = False

    where = "memory"

    def clock(self, own: Clock) -> Clock:
        return own

    async def write(self, op: Callable[[Tx], T], *, fence: Fence | None = None, beside: bool = False) -> T:  # noqa: ARG002
        return self._write(op, fence)

    async def read(self, query: Callable[[Tx], T]) -> T:
        return self.read_now(query)

    def write_now(self, op: Callable[[Tx], T]) -> T:
        return self._write(op, None)

    def read_now(self, query: Callable[[Tx], T]) -> T:
        with self._turn:
            if self._closed:
                raise StoreError("The database is closed.", mend="Open it again before reading.")
            self._connection.begin_read()
            try:
                return query(self._connection)
            finally:
                self._connection.rollback()

    def listen(self, topics: Iterable[str], heard: Callable[[str], None]) -> None:  # noqa: ARG002
        return None

    def image(self) -> bytes:
        """All that is in it, for others to begin with."""
        with self._turn:
            return self._connection.image()

    def close(self) -> None:
        with self._turn:
            if not self._closed:
                self._closed = True
                self._connection.close()

    def _write(self, op: Callable[[Tx], T], fence: Fence | None) -> T:
        job = Job(op, fence, None)
        with self._turn:
            if self._closed:
                raise StoreError("The database is closed.", mend="Open it again before writing.")
            if self._connection.in_transaction:
                raise nested()
            run_batch(self._connection, [job])
        if job.error is not None:
            raise job.error
        result: T = job.result
        return result
