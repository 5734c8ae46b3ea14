"""uvicorn, made to stop in two steps and to bound what comes before a request is one."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Generator
from typing import Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from airworthy.core.asgi import Application
from airworthy.gateway.server.presence import HANG_UP

# Longer than the clients keep an idle connection, so that none picks one that is just being closed.
KEEP_ALIVE_S: Final = 120
HEAD_BYTES_MAX: Final = 64 * 1024
HEAD_S_MAX: Final = 30.0
CLEARING_S_MAX: Final = 5.0
CLOSING_S_MAX: Final = 1.0
CLOSING_POLL_S: Final = 0.01


class GuardedProtocol(HttpToolsProtocol):
    """Bounds size and time of a request's head, and lets the application cut the connection."""

    _waiting: asyncio.TimerHandle | None = None
    _head = 0
    _in_head = True
    _on_left: Callable[[], None] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._waiting = self.loop.call_later(HEAD_S_MAX, transport.abort)
        self._extensions: dict[str, dict[object, object]] = {
            "airworthy.abort": {"abort": transport.abort},
            HANG_UP: {"watch": self._watch},
        }

    def connection_lost(self, exc: Exception | None) -> None:
        self._arrived()
        if self._on_left is not None:
            self._on_left()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head:
            self._head += len(data)
            if self._head > HEAD_BYTES_MAX:
                self.transport.abort()
            elif self._waiting is None:
                self._waiting = self.loop.call_later(HEAD_S_MAX, self.transport.abort)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._head = 0
        self.scope["extensions"] = self._extensions

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._arrived()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._head = 0

    def _watch(self, left: Callable[[], None] | None) -> None:
        """To be called when the caller hangs up; None: nobody asks any more."""
        self._on_left = left

    def _arrived(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


class HttpServer(uvicorn.Server):
    """Serves an ASGI application until told to stop, and leaves the process's signal handlers to whoever started it."""

    def __init__(self, app: Application, drain_s: float) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                interface="asgi3",
                http=GuardedProtocol,
                ws="none",
                lifespan="off",
                loop="none",
                log_config=None,
                # It logs what strangers send it, traceback and all; what concerns the operator, the application tells.
                log_level="critical",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                timeout_keep_alive=KEEP_ALIVE_S,
            )
        )
        self._drain_s = drain_s
        self.listening = asyncio.Event()
        self._stopping = asyncio.Event()
        self._hurried = asyncio.Event()

    def stop(self) -> None:
        """Takes no new connection and lets what is under way end, for as long as `drain_s`."""
        self._stopping.set()

    def hurry(self) -> None:
        """Does not wait any longer."""
        self._stopping.set()
        self._hurried.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.listening.set()

    async def main_loop(self) -> None:
        await self._stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002
        """In place of uvicorn's, which polls, and does not wait for the tasks it cancels."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await self._drained()
        left = set(self.server_state.tasks)
        for task in left:
            task.cancel()
        if left:
            # What is cancelled still stops its provider and settles its bill.
            await asyncio.wait(left, timeout=CLEARING_S_MAX)
        await self._closed()

    async def _drained(self) -> None:
        """Until nothing is under way, the time is up, or somebody is in a hurry."""
        hurried = asyncio.create_task(self._hurried.wait())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._drain_s):
                # Again and again, since a connection taken at the last moment may still bring a request.
                while self.server_state.tasks and not hurried.done():
                    ended = asyncio.create_task(asyncio.wait(set(self.server_state.tasks)))
                    try:
                        await asyncio.wait({ended, hurried}, return_when=asyncio.FIRST_COMPLETED)
                    finally:
                        ended.cancel()
        hurried.cancel()

    async def _closed(self) -> None:
        """What was written last still goes out, if its reader takes it."""
        connections = self.server_state.connections
        for poll in range(round(CLOSING_S_MAX / CLOSING_POLL_S)):
            for connection in list(connections):
                connection.transport.close()
            if poll and not connections:
                return
            await asyncio.sleep(CLOSING_POLL_S)
        for connection in list(connections):
            connection.transport.abort()
        await asyncio.sleep(CLOSING_POLL_S)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield
