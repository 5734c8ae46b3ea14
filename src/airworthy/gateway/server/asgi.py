"""The gateway as an ASGI application: from a request to the door and back. Knows no protocol beyond its table."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, cast

from airworthy.core.asgi import Receive, Scope, Send
from airworthy.core.clock import Clock
from airworthy.core.errors import told
from airworthy.core.ids import Ids
from airworthy.gateway.call import Answer, Call, Caller, Headers
from airworthy.gateway.keys import KeyRing
from airworthy.gateway.server import pages, reading, refusal
from airworthy.gateway.server.metrics import CONTENT_TYPE, Metrics
from airworthy.gateway.server.openapi import document
from airworthy.gateway.server.presence import HANG_UP, Patience, Presence, Watch
from airworthy.gateway.server.reading import Given, Gone
from airworthy.gateway.server.refusal import Refusal
from airworthy.gateway.server.routes import (
    Nowhere,
    Route,
    ToCall,
    ToModels,
    ToPage,
    methods,
    protocol,
    route,
)
from airworthy.gateway.wire.asking import BadCall
from airworthy.gateway.wire.dialect import Dialect
from airworthy.gateway.wire.failure import ProtocolName
from airworthy.policy import ModelRule
from airworthy.store import StoreError

LEFT: Final = 499  # In metrics alone: nobody is there to read it.


class Doorway(Protocol):
    """What the server needs of the core."""

    async def answer(self, call: Call) -> Answer:
        """Whatever goes wrong with a model is an answer too."""
        ...

    def models(self, caller: Caller) -> Sequence[ModelRule]: ...


@dataclass(frozen=True, slots=True)
class ServerRules:
    """Bounds, and what is open to whom.

    `calls_max`: under way at once. `send_s_max`: how long a reader may take nothing of its answer.
    `refuse_stale`: no calls once revocations cannot be seen any more. `metrics_open`: without a key.
    """

    body_bytes_max: int = 32 * 1024 * 1024
    body_s_max: float = 60.0
    send_s_max: float = 60.0
    calls_max: int = 4_096
    refuse_stale: bool = True
    metrics_open: bool = True


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the server is given from outside. `ready` says what is missing; `tell` is heard by the operator."""

    clock: Clock
    ids: Ids
    ready: Callable[[], Awaitable[Sequence[str]]]
    tell: Callable[[str], None]
    version: str


