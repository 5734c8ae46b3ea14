"""Clients over streamable HTTP, as an ASGI application: sessions by their id, streams, and who may knock at all."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from airworthy.core.asgi import Receive, Scope, Send
from airworthy.core.errors import AirworthyError, told
from airworthy.core.ids import Ids
from airworthy.tools.mcp.generation import (
    GONE,
    HEADER_MISMATCH,
    STATELESS,
    VERSIONS,
    stateless,
)
from airworthy.tools.mcp.headers import mismatch
from airworthy.tools.mcp.http_reply import (
    General,
    Refused,
    Response,
    Stream,
    body_of,
    left,
)
from airworthy.tools.mcp.server import Channel
from airworthy.tools.mcp.session import Session
from airworthy.tools.mcp.wire import Garbage, Message, dump, error, kind, parse

SESSIONS_MAX: Final = 64  # Each may be a process.
IDLE_S: Final = 1800.0
LOOK_S: Final = 30.0
COMMENT_S: Final = 15.0  # How often a stream says that it is alive.


class Opened(Protocol):
    """A session and its end."""

    @property
    def session(self) -> Session: ...

    async def close(self) -> None: ...


@dataclass(slots=True)
class _Client:
    opened: Opened
    general: General
    used_at: float
    busy: int = 0
    ids: set[str] = field(default_factory=set)


class HttpFront:
    """One per process. `open_session` is asked for each client of the handshake's generation, and once for all others.

    `hosts`: the names by which this server may be called; a page in a browser that has its own name point here has
    another one.
    """

    def __init__(
        self,
        open_session: Callable[[Channel], Opened],
        ids: Ids,
        hosts: frozenset[str],
        tell: Callable[[str], None],
    ) -> None:
        self._open_session = open_session
        self._ids = ids
        self._hosts = hosts
        self._tell = tell
        self._clients: dict[str, _Client] = {}
        self._shared: _Client | None = None
        self._stopping = False

    async def run(self) -> None:
        """Ends sessions that nobody uses; until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            idle_since = self._now() - IDLE_S
            for key, client in list(self._clients.items()):
                if not client.busy and client.used_at < idle_since:
                    await self._end(key)
            if self._shared is not None and not self._shared.busy and self._shared.used_at < idle_since:
                shared, self._shared = self._shared, None
                await shared.opened.close()

    def stop(self) -> None:
        """Streams on which nothing need come end; what is being answered goes on."""
        self._stopping = True
        for client in (*self._clients.values(), *([self._shared] if self._shared is not None else [])):
            if client.general.own is not None:
                client.general.own.close()

    async def close(self) -> None:
        for key in list(self._clients):
            await self._end(key)
        if self._shared is not None:
            await self._shared.opened.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        started = Response(send)
        try:
            self._check(scope, headers)
            match scope["method"]:
                case "POST":
                    await self._post(headers, receive, started)
                case "GET":
                    await self._get(headers, receive, started)
                case "DELETE":
                    await self._delete(headers, started)
                case _:
                    raise Refused(405, "Use POST, GET or DELETE.")
        except Refused as refused:
            await started.json(refused.status, dump(error(refused.id, refused.code, refused.text)))
        except AirworthyError as failed:
            self._tell(told(failed))
            await started.json(503, dump(error(None, GONE, str(failed))))

    def _check(self, scope: Scope, headers: Mapping[str, str]) -> None:
        """Against pages in a browser on this machine: only they send an Origin, and only a rebound name is another."""
        if scope["path"] != "/mcp":
            raise Refused(404, "There is nothing here but /mcp.")
        if _name(headers.get("host", "")) not in self._hosts:
            raise Refused(421, "This server does not go by that name.")
        origin = headers.get("origin")
        if origin is not None and (urlsplit(origin).hostname or "") not in self._hosts:
            raise Refused(403, "Pages from elsewhere may not call this server.")
        said = headers.get("mcp-protocol-version")
        if said is not None and said not in VERSIONS:
            raise Refused(400, f"The version {said[:40]!r} of the protocol is not known here.")

    async def _post(self, headers: Mapping[str, str], receive: Receive, started: "Response") -> None:
        accept = headers.get("accept", "*/*")
        if not any(kind_ in accept for kind_ in ("application/json", "*/*", "application/*")):
            raise Refused(406, "Accept application/json and text/event-stream.")
        found = parse(await body_of(receive))
        if isinstance(found, Garbage):
            raise Refused(400, found.why, code=found.code)
        client, key = await self._client(found, headers)
        try:
            await self._served(client, key, found, headers, receive, started)
        finally:
            client.busy -= 1
            client.used_at = self._now()

    async def _client(self, message: Message, headers: Mapping[str, str]) -> tuple[_Client, str]:
        """Whose message it is, and the id of a session that is new with it; counted as busy."""
        key = ""
        if stateless(message) or headers.get("mcp-protocol-version") in STATELESS:
            wrong = mismatch(message, headers) if kind(message) == "request" else ""
            if wrong:
                text = f"The header {wrong} says something else than the body."
                raise Refused(400, text, code=HEADER_MISMATCH, id_=message["id"])
            client = self._shared = self._shared or self._opened()
        elif message.get("method") == "initialize" and kind(message) == "request":
            if len(self._clients) >= SESSIONS_MAX:
                raise Refused(503, f"{SESSIONS_MAX} sessions are open.", id_=message["id"])
            client, key = self._opened(), self._ids.uuid()
            self._clients[key] = client
        else:
            client = self._known(headers)
        client.busy += 1
        return client, key

    def _opened(self) -> _Client:
        general = General()
        return _Client(self._open_session(general), general, self._now())

    def _known(self, headers: Mapping[str, str]) -> _Client:
        session = headers.get("mcp-session-id")
        if session is None:
            raise Refused(400, "The header Mcp-Session-Id is missing; begin with initialize.")
        client = self._clients.get(session)
        if client is None:
            raise Refused(404, "There is no such session (any more); begin with initialize.")
        return client

    async def _served(
        self,
        client: _Client,
        key: str,
        message: Message,
        headers: Mapping[str, str],
        receive: Receive,
        started: "Response",
    ) -> None:
        stream = Stream()
        session = client.opened.session
        if kind(message) != "request":
            await session.take(message, stream)
            await started.whole(202, [], b"")
            return
        started.extra = [(b"mcp-session-id", key.encode())] if key else []
        streams = "text/event-stream" in headers.get("accept", "")
        if streams:
            client.general.answers.append(stream)
        work = asyncio.ensure_future(session.take(message, stream))
        gone = asyncio.ensure_future(left(receive))
        try:
            answer = await self._answer(work, gone, stream, started, streams=streams)
            if answer is None:
                if (
                    client is self._shared
                ):  # There, hanging up cancels the request; in the other generation it does not.
                    session.leave(stream)
                _kept.add(work)
                work.add_done_callback(_kept.discard)
                return
            if key and "error" in answer:
                started.extra = []
                await self._end(key)
            await started.answer(answer, plain=not stateless(message))
        except BaseException:
            work.cancel()
            raise
        finally:
            stream.close()
            gone.cancel()
            if streams:
                client.general.answers.remove(stream)

    async def _answer(
        self,
        work: "asyncio.Future[Message | None]",
        gone: "asyncio.Future[None]",
        stream: Stream,
        started: "Response",
        *,
        streams: bool,
    ) -> Message | None:
        """Sends what comes before the answer, and the answer itself is returned; None when the client hung up."""
        while True:
            came = asyncio.ensure_future(stream.queue.get())
            try:
                waited: set[asyncio.Future[Any]] = {work, gone, came}
                await asyncio.wait(waited, timeout=COMMENT_S, return_when=asyncio.FIRST_COMPLETED)
                if came.done():
                    if streams:
                        await started.event(dump(came.result()))
                    continue
            finally:
                came.cancel()
            if gone.done():
                return None
            if work.done():
                while streams and not stream.queue.empty():
                    await started.event(dump(stream.queue.get_nowait()))
                answer = work.result()
                return answer if answer is not None else error(None, GONE, "The request was cancelled.")
            if streams:
                await started.comment()

    async def _get(self, headers: Mapping[str, str], receive: Receive, started: "Response") -> None:
        if headers.get("mcp-protocol-version") in STATELESS:
            raise Refused(405, "In this version of the protocol there is only POST.")
        if "text/event-stream" not in headers.get("accept", ""):
            raise Refused(406, "Accept text/event-stream.")
        client = self._known(headers)
        if self._stopping:
            raise Refused(503, "The server is stopping.")
        if client.general.own is not None:
            raise Refused(409, "This session has such a stream already.")
        stream = client.general.own = Stream()
        client.busy += 1
        never: asyncio.Future[Message | None] = asyncio.get_running_loop().create_future()
        gone = asyncio.ensure_future(left(receive))
        closed = asyncio.ensure_future(stream.closed.wait())
        closed.add_done_callback(lambda _: gone.cancel())
        try:
            await started.comment()
            with contextlib.suppress(asyncio.CancelledError):
                await self._answer(never, gone, stream, started, streams=True)
            await started.end()
        finally:
            never.cancel()
            closed.cancel()
            gone.cancel()
            stream.close()
            client.general.own = None
            client.busy -= 1
            client.used_at = self._now()

    async def _delete(self, headers: Mapping[str, str], started: "Response") -> None:
        self._known(headers)
        await self._end(headers["mcp-session-id"])
        await started.whole(204, [], b"")

    async def _end(self, key: str) -> None:
        client = self._clients.pop(key)
        if client.general.own is not None:
            client.general.own.close()
        await client.opened.close()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


_kept: set[asyncio.Future[Message | None]] = set()  # What goes on although its client hung up.


def _name(host: str) -> str:
    """Without the port."""
    bare = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and not host.endswith("]") else host
    return bare.strip("[]").lower()
