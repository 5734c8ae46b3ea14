"""Whether the caller is still there and still reads: ends what is done for somebody who left. Knows no protocol."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from airworthy.core.asgi import Receive

TICK_S: Final = 5.0
# A task for each call that waits for a message costs more than all else that is done for a caller who stays.
HANG_UP: Final = "airworthy.hang_up"
Watch = Callable[[Callable[[], None] | None], None]


class Presence:
    """While inside, the task it was entered in is cancelled, once, when the caller hangs up or reads no more."""

    __slots__ = ("_over", "_task", "_watch", "_watching", "left")

    def __init__(self, receive: Receive, watch: Watch | None = None) -> None:
        """`watch`: how our own server tells; without it a task asks for the message that ASGI has for this."""
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._watch = watch
        self._watching = asyncio.create_task(_until_left(receive)) if watch is None else None
        self._over = False
        self.left = False

    def __enter__(self) -> Self:
        if self._watch is not None:
            self._watch(self.leave)
        elif self._watching is not None:
            self._watching.add_done_callback(self._told)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True
        if self._watch is not None:
            self._watch(None)
        elif kind is not None and self._watching is not None:
            # Else the answer is out, and the server says so to whoever still listens.
            self._watching.cancel()
        if self.left:
            self._task.uncancel()

    def over(self) -> None:
        """All that is left is to send: from here on a server that says the caller is gone means its answer is out."""
        self._over = True

    def leave(self) -> None:
        """Never cancels twice: the second would interrupt what the first made the task clear away."""
        if not self._over:
            self._over = self.left = True
            self._task.cancel()

    def _told(self, watching: "asyncio.Task[None]") -> None:
        if not watching.cancelled():
            self.leave()


class Patience:
    """Ends what strangers keep waiting: requests that do not arrive, and answers that nobody takes.

    Time is counted in ticks, because a timer or a look at the clock for each event would cost more than the event.
    """

    def __init__(self, arrive_s_max: float, take_s_max: float) -> None:
        self._arrive_ticks = max(1, round(arrive_s_max / TICK_S))
        self._take_ticks = max(1, round(take_s_max / TICK_S))
        self._arriving: dict[asyncio.Task[object], int] = {}
        self._late: set[asyncio.Task[object]] = set()
        self._streams: set[Stream] = set()
        self.tick = 1

    def arriving(self) -> "asyncio.Task[object]":
        """The running task waits for a request; it is cancelled when that takes too long. End it with `arrived`."""
        task = asyncio.current_task()
        assert task is not None
        self._arriving[task] = self.tick
        return task

    def arrived(self, task: "asyncio.Task[object]") -> bool:
        """Whether it was cancelled for being late."""
        self._arriving.pop(task, None)
        if task in self._late:
            self._late.discard(task)
            task.uncancel()
            return True
        return False

    def opened(self, cut: Callable[[], None]) -> "Stream":
        """`cut` ends the connection and the task that sends on it."""
        stream = Stream(self, cut)
        self._streams.add(stream)
        return stream

    def forget(self, stream: "Stream") -> None:
        self._streams.discard(stream)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self.tick += 1
            for task, since in list(self._arriving.items()):
                if self.tick - since > self._arrive_ticks and task not in self._late:
                    self._late.add(task)
                    task.cancel()
            for stream in list(self._streams):
                if stream.since and self.tick - stream.since > self._take_ticks:
                    stream.cut()


class Stream:
    """One stream; `since` is the tick at which the piece on its way was handed out, 0 while there is none."""

    __slots__ = ("_patience", "cut", "since")

    def __init__(self, patience: Patience, cut: Callable[[], None]) -> None:
        self._patience = patience
        self.cut = cut
        self.since = 0

    def sending(self) -> None:
        self.since = self._patience.tick

    def sent(self) -> None:
        self.since = 0

    def closed(self) -> None:
        self._patience.forget(self)


async def _until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
