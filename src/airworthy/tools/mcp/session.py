"""One client's conversation with one server: tool calls go through the chain, everything else passes untouched."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from airworthy.core.canonical import encode
from airworthy.core.errors import AirworthyError
from airworthy.tools.call import Answer
from airworthy.tools.errors import NotNow, Permanent, ToolError, Transient
from airworthy.tools.mcp import answers, headers
from airworthy.tools.mcp.definition import harmless
from airworthy.tools.mcp.generation import (
    BUSY,
    FOR_THE_CLIENT,
    GONE,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    NOT_DONE,
    envelope,
    finished,
    stateless,
)
from airworthy.tools.mcp.link import Dial, Unanswered
from airworthy.tools.mcp.listing import listed
from airworthy.tools.mcp.peer import Full, Table
from airworthy.tools.mcp.remote import CALLER
from airworthy.tools.mcp.server import Channel, Server, refusal
from airworthy.tools.mcp.shelf import Shelf
from airworthy.tools.mcp.wire import Id, Message, error, kind, result

UNDER_WAY_MAX: Final = 256
ERRANDS_MAX: Final = 256
LISTED_S_MAX: Final = 300.0  # After so long a call looks at the server's tools again.


class Chain(Protocol):
    """The agent's task, as far as a session needs it."""

    async def call(self, name: str, arguments: bytes) -> Answer:
        """Raises: ToolError, NotNow."""
        ...

    async def turn_away(self, name: str, arguments: bytes, text: str) -> None:
        """Raises: ToolError, NotNow."""
        ...


Begin = Callable[[Mapping[str, Any]], Awaitable[Chain]]


@dataclass(slots=True)
class _Open:
    """A request of the client under way. `stop` ends the waiting for it; an act goes on all the same."""

    stop: Callable[[], object]
    channel: Channel
    acts: bool = False
    cancelled: bool = False
    outs: set[int] = field(default_factory=set)


