"""A session over a scripted server, with the real chain, journal and outbox, in virtual time."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airworthy.app.build import App, assembled
from airworthy.app.mcp import Proxied
from airworthy.core.ids import Ids
from airworthy.policy import Limits, Policy, ToolRule
from airworthy.recorder import Recorded
from airworthy.runtime.attached import Attached, Opening
from airworthy.runtime.doorman import Doorman, Duty
from airworthy.store import Database
from airworthy.store.lease import Owner
from airworthy.tools import EffectRow, EffectState, Toolbox
from airworthy.tools.mcp.link import Ears, Unanswered
from airworthy.tools.mcp.own import OwnClient
from airworthy.tools.mcp.session import Chain, Session
from airworthy.tools.mcp.shelf import Name, Shelf
from airworthy.tools.mcp.wire import Message, kind, notification, request, result
from tests.database import memory
from tests.virtual import LoopClock

WIDE = Limits(
    steps=1000, tool_calls=1000, seconds=10_000, identical_calls=1000, no_progress=1000, off_track=1000
)
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
Answer = Callable[[Message, Ears], Awaitable[Any]]


def spec(name: str, description: str = "", /, **properties: Any) -> dict[str, Any]:
    """A tool as a server lists it."""
    schema = {"type": "object", "properties": properties}
    return {"name": name, "description": description or f"Does {name}.", "inputSchema": schema}


READ, WRITE = spec("read_file", path={"type": "string"}), spec("write_file", path={"type": "string"})


@dataclass
class ScriptedServer:
    """Answers as its handlers say, by method; `calls` are the tool calls that reached it. Implements `Dial`."""

    tools: list[Any] = field(default_factory=lambda: [READ, WRITE])
    handlers: dict[str, Answer] = field(default_factory=dict)
    heard: list[Message] = field(default_factory=list)
    dials: int = 0
    links: list["ScriptedLink"] = field(default_factory=list)

    @property
    def calls(self) -> list[dict[str, Any]]:
        return [message["params"] for message in self.heard if message.get("method") == "tools/call"]

    def said(self, method: str) -> list[Message]:
        return [message for message in self.heard if message.get("method") == method]

    async def __call__(self, ears: Ears) -> "ScriptedLink":
        self.dials += 1
        link = ScriptedLink(self, ears)
        self.links.append(link)
        return link

    async def answer(self, message: Message, ears: Ears) -> Any:
        method = message["method"]
        if method in self.handlers:
            return await self.handlers[method](message, ears)
        match method:
            case "initialize":
                version = message["params"]["protocolVersion"]
                about = {"name": "scripted", "version": "1"}
                return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": about}
            case "tools/list":
                return {"tools": self.tools}
            case "tools/call":
                return {"content": [{"type": "text", "text": f"{message['params']['name']} done"}]}
            case _:
                return {}


class ScriptedLink:
    """Implements `Link`. A handler answers with a result, a whole message, or None for silence."""

    def __init__(self, server: ScriptedServer, ears: Ears) -> None:
        self.server = server
        self.ears = ears
        self.is_down = False
        self.cancelled: list[int] = []
        self.tasks: set[asyncio.Task[None]] = set()

    async def send(self, message: Message, headers: dict[str, str]) -> None:
        if self.is_down:
            raise Unanswered("The server has ended.", "no")
        self.server.heard.append(message)
        if kind(message) == "request":
            task = asyncio.create_task(self._answer(message))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _answer(self, message: Message) -> None:
        came = await self.server.answer(message, self.ears)
        if came is not None and not self.is_down:
            whole = came if "jsonrpc" in came else result(message["id"], came)
            await self.ears.heard(whole)

    async def cancel(self, out: int, *, listen: bool = False) -> None:
        self.cancelled.append(out)

    async def close(self) -> None:
        self.is_down = True
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def die(self) -> None:
        self.is_down = True
        self.ears.down(Unanswered("The server has ended.", "maybe"))


@dataclass
class Client:
    """Implements `Channel`: what reached the client beside its answers."""

    got: list[Message] = field(default_factory=list)

    async def send(self, message: Message) -> None:
        self.got.append(message)


@dataclass
class Proxy:
    app: App
    server: ScriptedServer
    policy: Policy
    box: Toolbox
    shelf: Shelf
    doorman: Doorman
    own: OwnClient
    told: list[str]
    watching: asyncio.Task[None] | None = None
    tasks: list[str] = field(default_factory=list)
    stateless: bool = False
    numbers: int = 0
    talks: list["Talk"] = field(default_factory=list)

    async def __aenter__(self) -> "Proxy":
        await self.doorman.join()
        self.watching = asyncio.create_task(self.doorman.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.watching is not None
        for talk in self.talks:
            await talk.close()
        self.watching.cancel()
        await asyncio.gather(self.watching, return_exceptions=True)
        await self.doorman.leave()
        await self.own.close()

    def session(self, client: Client | None = None, task: str = "") -> "Talk":
        held: list[Attached] = []

        async def begin(about: Mapping[str, Any]) -> Chain:
            made = await (
                self.doorman.resumed(task)
                if task
                else self.doorman.opened(Opening(self.policy, {"mcp": dict(about)}, source="mcp"))
            )
            held.append(made)
            self.tasks.append(made.task.id)
            return made

        client = client or Client()
        session = Session(self.shelf, self.server, begin, client, self.told.append)

        async def close() -> None:
            session.give_up()
            for each in held:
                await each.end()
                self.doorman.forget(each)
            await session.close()

        talk = Talk(self, Proxied(session, close), client)
        self.talks.append(talk)
        return talk

    @property
    def task(self) -> str:
        return self.tasks[-1]

    def steps(self, task: str = "") -> list[Recorded]:
        return self.app.operations.steps(task or self.task)

    def effects(self, task: str = "") -> list[EffectRow]:
        return self.app.operations.effects(task or self.task)

    def decide(self, to: EffectState, note: str = "", result: bytes = b"") -> None:
        open_ = [row for row in self.effects() if row.state in (EffectState.HELD, EffectState.IN_DOUBT)]
        self.app.operations.decide(open_[0].id, to, "dana", note, result)

    async def until(self, state: str, task: str = "") -> None:
        async with asyncio.timeout(200):
            while self.app.operations.task(task or self.task).state.value != state:
                await asyncio.sleep(0.5)


@dataclass
class Talk:
    """A client's side of a session."""

    proxy: Proxy
    proxied: Proxied
    client: Client

    async def ask(self, method: str, params: Message | None = None, id_: Any = None) -> Message:
        self.proxy.numbers += 1
        params = dict(params or {})
        if self.proxy.stateless:
            params["_meta"] = {**META, **params.get("_meta", {})}
        asked = request(self.proxy.numbers if id_ is None else id_, method, params or None)
        answer = await self.proxied.session.take(asked, self.client)
        assert answer is not None
        return answer

    async def call(self, tool: str, /, **arguments: Any) -> Message:
        """The result of a tool call."""
        answer = await self.ask("tools/call", {"name": tool, "arguments": arguments})
        return answer["result"]  # type: ignore[no-any-return]

    async def said(self, tool: str, /, **arguments: Any) -> str:
        """The text of a result."""
        return str((await self.call(tool, **arguments))["content"][0]["text"])

    async def tell(self, method: str, params: Message | None = None) -> None:
        await self.proxied.session.take(notification(method, params), self.client)

    async def greet(self, version: str = "2025-11-25") -> Message:
        about = {"name": "test", "version": "1"}
        params = {"protocolVersion": version, "capabilities": {}, "clientInfo": about}
        answer = await self.ask("initialize", params)
        await self.tell("notifications/initialized")
        return answer

    async def close(self) -> None:
        await self.proxied.close()


