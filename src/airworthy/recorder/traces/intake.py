"""The way in for other programs' traces: bounded, many requests to a commit, answered once that is done."""

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final

from airworthy.core.clock import Clock
from airworthy.core.errors import AirworthyError
from airworthy.recorder.traces import write
from airworthy.recorder.traces.gather import Batch
from airworthy.recorder.traces.write import Written
from airworthy.store import Database, StoreError, Tx

COMMIT_SPANS_MAX: Final = (
    2_048  # What waits shares a commit up to here, so that nobody's answer takes too long.
)
COMMITS_MAX: Final = (
    2  # One is written while the next one waits at the writer; more would wait there, not here.
)
HELD_BYTES_MIN: Final = 4_096  # What a request costs at least while it waits.
TELL_S: Final = 1.0
RETRY_S: Final = 1


@dataclass(frozen=True, slots=True)
class IntakeBounds:
    """What may wait to be stored at one moment. A single larger request is still taken when nothing else waits."""

    spans_max: int = 20_000
    bytes_max: int = 64 * 1024 * 1024


class IntakeFull(AirworthyError):
    """More waits to be stored than may; to be sent again in a moment."""

    code: ClassVar[str] = "intake_full"


class Held:
    """Room taken by one request, from its first byte to its answer."""

    __slots__ = ("_intake", "bytes")

    def __init__(self, intake: "Intake", bytes_: int) -> None:
        self._intake = intake
        self.bytes = bytes_

    def grow(self, bytes_: int) -> None:
        """To so many bytes in all. Raises: IntakeFull."""
        more = bytes_ - self.bytes
        if more > 0:
            self._intake.check(more, self.bytes)
            self._intake.bytes_held += more
            self.bytes = bytes_


class Intake:
    """One per process and database. All is called on one event loop."""

    def __init__(self, database: Database, clock: Clock, bounds: IntakeBounds | None = None) -> None:
        self._database = database
        self._clock = clock
        self._bounds = bounds if bounds is not None else IntakeBounds()
        self._waiting: deque[tuple[Batch, asyncio.Future[Written]]] = deque()
        self._commits: set[asyncio.Task[None]] = set()
        self._telling: asyncio.Task[None] | None = None
        self._untold: Counter[str] = Counter()
        self.spans_held = 0
        self.bytes_held = 0

    @contextlib.contextmanager
    def held(self, bytes_: int = 0) -> Iterator[Held]:
        """Room for a request of so many bytes, as far as is known. Raises: IntakeFull."""
        bytes_ = max(bytes_, HELD_BYTES_MIN)
        self.check(bytes_, 0)
        self.bytes_held += bytes_
        room = Held(self, bytes_)
        try:
            yield room
        finally:
            self.bytes_held -= room.bytes

    def check(self, more: int, own: int) -> None:
        """Raises: IntakeFull for `more` bytes beside those of others; a request has `own` already."""
        others = self.bytes_held - own
        if others and self.bytes_held + more > self._bounds.bytes_max:
            raise self._full(f"{self.bytes_held} bytes")

    async def offer(self, batch: Batch) -> Written:
        """Returns once it is stored. Whoever goes away meanwhile has it stored all the same.

        Raises: IntakeFull; StoreError when nothing of it is stored.
        """
        count = batch.spans
        if self.spans_held and self.spans_held + count > self._bounds.spans_max:
            raise self._full(f"{self.spans_held} spans")
        future: asyncio.Future[Written] = asyncio.get_running_loop().create_future()
        self._waiting.append((batch, future))
        self.spans_held += count
        if len(self._commits) < COMMITS_MAX:
            task = asyncio.create_task(self._commit())
            self._commits.add(task)
            task.add_done_callback(self._commits.discard)
        return await future

    def note(self, what: str, count: int = 1) -> None:
        """Something became of what was sent, and nothing was stored with which it could be counted."""
        self._untold[what] += count
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell_later())

    async def settle(self) -> None:
        """Waits for what is under way, and tells what was noted; before the end. Raises: StoreError."""
        while self._commits:
            await asyncio.gather(*self._commits)
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.gather(self._telling, return_exceptions=True)
        await self._tell()

    async def _commit(self) -> None:
        """Stores what waits until nothing does; one transaction each time, shared by all that fits."""
        while self._waiting:
            taken: list[tuple[Batch, asyncio.Future[Written]]] = []
            count = 0
            while self._waiting and (not taken or count + self._waiting[0][0].spans <= COMMIT_SPANS_MAX):
                taken.append(self._waiting.popleft())
                count += taken[-1][0].spans
            try:
                await self._store(taken)
            finally:
                self.spans_held -= count

    async def _store(self, taken: list[tuple[Batch, asyncio.Future[Written]]]) -> None:
        batches = [batch for batch, _ in taken]
        try:
            done = await self._database.write(lambda tx: write.write(tx, batches))
        except StoreError as error:
            for _, future in taken:
                _fail(future, error)
        except Exception as error:  # noqa: BLE001  # One batch that cannot be written must not take the others along.
            if len(taken) == 1:
                _fail(taken[0][1], error)
                return
            for each in taken:
                await self._store([each])
        else:
            for (_, future), written in zip(taken, done, strict=True):
                if not future.done():
                    future.set_result(written)

    async def _tell_later(self) -> None:
        while self._untold:
            await asyncio.sleep(TELL_S)
            with contextlib.suppress(StoreError):  # A store that is full now may take it the next time.
                await self._tell()

    async def _tell(self) -> None:
        told, now_us = dict(self._untold), self._clock.now_us()
        if not told:
            return

        def op(tx: Tx) -> None:
            write.tell(tx, now_us, told)

        await self._database.write(op)
        self._untold.subtract(told)
        self._untold += Counter()  # Drops what is zero.

    def _full(self, what: str) -> IntakeFull:
        return IntakeFull(
            f"{what} wait to be stored already.",
            mend="Send it again in a moment; if it stays so, send less or sample, or raise [intake] in recorder.toml.",
        )


def _fail(future: "asyncio.Future[Written]", error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
