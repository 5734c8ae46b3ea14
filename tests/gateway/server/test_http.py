"""The server over real sockets: connections, bounds of the wire, and stopping."""

import asyncio
import contextlib
import http.client
import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from airworthy.gateway.call import Answer, Call
from airworthy.gateway.server import Address, CannotListen, ServerRules, address, address_of, bound
from airworthy.gateway.server._uvicorn import HEAD_BYTES_MAX, HEAD_S_MAX, GuardedProtocol, HttpServer
from tests.gateway.server.kit import CHAT, JSON, Gateway, ScriptedDoor, served

WAIT_S = 10.0


class Slow:
    """A core that answers when told to; says when it was asked and how it ended."""

    def __init__(self) -> None:
        self.asked, self.go, self.ended = threading.Event(), threading.Event(), threading.Event()
        self.cancelled = False

    async def __call__(self, call: Call) -> Answer:
        self.asked.set()
        try:
            while not self.go.is_set():
                await asyncio.sleep(0.005)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        finally:
            self.ended.set()
        return Answer(200, [JSON], b'{"slow":true}')


@pytest.fixture(scope="module")
def plain() -> Iterator[tuple[Gateway, Address]]:
    gateway = Gateway(rules=ServerRules(body_bytes_max=200_000))
    with served(gateway) as (at, _):
        yield gateway, at


def post(
    connection: http.client.HTTPConnection, gateway: Gateway, body: Any = None, **headers: str
) -> http.client.HTTPResponse:
    raw = json.dumps(CHAT) if body is None else body
    connection.request("POST", "/v1/chat/completions", raw, {**gateway.auth(), **headers})
    return connection.getresponse()


def connected(at: Address) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(at.host, at.port, timeout=WAIT_S)


def test_a_connection_serves_one_call_after_the_other(plain: tuple[Gateway, Address]) -> None:
    gateway, at = plain
    connection = connected(at)
    sockets = set()

    for _ in range(5):
        response = post(connection, gateway)
        assert (response.status, response.read()) == (200, b'{"fine":true}')
        sockets.add(id(connection.sock))
    connection.close()

    assert len(sockets) == 1


def test_a_refused_call_leaves_the_connection_usable(plain: tuple[Gateway, Address]) -> None:
    gateway, at = plain
    connection = connected(at)

    for body in ("{", b"x" * 200_001):
        refused = post(connection, gateway, body)
        assert refused.status in (400, 413)
        refused.read()
        fine = post(connection, gateway)
        assert fine.status == 200
        fine.read()
    connection.close()


def test_a_body_without_a_length_is_bounded_while_it_comes(plain: tuple[Gateway, Address]) -> None:
    gateway, at = plain
    with socket.create_connection((at.host, at.port), timeout=WAIT_S) as raw:
        raw.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
            b"Authorization: Bearer %s\r\n\r\n" % gateway.secret.encode()
        )
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        raw.sendall(chunk * 4)
        answer = raw.recv(65_536)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer


def test_a_head_request_has_the_headers_of_a_get_and_no_body(plain: tuple[Gateway, Address]) -> None:
    gateway, at = plain
    connection = connected(at)
    connection.request("GET", "/v1/models", headers=gateway.auth())
    get = connection.getresponse()
    length = len(get.read())
    connection.request("HEAD", "/v1/models", headers=gateway.auth())
    head = connection.getresponse()

    assert (head.status, head.read()) == (200, b"")
    assert head.headers["content-length"] == str(length)
    connection.close()


