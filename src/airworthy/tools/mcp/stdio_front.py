"""A client on this process's stdin and stdout: one session, from the first message to the end of stdin."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from airworthy.tools.mcp.session import Session
from airworthy.tools.mcp.wire import Garbage, Lines, Message, dump, error, kind, parse

READ_BYTES: Final = 64 * 1024
TASKS_MAX: Final = 512  # Requests that are being answered, those included that are just being turned away.


class Writer(Protocol):
    """What is needed of `asyncio.StreamWriter`."""

    def write(self, data: bytes) -> None: ...
    async def drain(self) -> None: ...


class ClientGone(Exception):
    """Nobody reads stdout any more."""


class Stdout:
    """Implements `Channel`. Whoever sends waits until the client takes it."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._turn = asyncio.Lock()
        self.gone = asyncio.Event()

    async def send(self, message: Message) -> None:
        if self.gone.is_set():
            return  # Its task goes on to its end, which is near.
        async with self._turn:
            try:
                self._writer.write(dump(message) + b"\n")
                await self._writer.drain()
            except OSError:
                self.gone.set()


class StdioFront:
    """Reads until stdin ends, stdout breaks or `stop` is called; requests are answered side by side."""

    def __init__(
        self, session: Session, reader: asyncio.StreamReader, stdout: Stdout, tell: Callable[[str], None]
    ) -> None:
        self._session = session
        self._reader = reader
        self._stdout = stdout
        self._tell = tell
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        self._stopping.set()

    async def run(self) -> None:
        """Requests under way when stdin ends are given up, but for acts, which the session's task awaits."""
        ends = [
            asyncio.create_task(self._read()),
            asyncio.create_task(self._stdout.gone.wait()),
            asyncio.create_task(self._stopping.wait()),
        ]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if ends[0].done():
                ends[0].result()
        finally:
            for each in ends:
                each.cancel()
            self._session.leave(self._stdout)
            await asyncio.gather(*ends, *self._tasks, return_exceptions=True)

    async def _read(self) -> None:
        lines = Lines()
        while data := await self._reader.read(READ_BYTES):
            for line in lines.feed(data):
                message = line if isinstance(line, Garbage) else parse(line)
                if isinstance(message, Garbage):
                    await self._stdout.send(error(None, message.code, message.why))
                elif kind(message) == "request":
                    await self._room()
                    task = asyncio.create_task(self._answer(message))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
                else:
                    await self._session.take(message, self._stdout)

    async def _room(self) -> None:
        while len(self._tasks) >= TASKS_MAX:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    async def _answer(self, message: Message) -> None:
        answer = await self._session.take(message, self._stdout)
        if answer is not None:
            await self._stdout.send(answer)
