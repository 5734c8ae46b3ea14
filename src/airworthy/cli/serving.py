"""An HTTP server in the foreground: how it begins, what is said once it listens, and how it ends. Knows no routes."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from airworthy.cli import show

if TYPE_CHECKING:
    import socket

    from airworthy.gateway.server import Address, HttpServer


async def served(server: "HttpServer", listener: "socket.socket", announce: Callable[[], None]) -> None:
    """Until the server was told to stop and has; `announce` once it listens. However it ends, the server has ended."""
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await server.listening.wait()
        announce()
        await serving
    finally:
        server.hurry()
        await asyncio.gather(serving, return_exceptions=True)


def note_others(at: "Address") -> None:
    """Where more than this machine can reach a server that asks for keys."""
    if not at.loopback:
        show.note(
            f"Others can reach {at}, and keys travel as they are: put a server with TLS before it.",
            style="yellow",
        )
