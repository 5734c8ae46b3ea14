"""The server with a scripted core behind it: driven as ASGI in virtual time, or over real sockets."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import orjson

from airworthy.core.clock import Clock, SystemClock
from airworthy.core.ids import Ids
from airworthy.gateway.call import Answer, Call, Caller
from airworthy.gateway.keys import KeyRing, NewKey
from airworthy.gateway.server import (
    Address,
    GatewayApp,
    HttpServer,
    Metrics,
    ServerRules,
    Surroundings,
    address_of,
    bound,
)
from airworthy.gateway.wire.dialect import DIALECTS
from airworthy.policy import ModelRule
from airworthy.store import Database
from tests.gateway.keys.kit import made, seeded, store

JSON = (b"content-type", b"application/json")
CHAT = {"model": "sim-large-2026-11-01", "messages": [{"role": "user", "content": "hello"}]}
MESSAGE = {**CHAT, "max_tokens": 100}
FIRST, SECOND = "sim-large-2026-11-01", "sim-small-2026-11-01"
Answers = Callable[[Call], Awaitable[Answer]]


async def fine(call: Call) -> Answer:
    return Answer(200, [JSON, (b"x-airworthy-call", call.id.encode())], b'{"fine":true}')


@dataclass
class ScriptedDoor:
    """Answers as told and remembers what it was asked."""

    answers: Answers = fine
    rules: Sequence[ModelRule] = (ModelRule(name=FIRST, aliases=("sim-large",)), ModelRule(name=SECOND))
    calls: list[Call] = field(default_factory=list)

    async def answer(self, call: Call) -> Answer:
        self.calls.append(call)
        return await self.answers(call)

    def models(self, caller: Caller) -> Sequence[ModelRule]:
        return self.rules if caller.agent == "support" else ()


@dataclass
class Stream:
    """A stream of a core: what it was when it ended is kept."""

    pieces: Sequence[bytes] = (b"data: 1\n\n", b"data: 2\n\n")
    pause_s: float = 0.0
    given: int = 0
    closed: str = ""

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        try:
            for piece in self.pieces:
                self.given += 1
                yield piece
                await asyncio.sleep(self.pause_s)
            self.closed = "whole"
        except asyncio.CancelledError:
            self.closed = "cancelled"
            raise
        except GeneratorExit:
            self.closed = "closed"
            raise
        finally:
            await asyncio.sleep(0)  # To settle takes a moment, which nothing may cut short.
            self.closed += ", settled"

    async def __call__(self, call: Call) -> Answer:
        return Answer(200, [(b"content-type", b"text/event-stream")], self.chunks())


class Gateway:
    """The application with a key for agent `support`; others are made with `key`."""

    def __init__(
        self,
        door: ScriptedDoor | None = None,
        clock: Clock | None = None,
        rules: ServerRules | None = None,
        database: Database | None = None,
    ) -> None:
        self.door = door if door is not None else ScriptedDoor()
        self.clock = clock if clock is not None else SystemClock()
        self.database = database if database is not None else store()
        self.told: list[str] = []
        self.missing: list[str] = []
        self._ids = seeded()
        self.ring = KeyRing(self.database, self.clock)
        self.secret = self.key(NewKey("support"))
        around = Surroundings(self.clock, Ids(), self._ready, self.told.append, "1.0")
        self.app = GatewayApp(
            self.door, self.ring, {"support"}, DIALECTS, around, rules or ServerRules(), Metrics()
        )

    def key(self, new: NewKey) -> str:
        return made(self.database, self.clock, self._ids, new)[0]

    async def _ready(self) -> Sequence[str]:
        return self.missing

    def auth(self, secret: str = "") -> dict[str, str]:
        return {"authorization": f"Bearer {secret or self.secret}"}


@dataclass
class Said:
    """What came back. `whole`: the answer was ended, not broken off."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    pieces: list[bytes] = field(default_factory=list)
    whole: bool = False
    aborted: bool = False

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


class Client:
    """One request as an ASGI server would hand it on."""

    def __init__(
        self,
        method: str,
        path: str,
        body: bytes | Sequence[bytes] = b"",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.said = Said()
        self.reads = asyncio.Event()
        self.reads.set()
        self._left = asyncio.Event()
        self._parts = [body] if isinstance(body, bytes) else list(body)
        self.scope = {
            "type": "http", "method": method, "path": path, "raw_path": path.encode("latin-1"),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in (headers or {}).items()],
            "extensions": {"airworthy.abort": {"abort": self._abort}},
        }  # fmt: skip

    def hang_up(self) -> None:
        self._left.set()

    def _abort(self) -> None:
        self.said.aborted = True
        self._left.set()

    async def receive(self) -> dict[str, Any]:
        if self._parts:
            part = self._parts.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(self._parts)}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        await self.reads.wait()
        if self._left.is_set():
            return
        if message["type"] == "http.response.start":
            self.said.status = message["status"]
            self.said.headers = {name.decode(): value.decode("latin-1") for name, value in message["headers"]}
            return
        self.said.pieces.append(message.get("body", b""))
        if not message.get("more_body"):
            self.said.whole = True
            self._left.set()


async def ask(
    gateway: Gateway,
    method: str,
    path: str,
    body: bytes | Sequence[bytes] | Mapping[str, Any] = b"",
    headers: Mapping[str, str] | None = None,
) -> Said:
    """`headers` None: the gateway's own key."""
    await gateway.ring.refresh()
    sent = orjson.dumps(body) if isinstance(body, Mapping) else body
    client = Client(method, path, sent, gateway.auth() if headers is None else headers)
    await gateway.app(client.scope, client.receive, client.send)
    return client.said


@contextlib.asynccontextmanager
async def asking(gateway: Gateway, client: Client) -> AsyncIterator["asyncio.Task[None]"]:
    """The request under way, with what runs beside the application."""
    await gateway.ring.refresh()
    beside = asyncio.create_task(gateway.app.run())
    task = asyncio.create_task(gateway.app(client.scope, client.receive, client.send))
    try:
        yield task
    finally:
        beside.cancel()
        await asyncio.gather(beside, task, return_exceptions=True)


@contextlib.contextmanager
def served(gateway: Gateway, drain_s: float = 5.0) -> Iterator[tuple[Address, "Stop"]]:
    """Over real sockets, from a thread with a loop of its own."""
    listener = bound(Address("127.0.0.1", 0))
    at = address_of(listener)
    ready: Future[tuple[HttpServer, asyncio.AbstractEventLoop]] = Future()

    async def main() -> None:
        await gateway.ring.refresh()
        server = HttpServer(gateway.app, drain_s)
        beside = asyncio.create_task(gateway.app.run())
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await server.listening.wait()
        ready.set_result((server, asyncio.get_running_loop()))
        await serving
        beside.cancel()
        await asyncio.gather(beside, return_exceptions=True)

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    server, loop = ready.result(10)
    stop = Stop(server, loop, thread)
    try:
        yield at, stop
    finally:
        stop.hurry()
        thread.join(10)
        listener.close()


@dataclass
class Stop:
    server: HttpServer
    loop: asyncio.AbstractEventLoop
    thread: threading.Thread

    def gently(self) -> None:
        self.loop.call_soon_threadsafe(self.server.stop)

    def hurry(self) -> None:
        with contextlib.suppress(RuntimeError):  # It has stopped already.
            self.loop.call_soon_threadsafe(self.server.hurry)