def test_two_requests_sent_at_once_are_answered_in_their_order(plain: tuple[Gateway, Address]) -> None:
    _, at = plain
    with socket.create_connection((at.host, at.port), timeout=WAIT_S) as raw:
        raw.sendall(
            b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        answers = b""
        while piece := raw.recv(65_536):
            answers += piece

    assert answers.index(b"200 OK") < answers.index(b"404 Not Found")


def test_what_is_no_http_is_refused_without_a_word_in_the_log(
    plain: tuple[Gateway, Address], capfd: pytest.CaptureFixture[str]
) -> None:
    _, at = plain
    with socket.create_connection((at.host, at.port), timeout=WAIT_S) as raw:
        raw.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        answer = raw.recv(65_536)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert capfd.readouterr() == ("", "")


def test_an_endless_head_is_cut_off(plain: tuple[Gateway, Address]) -> None:
    _, at = plain
    with socket.create_connection((at.host, at.port), timeout=WAIT_S) as raw:
        raw.sendall(b"GET /livez HTTP/1.1\r\n")
        sent = 0
        with contextlib.suppress(OSError):
            while sent < 100 * HEAD_BYTES_MAX:
                raw.sendall(b"x-filler: " + b"y" * 988 + b"\r\n")
                sent += 1_000

    assert sent < 100 * HEAD_BYTES_MAX


async def test_a_head_that_does_not_come_is_not_waited_for() -> None:
    class Transport(asyncio.Transport):
        aborted_s = 0.0

        def abort(self) -> None:
            self.aborted_s = asyncio.get_running_loop().time()

        def get_extra_info(self, name: str, default: Any = None) -> Any:
            return default

        def is_closing(self) -> bool:
            return False

    server = HttpServer(Gateway().app, 1.0)
    server.config.load()
    silent, partial, whole = Transport(), Transport(), Transport()
    for transport, data in (
        (silent, b""),
        (partial, b"GET /livez HT"),
        (whole, b"GET /livez HTTP/1.1\r\n\r\n"),
    ):
        protocol = GuardedProtocol(server.config, server.server_state, {})
        protocol._start_asgi_task = lambda *_: None  # type: ignore[method-assign]  # nobody would read the answer
        protocol.connection_made(transport)
        if data:
            protocol.data_received(data)
    await asyncio.sleep(2 * HEAD_S_MAX)

    assert (silent.aborted_s, partial.aborted_s, whole.aborted_s) == (HEAD_S_MAX, HEAD_S_MAX, 0.0)


def test_a_caller_that_closes_its_connection_cancels_its_call() -> None:
    slow = Slow()
    gateway = Gateway(ScriptedDoor(slow))
    with served(gateway) as (at, _):
        connection = connected(at)
        connection.request("POST", "/v1/chat/completions", json.dumps(CHAT), gateway.auth())
        assert slow.asked.wait(WAIT_S)
        connection.close()
        assert slow.ended.wait(WAIT_S)

    assert slow.cancelled


def _called(gateway: Gateway, at: Address, results: list[Any]) -> threading.Thread:
    def call() -> None:
        connection = connected(at)
        try:
            response = post(connection, gateway)
            results.append((response.status, response.headers.get("connection"), response.read()))
        except (OSError, http.client.HTTPException) as error:
            results.append(error)
        connection.close()

    thread = threading.Thread(target=call)
    thread.start()
    return thread


def _refused(at: Address) -> bool:
    try:
        socket.create_connection((at.host, at.port), timeout=WAIT_S).close()
    except OSError:
        return True
    return False


def test_stopping_takes_nothing_new_and_lets_what_is_under_way_end() -> None:
    slow = Slow()
    gateway = Gateway(ScriptedDoor(slow))
    results: list[Any] = []
    with served(gateway) as (at, stop):
        idle = connected(at)
        idle.request("GET", "/livez")
        idle.getresponse().read()
        thread = _called(gateway, at, results)
        assert slow.asked.wait(WAIT_S)
        stop.gently()
        assert idle.sock.recv(1) == b""  # What is idle is closed.
        assert _refused(at)
        slow.go.set()
        thread.join(WAIT_S)
        stop.thread.join(WAIT_S)
        assert not stop.thread.is_alive()
        idle.close()

    assert results == [(200, "close", b'{"slow":true}')]


@pytest.mark.parametrize("hurried", [True, False])
def test_what_does_not_end_in_time_or_is_hurried_is_told_to_come_back(hurried: bool) -> None:
    slow = Slow()
    gateway = Gateway(ScriptedDoor(slow))
    results: list[Any] = []
    with served(gateway, drain_s=60.0 if hurried else 0.05) as (at, stop):
        thread = _called(gateway, at, results)
        assert slow.asked.wait(WAIT_S)
        stop.gently()
        if hurried:
            stop.hurry()
        thread.join(WAIT_S)
        stop.thread.join(WAIT_S)
        assert not stop.thread.is_alive()

    ((status, _, body),) = results
    assert (status, json.loads(body)["error"]["code"]) == (503, "gateway_stopping")
    assert slow.cancelled


def test_a_port_in_use_is_told_with_its_mend() -> None:
    with bound(Address("127.0.0.1", 0)) as first, pytest.raises(CannotListen, match="in use"):
        bound(address_of(first))


@pytest.mark.parametrize("text", ["256.1.1.1:1", "no.such.host.invalid:80", "192.0.2.1:80"])
def test_an_address_that_is_not_ours_is_told(text: str) -> None:
    with pytest.raises(CannotListen):
        bound(address(text))


@pytest.mark.parametrize(
    "text", ["", "8090", ":8090", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:65536", "::1:80", "a b:1"]
)
def test_what_is_no_address_is_told_how_to_write_one(text: str) -> None:
    with pytest.raises(CannotListen, match="no address"):
        address(text)


@pytest.mark.parametrize(
    ("text", "loopback", "url"),
    [
        ("127.0.0.1:8090", True, "http://127.0.0.1:8090"), ("[::1]:1", True, "http://[::1]:1"),
        ("localhost:1", True, "http://localhost:1"), ("0.0.0.0:1", False, "http://0.0.0.0:1"),
        ("[::]:1", False, "http://[::]:1"), ("my-host:1", False, "http://my-host:1"),
    ],
)  # fmt: skip
def test_an_address_knows_who_can_reach_it(text: str, loopback: bool, url: str) -> None:
    assert (address(text).loopback, address(text).url, str(address(text))) == (loopback, url, text)


@pytest.mark.process
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
def test_curl_is_answered(plain: tuple[Gateway, Address]) -> None:
    gateway, at = plain
    big = json.dumps(
        {**CHAT, "x": "y" * 150_000}
    )  # Large enough for curl to ask with `Expect: 100-continue`.
    said = subprocess.run(
        ["curl", "-sS", "-m", "10", "-H", f"Authorization: Bearer {gateway.secret}", "-H", "Expect: 100-continue",
         "--data-binary", "@-", f"{at.url}/v1/chat/completions"],
        input=big, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert said.stdout == '{"fine":true}'


NODE = """
const [url, key] = process.argv.slice(1);
let done = 0;
for (let i = 0; i < 50; i++) {
  const r = await fetch(url + "/v1/messages", {method: "POST", headers: {"x-api-key": key},
    body: JSON.stringify({model: "m", max_tokens: 1, messages: [{role: "user", content: "x"}]})});
  if ((await r.json()).fine) done++;
}
console.log(done);
"""


@pytest.mark.process
@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not here")
def test_a_loop_of_node_fetches_is_answered(plain: tuple[Gateway, Address]) -> None:
    gateway, at = plain
    said = subprocess.run(
        ["node", "--input-type=module", "-e", NODE, at.url, gateway.secret],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip

    assert said.stdout.strip() == "50"
