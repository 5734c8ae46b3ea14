"""An asyncio event loop whose time is virtual: tests of hours take milliseconds and never race a clock.

Rules, in the order the loop applies them when no callback is ready:

1. Answers from outside (threads, sockets) win over timers. The loop polls for real: for `grace_s` if anything
   outside could answer at all, for up to `patience_s` while work outside is known to be going on. Known is: a
   future of `run_in_executor` or `asyncio.to_thread`, a `with loop.real_work():` block, or a thread that is
   on the processor or waiting for the disk at this moment (so production code needs no hook for tests).
2. Otherwise time jumps to the next timer.
3. With no timer left, nothing can happen any more: `Deadlock`, after `stuck_s` of real waiting.
"""

import asyncio
import contextlib
import selectors
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

from airworthy.core.clock import US_PER_S

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

START_US = 1_764_000_000 * US_PER_S
SECONDS_MAX = 30 * 86_400.0
_POLL_S = 0.001
_SELF_PIPE = 1  # asyncio's own wake-up socket; anything beyond it is a real connection.
_SETTLE_TURNS = 20

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class VirtualTimeError(AssertionError):
    """The test, not the code under test, cannot go on."""


class Deadlock(VirtualTimeError):
    """Nothing is ready, no timer is set, and nobody outside answered."""


class TooLong(VirtualTimeError):
    """The test needs more virtual seconds than it said."""


class LeakedTasks(VirtualTimeError):
    """The test ended while tasks it started were still running."""


class Unhandled(VirtualTimeError):
    """An exception reached only the loop's handler: a task nobody awaited, or a callback."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` starts at 0 and moves only by jumps to the next timer."""

    def __init__(
        self,
        *,
        seconds_max: float = SECONDS_MAX,
        grace_s: float = 0.002,
        patience_s: float = 2.0,
        stuck_s: float = 5.0,
    ) -> None:
        self.seconds_max = seconds_max
        self.grace_s = grace_s
        self.patience_s = patience_s
        self.stuck_s = stuck_s
        self.outstanding = 0
        self.unhandled: list[dict[str, Any]] = []
        self._now_s = 0.0
        # Threads from before (of the test runner, or a tool of an earlier test that never returns) have nothing to tell
        # this loop; a store that a fixture opened has.
        self._bystanders = {
            thread for thread in threading.enumerate() if not thread.name.startswith("airworthy-")
        }
        super().__init__(_JumpingSelector(self))
        self.set_exception_handler(lambda _, context: self.unhandled.append(context))

    def time(self) -> float:
        return self._now_s

    def others(self) -> list[threading.Thread]:
        """Threads that may have something to tell this loop."""
        own = threading.current_thread()
        return [
            thread
            for thread in threading.enumerate()
            # Of what those of `to_thread` do, `outstanding` tells; afterwards they stay, with nothing to tell.
            if thread is not own and thread not in self._bystanders and not thread.name.startswith("asyncio_")
        ]

    @contextlib.contextmanager
    def real_work(self) -> Iterator[None]:
        """While inside, timers wait for outside answers (up to `patience_s` each time nothing is ready)."""
        self.outstanding += 1
        try:
            yield
        finally:
            self.outstanding -= 1

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        future: asyncio.Future[T] = super().run_in_executor(executor, func, *args)
        self.outstanding += 1
        future.add_done_callback(self._one_answered)
        return future

    def _one_answered(self, _: object) -> None:
        self.outstanding -= 1

    def jump(self, seconds: float) -> None:
        # Rounded to the loop's own resolution, so that 0.1 + 0.2 reads 0.3 and no timer is missed by a bit.
        self._now_s = round(self._now_s + seconds, 9)
        if self._now_s > self.seconds_max:
            raise TooLong(f"Passed {self.seconds_max} virtual seconds.\n{_tasks_text(self)}")