class GatewayApp:
    """One per process. `run` must run beside it."""

    def __init__(
        self,
        door: Doorway,
        ring: KeyRing,
        agents: Container[str],
        dialects: Mapping[str, Dialect],
        around: Surroundings,
        rules: ServerRules,
        metrics: Metrics,
    ) -> None:
        self.metrics = metrics
        self._door = door
        self._ring = ring
        self._agents = agents
        self._dialects = dialects
        self._around = around
        self._rules = rules
        self._patience = Patience(rules.body_s_max, rules.send_s_max)
        self._openapi = document(around.version)

    async def run(self) -> None:
        """Keeps the keys fresh and ends connections that take nothing; until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._ring.run())
            group.create_task(self._patience.run())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        now_us = self._around.clock.now_us()
        found = route(scope["raw_path"].decode("latin-1"))
        headers = reading.given(scope)
        handling = _Handling(self._around.ids.new("call", now_us), now_us, headers, scope, receive, send)
        self.metrics.open_calls += 1
        status = LEFT
        try:
            if type(found) is ToCall and scope["method"] == "POST":
                status = await self._call(found, handling)
            else:
                status = await self._page(found, handling)
        except Gone:
            pass
        except Refusal as refused:
            status = await handling.refuse(refused)
        except asyncio.CancelledError:
            # The server is stopping and its time is up; it waits for this task to end, however it ends.
            status = await handling.refuse(_stopping())
        except StoreError as error:
            self._around.tell(f"{handling.id}: {told(error)}")
            status = await handling.refuse(_no_store())
        except Exception as error:  # noqa: BLE001  # the shell: a fault becomes an answer, and the operator hears of it
            self._around.tell(f"{handling.id}: {type(error).__name__}: {told(error)}")
            status = await handling.refuse(refusal.broken())
        finally:
            self.metrics.open_calls -= 1
            self.metrics.responded(_name(found), status, self._around.clock.now_us() - now_us)

    async def _call(self, found: ToCall, handling: "_Handling") -> int:
        headers = handling.headers
        caller = await self._caller(headers, found.run, handling.now_us)
        if self.metrics.open_calls > self._rules.calls_max:
            raise refusal.unavailable(
                "gateway_full", f"{self._rules.calls_max} calls are under way.", mend="Come back in a moment."
            )
        passed = reading.passed(headers)
        raw = await self._body(handling)
        dialect = self._dialects[found.dialect]
        try:
            facts = dialect.read_request(raw)
        except BadCall as error:
            raise refusal.bad(error.message, mend=error.mend, code=error.code) from error
        call = Call(handling.id, dialect, raw, facts, reading.with_user(caller, facts.user), passed)
        with Presence(handling.receive, handling.watch) as presence:
            try:
                answer = await self._door.answer(call)
                answer.headers.append((refusal.ID_HEADERS[dialect.protocol], handling.id.encode()))
                if isinstance(answer.body, bytes):
                    presence.over()
                    return await handling.send_whole(answer.status, answer.headers, answer.body)
                await self._stream(answer.status, answer.headers, answer.body, handling, presence)
            except asyncio.CancelledError:
                if not presence.left:
                    raise
                raise Gone from None
            return answer.status

    async def _body(self, handling: "_Handling") -> bytes:
        task = self._patience.arriving()
        try:
            return await reading.body_of(handling.receive, handling.headers, self._rules.body_bytes_max)
        except asyncio.CancelledError:
            if self._patience.arrived(task):
                raise refusal.too_slow(self._rules.body_s_max) from None
            raise
        finally:
            self._patience.arrived(task)

    async def _stream(
        self,
        status: int,
        headers: Headers,
        body: AsyncGenerator[bytes, None],
        handling: "_Handling",
        presence: Presence,
    ) -> None:
        """Closing the generator, in whatever way this ends, stops the provider and settles the bill."""

        def cut() -> None:
            presence.leave()
            handling.abort()

        self.metrics.open_streams += 1
        send, stream = handling.send, self._patience.opened(cut)
        try:
            # Asked for before anything is sent: a generator that was never begun has nothing to close.
            async for piece in body:
                if not handling.started:
                    await handling.start(status, headers)
                stream.sending()
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                stream.sent()
            presence.over()
            if not handling.started:
                await handling.start(status, headers)
            await send({"type": "http.response.body", "body": b""})
        finally:
            self.metrics.open_streams -= 1
            stream.closed()
            await body.aclose()

    async def _page(self, found: Route, handling: "_Handling") -> int:
        method = handling.scope["method"]
        if isinstance(found, Nowhere):
            raise Refusal(
                404, "no_such_path", f"There is nothing at {_plain(handling.path)}.", mend=found.mend
            )
        allowed = ", ".join((*methods(found), "OPTIONS"))
        if method == "OPTIONS":
            return await handling.send_whole(204, [(b"allow", allowed.encode())], b"")
        if method not in methods(found):
            raise refusal.wrong_method(_plain(method), allowed)
        if isinstance(found, ToModels):
            return await handling.send_json(200, await self._models(found, handling))
        assert isinstance(found, ToPage)
        match found.page:
            case "livez":
                return await handling.send_json(200, b'{"status":"alive"}')
            case "readyz":
                return await handling.send_json(*pages.ready(await self._around.ready()))
            case "metrics":
                if not self._rules.metrics_open:
                    await reading.key_of(handling.headers, self._ring, handling.now_us)
                return await handling.send_whole(200, [(b"content-type", CONTENT_TYPE)], self.metrics.text())
            case "openapi":
                return await handling.send_json(200, self._openapi)

    async def _models(self, found: ToModels, handling: "_Handling") -> bytes:
        rules = self._door.models(await self._caller(handling.headers, found.run, handling.now_us))
        if found.model is None:
            return pages.model_list(rules, handling.protocol)
        shown = pages.model(rules, found.model, handling.protocol)
        if shown is None:
            raise Refusal(
                404, "model_not_found", "The policy of this key's agent names no such model.",
                mend="List those it names with GET /v1/models.",
            )  # fmt: skip
        return shown

    async def _caller(self, headers: Given, run: str, now_us: int) -> Caller:
        key, key_run = await reading.key_of(headers, self._ring, now_us)
        if self._rules.refuse_stale and self._ring.stale(now_us):
            raise _no_store()
        if key.agent not in self._agents:
            raise refusal.not_here(key.agent)
        return reading.caller_of(key, key_run, run, headers)


class _Handling:
    """One request while it is answered, and the ways to answer it."""

    __slots__ = ("headers", "id", "now_us", "receive", "scope", "send", "started")

    def __init__(
        self, id_: str, now_us: int, headers: Given, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self.id = id_
        self.now_us = now_us
        self.headers = headers
        self.scope = scope
        self.receive = receive
        self.send = send
        self.started = False

    @property
    def path(self) -> str:
        return str(self.scope["raw_path"].decode("latin-1"))

    @property
    def protocol(self) -> ProtocolName:
        return protocol(self.path, versioned=b"anthropic-version" in self.headers)

    @property
    def watch(self) -> Watch | None:
        extension = self.scope.get("extensions", {}).get(HANG_UP)
        return None if extension is None else cast("Watch", extension["watch"])

    def abort(self) -> None:
        """Ends the connection without a word, whatever still waits to be sent."""
        extension = self.scope.get("extensions", {}).get("airworthy.abort")
        if extension is not None:
            extension["abort"]()

    async def start(self, status: int, headers: Headers) -> None:
        self.started = True
        await self.send({"type": "http.response.start", "status": status, "headers": headers})

    async def send_whole(self, status: int, headers: Headers, body: bytes) -> int:
        if status != 204:
            headers = [*headers, (b"content-length", b"%d" % len(body))]
        await self.start(status, headers)
        await self.send({"type": "http.response.body", "body": body})
        return status

    async def send_json(self, status: int, body: bytes) -> int:
        marks = (refusal.ID_HEADERS[self.protocol], self.id.encode())
        return await self.send_whole(status, [refusal.JSON, marks], body)

    async def refuse(self, refused: Refusal) -> int:
        """Once an answer has begun there is no other: the connection ends, so that nobody takes it for whole."""
        if self.started:
            self.abort()
            return refused.status
        await self.send_whole(*refusal.rendered(refused, self.protocol, self.id))
        return refused.status


def _name(found: Route) -> str:
    match found:
        case ToCall():
            return found.dialect
        case ToModels():
            return "models"
        case ToPage():
            return found.page
        case Nowhere():
            return "unknown"


def _plain(text: str) -> str:
    shown = "".join(char if char.isprintable() and char.isascii() else "?" for char in text)
    return shown if len(shown) <= 100 else f"{shown[:97]}..."


def _stopping() -> Refusal:
    return refusal.unavailable("gateway_stopping", "The gateway is stopping.", mend="Try again shortly.")


def _no_store() -> Refusal:
    return refusal.unavailable(
        "store_down", "The gateway's database cannot be used.", mend="Try again shortly.", retry_after_s=5
    )