class Session:
    """`general`: where the server's own messages go. `begin` opens the task at the first tool call."""

    def __init__(
        self, shelf: Shelf, dial: Dial, begin: Begin, general: Channel, tell: Callable[[str], None]
    ) -> None:
        self._shelf = shelf
        self._begin = begin
        self._general = general
        self._tell = tell
        self._server = Server(dial, on_notification=self._notified, on_request=self._requested, tell=tell)
        self._to_client: Table[None] = Table()
        self._open: dict[tuple[type, Id, int], _Open] = {}
        self._chain: Chain | None = None
        self._beginning = asyncio.Lock()
        self._listing = asyncio.Lock()
        self._listed_at = float("-inf")
        self._client: Any = None
        self._errands: set[asyncio.Task[None]] = set()

    async def take(self, message: Message, channel: Channel) -> Message | None:
        """Handles one message of the client; answers a request, unless the client has cancelled it.

        `channel`: where what belongs to this request goes meanwhile.
        """
        match kind(message):
            case "response":
                if not self._to_client.answer(message):
                    self._tell("The client has answered what it was not asked.")
            case "notification":
                await self._from_client(message, channel)
            case "request":
                return await self._request(message, channel)
        return None

    def leave(self, channel: Channel) -> None:
        """The client hung up: nobody waits for what it asked there."""
        for open_ in list(self._open.values()):
            if open_.channel is channel:
                self._stop(open_)

    def give_up(self) -> None:
        """The client has gone for good."""
        for open_ in list(self._open.values()):
            self._stop(open_)

    async def close(self) -> None:
        """The server goes; acts under way are awaited by the chain."""
        for errand in self._errands:
            errand.cancel()
        await asyncio.gather(*self._errands, return_exceptions=True)
        await self._server.close()

    async def _request(self, message: Message, channel: Channel) -> Message | None:
        key = (type(message["id"]), message["id"], id(channel) if stateless(message) else 0)
        if key in self._open:
            return error(message["id"], INVALID_REQUEST, "A request with this id is under way.")
        if len(self._open) >= UNDER_WAY_MAX:
            return error(message["id"], BUSY, f"{UNDER_WAY_MAX} requests are under way; wait for one.")
        work = asyncio.ensure_future(self._answer(message, channel, key))
        open_ = self._open[key] = _Open(work.cancel, channel)
        try:
            return await work
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not open_.cancelled or (task is not None and task.cancelling()):
                work.cancel()
                raise
            return None
        finally:
            del self._open[key]

    async def _answer(self, message: Message, channel: Channel, key: tuple[type, Id, int]) -> Message:
        await asyncio.sleep(0)  # Until it stands among those under way.
        try:
            match message["method"]:
                case "tools/list":
                    return await self._list(message)
                case "tools/call":
                    return await self._call(message, channel, self._open[key])
                case "initialize":
                    return await self._initialize(message, channel, self._open[key])
                case _:
                    return await self._pass(message, channel, self._open[key])
        except Unanswered as unanswered:
            return error(message["id"], GONE, harmless(unanswered.message))
        except Full as full:
            return error(message["id"], BUSY, full.message)
        except AirworthyError as failed:  # The store, or too many sessions: said, and nothing was done.
            return error(message["id"], INTERNAL_ERROR, harmless(str(failed)))

    async def _pass(self, message: Message, channel: Channel, open_: _Open) -> Message:
        return await self._server.ask(
            message, channel, headers=headers.of_request(message), sent=open_.outs.add
        )

    async def _initialize(self, message: Message, channel: Channel, open_: _Open) -> Message:
        params = message.get("params")
        self._client = params.get("clientInfo") if isinstance(params, dict) else None
        answer = await self._pass(message, channel, open_)
        came = answer.get("result")
        if isinstance(came, dict) and isinstance(came.get("protocolVersion"), str):
            self._server.handshake = params if isinstance(params, dict) else {}
            self._server.agreed = came["protocolVersion"]
        return answer

    async def _list(self, message: Message) -> Message:
        params = message.get("params")
        if isinstance(params, dict) and params.get("cursor") is not None:
            return error(message["id"], INVALID_PARAMS, "There is no page but the first.")
        async with self._listing:
            rest = await self._look(message)
        if "error" in rest:
            return {**rest, "id": message["id"]}
        return result(message["id"], {**rest["result"], "tools": self._shelf.shown()})

    async def _look(self, message: Message | None) -> Message:
        """Lists the server's tools, all pages. `message`: on whose behalf. The last answer, without the tools."""
        common = {} if message is None else envelope(message)
        found, last = await listed(self._server, common)
        if "error" not in last:
            await self._shelf.observed(found)
            self._listed_at = asyncio.get_running_loop().time()
        return last

    async def _call(self, message: Message, channel: Channel, open_: _Open) -> Message:
        params = message.get("params")
        params = params if isinstance(params, dict) else {}
        theirs, arguments = params.get("name"), params.get("arguments")
        arguments = {} if arguments is None else arguments
        if not isinstance(theirs, str) or not isinstance(arguments, dict):
            return error(
                message["id"], INVALID_PARAMS, "A tool call needs a name and an object of arguments."
            )
        async with self._listing:
            if asyncio.get_running_loop().time() - self._listed_at > LISTED_S_MAX:
                came = await self._look(message)
                if "error" in came:
                    return {**came, "id": message["id"]}
        name = self._shelf.house_name(theirs)
        tool = self._shelf.box.tools.get(name)
        open_.acts = tool is not None and tool.effect.acts
        chain = await self._task()
        exchange = _Exchange(self._server, self._shelf, message, params, channel, open_)
        CALLER.set(exchange)
        raw = encode(arguments)
        try:
            why = self._shelf.held_back(name)
            if why is not None:
                await chain.turn_away(name, raw, why)
            told = answers.of_answer(await chain.call(name, raw))
        except (ToolError, NotNow) as failed:
            if exchange.error is not None and isinstance(failed, ToolError):
                return error(message["id"], **exchange.error)
            told = answers.of_error(failed)
        return result(message["id"], finished(told, plain=not stateless(message)))

    async def _task(self) -> Chain:
        async with self._beginning:
            if self._chain is None:
                self._chain = await self._begin({"client": harmless(self._client)})
            return self._chain

    async def _from_client(self, message: Message, channel: Channel) -> None:
        params = message.get("params")
        if message["method"] == "notifications/cancelled":
            wanted = params.get("requestId") if isinstance(params, dict) else None
            for on in (0, id(channel)):
                open_ = self._open.get((type(wanted), wanted, on)) if isinstance(wanted, str | int) else None
                if open_ is not None:
                    self._stop(open_)
            return
        routed = self._to_client.routed(message)
        if routed is not None:
            await self._server.tell(routed[0])

    def _stop(self, open_: _Open) -> None:
        """A read is given up. An act that has begun goes on: its result is awaited, and stands in the record."""
        open_.cancelled = True
        for out in open_.outs if open_.acts else ():
            self._errand(self._server.cancel(out))
        open_.stop()

    async def _notified(self, message: Message, channel: Channel | None) -> None:
        if message["method"] == "notifications/tools/list_changed":
            self._listed_at = float("-inf")
            if not self._errands and self._server.agreed:
                self._errand(self._looked_again())
        await (channel or self._general).send(message)

    async def _looked_again(self) -> None:
        """At once, so that a change is told when it happens and not when it is used."""
        async with self._listing:
            try:
                await self._look(None)
            except AirworthyError as failed:
                self._tell(f"The server's tools could not be looked at: {failed}")

    async def _requested(self, message: Message) -> None:
        """The server asks the client. Its answer comes in `take`, and goes back under the server's own id."""

        def answered(answer: Message) -> None:
            self._errand(self._server.tell(answer))

        try:
            pending, out = self._to_client.begin(message, None, answered)
        except Full:
            self._errand(
                self._server.tell(refusal(message, "Too many requests to the client are under way."))
            )
            return
        try:
            await self._general.send(out)
        except Unanswered as nobody:
            self._to_client.end(pending.out)
            self._errand(self._server.tell(refusal(message, nobody.message)))

    def _errand(self, work: Coroutine[Any, Any, None]) -> None:
        if (
            len(self._errands) >= ERRANDS_MAX
        ):  # A server that asks and does not read: it gets no more answers.
            work.close()
            return
        task = asyncio.ensure_future(work)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)


