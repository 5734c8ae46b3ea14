"""Ctrl-C and SIGTERM while something runs: once ends it in order, twice at once, a third time as a power cut would."""

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Protocol, TypeVar

from airworthy.cli.exits import Exit

T = TypeVar("T")
SWITCH_S = 0.0005
GARBAGE_AT = 20_000


class Part(Protocol):
    """What runs in the foreground and can be told to stop. Each says itself what that means for it."""

    async def run(self) -> None:
        """Until it was told to stop and what was under way has ended."""
        ...

    def stop(self) -> None:
        """Takes nothing new, and lets what is under way end."""
        ...

    def hurry(self) -> None:
        """Ends what is under way, too."""
        ...


class Interrupts:
    """Passes the person's wish on to all parts at once."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._asked = False
        self._hurried = False
        self._by_hand = False

    @property
    def exit(self) -> Exit:
        return Exit.INTERRUPTED if self._by_hand else Exit.OK

    def pressed(self) -> None:
        self._by_hand = True
        if self._hurried:
            os._exit(Exit.INTERRUPTED)
        if not self._asked:
            self.terminate()
            return
        self._hurried = True
        for part in self._parts:
            part.hurry()

    def terminate(self) -> None:
        if not self._asked:
            self._asked = True
            for part in self._parts:
                part.stop()

    @contextlib.contextmanager
    def caught(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        wanted: tuple[tuple[signal.Signals, Callable[[], None]], ...] = (
            (signal.SIGINT, self.pressed),
            (signal.SIGTERM, self.terminate),
        )
        try:
            for number, handler in wanted:
                loop.add_signal_handler(number, handler)
        except NotImplementedError:  # Windows: its loop takes no signals, Python itself does.
            for number, handler in wanted:
                signal.signal(number, lambda *_, act=handler: loop.call_soon_threadsafe(act))
            yield
            return
        try:
            yield
        finally:
            for number, _ in wanted:
                loop.remove_signal_handler(number)


async def ran(parts: Sequence[Part]) -> Exit:
    """Returns when all parts have stopped. Should one fail, the others end in order, and its error is raised."""
    interrupts = Interrupts(parts)
    with interrupts.caught():
        running = [asyncio.create_task(part.run()) for part in parts]
        try:
            await asyncio.wait(running, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            if not all(each.done() for each in running):
                interrupts.terminate()
            ends = await asyncio.gather(*running, return_exceptions=True)
    for end in ends:
        if isinstance(end, BaseException):
            raise end
    return interrupts.exit


def run_fast(main: Coroutine[object, object, T]) -> T:
    """On uvloop, for what serves many sockets. Windows has none; asyncio's own loop does it too."""
    # The store's writer takes turns with this loop: short ones, so that neither waits 5 ms for the other.
    sys.setswitchinterval(SWITCH_S)
    # What is loaded by now stays: to look through it again and again costs a twentieth of the time.
    gc.freeze()
    gc.set_threshold(GARBAGE_AT)
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)
