"""Starting and stopping a server inside another program."""

import asyncio
import socket
import threading
import urllib.error
import urllib.request
from typing import Any

import pytest

from airworthy.core.errors import AirworthyError
from airworthy.gateway.simulator import PortInUse, serving, serving_async


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return bytes(answer.read())


def test_any_application_is_served_for_as_long_as_the_block_runs() -> None:
    with serving(hello) as base_url:
        inside = fetch(base_url)

    assert base_url.startswith("http://127.0.0.1:")
    assert inside == b"hello"
    with pytest.raises(urllib.error.URLError):
        fetch(base_url)


def test_the_thread_is_gone_afterwards_and_the_port_can_be_used_again() -> None:
    before = threading.active_count()
    with serving(hello) as base_url:
        fetch(base_url)
    port = int(base_url.rpartition(":")[2])

    with serving(hello, port=port) as again:
        assert again == base_url
    assert threading.active_count() == before


def test_a_port_in_use_is_an_error_that_says_what_to_do() -> None:
    with serving(hello) as base_url:
        port = int(base_url.rpartition(":")[2])
        with (
            pytest.raises(PortInUse, match=rf"127\.0\.0\.1:{port}.*port 0") as raised,
            serving(hello, port=port),
        ):
            pass

    assert isinstance(raised.value, AirworthyError)


def test_an_error_inside_the_block_stops_the_server_and_gets_out() -> None:
    with pytest.raises(ZeroDivisionError), serving(hello) as base_url:
        raise ZeroDivisionError

    with pytest.raises(urllib.error.URLError):
        fetch(base_url)


def test_the_running_loop_can_serve_too() -> None:
    async def main() -> tuple[str, bytes]:
        async with serving_async(hello) as base_url:
            return base_url, await asyncio.to_thread(fetch, base_url)

    base_url, body = asyncio.run(main())

    assert body == b"hello"
    with pytest.raises(urllib.error.URLError):
        fetch(base_url)


def test_answers_are_not_held_back_by_delayed_acknowledgements() -> None:
    """Headers and body are two writes; without TCP_NODELAY the second one waits 40 ms, on every call."""
    seen: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        transport = send.__self__.transport
        seen.append(transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        await hello(scope, receive, send)

    with serving(app) as base_url:
        fetch(base_url)

    assert seen[0] != 0
