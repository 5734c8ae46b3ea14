"""uvicorn, made to live inside another program and to drop a connection on request."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Generator
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from airworthy.core.asgi import Application

# Requests still being answered when the owner leaves are given this long, then cancelled.
SHUTDOWN_S_MAX = 1
BACKLOG = 2048


class DroppableProtocol(H11Protocol):
    """Offers the application `scope["extensions"]["airworthy.drop"]`, which ASGI itself has no word for.

    `drop` ends the connection; `write` puts bytes on it that HTTP does not expect there.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        inner = self.app

        def drop(*, flush: bool) -> None:
            """`flush` ends the connection after what was sent; without it the peer gets a reset."""
            if flush:
                transport.close()
                return
            raw: socket.socket = transport.get_extra_info("socket")
            # Linger of zero seconds makes the kernel send RST instead of an orderly FIN.
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            scope["extensions"] = {"airworthy.drop": {"drop": drop, "write": transport.write}}
            await inner(scope, receive, send)

        self.app = app


class EmbeddedServer(uvicorn.Server):
    """Says when it listens, stops at once when told to, and leaves the process's signal handlers alone."""

    def __init__(self, app: Application, on_started: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                interface="asgi3",
                http=DroppableProtocol,
                ws="none",
                lifespan="off",
                loop="asyncio",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                backlog=BACKLOG,
                timeout_graceful_shutdown=SHUTDOWN_S_MAX,
            )
        )
        self._on_started = on_started
        self.stopping = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._on_started()

    async def main_loop(self) -> None:
        await self.stopping.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield
