"""Whether the caller is still there and still reads: ends what is done for somebody who left. Knows no protocol."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from airworthy.gateway.server.reading import Receive

TICK_S: Final = 5.0


class Presence:
    """While inside, the task it was entered in is cancelled, once, when the caller hangs up or reads no more."""

    __slots__ = ("_over", "_task", "_watching", "left")

    def __init__(self, receive: Receive) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._watching = asyncio.create_task(_until_left(receive))
        self._over = False
        self.left = False

    def __enter__(self) -> Self:
        self._watching.add_done_callback(self._told)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True
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


class Outflow:
    """All streams that are being sent; cuts those whose reader has taken nothing for `seconds_max`.

    Time is counted in ticks, because looking at the clock for each event would cost more than the event.
    """

    def __init__(self, seconds_max: float) -> None:
        self._ticks_max = max(1, round(seconds_max / TICK_S))
        self._streams: set[Stream] = set()
        self.tick = 1

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
            for stream in list(self._streams):
                if stream.since and self.tick - stream.since > self._ticks_max:
                    stream.cut()


class Stream:
    """One stream; `since` is the tick at which the piece on its way was handed out, 0 while there is none."""

    __slots__ = ("_outflow", "cut", "since")

    def __init__(self, outflow: Outflow, cut: Callable[[], None]) -> None:
        self._outflow = outflow
        self.cut = cut
        self.since = 0

    def sending(self) -> None:
        self.since = self._outflow.tick

    def sent(self) -> None:
        self.since = 0

    def closed(self) -> None:
        self._outflow.forget(self)


async def _until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
