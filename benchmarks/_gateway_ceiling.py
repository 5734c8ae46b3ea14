"""The ceiling of the HTTP stack: a pass-through proxy on uvicorn and httptools that does nothing else.

It knows no key, no budget and no record, bounds nothing and retries nothing; nobody should run it.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, cast

import httptools
import uvicorn

from benchmarks import _gateway_wire as wire

_JSON = (b"content-type", b"application/json")
_EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")
Message = MutableMapping[str, Any]


class Upstream(asyncio.Protocol):
    """One connection to the upstream, one request at a time."""

    def __init__(self, pool: deque["Upstream"]) -> None:
        self._pool = pool
        self._pieces: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None
        self._whole = False
        self._lost = False
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._wake()

    def ask(self, request: bytes) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._pieces, self._whole = [], False
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)
        self._wake()

    def on_body(self, body: bytes) -> None:
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        self._whole = True

    async def whole(self) -> bytes:
        while not self._whole:
            await self._more()
        self._pool.append(self)
        return b"".join(self._pieces)

    async def some(self) -> bytes:
        """What came since; nothing once all has come."""
        while not self._pieces and not self._whole:
            await self._more()
        found, self._pieces = b"".join(self._pieces), []
        if not found:
            self._pool.append(self)
        return found

    async def _more(self) -> None:
        if self._lost:
            raise ConnectionError("the upstream is gone")
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Ceiling:
    """The ASGI application."""

    def __init__(self, upstream_port: int) -> None:
        self._port = upstream_port
        self._idle: deque[Upstream] = deque()

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        pieces: list[bytes] = []
        more = True
        while more:
            message = await receive()
            pieces.append(message.get("body", b""))
            more = message.get("more_body", False)
        body = b"".join(pieces)
        upstream = self._idle.pop() if self._idle else await self._connected()
        upstream.ask(wire.request("sk-upstream", body, scope["path"]))
        if not wire.asks_for_stream(body):
            reply = await upstream.whole()
            headers = [_JSON, (b"content-length", b"%d" % len(reply))]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": reply})
            return
        await send({"type": "http.response.start", "status": 200, "headers": [_EVENTS]})
        while piece := await upstream.some():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _connected(self) -> Upstream:
        _, upstream = await asyncio.get_running_loop().create_connection(
            lambda: Upstream(self._idle), "127.0.0.1", self._port
        )
        return upstream


if __name__ == "__main__":
    port, upstream_port = int(sys.argv[1]), int(sys.argv[2])
    uvicorn.run(
        cast("Any", Ceiling(upstream_port)), host="127.0.0.1", port=port, loop="uvloop", http="httptools",
        lifespan="off", access_log=False, log_level="warning", server_header=False, date_header=False, backlog=2048,
    )  # fmt: skip
