"""Our own conversation with a server, as its client: looks at its tools, carries out what waited in the outbox."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from airworthy.core.errors import AirworthyError, told
from airworthy.tools.errors import Transient
from airworthy.tools.mcp.generation import (
    CAPABILITIES_KEY,
    CLIENT_KEY,
    HANDSHAKE,
    METHOD_NOT_FOUND,
    STATELESS,
    VERSION_KEY,
)
from airworthy.tools.mcp.headers import of_request
from airworthy.tools.mcp.link import Dial, Unanswered
from airworthy.tools.mcp.listing import listed
from airworthy.tools.mcp.peer import Full
from airworthy.tools.mcp.server import HANDSHAKE_S_MAX, Channel, Server
from airworthy.tools.mcp.session import failure, outcome
from airworthy.tools.mcp.shelf import Shelf
from airworthy.tools.mcp.wire import Message, error, notification, request, result

AGAIN_S: Final = 10.0  # How soon a server that could not be reached is tried again.


class OwnClient:
    """Implements `remote.Caller`. Connects when it is first needed; speaks whichever generation the server does."""

    def __init__(self, dial: Dial, shelf: Shelf, version: str, tell: Callable[[str], None]) -> None:
        self._shelf = shelf
        self._tell = tell
        self._about = {"name": "airworthy", "version": version}
        self._server = Server(dial, on_notification=self._ignored, on_request=self._declined, tell=tell)
        self._common: Message | None = None
        self._greeting = asyncio.Lock()
        self._not_before = float("-inf")

    async def ready(self) -> bool:
        """Whether the server can be reached, and its tools are known. Tried every AGAIN_S at most."""
        now = asyncio.get_running_loop().time()
        if self._common is not None and self._shelf.filled:
            return True
        if now < self._not_before:
            return False
        self._not_before = now + AGAIN_S
        try:
            await self.look()
        except AirworthyError as failed:
            self._tell(f"What waits in the outbox cannot be carried out now: {told(failed)}")
            return False
        return True

    async def look(self) -> None:
        """Brings the shelf up to date. Raises: Unanswered, Full, StoreError."""
        common = await self._greeted()
        found, last = await listed(self._server, common)
        if "error" in last:
            raise Unanswered(f"The server does not list its tools: {last['error']}", "no")
        await self._shelf.observed(found)

    async def call_tool(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            common = await self._greeted()
            message = request(0, "tools/call", {**common, "name": name, "arguments": dict(arguments)})
            schema = self._shelf.input_schema(self._shelf.house_name(name))
            answer = await self._server.ask(message, None, own=True, headers=of_request(message, schema))
        except Full as full:
            raise Transient(full.message, happened="no") from full
        except Unanswered as unanswered:
            raise failure(unanswered) from unanswered
        return outcome(answer)

    async def close(self) -> None:
        await self._server.close()

    async def _greeted(self) -> Message:
        """What each request has to carry. Raises: Unanswered."""
        async with self._greeting:
            if self._common is None:
                try:
                    async with asyncio.timeout(HANDSHAKE_S_MAX):
                        self._common = await self._greet()
                except TimeoutError:
                    raise Unanswered("The server does not answer the greeting.", "no") from None
            return self._common

    async def _greet(self) -> Message:
        params: Message = {"protocolVersion": HANDSHAKE[-1], "capabilities": {}, "clientInfo": self._about}
        answer = await self._server.ask(request(0, "initialize", params), None, own=True)
        came = answer.get("result")
        if isinstance(came, dict) and isinstance(came.get("protocolVersion"), str):
            self._server.handshake, self._server.agreed = params, came["protocolVersion"]
            await self._server.tell(notification("notifications/initialized"))
            return {}
        meta = {VERSION_KEY: STATELESS[-1], CLIENT_KEY: self._about, CAPABILITIES_KEY: {}}
        return {"_meta": meta}

    async def _ignored(self, message: Message, channel: Channel | None) -> None:  # noqa: ARG002
        return None

    async def _declined(self, message: Message) -> None:
        """The server may ask whether we live; nobody sits here who could be asked for more."""
        id_ = message["id"]
        alive = message["method"] == "ping"
        answer = result(id_, {}) if alive else error(id_, METHOD_NOT_FOUND, "Nobody can be asked here.")
        await self._server.tell(answer)
