"""Every wait has an end, every buffer a bound, and whoever is called off leaves nothing behind."""

import asyncio
import contextlib
import random
from typing import cast

import pytest

from airworthy.gateway.errors import ModelError, ModelMalformed, ModelTimeout
from airworthy.gateway.http.connection import UNREAD_BYTES_MAX
from airworthy.gateway.http.upstream import HttpReply
from tests.gateway.http.kit import (
    OK,
    Handler,
    Peer,
    answering,
    ask,
    client,
    idle,
    on_real_loops,
    pieces,
    sent,
    serving,
    turns,
    until,
)

SHORT_S = 0.1
SIZED = b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def stalling(*before: bytes) -> Handler:
    async def handle(peer: Peer) -> None:
        await peer.request()
        for raw in before:
            peer.write(raw)
        await peer.gone()

    return handle


def trickling(first: bytes, drop: bytes) -> Handler:
    """Sends a drop in each turn of the loop, for ever: nobody may take that for an answer in time."""

    async def handle(peer: Peer) -> None:
        await peer.request()
        peer.write(first)
        while not peer.writer.is_closing():
            peer.write(drop)
            await peer.writer.drain()
            await asyncio.sleep(0)

    return handle


STALLS = [
    ("no answer", stalling()),
    ("half of the headers", stalling(b"HTTP/1.1 200 OK\r\nx: ")),
    ("no body", stalling(SIZED)),
    ("half of the body", stalling(SIZED, b"abc")),
    ("no last chunk", stalling(CHUNKED, b"1\r\na\r\n")),
    ("headers in drops", trickling(b"HTTP/1.1 200 OK\r\nx: ", b"v")),
    ("interim answers in drops", trickling(b"", b"HTTP/1.1 102 Wait\r\n\r\n")),
    ("a body in drops", trickling(SIZED, b"a")),
    ("a stream in drops", trickling(CHUNKED, b"1\r\na\r\n")),
]


