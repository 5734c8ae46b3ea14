"""The faults of a stream over real HTTP on loopback: what a client's socket meets."""

import http.client
import socket
from collections.abc import Callable

import orjson
import pytest

from airworthy.gateway.simulator import FaultPlan, Simulator
from tests.gateway.simulator.conftest import Client
from tests.gateway.simulator.protocols import CHAT, PATHS, asked, events, faulty, joined, sent

# Long enough to show that nothing comes, where nothing would come for half a minute.
SILENCE_S = 0.05
Serve = Callable[[Simulator], Client]


def opened(client: Client, path: str, timeout_s: float = 5.0) -> http.client.HTTPConnection:
    """A connection on which a stream was asked for."""
    connection = http.client.HTTPConnection(client.address, timeout=timeout_s)
    headers = {"content-type": "application/json", "anthropic-version": "2023-06-01"}
    connection.request("POST", path, orjson.dumps(asked(path, "Hi", stream=True)), headers)
    return connection


@pytest.mark.parametrize("path", PATHS)
def test_a_stream_over_http_is_the_stream_without_a_socket(served: Serve, path: str) -> None:
    connection = opened(served(Simulator()), path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()

    assert body == joined(sent(Simulator(), path, asked(path, "Hi", stream=True)))
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["transfer-encoding"] == "chunked"
    assert events(body)


@pytest.mark.parametrize("fault", ["stream_cut:early", "stream_cut:late", "truncated"])
@pytest.mark.parametrize("path", PATHS)
def test_a_cut_stream_has_no_last_chunk_of_http(served: Serve, path: str, fault: str) -> None:
    connection = opened(served(faulty(fault)), path)
    answer = connection.getresponse()

    with pytest.raises(http.client.IncompleteRead) as raised:
        answer.read()
    connection.close()

    assert answer.status == 200
    assert raised.value.partial.startswith((b"data: {", b"event: "))


def test_a_stream_can_be_reset_in_its_middle(served: Serve) -> None:
    connection = opened(served(faulty("stream_cut:reset")), CHAT)
    answer = connection.getresponse()

    with pytest.raises(ConnectionResetError):
        answer.read()
    connection.close()

    assert answer.status == 200


@pytest.mark.parametrize("path", PATHS)
def test_a_stream_without_its_last_event_ends_well_for_http(served: Serve, path: str) -> None:
    connection = opened(served(faulty("stream_no_end:no_done")), path)
    body = connection.getresponse().read()
    connection.close()

    assert "[DONE]" not in events(body)


def test_words_before_a_stall_arrive_before_it(served: Serve) -> None:
    simulator = faulty("stream_stall:30")
    connection = opened(served(simulator), CHAT)
    answer = connection.getresponse()
    got = b""
    while b'"content":"You' not in got:
        got += answer.read1()
    connection.sock.settimeout(SILENCE_S)
    with pytest.raises(TimeoutError):
        answer.read()
    connection.close()

    assert b'"role":"assistant"' in got
    assert b"[DONE]" not in got


def test_a_hanging_provider_sends_no_headers_and_ends_with_a_reset(served: Serve) -> None:
    hanging = opened(served(faulty("hang:30")), CHAT, timeout_s=SILENCE_S)
    with pytest.raises(TimeoutError):
        hanging.getresponse()
    hanging.close()

    ended = opened(served(faulty("hang:0.01")), CHAT)
    with pytest.raises(ConnectionResetError):
        ended.getresponse()
    ended.close()


def test_a_client_that_leaves_during_a_wait_is_noticed(served: Serve) -> None:
    simulator = Simulator(faults=FaultPlan.at({1: "stream_stall:30"}))
    client = served(simulator)
    connection = opened(client, CHAT)
    connection.getresponse().read1()
    connection.close()

    while simulator.calls_abandoned == 0:
        client.chat(asked(CHAT, "Hi"))
        assert simulator.calls < 1000

    assert simulator.calls_abandoned == 1


def test_an_announced_length_can_be_too_short_and_the_rest_is_left_in_the_connection(served: Serve) -> None:
    client = served(faulty("content_length:short"))
    host, port = client.address.split(":")
    whole = sent(Simulator(), CHAT, asked(CHAT, "Hi")).body
    body = orjson.dumps(asked(CHAT, "Hi"))
    head = f"POST {CHAT} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {len(body)}\r\n\r\n".encode()

    with socket.create_connection((host, int(port)), timeout=5) as raw:
        raw.sendall(head + body)
        got = b"".join(iter(lambda: raw.recv(65536), b""))

    headers, _, rest = got.partition(b"\r\n\r\n")
    assert b"content-length: %d\r\n" % (len(whole) // 2) in headers
    assert rest == whole
    assert len(client.chat(asked(CHAT, "Hi")).body) == len(whole) // 2


def test_an_announced_length_can_be_too_long_and_the_client_waits(served: Serve) -> None:
    client = served(faulty("content_length:long"))
    connection = http.client.HTTPConnection(client.address, timeout=5)
    connection.request("POST", CHAT, orjson.dumps(asked(CHAT, "Hi")))
    answer = connection.getresponse()
    connection.sock.settimeout(SILENCE_S)

    with pytest.raises(TimeoutError):
        answer.read()
    connection.close()


def test_a_wrong_content_type_and_an_error_in_a_200_arrive_as_such(served: Serve) -> None:
    called = served(faulty("content_type")).chat(asked(CHAT, "Hi"))
    failed = served(faulty("error_in_200")).chat(asked(CHAT, "Hi"))

    assert called.headers["content-type"] == "text/html; charset=utf-8"
    assert called.json["choices"]
    assert (failed.status, failed.json["error"]["type"]) == (200, "server_error")