def proxy(
    rules: Mapping[str, ToolRule] | None = None,
    server: ScriptedServer | None = None,
    *,
    database: Database | None = None,
    owner: str = "mcp_1",
    prefix: str = "",
    **policy: Any,
) -> Proxy:
    """Call it inside a test: the clock is the running loop's."""
    asyncio.get_running_loop()
    policy.setdefault("limits", WIDE)
    made = Policy(agent="support", purpose="tests of MCP", tools=dict(rules or {}), **policy)
    app = assembled(database or memory(), clock=LoopClock(), ids=Ids(random.Random(7)))
    server = server or ScriptedServer()
    told: list[str] = []
    box = Toolbox(made, (), app.clock)
    shelf = Shelf(box, app.database, app.clock, Name(prefix or "mcp", prefix), told.append)
    own = OwnClient(server, shelf, "0", told.append)
    duty = Duty(Owner(owner, "", 1, ""), shelf.name.server, own)
    doorman = Doorman(app.database, app.clock, app.ids, app.payloads, box, duty)
    return Proxy(app, server, made, box, shelf, doorman, own, told)


READS = {"read_file": ToolRule(effect="read")}
ACTS = {"read_file": ToolRule(effect="read"), "write_file": ToolRule(effect="write")}


def asking(**more: Any) -> dict[str, ToolRule]:
    """Reads freely; a person approves each write."""
    return {**READS, "write_file": ToolRule(effect="write", approval="always", **more)}
