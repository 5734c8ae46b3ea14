"""Streams and waits: what is sent as it comes, and what happens when either side ends early."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from airworthy.gateway.call import Answer, Call
from airworthy.gateway.server import ServerRules
from tests.gateway.server.kit import CHAT, Client, Gateway, ScriptedDoor, Stream, ask, asking
from tests.virtual import LoopClock

BODY = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"x"}]}'


def chat(gateway: Gateway) -> Client:
    return Client("POST", "/v1/chat/completions", BODY, gateway.auth())


async def test_each_piece_is_sent_when_it_comes() -> None:
    stream = Stream(pause_s=1.0)
    gateway = Gateway(ScriptedDoor(stream), LoopClock())
    client = chat(gateway)

    async with asking(gateway, client) as task:
        await asyncio.sleep(0.5)
        early = list(client.said.pieces)
        await task

    assert early == [b"data: 1\n\n"]
    assert client.said.pieces == [b"data: 1\n\n", b"data: 2\n\n", b""]
    assert client.said.whole
    assert "content-length" not in client.said.headers
    assert stream.closed == "whole, settled"
    assert gateway.app.metrics.open_streams == 0


async def test_a_reader_that_is_slow_is_waited_for_and_no_piece_is_asked_for_meanwhile() -> None:
    stream = Stream([b"x"] * 10)
    gateway = Gateway(ScriptedDoor(stream), LoopClock())
    client = chat(gateway)
    client.reads.clear()

    async with asking(gateway, client) as task:
        await asyncio.sleep(30)
        held = stream.given
        client.reads.set()
        await task

    assert held <= 1
    assert client.said.whole
    assert len(client.said.pieces) == 11


async def test_a_reader_that_takes_nothing_for_too_long_is_cut_off_and_the_bill_settled() -> None:
    stream = Stream([b"x"] * 10, pause_s=1.0)
    gateway = Gateway(ScriptedDoor(stream), LoopClock(), ServerRules(send_s_max=20))
    client = chat(gateway)

    async with asking(gateway, client) as task:
        await asyncio.sleep(2.5)
        client.reads.clear()
        await asyncio.sleep(15)
        early = client.said.aborted
        await asyncio.sleep(20)
        client.reads.set()
        await task

    assert (early, client.said.aborted, client.said.whole) == (False, True, False)
    assert stream.closed == "closed, settled"
    assert gateway.app.metrics.open_calls == gateway.app.metrics.open_streams == 0


async def test_a_model_that_is_slow_is_no_slow_reader() -> None:
    stream = Stream(pause_s=500.0)
    gateway = Gateway(ScriptedDoor(stream), LoopClock(), ServerRules(send_s_max=20))
    client = chat(gateway)

    async with asking(gateway, client) as task:
        await task

    assert client.said.whole


async def test_a_caller_that_hangs_up_in_a_stream_ends_it_and_it_settles() -> None:
    stream = Stream([b"x"] * 100, pause_s=1.0)
    gateway = Gateway(ScriptedDoor(stream), LoopClock())
    client = chat(gateway)

    async with asking(gateway, client) as task:
        await asyncio.sleep(3.5)
        client.hang_up()
        await task

    assert stream.closed == "cancelled, settled"
    assert stream.given == 4
    assert not client.said.whole
    text = gateway.app.metrics.text().decode()
    assert 'responses_total{path="chat",status="499"} 1' in text


async def test_a_caller_that_hangs_up_while_it_waits_cancels_its_call() -> None:
    ended: list[str] = []

    async def slow(call: Call) -> Answer:
        try:
            await asyncio.sleep(1_000)
        except asyncio.CancelledError:
            await asyncio.sleep(1)  # Settling goes undisturbed.
            ended.append("settled")
            raise
        raise AssertionError

    gateway = Gateway(ScriptedDoor(slow), LoopClock())
    client = chat(gateway)

    async with asking(gateway, client) as task:
        await asyncio.sleep(1)
        client.hang_up()
        await task
        assert not task.cancelled()

    assert ended == ["settled"]
    assert client.said.status == 0


async def test_a_core_that_answers_although_the_caller_left_is_closed() -> None:
    stream = Stream([b"x"] * 10)

    async def stubborn(call: Call) -> Answer:
        try:
            await asyncio.sleep(1_000)
        except asyncio.CancelledError:
            pass
        return await stream(call)

    gateway = Gateway(ScriptedDoor(stubborn), LoopClock())
    client = chat(gateway)

    async with asking(gateway, client) as task:
        await asyncio.sleep(1)
        client.hang_up()
        await task

    assert "settled" in stream.closed


async def test_a_stream_that_fails_half_way_is_broken_off_and_never_ended_as_if_whole() -> None:
    async def answer(call: Call) -> Answer:
        async def chunks() -> AsyncGenerator[bytes, None]:
            yield b"data: 1\n\n"
            raise ZeroDivisionError("a fault of ours")

        return Answer(200, [], chunks())

    gateway = Gateway(ScriptedDoor(answer))

    said = await ask(gateway, "POST", "/v1/chat/completions", {**CHAT, "stream": True})

    assert said.pieces == [b"data: 1\n\n"]
    assert said.aborted
    assert not said.whole
    assert "a fault of ours" in gateway.told[0]


async def test_stopping_for_good_answers_what_waits_and_cuts_what_streams() -> None:
    async def slow(call: Call) -> Answer:
        await asyncio.sleep(1_000)
        raise AssertionError

    for door in (slow, stream := Stream([b"x"] * 10, pause_s=100.0)):
        gateway = Gateway(ScriptedDoor(door), LoopClock())
        client = chat(gateway)
        async with asking(gateway, client) as task:
            await asyncio.sleep(1)
            task.cancel()
            await task
        if door is slow:
            assert client.said.status == 503
            assert client.said.json["error"]["code"] == "gateway_stopping"
            assert client.said.headers["x-should-retry"] == "true"
        else:
            assert client.said.aborted
            assert stream.closed == "cancelled, settled"


@pytest.mark.parametrize("pieces", [[], [b""]])
async def test_a_stream_of_nothing_is_an_empty_answer(pieces: list[bytes]) -> None:
    gateway = Gateway(ScriptedDoor(Stream(pieces)))

    said = await ask(gateway, "POST", "/v1/chat/completions", {**CHAT, "stream": True})

    assert (said.status, said.body, said.whole) == (200, b"", True)
