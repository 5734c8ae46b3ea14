"""A client on stdin and stdout: answered side by side, never lost, and let go of in order when it leaves."""

import asyncio
import json
from typing import Any

from airworthy.policy import ToolRule
from airworthy.tools import EffectState
from airworthy.tools.mcp.link import Ears
from airworthy.tools.mcp.stdio_front import StdioFront, Stdout
from airworthy.tools.mcp.wire import notification
from tests.tools.mcp.kit import ACTS, Proxy, ScriptedServer, proxy


class Pipe:
    """Implements `Writer`: a reader that may be slow, or go."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.ready = asyncio.Event()
        self.ready.set()
        self.broken = False
        self.unread = 0

    def write(self, data: bytes) -> None:
        if self.broken:
            raise BrokenPipeError
        assert data.endswith(b"\n")
        assert data.count(b"\n") == 1
        self.lines.append(json.loads(data))
        self.unread += 1

    async def drain(self) -> None:
        await self.ready.wait()

    def answer(self, id_: Any) -> dict[str, Any]:
        (found,) = [line for line in self.lines if line.get("id") == id_ and "method" not in line]
        return found


class Ends:
    """The client's ends of both pipes, with the front between them and the session."""

    def __init__(self, house: Proxy) -> None:
        self.reader = asyncio.StreamReader()
        self.pipe = Pipe()
        stdout = Stdout(self.pipe)
        self.talk = house.session(stdout)  # type: ignore[arg-type]
        self.front = StdioFront(self.talk.proxied.session, self.reader, stdout, house.told.append)
        self.running = asyncio.create_task(self.front.run())

    def send(self, id_: Any, method: str, **params: Any) -> None:
        message = {
            "jsonrpc": "2.0",
            "method": method,
            "params": params,
            **({} if id_ is None else {"id": id_}),
        }
        self.reader.feed_data(json.dumps(message).encode() + b"\n")

    def call(self, id_: Any, tool: str, path: str) -> None:
        self.send(id_, "tools/call", name=tool, arguments={"path": path})

    async def leave(self) -> None:
        self.reader.feed_eof()
        await self.running
        await self.talk.close()


async def test_a_slow_call_holds_up_no_other() -> None:
    async def slow(message: Any, ears: Ears) -> Any:
        if message["params"]["arguments"]["path"] == "slow":
            await asyncio.sleep(5)
        return {"content": []}

    async with proxy(ACTS, ScriptedServer(handlers={"tools/call": slow})) as house:
        ends = Ends(house)
        ends.call(1, "read_file", "slow")
        ends.call("a", "read_file", "quick")
        await asyncio.sleep(1)
        early = [line["id"] for line in ends.pipe.lines]
        await asyncio.sleep(10)
        await ends.leave()

        assert early == ["a"]
        assert [line["id"] for line in ends.pipe.lines] == ["a", 1]


async def test_a_client_that_leaves_in_the_middle_of_an_act_leaves_it_recorded() -> None:
    async def slow(message: Any, ears: Ears) -> Any:
        await asyncio.sleep(5)
        return {"content": []}

    async with proxy(ACTS, ScriptedServer(handlers={"tools/call": slow})) as house:
        ends = Ends(house)
        ends.call(1, "write_file", "a")
        await asyncio.sleep(1)
        await ends.leave()

        assert house.effects()[0].state is EffectState.DONE
        assert house.app.operations.task(house.task).state.value == "answered"


async def test_a_client_that_leaves_in_the_middle_of_a_read_is_not_waited_for() -> None:
    async def hang(message: Any, ears: Ears) -> Any:
        await asyncio.sleep(10_000)

    server = ScriptedServer(handlers={"tools/call": hang})
    async with proxy({"read_file": ToolRule(effect="read", timeout_s=1000)}, server) as house:
        ends = Ends(house)
        ends.call(1, "read_file", "a")
        await asyncio.sleep(1)
        begun = asyncio.get_running_loop().time()
        await ends.leave()

        assert asyncio.get_running_loop().time() - begun < 5


async def test_a_client_that_stops_reading_stops_the_server_s_flood_and_not_the_memory() -> None:
    sent: list[int] = []

    async def flood(message: Any, ears: Ears) -> Any:
        for number in range(10_000):
            await ears.heard(notification("notifications/message", {"n": number}))
            sent.append(number)
        return {}

    async with proxy(ACTS, ScriptedServer(handlers={"resources/read": flood})) as house:
        ends = Ends(house)
        ends.pipe.ready.clear()
        ends.send(1, "resources/read", uri="x")
        await asyncio.sleep(60)
        waiting = len(sent)
        ends.pipe.ready.set()
        await asyncio.sleep(60)
        await ends.leave()

        assert waiting <= 1
        assert len(sent) == 10_000
        assert ends.pipe.answer(1)["result"] == {}


async def test_a_client_whose_pipe_breaks_ends_the_session() -> None:
    async with proxy(ACTS) as house:
        ends = Ends(house)
        ends.call(1, "read_file", "a")
        await asyncio.sleep(1)
        ends.pipe.broken = True
        ends.call(2, "read_file", "b")

        await ends.running
        await ends.talk.close()

        assert house.app.operations.task(house.task).state.value == "answered"


async def test_garbage_of_the_client_is_answered_and_the_rest_goes_on() -> None:
    async with proxy(ACTS) as house:
        ends = Ends(house)
        ends.reader.feed_data(b'hello\n[{"jsonrpc":"2.0","id":1,"method":"ping"}]\n\xff\n\n{}\n')
        ends.call(1, "read_file", "a")
        await asyncio.sleep(1)
        await ends.leave()

        codes = [line["error"]["code"] for line in ends.pipe.lines if "error" in line]
        assert codes == [-32700, -32600, -32700, -32600]
        assert "result" in ends.pipe.answer(1)


async def test_a_cancelled_request_gets_no_answer() -> None:
    async def hang(message: Any, ears: Ears) -> Any:
        await asyncio.sleep(10_000)

    async with proxy(ACTS, ScriptedServer(handlers={"resources/read": hang})) as house:
        ends = Ends(house)
        ends.send(1, "resources/read", uri="x")
        await asyncio.sleep(1)
        ends.send(None, "notifications/cancelled", requestId=1)
        ends.send(2, "ping")
        await asyncio.sleep(1)
        await ends.leave()

        assert [line["id"] for line in ends.pipe.lines] == [2]
        assert len(house.server.links[0].cancelled) == 1


async def test_the_race_between_an_answer_and_its_cancellation_has_one_end() -> None:
    """At every moment: before it is sent, on its way, at the very answer, and after it."""
    for step in range(40):

        async def slow(message: Any, ears: Ears) -> Any:
            await asyncio.sleep(1)
            return {"content": []}

        async with proxy(ACTS, ScriptedServer(handlers={"tools/call": slow})) as house:
            ends = Ends(house)
            ends.call(1, "write_file", "a")
            await asyncio.sleep(step * 0.05)
            ends.send(None, "notifications/cancelled", requestId=1)
            await asyncio.sleep(5)
            await ends.leave()

            answers = [line for line in ends.pipe.lines if line.get("id") == 1]
            effects = house.effects() if house.tasks else []
            assert len(answers) <= 1
            assert {effect.state for effect in effects} <= {EffectState.DONE, EffectState.FAILED}
            assert len(house.server.calls) == sum(effect.state is EffectState.DONE for effect in effects)
