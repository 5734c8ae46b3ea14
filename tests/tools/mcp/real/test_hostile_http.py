"""A real server over HTTP that refuses, forgets, breaks off or lies; and clients that are not who they seem."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from airworthy.core.clock import SystemClock
from airworthy.core.ids import Ids
from airworthy.policy import ToolRule
from airworthy.resilience.egress import Egress, async_transport
from airworthy.tools import EffectState
from airworthy.tools.mcp.http_front import HttpFront
from airworthy.tools.mcp.http_link import HttpDial
from tests.tools.mcp.kit import READ, WRITE, Proxy, Talk, proxy

Writer = asyncio.StreamWriter
SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
RULES = {
    "read_file": ToolRule(effect="read", timeout_s=5, attempts=2, retry_wait_s=0.01, critical=False),
    "write_file": ToolRule(effect="write", timeout_s=5),
}


@dataclass
class Raw:
    """A server that reads requests and lets `handler` write whatever it likes; None: as a good one would."""

    calls: list[dict[str, Any]] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    handler: Callable[[dict[str, Any], str, Writer], Awaitable[bool]] | None = None
    sessions: int = 0
    url: str = ""

    async def __aenter__(self) -> "Raw":
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/mcp"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            size = next(
                (int(line.split(":")[1]) for line in head.split("\r\n") if line.startswith("content-length")),
                0,
            )
            body = json.loads(await reader.readexactly(size)) if size else {}
            self.heads.append(head)
            if body.get("method") == "tools/call":
                self.calls.append(body)
            if self.handler is None or not await self.handler(body, head, writer):
                writer.write(self.good(body, head))
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def good(self, body: dict[str, Any], head: str) -> bytes:
        if head.startswith("get"):
            return b"HTTP/1.1 405 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        if "id" not in body:
            return b"HTTP/1.1 202 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        more = ""
        match body["method"]:
            case "initialize":
                self.sessions += 1
                more = f"mcp-session-id: s{self.sessions}\r\n"
                result: dict[str, Any] = {
                    "protocolVersion": "2025-11-25",
                    "capabilities": {},
                    "serverInfo": {},
                }
            case "tools/list":
                result = {"tools": [READ, WRITE]}
            case _:
                result = {"content": [{"type": "text", "text": "fine"}]}
        return whole({"jsonrpc": "2.0", "id": body["id"], "result": result}, more=more)


def whole(message: Any, status: str = "200 OK", more: str = "") -> bytes:
    raw = json.dumps(message).encode()
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(raw)}\r\n{more}"
    head += "connection: close"
    return head.encode() + b"\r\n\r\n" + raw


def _answer(body: dict[str, Any]) -> bytes:
    result = {"content": [{"type": "text", "text": "resumed"}]}
    return json.dumps({"jsonrpc": "2.0", "id": body["id"], "result": result}).encode()


def _run(raw: Raw, test: Callable[[Proxy, Talk], Awaitable[None]]) -> None:
    async def main() -> None:
        async with raw:
            house = proxy(RULES)
            dial = HttpDial(
                raw.url,
                lambda: httpx.AsyncClient(transport=async_transport(Egress(internal=True))),
                SystemClock(),
                house.told.append,
            )
            house.server = dial  # type: ignore[assignment]  # a real one in place of the scripted one
            async with house:
                talk = house.session()
                await talk.greet()
                await test(house, talk)

    asyncio.run(asyncio.wait_for(main(), 40))


@pytest.mark.parametrize(
    ("status", "more", "effect", "why"),
    [
        ("401 No", "", EffectState.FAILED, "it never looked at the call"),
        ("403 No", "", EffectState.FAILED, "likewise"),
        ("429 Slow", "retry-after: 0\r\n", EffectState.FAILED, "it turned the call away"),
        ("503 Full", "retry-after: 0\r\n", EffectState.FAILED, "likewise"),
        ("500 Oops", "", EffectState.IN_DOUBT, "it may have broken afterwards"),
        ("502 Oops", "", EffectState.IN_DOUBT, "somebody between gave up"),
    ],
)
def test_a_status_says_whether_an_act_took_place(
    status: str, more: str, effect: EffectState, why: str
) -> None:
    async def handler(body: dict[str, Any], head: str, writer: Writer) -> bool:
        if body.get("method") != "tools/call":
            return False
        writer.write(whole("no \x1b[31m", status, more))
        return True

    async def test(house: Proxy, talk: Talk) -> None:
        came = await talk.call("write_file", path="a")

        assert came["isError"]
        assert house.effects()[0].state is effect, why
        assert "\x1b" not in str(came)

    _run(Raw(handler=handler), test)


def test_a_read_that_met_a_failing_server_is_made_again() -> None:
    failed: list[int] = []

    async def handler(body: dict[str, Any], head: str, writer: Writer) -> bool:
        if body.get("method") == "tools/call" and not failed:
            failed.append(1)
            writer.write(whole("no", "502 Oops"))
            return True
        return False

    async def test(house: Proxy, talk: Talk) -> None:
        assert await talk.said("read_file", path="a") == "fine"

    _run(Raw(handler=handler), test)


def test_a_session_that_the_server_has_forgotten_is_begun_anew_and_the_act_made_once() -> None:
    async def handler(body: dict[str, Any], head: str, writer: Writer) -> bool:
        if "mcp-session-id: s1" in head and body.get("method") == "tools/call":
            writer.write(whole("gone", "404 No"))
            return True
        return False

    raw = Raw(handler=handler)

    async def test(house: Proxy, talk: Talk) -> None:
        assert await talk.said("write_file", path="a") == "fine"
        assert raw.sessions == 2
        assert ["s1" in head or "s2" in head for head in raw.heads[1:] if head.startswith("post")].count(
            False
        ) == 1
        assert house.effects()[0].state is EffectState.DONE

    _run(raw, test)


def test_a_server_that_forgets_every_session_is_not_asked_for_ever() -> None:
    async def handler(body: dict[str, Any], head: str, writer: Writer) -> bool:
        if body.get("method") == "tools/call":
            writer.write(whole("gone", "404 No"))
            return True
        return False

    raw = Raw(handler=handler)

    async def test(house: Proxy, talk: Talk) -> None:
        text = await talk.said("read_file", path="a")

        assert "forgotten" in text or "left alone" in text
        assert raw.sessions <= 4

    _run(raw, test)


def test_a_stream_that_breaks_off_is_gone_on_with_where_it_broke() -> None:
    asked: list[dict[str, Any]] = []

    async def handler(body: dict[str, Any], head: str, writer: Writer) -> bool:
        if body.get("method") == "tools/call":
            asked.append(body)
            note = b'{"jsonrpc":"2.0","method":"notifications/message","params":{"n":1}}'
            writer.write(SSE + b"id: e1\nretry: 10\ndata: " + note + b"\n\n")
            return True
        if head.startswith("get") and "last-event-id: e1" in head:
            writer.write(SSE + b"id: e2\ndata: " + _answer(asked[0]) + b"\n\n")
            return True
        return False

    async def test(house: Proxy, talk: Talk) -> None:
        assert await talk.said("write_file", path="a") == "resumed"
        assert [message["params"] for message in talk.client.got] == [{"n": 1}]
        assert len(asked) == 1

    _run(Raw(handler=handler), test)


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        (b"", "nothing came"),
        (b'data: {"jsonrpc":"2.0","id":77,"result":{}}\n\n', "an answer to something else"),
        (b"data: hello\n\n", "no message"),
        (b"id: e1\nretry: 1\ndata:\n\n", "it breaks off, and cannot be gone on with"),
        (b"data: " + b"x" * 9_000_000, "an event without an end"),
    ],
)
def test_an_act_whose_answer_never_comes_whole_is_in_doubt(stream: bytes, why: str) -> None:
    async def handler(body: dict[str, Any], head: str, writer: Writer) -> bool:
        if body.get("method") != "tools/call":
            return False
        writer.write(SSE + stream)
        return True

    async def test(house: Proxy, talk: Talk) -> None:
        text = await talk.said("write_file", path="a")

        assert "may or may not have happened" in text, why
        assert house.effects()[0].state is EffectState.IN_DOUBT

    _run(Raw(handler=handler), test)


@pytest.mark.parametrize("answer", [b"hello", b"[]", b"", b"\xff", b'{"jsonrpc":"2.0","id":1}'])
def test_an_answer_that_is_no_message_is_told_as_such(answer: bytes) -> None:
    async def handler(body: dict[str, Any], head: str, writer: Writer) -> bool:
        if body.get("method") != "tools/call":
            return False
        size = str(len(answer)).encode()
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-length: " + size + b"\r\nconnection: close\r\n\r\n" + answer
        )
        return True

    async def test(house: Proxy, talk: Talk) -> None:
        assert "no message" in await talk.said("read_file", path="a")

    _run(Raw(handler=handler), test)


def test_an_address_inside_is_out_of_reach_unless_it_was_declared() -> None:
    raw = Raw()

    async def main() -> None:
        async with raw:
            house = proxy(RULES)
            dial = HttpDial(
                raw.url,
                lambda: httpx.AsyncClient(transport=async_transport()),
                SystemClock(),
                house.told.append,
            )
            house.server = dial  # type: ignore[assignment]
            async with house:
                answer = await house.session().ask("initialize", {"protocolVersion": "2025-11-25"})
                assert "not reached from here" in answer["error"]["message"]

    asyncio.run(main())
    assert raw.heads == []


def test_a_redirect_is_not_followed() -> None:
    async def handler(body: dict[str, Any], head: str, writer: Writer) -> bool:
        if body.get("method") != "tools/call":
            return False
        writer.write(
            b"HTTP/1.1 307 Go\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        )
        return True

    raw = Raw(handler=handler)

    async def test(house: Proxy, talk: Talk) -> None:
        assert (await talk.call("read_file", path="a"))["isError"]

    _run(raw, test)


# In front: who may knock, and what a client that leaves or comes twice means.


def _front(test: Callable[[httpx.AsyncClient, Proxy], Awaitable[None]]) -> None:
    async def main() -> None:
        async with proxy(RULES) as house:
            front = HttpFront(
                lambda general: house.session(general).proxied,  # type: ignore[arg-type]
                Ids(), frozenset({"localhost", "127.0.0.1"}), house.told.append,
            )  # fmt: skip
            transport = httpx.ASGITransport(app=front)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:9") as client:
                await test(client, house)
            await front.close()

    asyncio.run(asyncio.wait_for(main(), 20))


HEADERS = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
HELLO = {
    "jsonrpc": "2.0", "id": 1, "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("headers", "status", "why"),
    [
        ({"host": "evil.example"}, 421, "a name that was pointed here"),
        ({"host": "evil.example:9"}, 421, "with a port"),
        ({"origin": "https://evil.example"}, 403, "a page from elsewhere"),
        ({"origin": "null"}, 403, "a page without a home"),
        ({"origin": "http://127.0.0.1.evil.example"}, 403, "a page with a name like ours"),
        ({"origin": "http://localhost:3000"}, 200, "a page of this machine"),
        ({"host": "localhost:9"}, 200, "another name of this machine"),
        ({"mcp-protocol-version": "1999-01-01"}, 400, "a version that nobody knows"),
        ({"accept": "text/html"}, 406, "a client that cannot read an answer"),
    ],
)
def test_who_may_knock(headers: dict[str, str], status: int, why: str) -> None:
    async def test(client: httpx.AsyncClient, house: Proxy) -> None:
        reply = await client.post("/mcp", json=HELLO, headers={**HEADERS, **headers})

        assert reply.status_code == status, why

    _front(test)


def test_sessions_are_known_by_their_id_alone() -> None:
    async def test(client: httpx.AsyncClient, house: Proxy) -> None:
        ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
        first = (await client.post("/mcp", json=HELLO, headers=HEADERS)).headers["mcp-session-id"]
        second = (await client.post("/mcp", json=HELLO, headers=HEADERS)).headers["mcp-session-id"]

        none = await client.post("/mcp", json=ping, headers=HEADERS)
        wrong = await client.post("/mcp", json=ping, headers={**HEADERS, "mcp-session-id": "guess"})
        right = await client.post("/mcp", json=ping, headers={**HEADERS, "mcp-session-id": first})
        ended = await client.delete("/mcp", headers={"mcp-session-id": first})
        after = await client.post("/mcp", json=ping, headers={**HEADERS, "mcp-session-id": first})
        other = await client.post("/mcp", json=ping, headers={**HEADERS, "mcp-session-id": second})

        statuses = [reply.status_code for reply in (none, wrong, right, ended, after, other)]
        assert statuses == [400, 404, 200, 204, 404, 200]
        assert first != second

    _front(test)


@pytest.mark.parametrize(
    "body", [b"", b"hello", b"[]", b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', b"\xff", b"{}"]
)
def test_a_body_that_is_no_message_is_refused(body: bytes) -> None:
    async def test(client: httpx.AsyncClient, house: Proxy) -> None:
        reply = await client.post("/mcp", content=body, headers=HEADERS)

        assert reply.status_code == 400
        assert reply.json()["error"]["code"] in (-32700, -32600)

    _front(test)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"mcp-method": "tools/list", "mcp-name": "read_file"}, -32020),
        ({"mcp-method": "tools/call", "mcp-name": "write_file"}, -32020),
        ({"mcp-method": "tools/call"}, -32020),
        ({"mcp-name": "read_file"}, -32020),
    ],
)
def test_headers_that_say_something_else_than_the_body_are_refused(
    headers: dict[str, str], code: int
) -> None:
    """Whoever stands between may have judged the call by its headers."""

    async def test(client: httpx.AsyncClient, house: Proxy) -> None:
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        params = {"name": "read_file", "arguments": {"path": "a"}, "_meta": meta}
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        said = {**HEADERS, "mcp-protocol-version": "2026-07-28", **headers}

        reply = await client.post("/mcp", json=call, headers=said)
        right = await client.post(
            "/mcp", json=call, headers={**said, "mcp-method": "tools/call", "mcp-name": "read_file"}
        )

        assert (reply.status_code, reply.json()["error"]["code"]) == (400, code)
        assert right.json()["result"]["content"][0]["text"] == "read_file done"
        assert len(house.server.calls) == 1

    _front(test)