@pytest.mark.parametrize(("why", "handler"), STALLS, ids=[why for why, _ in STALLS])
@on_real_loops
async def test_a_whole_answer_has_to_be_here_in_time(
    why: str, handler: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Else what belongs to no body would be too much before it is too late.
    monkeypatch.setattr("airworthy.gateway.http.connection.HEADER_BYTES_MAX", 10**9)
    loop = asyncio.get_running_loop()
    async with serving(handler) as site, client(site.url) as upstream:
        began_s = loop.time()
        with pytest.raises(ModelTimeout, match=f"within {SHORT_S:g} s") as raised:
            await ask(upstream, sent(timeout_s=SHORT_S))

        assert raised.value.billed
        assert SHORT_S * 0.9 <= loop.time() - began_s < SHORT_S + 5
        assert idle(upstream) == 0
        await until(lambda: site.ended == 1)


@pytest.mark.parametrize(
    ("why", "handler"),
    [
        ("nothing", stalling(CHUNKED, b"1\r\na\r\n")),
        ("an extension in drops", trickling(CHUNKED + b"1\r\na\r\n1;", b"x")),
        ("a trailer in drops", trickling(CHUNKED + b"1\r\na\r\n0\r\nx: ", b"v")),
    ],
)
@on_real_loops
async def test_each_wait_for_a_piece_of_a_stream_has_an_end(
    why: str, handler: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airworthy.gateway.http.connection.HEADER_BYTES_MAX", 10**9)
    async with serving(handler) as site, client(site.url) as upstream:
        reply = await upstream.send(sent(timeout_s=SHORT_S))
        rest = reply.chunks()

        assert await anext(rest) == b"a"
        with pytest.raises(ModelTimeout, match=f"within {SHORT_S:g} s"):
            await anext(rest)
        reply.close()
        await until(lambda: site.ended == 1)


@on_real_loops
async def test_a_stream_may_last_longer_than_any_of_its_waits() -> None:
    """Pieces come by turns of the loop until more time has passed than one wait may take."""
    loop = asyncio.get_running_loop()

    async def handle(peer: Peer) -> None:
        await peer.request()
        peer.write(CHUNKED)
        began_s = loop.time()
        while loop.time() - began_s < 2 * SHORT_S:
            peer.write(b"1\r\na\r\n")
            await peer.writer.drain()
            await asyncio.sleep(0)
        peer.write(b"0\r\n\r\n")

    async with serving(handle) as site, client(site.url) as upstream:
        assert set(b"".join(await pieces(upstream, sent(timeout_s=SHORT_S)))) == {ord("a")}


@on_real_loops
async def test_the_time_to_read_a_stream_is_the_readers_own() -> None:
    moving = asyncio.Event()

    async def handle(peer: Peer) -> None:
        await peer.request()
        peer.write(CHUNKED + b"1\r\na\r\n")
        await moving.wait()
        peer.write(b"1\r\nb\r\n0\r\n\r\n")

    async with serving(handle) as site, client(site.url) as upstream:
        reply = await upstream.send(sent(timeout_s=SHORT_S))
        rest = reply.chunks()
        await anext(rest)
        done = asyncio.Event()
        asyncio.get_running_loop().call_later(1.5 * SHORT_S, done.set)
        await done.wait()  # Whoever reads is busy with something else.
        moving.set()

        assert [piece async for piece in rest] == [b"b"]
        reply.close()


@on_real_loops
async def test_a_slow_reader_makes_the_server_wait() -> None:
    """A body of 50 MB that nobody reads: what the server could send is what sockets hold, and our bound."""
    size, step = 50_000_000, b"x" * 50_000
    written = 0

    async def handle(peer: Peer) -> None:
        nonlocal written
        await peer.request()
        peer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        while written < size:
            peer.write(step)
            written += len(step)
            await peer.writer.drain()

    async with serving(handle) as site, client(site.url) as upstream:
        reply = await upstream.send(sent(timeout_s=60.0))
        rest = reply.chunks()
        first = await anext(rest)
        seen = -1
        while seen != written:
            seen = written
            await turns(300)
        unread = cast("HttpReply", reply)._connection
        assert unread is not None
        here = sum(map(len, unread._parts))

        assert written < 16_000_000
        assert UNREAD_BYTES_MAX < here < 3 * UNREAD_BYTES_MAX

        assert len(first) + sum([len(piece) async for piece in rest]) == size
        reply.close()
        assert idle(upstream) == 1


@on_real_loops
async def test_an_answer_larger_than_it_may_be_is_left_at_once() -> None:
    async with serving(answering(OK, SIZED + b"x" * 3_000_000)) as site, client(site.url) as upstream:
        assert (await ask(upstream, bytes_max=2)).body == b"ok"
        with pytest.raises(ModelMalformed, match="larger than 1000000 bytes") as raised:
            await ask(upstream, bytes_max=1_000_000)

        assert raised.value.billed
        assert idle(upstream) == 0
        await until(lambda: site.ended == 1)


@on_real_loops
async def test_leaving_a_stream_ends_it_at_the_server() -> None:
    async with serving(stalling(CHUNKED, b"1\r\na\r\n")) as site, client(site.url) as upstream:
        reply = await upstream.send(sent())
        async with contextlib.aclosing(reply.chunks()) as rest:  # type: ignore[type-var]  # A generator in fact.
            async for _ in rest:
                break
        assert site.ended == 0
        reply.close()
        reply.close()  # Twice is once.

        await until(lambda: site.ended == 1)
        assert idle(upstream) == 0


@on_real_loops
async def test_closing_a_reply_wakes_the_one_who_reads_it() -> None:
    async with serving(stalling(CHUNKED, b"1\r\na\r\n")) as site, client(site.url) as upstream:
        reply = await upstream.send(sent())
        reading = asyncio.create_task(reply.read(100))
        await turns(3)
        reply.close()

        with pytest.raises(ModelTimeout, match="broke"):
            await reading


async def _by_the_letter(peer: Peer) -> None:
    """A slow but right server: an answer in many turns of the loop."""
    while True:
        await peer.request()
        for raw in (
            b"HTTP/1.1 200 OK\r\n",
            b"transfer-encoding: chunked\r\n\r\n",
            b"3\r\nabc\r\n",
            b"0\r\n\r\n",
        ):
            peer.write(raw)
            await turns(2)


@pytest.mark.parametrize("seed", range(12))
@on_real_loops
async def test_a_call_that_is_called_off_anywhere_leaves_nothing_behind(seed: int) -> None:
    chance = random.Random(seed)
    async with serving(_by_the_letter) as site, client(site.url) as upstream:
        for _ in range(10):
            call = ask(upstream) if chance.random() < 0.5 else pieces(upstream)
            task = asyncio.ensure_future(call)
            await turns(chance.randint(0, 25))
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            assert idle(upstream) <= 1
        assert (await ask(upstream)).body == b"abc"
        # The server may be asked by a connection that was called off before it was made.
        await until(lambda: len(site.peers) - site.ended == idle(upstream) == 1)


@pytest.mark.parametrize("seed", range(4))
@on_real_loops
async def test_many_calls_some_called_off_and_some_broken_leave_nothing_behind(seed: int) -> None:
    chance = random.Random(seed)

    async def handle(peer: Peer) -> None:
        while True:
            await peer.request()
            draw = chance.random()
            if draw < 0.1:
                peer.reset()
                return
            await turns(chance.randint(0, 5))
            peer.write(OK[: chance.randint(0, len(OK))] if draw < 0.2 else OK)
            if draw < 0.3:
                return

    async def caller(upstream: object) -> str:
        try:
            got = await ask(upstream, sent(timeout_s=5.0))  # type: ignore[arg-type]  # An HttpUpstream.
            return got.body.decode()
        except ModelError as error:
            return error.code

    async with serving(handle) as site, client(site.url) as upstream:
        calls = [asyncio.create_task(caller(upstream)) for _ in range(80)]
        for _ in calls:
            await turns(1)
            if chance.random() < 0.2:
                chance.choice(calls).cancel()
        said = await asyncio.gather(*calls, return_exceptions=True)

        kinds = {word if isinstance(word, str) else type(word).__name__ for word in said}
        assert kinds == {"ok", "model_timeout", "CancelledError"}
        await until(lambda: len(site.peers) - site.ended <= idle(upstream))