class _Exchange:
    """Implements `remote.Caller` for one request of a client: each try goes out under an id of its own."""

    def __init__(
        self, server: Server, shelf: Shelf, message: Message, params: Message, channel: Channel, open_: _Open
    ) -> None:
        self.error: dict[str, Any] | None = None
        self._server = server
        self._shelf = shelf
        self._message = message
        self._params = params
        self._channel = channel
        self._open = open_

    async def call_tool(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        if self._open.cancelled:
            raise Permanent("The client cancelled it before it was sent.")
        self.error = None
        message = {**self._message, "params": {**self._params, "name": name, "arguments": dict(arguments)}}
        schema = self._shelf.input_schema(self._shelf.house_name(name))
        said = headers.of_request(message, schema)
        return outcome(await self._asked(message, said), self)

    async def _asked(self, message: Message, said: dict[str, str]) -> Message:
        try:
            return await self._server.ask(message, self._channel, headers=said, sent=self._open.outs.add)
        except Full as full:
            raise Transient(full.message, happened="no") from full
        except Unanswered as unanswered:
            raise failure(unanswered) from unanswered


def failure(unanswered: Unanswered) -> Transient | Permanent:
    if unanswered.denied:
        return Permanent(unanswered.message)
    return Transient(unanswered.message, retry_after_s=unanswered.retry_after_s, happened=unanswered.happened)


def outcome(answer: Message, exchange: "_Exchange | None" = None) -> Mapping[str, Any]:
    """The result in an answer. Raises: Permanent when the server did not do it, Transient when nobody knows."""
    said = answer.get("error")
    if said is None:
        came = answer["result"]
        if not isinstance(came, dict):
            raise Transient("The server's result is no object.", happened="maybe")
        return came
    code = said.get("code") if isinstance(said, dict) else None
    text = harmless(str(said.get("message", ""))) if isinstance(said, dict) else "no words"
    if code in FOR_THE_CLIENT and exchange is not None and isinstance(said, dict):
        exchange.error = {"code": code, "text": text, "data": said.get("data")}
    if code in NOT_DONE:
        raise Permanent(f"The server says: {text[:1000]} ({code})")
    raise Transient(f"The server failed: {text[:1000]} ({code})", happened="maybe")
