"""One writer thread with group commit: whatever waits when a commit begins shares that commit."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from airworthy.store.database import Fence, StaleFence, StoreError, Tx

BATCH_MAX = 512
FENCE_SQL = "SELECT epoch FROM claims WHERE name = ?"
TRIES_MAX = 5  # Of a batch whose transaction the engine gave up: a connection cut, a deadlock.


class ConnectionLost(StoreError):
    """The engine gave the transaction up and nothing of it is stored; `begin` opens what is needed to try again."""

    code = "store_lost"


class WriteConnection(Tx, Protocol):
    apart: bool
    """Whether the ops it is given may run beside one another, but for those of one fence."""

    def begin(self, fences: Sequence[str] = ()) -> None:
        """`fences`: names whose epochs will be asked for; an engine that is far away reads them at once."""
        ...

    def epoch(self, name: str) -> int | None:
        """Of the newest claim on `name`, as this transaction sees it."""
        ...

    def flush(self) -> None:
        """Hands over what `put` kept back. Raises: StoreError of the first statement that failed."""
        ...

    def commit(self) -> None: ...
    def rollback(self) -> None: ...
    def savepoint(self) -> None: ...
    def release(self) -> None: ...
    def rollback_to(self) -> None: ...
    @property
    def in_transaction(self) -> bool: ...
    def close(self) -> None: ...


class Job:
    """A write that waits. `outcome` is set before `finished` is called, from the writer's thread."""

    __slots__ = ("error", "fence", "finished", "op", "result")

    def __init__(
        self, op: Callable[[Tx], Any], fence: Fence | None, finished: Callable[["Job"], None] | None
    ) -> None:
        self.op = op
        self.fence = fence
        self.finished = finished
        self.result: Any = None
        self.error: BaseException | None = None


class GroupWriter:
    """Owns one connection that writes, and the thread on which it does."""

    def __init__(
        self,
        connection: WriteConnection,
        announce: Callable[[list[Job]], None],
        name: str = "airworthy-writer",
    ) -> None:
        """`announce` is called on the writer's thread with every finished batch."""
        self._connection = connection
        self._announce = announce
        self._jobs: deque[Job] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, jobs: list[Job]) -> None:
        if threading.current_thread() is self._thread:
            raise nested()
        with self._wake:
            if self._closing:
                raise StoreError("The database is closed.", mend="Open it again before writing.")
            self._jobs.extend(jobs)
            self._wake.notify()

    def close(self) -> None:
        with self._wake:
            self._closing = True
            self._wake.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._jobs and not self._closing:
                    self._wake.wait()
                if not self._jobs:
                    break
                batch = [self._jobs.popleft() for _ in range(min(len(self._jobs), BATCH_MAX))]
            run_batch(self._connection, batch)
            self._announce(batch)
        self._connection.close()


def run_batch(connection: WriteConnection, batch: list[Job]) -> None:
    """Fills every job's result or error; all results are committed when this returns."""
    for left in reversed(range(TRIES_MAX)):
        try:
            _run_once(connection, batch)
            return
        except BaseException as error:  # noqa: BLE001  # The engine itself failed: nothing of this batch is stored.
            for job in batch:
                job.result, job.error = None, error
            try:
                connection.rollback()
            except StoreError:
                pass  # The first error tells the story; a rollback on a broken disk adds nothing.
            if not (left and isinstance(error, ConnectionLost)):
                return


def _run_once(connection: WriteConnection, batch: list[Job]) -> None:
    names = list({job.fence.name for job in batch if job.fence is not None})
    connection.begin(names)
    try:
        failed = _run_all(connection, batch)
        connection.flush()
    except ConnectionLost:
        raise  # No op is to blame, so there is nothing to tell apart.
    except BaseException:  # noqa: BLE001
        # One op failed somewhere in its statements: undo all, then let each stand alone.
        connection.rollback()
        connection.begin(names)
        failed = _run_each(connection, batch)
    if len(failed) == len(batch):
        connection.rollback()
    else:
        connection.commit()


def _run_all(connection: WriteConnection, batch: list[Job]) -> list[Job]:
    def one_by_one(jobs: Sequence[Job]) -> None:
        for job in jobs:
            job.result, job.error = None, _stale(connection, job.fence)
            if job.error is None:
                job.result = job.op(connection)

    if connection.apart:
        of_fence: dict[Fence | None, list[Job]] = {}
        for job in batch:
            of_fence.setdefault(job.fence, []).append(job)
        connection.each(one_by_one, list(of_fence.values()))
    else:
        one_by_one(batch)
    return [job for job in batch if job.error is not None]


def _run_each(connection: WriteConnection, batch: list[Job]) -> list[Job]:
    failed = []
    for job in batch:
        connection.savepoint()
        job.result, job.error = None, _stale(connection, job.fence)
        if job.error is None:
            try:
                job.result = job.op(connection)
                connection.flush()
            except BaseException as error:  # Belongs to the caller who wrote the op; carried to it whole.
                if isinstance(error, ConnectionLost) or (
                    isinstance(error, StoreError) and not connection.in_transaction
                ):
                    raise  # The engine gave the whole transaction up, the neighbours' writes with it.
                job.error = _carried(error)
        if job.error is None:
            connection.release()
        else:
            job.result = None
            failed.append(job)
            connection.rollback_to()
    return failed


def nested() -> StoreError:
    return StoreError(
        "A write was begun inside another write's operation.",
        mend="Do both in one operation, or one after another.",
    )


def _carried(error: BaseException) -> BaseException:
    # No future takes a StopIteration, so its caller, and everybody after it, would wait for ever.
    return RuntimeError("the write raised StopIteration") if isinstance(error, StopIteration) else error


def _stale(connection: WriteConnection, fence: Fence | None) -> StaleFence | None:
    if fence is None:
        return None
    epoch = connection.epoch(fence.name)
    if epoch == fence.epoch:
        return None
    newest = "none" if epoch is None else epoch
    return StaleFence(
        f"The claim on {fence.name} at epoch {fence.epoch} is over (newest epoch: {newest}).",
        mend="Nothing to do: another worker has taken this over and will finish it.",
    )
