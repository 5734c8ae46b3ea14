"""What every engine with a disk shares: writers with group commit, and readers beside them. Knows no dialect."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from airworthy.store.database import Fence, StoreError, Tx
from airworthy.store.writer import ConnectionLost, GroupWriter, Job

T = TypeVar("T")

READERS_MAX = 4
READ_TRIES_MAX = 3  # Of a query whose connection is cut; an idle one is found cut only when it is used.


class ReadConnection(Tx, Protocol):
    def begin_read(self) -> None: ...
    def rollback(self) -> None: ...
    def close(self) -> None: ...


class GroupedDatabase:
    """Writes go to the writer, or to the one beside it; `reader` opens a connection that only reads."""

    def __init__(
        self, writer: GroupWriter, reader: Callable[[], ReadConnection], beside: GroupWriter | None = None
    ) -> None:
        """`beside`: for writes that need no turn of their own; left out, they take turns like all others."""
        self._writer = writer
        self._beside = beside if beside is not None else writer
        self._reader = reader
        self._readers: list[ReadConnection] = []
        self._readers_lock = threading.Lock()
        self._readers_free = threading.BoundedSemaphore(READERS_MAX)
        # By event loop, each touched only on its loop's thread; a loop that ends early delays no other.
        self._waiting: dict[tuple[asyncio.AbstractEventLoop, GroupWriter], list[Job]] = {}
        self._closed = False

    async def write(self, op: Callable[[Tx], T], *, fence: Fence | None = None, beside: bool = False) -> T:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        job = Job(op, fence, None)
        job.finished = _Reply(loop, future)
        writer = self._beside if beside else self._writer
        waiting = self._waiting.get((loop, writer))
        if waiting is not None:
            waiting.append(job)
        else:
            # Two turns of the loop: everybody woken by the last commit gets to join this one.
            self._waiting[loop, writer] = [job]
            loop.call_soon(lambda: loop.call_soon(self._flush, loop, writer))
        return await future

    def _flush(self, loop: asyncio.AbstractEventLoop, writer: GroupWriter) -> None:
        jobs = self._waiting.pop((loop, writer))
        try:
            writer.submit(jobs)
        except StoreError as error:  # A closed database: each caller is told, none is left waiting.
            for job in jobs:
                job.error = error
            _reply_all(jobs)

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
                if self._closed:
                    raise StoreError("The database is closed.", mend="Open it again before reading.")
                reader = self._readers.pop() if self._readers else None
            if reader is None:
                reader = self._reader()
            try:
                for left in reversed(range(READ_TRIES_MAX)):
                    try:
                        return _answered(reader, query)
                    except ConnectionLost:
                        if not left:
                            raise
            finally:
                self._put_back(reader)
        raise AssertionError("unreachable")

    def _put_back(self, reader: ReadConnection) -> None:
        with self._readers_lock:
            if self._closed:
                reader.close()
            else:
                self._readers.append(reader)

    def close(self) -> None:
        with self._readers_lock:
            if self._closed:
                return
            self._closed = True
            idle, self._readers = self._readers, []
        self._writer.close()
        if self._beside is not self._writer:
            self._beside.close()
        for reader in idle:
            reader.close()


def _answered(reader: ReadConnection, query: Callable[[Tx], T]) -> T:
    reader.begin_read()
    try:
        return query(reader)
    finally:
        reader.rollback()


def announce(batch: list[Job]) -> None:
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
