"""SQLite in WAL mode: one writer thread with group commit, readers beside it."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from airworthy.store._connection import Connection
from airworthy.store.database import Fence, StoreReadOnly, Tx
from airworthy.store.writer import GroupWriter, Job

T = TypeVar("T")

READERS_MAX = 4


class SQLiteDatabase:
    """Implements `Database` on a file. Several processes on one host may open the same file."""

    dialect = "sqlite"

    def __init__(self, path: str | Path, *, durable: bool = True) -> None:
        """`durable=False` skips fsync: for benchmarks of everything else, never for real tasks."""
        self.path = str(path)
        parent = Path(self.path).resolve().parent
        if not parent.is_dir():
            raise StoreReadOnly(
                f"The folder {parent} of the database does not exist.", mend=f"Make it: mkdir -p {parent}"
            )
        self._writer = GroupWriter(Connection(self.path, durable=durable), self._announce)
        self._readers: list[Connection] = []
        self._readers_lock = threading.Lock()
        self._readers_free = threading.BoundedSemaphore(READERS_MAX)
        self._waiting: list[Job] = []  # Touched only on the event loop's thread.
        self._flush_due = False
        self._closed = False

    async def write(self, op: Callable[[Tx], T], *, fence: Fence | None = None) -> T:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        job = Job(op, fence, None)
        job.finished = _Reply(loop, future)
        self._waiting.append(job)
        if not self._flush_due:
            # Two turns of the loop: everybody woken by the last commit gets to join this one.
            self._flush_due = True
            loop.call_soon(loop.call_soon, self._flush)
        return await future

    def _flush(self) -> None:
        self._flush_due = False
        jobs, self._waiting = self._waiting, []
        try:
            self._writer.submit(jobs)
        except Exception as error:  # noqa: BLE001  # A closed database: each caller is told, none is left waiting.
            for job in jobs:
                assert isinstance(job.finished, _Reply)
                job.finished.future.set_exception(error)

    async def read(self, query: Callable[[Tx], T]) -> T:
        return await asyncio.to_thread(self.read_now, query)

    def write_now(self, op: Callable[[Tx], T]) -> T:
        done = threading.Event()
        job = Job(op, None, lambda _: done.set())
        self._writer.submit([job])
        done.wait()
        if job.error is not None:
            raise job.error
        result: T = job.result
        return result

    def read_now(self, query: Callable[[Tx], T]) -> T:
        with self._readers_free:
            with self._readers_lock:
                reader = self._readers.pop() if self._readers else None
            if reader is None:
                reader = Connection(self.path, read_only=True)
            try:
                reader.begin_read()
                try:
                    return query(reader)
                finally:
                    reader.rollback()
            finally:
                with self._readers_lock:
                    self._readers.append(reader)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._writer.close()
        with self._readers_lock:
            for reader in self._readers:
                reader.close()
            self._readers.clear()

    @staticmethod
    def _announce(batch: list[Job]) -> None:
        """One call into each event loop per commit, however many writes it carried."""
        by_loop: dict[asyncio.AbstractEventLoop, list[Job]] = {}
        for job in batch:
            if isinstance(job.finished, _Reply):
                by_loop.setdefault(job.finished.loop, []).append(job)
            elif job.finished is not None:
                job.finished(job)
        for loop, jobs in by_loop.items():
            try:
                loop.call_soon_threadsafe(_reply_all, jobs)
            except RuntimeError:
                pass  # The loop is closed: its callers are gone, and what they wrote is stored.


class _Reply:
    """Where the answer to an awaited write goes."""

    __slots__ = ("future", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any]) -> None:
        self.loop = loop
        self.future = future

    def __call__(self, job: Job) -> None:
        if self.future.done():
            return
        if job.error is not None:
            self.future.set_exception(job.error)
        else:
            self.future.set_result(job.result)


def _reply_all(jobs: list[Job]) -> None:
    for job in jobs:
        assert job.finished is not None
        job.finished(job)
