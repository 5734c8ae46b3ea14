"""An answer sent through ASGI, well or badly; knows nothing of what is in it."""

import asyncio
from collections.abc import Callable

from airworthy.core.asgi import Message, Receive, Scope, Send
from airworthy.gateway.simulator.answer import Answer
from airworthy.gateway.simulator.faults import SECONDS_MAX

SENDS_AT_ONCE = 4


async def deliver(answer: Answer, scope: Scope, receive: Receive, send: Send) -> bool:
    """False if the client was seen to leave before the end."""
    door = _Door(scope, receive, send)
    try:
        return await door.deliver(answer)
    finally:
        door.close()


class _Door:
    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Without `serving` no connection can be dropped; the application's end is then all a server sees.
        extension = scope.get("extensions", {}).get("airworthy.drop", {})
        self._drop: Callable[..., None] | None = extension.get("drop")
        self._write: Callable[[bytes], None] | None = extension.get("write")
        self._receive = receive
        self._send = send
        self._leaving: asyncio.Future[Message] | None = None

    async def deliver(self, answer: Answer) -> bool:
        if not await self._stays(answer.delay_s):
            return False
        if answer.status:
            await self._send(
                {"type": "http.response.start", "status": answer.status, "headers": _headers(answer)}
            )
            if answer.ending == "whole" and not answer.is_stream and answer.announced is None:
                await self._send({"type": "http.response.body", "body": answer.body})
                return True
            for number, (delay_s, data) in enumerate(answer.pieces):
                # Sending does not wait by itself: others would not be served, and a client's leaving not be seen.
                if number % SENDS_AT_ONCE == 0:
                    await asyncio.sleep(0)
                if not await self._stays(delay_s):
                    return False
                await self._send({"type": "http.response.body", "body": data, "more_body": True})
        return await self._end(answer)

    async def _end(self, answer: Answer) -> bool:
        match answer.ending:
            case "whole":
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
                if answer.stray and self._write is not None and self._drop is not None:
                    self._write(answer.stray)
                    self._drop(flush=True)
                return True
            case "open":
                left = not await self._stays(SECONDS_MAX)
                return not left
            case _:
                if self._drop is not None:
                    self._drop(flush=answer.ending != "reset")
                    await self._left()
                return True

    async def _stays(self, seconds: float) -> bool:
        """Waits; False as soon as the client has gone."""
        if seconds <= 0:
            return True
        done, _ = await asyncio.wait({self._left()}, timeout=seconds)
        return not any(message.result()["type"] == "http.disconnect" for message in done)

    def _left(self) -> "asyncio.Future[Message]":
        if self._leaving is None:
            self._leaving = asyncio.ensure_future(self._receive())
        return self._leaving

    def close(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()


def _headers(answer: Answer) -> list[tuple[bytes, bytes]]:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
    if answer.is_stream:
        return headers
    length = len(answer.body) if answer.announced is None else answer.announced
    return [(b"content-length", b"%d" % length), *headers]
