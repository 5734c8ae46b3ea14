"""The event loop of a trial: its time jumps over waits, and goes on as usual while somebody outside is at work."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final, TypeVar
from weakref import WeakSet

import airworthy
from airworthy.core.clock import US_PER_S
from airworthy.runtime.hasty import HastyLoop

T = TypeVar("T")

# Of asyncio itself: here somebody waits for another task of the loop, or for a timer.
_AMONG_THEMSELVES: Final = frozenset(
    str(Path(asyncio.__file__).parent / f"{name}.py")
    for name in ("tasks", "taskgroups", "locks", "queues", "timeouts", "runners")
)
_TASKS: Final = str(Path(asyncio.__file__).parent / "tasks.py")
_HOUSE: Final = Path(airworthy.__file__).parent
# A call that is in these rooms waits for what the stage knows of: stand-ins, timers, marked work.
_OURS: Final = tuple(
    str(_HOUSE / room)
    for room in ("runtime", "tools", "gateway", "resilience", "checks", "recorder", "preflight", "store")
)
_SELF_PIPE: Final = 1

agents_own: ContextVar[bool] = ContextVar("airworthy_agents_own", default=False)


class TrialLoop(HastyLoop):
    """One trial's, or one world's; made in the thread that runs it. At work outside are: threads of ours, what says so
    by `outside()`, and an agent that awaits something of its own. What waits for a timer, or for another task here, is
    not. What is computed here takes the time of its own thread, however many others the processor has to serve.
    """

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        self._last_s = 0.0
        self._outside = 0
        self._agents: WeakSet[asyncio.Task[Any]] = WeakSet()
        super().__init__(grace_s=0.0)
        self.busy = self._is_busy
        self.set_task_factory(_noted)  # type: ignore[arg-type]  # as its caller calls it

    def time(self) -> float:
        if threading.get_ident() == self._thread:
            self._last_s = time.thread_time() + self.jumped_s
        return self._last_s

    def waited(self, seconds: float) -> None:
        self.jumped_s += seconds

    @contextlib.contextmanager
    def outside(self) -> Iterator[None]:
        """While inside, time goes on as usual."""
        self._outside += 1
        try:
            yield
        finally:
            self._outside -= 1

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """For a thread of an agent: while its call of ours is under way it is not at work itself."""
        self._outside -= 1
        try:
            yield
        finally:
            self._outside += 1

    def note_agents(self, task: asyncio.Task[Any]) -> None:
        self._agents.add(task)

    def _is_busy(self) -> bool:
        if self._outside > 0:
            return True
        if not self._agents:
            return False
        connected = len(self.watched()) > _SELF_PIPE
        return any(_away(task, connected=connected) for task in self._agents if not task.done())


class LoopClock:
    """`core.clock.Clock` by the time of a loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, start_us: int) -> None:
        self._loop = loop
        self._start_us = start_us
        self._start_s = loop.time()

    def now_us(self) -> int:
        return self._start_us + round((self._loop.time() - self._start_s) * US_PER_S)


def outside_of(loop: asyncio.AbstractEventLoop) -> Callable[[], contextlib.AbstractContextManager[None]]:
    return loop.outside if isinstance(loop, TrialLoop) else contextlib.nullcontext


def _noted(
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T], **options: Any
) -> "asyncio.Task[T]":
    task: asyncio.Task[T] = asyncio.Task(work, loop=loop, **options)
    if agents_own.get() and isinstance(loop, TrialLoop) and not _is_ours(_code_file(work)):
        loop.note_agents(task)
    return task


def _away(task: "asyncio.Task[Any]", *, connected: bool) -> bool:
    """Whether an agent's task waits for what comes from outside of the loop. When unsure, it does."""
    waits_for = getattr(task, "_fut_waiter", None)
    if waits_for is None or isinstance(waits_for, asyncio.Task):
        return False
    frames = _frames(task)
    if any(_is_ours(file) for file, _ in frames):
        return False
    innermost, name = frames[-1] if frames else ("", "")
    if innermost == _TASKS and name == "sleep":
        return False
    children = getattr(waits_for, "_children", None)
    if children is not None and all(isinstance(each, asyncio.Task) for each in children):
        return False
    # Libraries wait in asyncio's own events for what their connections bring.
    return innermost not in _AMONG_THEMSELVES or connected


def _frames(task: "asyncio.Task[Any]") -> list[tuple[str, str]]:
    """File and name of what the task is in, from the agent's own function inwards."""
    frames: list[tuple[str, str]] = []
    work: Any = task.get_coro()
    while work is not None:
        file = _code_file(work)
        if file:
            frames.append((file, work.__name__))
        if file == __file__ and work.__name__ == AGENT_FRAME:
            frames = []
        work = getattr(work, "cr_await", None) or getattr(work, "gi_yieldfrom", None)
    return frames


async def agents_function(loop: asyncio.AbstractEventLoop, function: Callable[[Any], Any], run: Any) -> Any:
    """Calls an agent's function so that the loop knows it, and what it begins, from the house's own tasks."""
    task = asyncio.current_task()
    if isinstance(loop, TrialLoop) and task is not None:
        loop.note_agents(task)
    token = agents_own.set(True)
    try:
        return await function(run)
    finally:
        agents_own.reset(token)


AGENT_FRAME: Final = agents_function.__name__


def _code_file(work: Any) -> str:
    code = getattr(work, "cr_code", None) or getattr(work, "gi_code", None)
    return "" if code is None else str(code.co_filename)


def _is_ours(file: str) -> bool:
    return file.startswith(_OURS)