class _JumpingSelector(selectors.BaseSelector):
    """A real selector that answers a wait by moving the loop's time."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._real = selectors.DefaultSelector()

    def register(
        self, fileobj: "FileDescriptorLike", events: int, data: object = None
    ) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: "FileDescriptorLike") -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(
        self, fileobj: "FileDescriptorLike", events: int, data: object = None
    ) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Mapping["FileDescriptorLike", selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = self._real.select(0)
        if events or (timeout is not None and timeout <= 0):
            return events
        loop = self._loop
        events = self._listen(loop.grace_s, loop.patience_s)
        if events:
            return events
        if timeout is not None:
            loop.jump(timeout)
            return []
        events = self._listen(loop.stuck_s, loop.stuck_s)
        if events:
            return events
        raise Deadlock(f"Nothing is ready and no timer is set.\n{_tasks_text(loop)}")

    def _listen(self, quiet_s: float, busy_s: float) -> list[tuple[selectors.SelectorKey, int]]:
        """Real events, or none: after `quiet_s`; `busy_s` while somebody works; at once if nobody could."""
        started_s = time.monotonic()
        while True:
            if not (self._loop.outstanding or len(self._real.get_map()) > _SELF_PIPE or self._loop.others()):
                return []
            waited_s = time.monotonic() - started_s
            if waited_s >= quiet_s and (
                waited_s >= busy_s
                or not (self._loop.outstanding or any(map(_is_working, self._loop.others())))
            ):
                # A thread may have answered between the last poll and the look at its state.
                return self._real.select(0)
            events = self._real.select(_POLL_S)
            if events:
                return events


class LoopClock:
    """`core.clock.Clock` that follows a virtual loop; by default the running one. Any thread may read it."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None, start_us: int = START_US) -> None:
        self._loop = loop if loop is not None else asyncio.get_running_loop()
        self._start_us = start_us

    def now_us(self) -> int:
        return self._start_us + round(self._loop.time() * US_PER_S)


async def wait_external(work: Coroutine[Any, Any, T]) -> T:
    """Awaits `work`, which something outside the loop will answer, without letting timers overtake it."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualLoop):
        return await work
    with loop.real_work():
        return await work


def run_virtual(
    main: Coroutine[Any, Any, T], *, seconds_max: float = SECONDS_MAX, loop: VirtualLoop | None = None
) -> T:
    """Runs `main` on a loop of its own, then fails if it left tasks running or errors unheard."""
    loop = loop if loop is not None else VirtualLoop(seconds_max=seconds_max)
    loop.seconds_max = seconds_max
    try:
        asyncio.set_event_loop(loop)
        task = loop.create_task(main)
        try:
            result = loop.run_until_complete(task)
        except BaseException:
            loop.seconds_max = float("inf")
            with contextlib.suppress(Deadlock):
                _cancel_all(loop)
            raise
        loop.run_until_complete(_settle())
        leaked = _tasks_text(loop)
        with contextlib.suppress(Deadlock):
            _cancel_all(loop)
        if leaked:
            raise LeakedTasks(f"Still running at the end:\n{leaked}")
        if loop.unhandled:
            first = loop.unhandled[0]
            raise Unhandled(str(first.get("message"))) from first.get("exception")
        return result
    finally:
        asyncio.set_event_loop(None)
        loop.close()


async def _settle() -> None:
    # A task cancelled by the test's last line needs a few turns to end; it has not leaked.
    for _ in range(_SETTLE_TURNS):
        await asyncio.sleep(0)


def _cancel_all(loop: VirtualLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks, timeout=60))
    for task in tasks:
        if task.done() and not task.cancelled():
            task.exception()  # Read, so that it is not reported a second time.
    loop.run_until_complete(loop.shutdown_asyncgens())


def _tasks_text(loop: asyncio.AbstractEventLoop) -> str:
    lines = []
    for task in asyncio.all_tasks(loop):
        stack = task.get_stack(limit=1)
        where = f" at {stack[0].f_code.co_filename}:{stack[0].f_lineno}" if stack else ""
        lines.append(f"  {task.get_name()}: {getattr(task.get_coro(), '__qualname__', '?')}{where}")
    return "\n".join(sorted(lines))


def _is_working(thread: threading.Thread) -> bool:
    """On the processor or waiting for the disk, as the kernel sees it; False where it does not say."""
    try:
        stat = Path(f"/proc/self/task/{thread.native_id}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] in {"R", "D"}
