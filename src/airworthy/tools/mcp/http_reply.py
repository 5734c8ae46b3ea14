"""What a client over HTTP gets: whole answers, streams that come before them, and the bodies it sends. Bounded."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

from airworthy.core.asgi import Receive, Send
from airworthy.tools.mcp.generation import HTTP_STATUS, INVALID_REQUEST
from airworthy.tools.mcp.link import Unanswered
from airworthy.tools.mcp.sse import COMMENT, written
from airworthy.tools.mcp.wire import MESSAGE_BYTES_MAX, Message, dump, kind

QUEUE_MAX: Final = 64
BODY_S_MAX: Final = 60.0
SEND_S_MAX: Final = 30.0  # How long a client may take nothing of a stream before that is closed.
_JSON: Final = (b"content-type", b"application/json")
_STREAM: Final = ((b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache"))


class Refused(Exception):
    """A request that is not looked at any further."""

    def __init__(self, status: int, text: str, *, code: int = INVALID_REQUEST, id_: Any = None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.code = code
        self.id = id_


class Stream:
    """Implements `Channel`: what waits to be sent on one response; bounded, and whoever sends waits."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Message] = asyncio.Queue(QUEUE_MAX)
        self.open = True
        self.closed = asyncio.Event()

    async def send(self, message: Message) -> None:
        if not self.open:
            return
        put = asyncio.ensure_future(self.queue.put(message))
        ended = asyncio.ensure_future(self.closed.wait())
        try:
            await asyncio.wait({put, ended}, timeout=SEND_S_MAX, return_when=asyncio.FIRST_COMPLETED)
            if not put.done():
                self.close()
        finally:
            put.cancel()
            ended.cancel()

    def close(self) -> None:
        self.open = False
        self.closed.set()


class General:
    """Implements `Channel`: the client's own stream, or else the newest answer that is still open."""

    def __init__(self) -> None:
        self.own: Stream | None = None
        self.answers: list[Stream] = []

    async def send(self, message: Message) -> None:
        """Raises: Unanswered for a request when there is no stream; a notification is lost then."""
        stream = self.own or (self.answers[-1] if self.answers else None)
        if stream is not None and stream.open:
            await stream.send(message)
        elif kind(message) == "request":
            raise Unanswered("The client has no stream open on which it could be asked.", "no")


class Response:
    """One response: whole JSON, or a stream once something comes before the answer."""

    def __init__(self, send: Send) -> None:
        self.extra: list[tuple[bytes, bytes]] = []
        self._send = send
        self._streaming = False

    async def answer(self, message: Message, *, plain: bool) -> None:
        if self._streaming:
            await self.event(dump(message))
            await self.end()
            return
        said = message.get("error")
        code = said.get("code") if isinstance(said, dict) else None
        status = 200 if plain or not isinstance(code, int) else HTTP_STATUS.get(code, 200)
        await self.json(status, dump(message))

    async def json(self, status: int, body: bytes) -> None:
        if self._streaming:
            await self.end()
            return
        await self.whole(status, [_JSON], body)

    async def whole(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        if status != 204:
            headers = [*headers, (b"content-length", b"%d" % len(body))]
        await self._send(
            {"type": "http.response.start", "status": status, "headers": [*headers, *self.extra]}
        )
        await self._send({"type": "http.response.body", "body": body})

    async def event(self, data: bytes) -> None:
        await self._piece(written(data))

    async def comment(self) -> None:
        await self._piece(COMMENT)

    async def end(self) -> None:
        await self._send({"type": "http.response.body", "body": b""})

    async def _piece(self, data: bytes) -> None:
        if not self._streaming:
            self._streaming = True
            await self._send(
                {"type": "http.response.start", "status": 200, "headers": [*_STREAM, *self.extra]}
            )
        await self._send({"type": "http.response.body", "body": data, "more_body": True})


async def body_of(receive: Receive) -> bytes:
    whole = bytearray()
    try:
        async with asyncio.timeout(BODY_S_MAX):
            async for piece in _pieces(receive):
                whole += piece
                if len(whole) > MESSAGE_BYTES_MAX:
                    raise Refused(413, f"A message may have {MESSAGE_BYTES_MAX} bytes.")
    except TimeoutError:
        raise Refused(408, "The message did not come in time.") from None
    return bytes(whole)


async def _pieces(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        event = await receive()
        if event["type"] != "http.request":
            raise Refused(400, "The message broke off.")
        yield event.get("body", b"")
        if not event.get("more_body"):
            return


async def left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
