"""Any ASGI application on a loopback port for as long as a block runs; knows nothing of what it serves."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING

from airworthy.core.errors import AirworthyError

if TYPE_CHECKING:
    from airworthy.core.asgi import Application

HOST = "127.0.0.1"
START_S_MAX = 10.0
STOP_S_MAX = 10.0


class PortInUse(AirworthyError):
    """The port that was asked for cannot be listened on."""

    code = "port_in_use"


class ServerStuck(AirworthyError):
    """The server did not start or stop within its bound."""

    code = "server_stuck"


@contextlib.contextmanager
def serving(app: "Application", *, port: int = 0) -> Iterator[str]:
    """Serves `app` from a daemon thread with a loop of its own; yields `http://127.0.0.1:<port>`.

    Port 0 takes any free one. Lifespan events are not sent. On leaving, idle connections are closed and
    requests in flight get a second to end.
    """
    from airworthy.gateway.simulator._uvicorn import EmbeddedServer

    listener = _listen(port)
    ready: Future[tuple[EmbeddedServer, asyncio.AbstractEventLoop]] = Future()

    async def main() -> None:
        server = EmbeddedServer(app, lambda: ready.set_result((server, asyncio.get_running_loop())))
        await server.serve(sockets=[listener])

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            # Handed to the thread that waits below; afterwards nobody waits and threading reports it.
            if ready.done():
                raise
            ready.set_exception(error)

    thread = threading.Thread(target=run, name=f"serving-{listener.getsockname()[1]}", daemon=True)
    with contextlib.closing(listener):
        url = _url(listener)
        thread.start()
        try:
            server, loop = ready.result(START_S_MAX)
        except TimeoutError as error:
            raise ServerStuck(
                f"The server at {url} did not start within {START_S_MAX} s.",
                mend="Try again on a less busy machine.",
            ) from error
        try:
            yield url
        finally:
            # The loop is gone if the server died by itself; there is nothing left to stop then.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(server.stopping.set)
            thread.join(STOP_S_MAX)


@contextlib.asynccontextmanager
async def serving_async(app: "Application", *, port: int = 0) -> AsyncIterator[str]:
    """As `serving`, but in the running loop: client and server share it, so a blocking client would hang."""
    from airworthy.gateway.simulator._uvicorn import EmbeddedServer

    listener = _listen(port)
    started = asyncio.Event()
    server = EmbeddedServer(app, started.set)
    with contextlib.closing(listener):
        task = asyncio.create_task(server.serve(sockets=[listener]))
        waiter = asyncio.create_task(started.wait())
        await asyncio.wait({task, waiter}, timeout=START_S_MAX, return_when=asyncio.FIRST_COMPLETED)
        waiter.cancel()
        if not started.is_set():
            task.cancel()
            raise ServerStuck(f"The server at {_url(listener)} did not start.", mend="Try again.")
        try:
            yield _url(listener)
        finally:
            server.stopping.set()
            await task


def _listen(port: int) -> socket.socket:
    """Bound here and not by uvicorn, so that a port in use is the caller's error, in the caller's thread."""
    # The protocol is named because asyncio sets TCP_NODELAY only on sockets that say they are TCP; without
    # it the body of an answer waits up to 40 ms for the client's delayed acknowledgement of its headers.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # Without it a fixed port stays refused for a minute after the last run.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise PortInUse(
            f"Cannot listen on {HOST}:{port}: {error}.",
            mend="Stop the program that listens there, or pass port 0 to take any free port.",
        ) from error
    return listener


def _url(listener: socket.socket) -> str:
    return f"http://{HOST}:{listener.getsockname()[1]}"
