"""An end to every call: what does not stop when told is left behind and reported, not awaited for ever."""

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar, Generic, Literal, TypeVar, cast

from airworthy.core.errors import AirworthyError
from airworthy.core.halt import Halt
from airworthy.resilience.again import Decision, Yes

T = TypeVar("T")
GRACE_S = 1.0  # Enough to roll a transaction back, short enough not to double a usual timeout.


class TimedOut(AirworthyError):
    """The work took longer than allowed. `abandoned`: it is still running, and may still act."""

    code: ClassVar[str] = "timed_out"

    def __init__(self, name: str, timeout_s: float, *, abandoned: bool) -> None:
        state = "it did not stop and was abandoned" if abandoned else "it has ended"
        super().__init__(
            f"{name} took longer than {timeout_s:g} s; {state}.",
            mend="Raise the timeout, or make the work shorter.",
        )
        self.timeout_s = timeout_s
        self.abandoned = abandoned

    def again(self) -> Decision:
        return Yes()


class WorkCrashed(AirworthyError):
    """The work raised something that would have ended the loop or the thread, such as SystemExit."""

    code: ClassVar[str] = "work_crashed"

    def __init__(self, name: str, original: BaseException) -> None:
        super().__init__(
            f"{name} raised {type(original).__name__}: {original}",
            mend="Make it raise an ordinary exception, or return a value that says what is wrong.",
        )
        self.original = original


@dataclass(frozen=True, slots=True)
class Abandoned:
    """Work that ignored its end. It holds its resources until it ends by itself."""

    name: str
    kind: Literal["task", "thread"]
    timeout_s: float
    waited_s: float  # how long it was given to stop after the timeout


@dataclass(frozen=True, slots=True)
class Ended(Generic[T]):
    """What became of work: a value, or an error."""

    value: T | None = None
    error: BaseException | None = None

    def unwrap(self) -> T:
        if self.error is not None:
            raise self.error
        return cast("T", self.value)  # Without an error the value is the work's own, which may be None.


OnAbandoned = Callable[[Abandoned], None]
OnLate = Callable[[Ended[T]], None]

# The loop itself holds tasks weakly; one nobody waits for any more would vanish in the middle of its work.
_left_behind: set[asyncio.Task[object]] = set()


async def bounded(
    call: Callable[[], Awaitable[T]],
    timeout_s: float | None,
    *,
    name: str = "the work",
    grace_s: float = GRACE_S,
    on_abandoned: OnAbandoned | None = None,
    late: OnLate[T] | None = None,
) -> T:
    """Awaits `call()` in a task of its own for at most `timeout_s`, then cancels it and waits `grace_s`.

    `late` gets what the work came to after its time, so that finished work is never lost; it is not called
    for work that simply stopped. The callbacks must not raise. A Halt passes through.

    Raises: TimedOut, WorkCrashed, the work's own errors.
    """
    task = asyncio.get_running_loop().create_task(_contained(call, name))
    try:
        await asyncio.wait({task}, timeout=timeout_s)
        if task.done():
            return _ended(task, name).unwrap()
        abandoned = not await _stop(task, grace_s)
    except asyncio.CancelledError:
        # Ours is the cancellation (the work's own never gets here), so the work must end with us.
        try:
            if not task.done():
                await _stop(task, grace_s)
        finally:
            _let_go(task, Abandoned(name, "task", timeout_s or 0.0, grace_s), on_abandoned, late)
        raise
    _let_go(task, Abandoned(name, "task", timeout_s or 0.0, grace_s), on_abandoned, late)
    raise TimedOut(name, timeout_s or 0.0, abandoned=abandoned)


async def bounded_in_thread(
    call: Callable[[], T],
    timeout_s: float | None,
    *,
    name: str = "the work",
    on_abandoned: OnAbandoned | None = None,
    late: OnLate[T] | None = None,
) -> T:
    """Runs plain `call()` in a daemon thread of its own; no thread can be stopped: a timeout abandons it.

    Not in the default pool: its threads are few, and the interpreter waits for them before it exits.
    The context variables of the caller are visible to the work.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Ended[T]] = loop.create_future()
    context = contextvars.copy_context()

    def deliver(ended: Ended[T]) -> None:
        if not answer.done():
            answer.set_result(ended)
        elif late is not None:
            late(ended)

    def work() -> None:
        ended: Ended[T]
        try:
            ended = Ended(context.run(call))
        except BaseException as error:  # noqa: BLE001  # a thread's last line of defence
            ended = Ended(error=_ordinary(error, name))
        with contextlib.suppress(RuntimeError):  # The loop is closed: nobody is left to tell.
            loop.call_soon_threadsafe(deliver, ended)

    # A loop whose time may jump has to know of work that it cannot see.
    outside: Callable[[], AbstractContextManager[None]] = getattr(loop, "outside", contextlib.nullcontext)
    threading.Thread(target=work, name=f"airworthy: {name}", daemon=True).start()
    try:
        with outside():
            await asyncio.wait({answer}, timeout=timeout_s)
        if answer.done():
            return answer.result().unwrap()
    except asyncio.CancelledError:
        # Ours, for the work's own arrives as a WorkCrashed. What it came to must not be lost with us.
        if answer.done() and late is not None:
            late(answer.result())
        raise
    finally:
        if not answer.done():
            answer.cancel()
            if on_abandoned is not None:
                on_abandoned(Abandoned(name, "thread", timeout_s or 0.0, 0.0))
    raise TimedOut(name, timeout_s or 0.0, abandoned=True)


async def _contained(call: Callable[[], Awaitable[T]], name: str) -> Ended[T]:
    """Returns what happened instead of raising it: a SystemExit raised in a task would stop the loop."""
    try:
        return Ended(await call())
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001  # the point of this function
        return Ended(error=_ordinary(error, name))


def _ordinary(error: BaseException, name: str) -> BaseException:
    # Python itself forbids StopIteration to leave a coroutine.
    if isinstance(error, StopIteration | StopAsyncIteration) or not isinstance(error, Exception | Halt):
        crashed = WorkCrashed(name, error)
        crashed.__cause__ = error
        return crashed
    return error


def _ended(task: asyncio.Task[Ended[T]], name: str) -> Ended[T]:
    if task.cancelled():
        return Ended(error=WorkCrashed(name, asyncio.CancelledError("raised without being cancelled")))
    return task.result()


async def _stop(task: asyncio.Task[Ended[T]], grace_s: float) -> bool:
    task.cancel()
    await asyncio.wait({task}, timeout=grace_s)
    return task.done()


def _let_go(
    task: asyncio.Task[Ended[T]], record: Abandoned, on_abandoned: OnAbandoned | None, late: OnLate[T] | None
) -> None:
    def report(ended: asyncio.Task[Ended[T]]) -> None:
        _left_behind.discard(ended)
        if late is not None and not ended.cancelled():
            late(ended.result())

    if task.done():
        report(task)
        return
    _left_behind.add(task)
    task.add_done_callback(report)
    if on_abandoned is not None:
        on_abandoned(record)
