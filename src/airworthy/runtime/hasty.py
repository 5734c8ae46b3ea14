"""An event loop that does not wait: when nothing is left to do, its time jumps to the next timer.

A replay asks nobody anything, so whatever its agent waits for in the meantime (a pause, its own patience with a call)
is over at once, and in the order in which it would have been over.
"""

import asyncio
import contextlib
import selectors
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

GRACE_S = 0.002  # In which a thread that nobody told the loop of may still answer.

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class HastyLoop(asyncio.SelectorEventLoop):
    """`busy`: asked before each jump whether work outside the loop is under way, for which time goes on as usual.

    `grace_s`: what is waited before each jump all the same, for those of whom nobody knows.
    """

    def __init__(self, grace_s: float = GRACE_S) -> None:
        self.grace_s = grace_s
        self.jumped_s = 0.0
        self.busy: Callable[[], bool] = lambda: False
        self._in_threads = 0
        self._hasty = _Hasty(self)
        super().__init__(self._hasty)
        # Of an agent's tasks that it does not wait for, nobody wants to hear how they were ended.
        self.set_exception_handler(lambda _loop, _about: None)

    def time(self) -> float:
        return super().time() + self.jumped_s

    def watched(self) -> Mapping["FileDescriptorLike", selectors.SelectorKey]:
        """What may wake it from outside, its own pipe included."""
        return self._hasty.get_map()

    def waited(self, seconds: float) -> None:
        """It has waited for real."""

    @property
    def waits(self) -> bool:
        return self._in_threads > 0 or self.busy()

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        future: asyncio.Future[T] = super().run_in_executor(executor, func, *args)
        self._in_threads += 1
        future.add_done_callback(self._one_answered)
        return future

    def _one_answered(self, _: object) -> None:
        self._in_threads -= 1


class _Hasty(selectors.BaseSelector):
    """A real selector that answers a wait by moving the loop's time."""

    def __init__(self, loop: HastyLoop) -> None:
        self._loop = loop
        self._real = selectors.DefaultSelector()

    def register(self, fileobj: "FileDescriptorLike", events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: "FileDescriptorLike") -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def get_map(self) -> Mapping["FileDescriptorLike", selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            return self._real.select(timeout)
        if timeout is None or self._loop.waits:
            began_s = time.monotonic()
            found = self._real.select(timeout)
            self._loop.waited(time.monotonic() - began_s)
            return found
        found = self._real.select(min(timeout, self._loop.grace_s))
        if not found:
            self._loop.jumped_s += timeout
        return found


@contextlib.contextmanager
def busy_while(busy: Callable[[], bool]) -> Iterator[None]:
    """On a loop of another kind: nothing."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, HastyLoop):
        yield
        return
    loop.busy = busy
    try:
        yield
    finally:
        loop.busy = lambda: False
