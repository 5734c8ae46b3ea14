"""Hand-made servers on loopback, and tests on real event loops: what goes over the wire is written byte by byte."""

import asyncio
import contextlib
import functools
import gc
import inspect
import os
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import pytest
import uvloop

from airworthy.gateway.http import Address, HttpClient, HttpUpstream
from airworthy.gateway.upstream import Sent

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
STUCK_S = 8.0
TURNS_MAX = 200_000
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def on_real_loops(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Runs the test once on asyncio's loop and once on uvloop's, and fails it for what it left behind."""

    @functools.wraps(test)
    def run(*args: Any, loops: str, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=LOOPS[loops]) as runner:
            runner.run(_watched(test(*args, **kwargs)))
        gc.collect(1)  # What was left open warns when it is collected, and warnings are errors.

    parameters = list(inspect.signature(test).parameters.values())
    loops = inspect.Parameter("loops", inspect.Parameter.KEYWORD_ONLY)
    run.__signature__ = inspect.Signature([*parameters, loops])  # type: ignore[attr-defined]  # read by pytest
    both: Callable[..., None] = pytest.mark.parametrize("loops", list(LOOPS))(run)
    return both


async def _watched(test: Coroutine[Any, Any, None]) -> None:
    unheard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
    async with asyncio.timeout(STUCK_S):
        await test
    await turns(3)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left, left
    assert not unheard, unheard


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def until(true: Callable[[], bool]) -> None:
    """Waits by turns of the loop, not by the clock."""
    for _ in range(TURNS_MAX):
        if true():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came true")


@dataclass(eq=False)
class Peer:
    """The server's end of one connection."""

    site: "Site"
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int

    async def request(self) -> bytes:
        """The next request, head and body; raises IncompleteReadError when the client has left."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length: "):
                length = int(line.partition(b": ")[2])
        request = head + await self.reader.readexactly(length)
        self.site.requests.append(request)
        return request

    def write(self, raw: bytes) -> None:
        self.writer.write(raw)

    async def gone(self) -> None:
        """Until the client has closed its end."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(65536):
                pass

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        with self._dup() as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def shut_unseen(self) -> None:
        """Ends the connection at once: the goodbye is with the client before its loop has had a turn."""
        with self._dup() as raw:
            raw.shutdown(socket.SHUT_RDWR)

    def write_unseen(self, raw_bytes: bytes) -> None:
        with self._dup() as raw:
            raw.send(raw_bytes)

    def _dup(self) -> socket.socket:
        return socket.socket(fileno=os.dup(self.writer.get_extra_info("socket").fileno()))


Handler = Callable[[Peer], Awaitable[None]]


@dataclass
class Site:
    host: str
    port: int
    scheme: str = "http"
    peers: list[Peer] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    ended: int = 0
    """Connections that are over, by whoever's doing."""

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}/v1"


@contextlib.asynccontextmanager
async def serving(
    handler: Handler, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Site]:
    site = Site(host, 0, "https" if tls else "http")
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        peer = Peer(site, reader, writer, len(site.peers))
        site.peers.append(peer)
        try:
            await handler(peer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # The client left, or the test is over.
        except RuntimeError:
            if not writer.is_closing():  # Else it is uvloop's word for a client that left.
                raise
        finally:
            site.ended += 1
            writer.transport.abort() if tls is not None else writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError, ssl.SSLError):
                await writer.wait_closed()

    server = await asyncio.start_server(handle, host, 0, ssl=tls)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await turns(3)


def answering(*raws: bytes, then: str = "stay") -> Handler:
    """Each request gets the next answer, the last one ever after; `then`: close or reset after each answer."""

    async def handle(peer: Peer) -> None:
        number = 0
        while True:
            await peer.request()
            peer.write(raws[min(number, len(raws) - 1)])
            number += 1
            if then == "close":
                peer.close()
                return
            if then == "reset":
                await until(lambda: not peer.writer.transport.get_write_buffer_size())
                peer.reset()
                return

    return handle


@contextlib.asynccontextmanager
async def client(
    url: str, *, proxy: str = "", trust: ssl.SSLContext | None = None, key: str = "k"
) -> AsyncIterator[HttpUpstream]:
    upstream = HttpUpstream(HttpClient(Address.of(url, proxy), trust=trust), lambda: key)
    try:
        yield upstream
    finally:
        await upstream.aclose()


def sent(
    body: bytes = b"{}", timeout_s: float = 5.0, headers: Mapping[str, str] = MappingProxyType({})
) -> Sent:
    return Sent("/chat", body, headers, timeout_s)


@dataclass(frozen=True)
class Got:
    status: int
    headers: dict[str, str]
    body: bytes


async def ask(upstream: HttpUpstream, request: Sent | None = None, *, bytes_max: int = 10**9) -> Got:
    reply = await upstream.send(request if request is not None else sent())
    try:
        return Got(reply.status, dict(reply.headers), await reply.read(bytes_max))
    finally:
        reply.close()


async def pieces(upstream: HttpUpstream, request: Sent | None = None) -> list[bytes]:
    reply = await upstream.send(request if request is not None else sent())
    try:
        return [piece async for piece in reply.chunks()]
    finally:
        reply.close()


def idle(upstream: HttpUpstream) -> int:
    return len(upstream._client._idle)
