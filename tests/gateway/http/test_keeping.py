"""Connections between calls: kept, taken again, and never trusted once their server may have left."""

import asyncio

import pytest

from airworthy.gateway.errors import ModelTimeout
from tests.gateway.http.kit import OK, Peer, answering, ask, client, idle, on_real_loops, sent, serving, until


@on_real_loops
async def test_calls_one_after_the_other_share_a_connection() -> None:
    async with serving(answering(OK)) as site, client(site.url) as upstream:
        for _ in range(5):
            await ask(upstream)

        assert (len(site.peers), len(site.requests), idle(upstream)) == (1, 5, 1)


@on_real_loops
async def test_the_connection_used_last_is_taken_first() -> None:
    """So that those too many grow old and are closed."""
    waiting = asyncio.Event()

    async def handle(peer: Peer) -> None:
        while True:
            await peer.request()
            await waiting.wait()
            peer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n%d" % peer.number)

    async with serving(handle) as site, client(site.url) as upstream:
        first = asyncio.create_task(upstream.send(sent()))
        await until(lambda: len(site.requests) == 1)
        second = asyncio.create_task(upstream.send(sent()))
        await until(lambda: len(site.requests) == 2)
        waiting.set()
        for task in (second, first):
            reply = await task
            await reply.read(9)
            reply.close()

        assert [(await ask(upstream)).body for _ in range(3)] == [b"0", b"0", b"0"]
        assert idle(upstream) == 2


@on_real_loops
async def test_no_more_than_the_bound_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airworthy.gateway.http.client.IDLE_MAX", 2)
    waiting = asyncio.Event()

    async def handle(peer: Peer) -> None:
        await peer.request()
        await waiting.wait()
        peer.write(OK)
        await peer.gone()

    async with serving(handle) as site, client(site.url) as upstream:
        asked = [asyncio.create_task(ask(upstream)) for _ in range(5)]
        await until(lambda: len(site.requests) == 5)
        waiting.set()
        await asyncio.gather(*asked)

        assert idle(upstream) == 2


@pytest.mark.parametrize(
    ("told", "connections"),
    [
        ("", 1),
        ("keep-alive: timeout=60\r\n", 1),
        ("keep-alive: max=100\r\n", 1),
        ("keep-alive: timeout=never\r\n", 1),
        ("keep-alive: timeout=1\r\n", 2),
        ("keep-alive: timeout=0, max=5\r\n", 2),
        ("connection: close\r\n", 2),
    ],
)
@on_real_loops
async def test_a_server_may_say_how_long_it_keeps_a_connection(told: str, connections: int) -> None:
    raw = f"HTTP/1.1 200 OK\r\n{told}content-length: 2\r\n\r\nok".encode()
    async with serving(answering(raw)) as site, client(site.url) as upstream:
        await ask(upstream)
        await ask(upstream)

        assert len(site.peers) == connections


@on_real_loops
async def test_a_connection_that_was_idle_too_long_is_closed_and_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("airworthy.gateway.http.client.IDLE_S_MAX", 0.0)
    async with serving(answering(OK)) as site, client(site.url) as upstream:
        await ask(upstream)
        await ask(upstream)

        assert len(site.peers) == 2
        assert idle(upstream) == 1  # The old one went when the new one came back.


@on_real_loops
async def test_a_server_that_closed_an_idle_connection_costs_no_call() -> None:
    async with serving(answering(OK, then="close")) as site, client(site.url) as upstream:
        await ask(upstream)
        connection = upstream._client._idle[0]
        await until(lambda: connection.lost)

        assert (await ask(upstream)).body == b"ok"
        assert len(site.requests) == 2


@on_real_loops
async def test_a_goodbye_that_the_loop_has_not_seen_yet_is_seen_before_anything_is_sent() -> None:
    async with serving(answering(OK)) as site, client(site.url) as upstream:
        await ask(upstream)
        site.peers[0].shut_unseen()
        assert not upstream._client._idle[0].lost

        assert (await ask(upstream)).body == b"ok"
        assert (len(site.peers), len(site.requests)) == (2, 2)


@on_real_loops
async def test_an_answer_nobody_asked_for_is_not_taken_for_the_answer_to_the_next_call() -> None:
    stray = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwrong"
    async with serving(answering(OK)) as site, client(site.url) as upstream:
        await ask(upstream)
        site.peers[0].write_unseen(stray)

        assert (await ask(upstream)).body == b"ok"
        connection = upstream._client._idle[0]
        site.peers[1].write(stray)
        await until(lambda: connection.lost)
        assert (await ask(upstream)).body == b"ok"
        assert len(site.peers) == 3


@on_real_loops
async def test_a_server_that_leaves_once_it_has_the_request_may_have_worked_on_it() -> None:
    """The request is not sent a second time by itself: whoever pays decides."""

    async def handle(peer: Peer) -> None:
        await peer.request()
        peer.write(OK)
        await peer.request()
        peer.close()

    async with serving(handle) as site, client(site.url) as upstream:
        await ask(upstream)
        with pytest.raises(ModelTimeout, match="broke without a reply") as raised:
            await ask(upstream)

        assert raised.value.billed
        assert raised.value.retryable
        assert len(site.requests) == 2


@on_real_loops
async def test_a_server_that_answers_before_it_has_the_whole_request_is_not_asked_on_that_connection_again() -> (
    None
):
    async def handle(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]  # It reads as well as writes.
        peer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
        await asyncio.Event().wait()

    async with serving(handle) as site, client(site.url) as upstream:
        got = await ask(upstream, sent(b"x" * 30_000_000))

        assert (got.status, got.body) == (413, b"no")
        assert idle(upstream) == 0


@on_real_loops
async def test_what_is_under_way_when_the_client_closes_ends_well_and_is_not_kept() -> None:
    waiting = asyncio.Event()

    async def handle(peer: Peer) -> None:
        await peer.request()
        await waiting.wait()
        peer.write(OK)
        await peer.gone()

    async with serving(handle) as site, client(site.url) as upstream:
        asked = asyncio.create_task(ask(upstream))
        await until(lambda: len(site.requests) == 1)
        await upstream.aclose()
        waiting.set()

        assert (await asked).body == b"ok"
        assert idle(upstream) == 0


@on_real_loops
async def test_many_calls_at_once_get_each_its_own_answer() -> None:
    async def handle(peer: Peer) -> None:
        while True:
            body = (await peer.request()).partition(b"\r\n\r\n")[2]
            await asyncio.sleep(0)
            peer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))

    async with serving(handle) as site, client(site.url) as upstream:

        async def caller(name: int) -> None:
            for number in range(10):
                body = b"%d of %d" % (number, name)
                assert (await ask(upstream, sent(body))).body == body

        await asyncio.gather(*(caller(name) for name in range(30)))

        assert len(site.requests) == 300
        assert len(site.peers) == idle(upstream) <= 30


@on_real_loops
async def test_a_reply_read_to_its_end_and_left_open_cannot_read_the_next_callers_answer() -> None:
    async with serving(answering(OK)) as site, client(site.url) as upstream:
        reply = await upstream.send(sent())
        rest = reply.chunks()
        assert await anext(rest) == b"ok"
        reply.close()
        other = await upstream.send(sent())

        assert [piece async for piece in rest] == []
        assert await other.read(9) == b"ok"
        other.close()
        assert len(site.peers) == 1
