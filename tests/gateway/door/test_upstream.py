"""Servers that hang, lie, send elsewhere or never stop: another model answers, and nobody waits or pays for ever.

Over real sockets where the wire matters.
"""

import asyncio
import zlib
from email.utils import formatdate
from typing import Any

import pytest

from airworthy.core.clock import US_PER_S
from airworthy.gateway.http import Address, HttpClient, HttpUpstream
from tests.gateway.door.kit import (
    FIRST,
    SECOND,
    Say,
    ask,
    bill,
    error,
    header,
    house,
    rule,
    streamed,
    text_of,
    whole,
)
from tests.gateway.guard.kit import reply, stream
from tests.gateway.http.kit import Handler, Peer, answering, on_real_loops, serving
from tests.virtual import LoopClock

BODY = reply("chat", (), "first")
EVENTS = stream("chat", (), "fi|rst")
TYPES = {False: b"application/json", True: b"text/event-stream"}


def raw(body: bytes, *, streams: bool = False, status: bytes = b"200 OK", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    head = b"HTTP/1.1 %b\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n" % (status, TYPES[streams], size)
    return head + body


def unfolded(body: bytes) -> bytes:
    pressed = zlib.compressobj(wbits=31)
    small = pressed.compress(body) + pressed.flush()
    return b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(small) + small


async def silent(peer: Peer) -> None:
    await peer.request()
    await peer.gone()


async def half_a_head(peer: Peer) -> None:
    await peer.request()
    peer.write(b"HTTP/1.1 200 OK\r\ncontent-ty")
    await peer.gone()


async def endless_head(peer: Peer) -> None:
    await peer.request()
    peer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        peer.write(b"x-more: " + b"y" * 8_000 + b"\r\n")
        await peer.writer.drain()


async def endless_body(peer: Peer) -> None:
    """A hundred megabytes are on offer, in pieces."""
    await peer.request()
    peer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
    for _ in range(100):
        peer.write(b"100000\r\n" + b" " * 0x100000 + b"\r\n")
        await peer.writer.drain()
        peer.site.sent = getattr(peer.site, "sent", 0) + 1  # type: ignore[attr-defined]
    peer.write(b"0\r\n\r\n")


SERVERS: list[tuple[str, Handler]] = [
    ("nothing at all", silent),
    ("half a head", half_a_head),
    ("a head without an end", endless_head),
    ("hangs up at once", answering(b"", then="close")),
    ("resets", answering(b"", then="reset")),
    ("speaks something else", answering(b"SSH-2.0-OpenSSH_9.9\r\n", then="close")),
    ("promises more than it sends", answering(raw(BODY, length=len(BODY) + 500), then="close")),
    ("promises less than it sends", answering(raw(BODY, length=len(BODY) // 2), then="close")),
    ("promises nonsense", answering(b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n" + BODY, then="close")),
    ("an error in a 200", answering(raw(b'{"error":{"message":"we are down","type":"server_error"}}'))),
    ("an error in a 200 as text", answering(raw(b'{"error":"we are down"}'))),
    ("nothing in a 204", answering(b"HTTP/1.1 204 No Content\r\n\r\n")),
    ("moved", answering(b"HTTP/1.1 301 Moved\r\nlocation: http://127.0.0.1:1/v1\r\ncontent-length: 0\r\n\r\n")),
    ("moved for now", answering(b"HTTP/1.1 307 Go\r\nlocation: http://127.0.0.1:1/v1\r\ncontent-length: 0\r\n\r\n")),
    ("folded beyond all bounds", answering(unfolded(b" " * 100_000_000))),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("handler", [each for _, each in SERVERS], ids=[name for name, _ in SERVERS])
@on_real_loops
async def test_a_server_that_is_not_to_be_had_is_answered_for_by_another(
    handler: Handler, streams: bool
) -> None:
    async with serving(handler) as site:
        upstream = HttpUpstream(HttpClient(Address.of(site.url)), lambda: "sk-secret-of-the-first")
        models = [rule(FIRST, timeout_s=0.5), rule(SECOND)]
        says = {SECOND: streamed() if streams else whole(text="one")}
        async with house(says, models=models, upstreams={FIRST: upstream}) as made:
            answer, body = await made.said(raw=ask(stream=streams))
            record = await made.record()
            await upstream.aclose()

    assert text_of("chat", body) == "one"
    assert header(answer, "x-airworthy-model") == SECOND
    assert record["notes"][0]["model"] == FIRST
    assert "sk-secret" not in str(record)
    assert len(site.requests) == 1
    assert site.requests[0].count(b"sk-secret-of-the-first") == 1


@pytest.mark.slow
@pytest.mark.parametrize("streams", [False, True])
@on_real_loops
async def test_a_reply_of_100_mb_is_not_read_to_its_end(streams: bool) -> None:
    async with serving(endless_body) as site:
        upstream = HttpUpstream(HttpClient(Address.of(site.url)), lambda: "")
        models = [rule(FIRST, timeout_s=5.0), rule(SECOND)]
        says = {SECOND: streamed() if streams else whole(text="one")}
        async with house(says, models=models, upstreams={FIRST: upstream}) as made:
            _, body = await made.said(raw=ask(stream=streams))
            record = await made.record()
            await upstream.aclose()
        sent_mb = getattr(site, "sent", 0)

    assert text_of("chat", body) == "one"
    assert sent_mb < 60
    assert record["notes"][0]["error"] == "ModelMalformed"


@on_real_loops
async def test_an_ordinary_answer_comes_through_the_wire_as_it_was() -> None:
    handler = answering(b"HTTP/1.1 100 Continue\r\n\r\n" + raw(BODY), raw(EVENTS, streams=True))
    async with serving(handler) as site:
        upstream = HttpUpstream(HttpClient(Address.of(site.url)), lambda: "")
        async with house({}, models=[rule(FIRST)], upstreams={FIRST: upstream}) as made:
            _, body = await made.said()
            _, events = await made.said(raw=ask(stream=True, stream_options={"include_usage": True}))
            await upstream.aclose()

    assert body == BODY
    assert events == EVENTS
    assert len(site.peers) == 1


@pytest.mark.parametrize("streams", [False, True])
async def test_a_provider_that_answers_as_another_model_is_seen(streams: bool) -> None:
    say = streamed() if streams else whole()
    async with house({FIRST: say}) as made:
        for _ in range(3):
            await made.said(raw=ask(stream=streams))
        record = await made.record()
        seen = made.database.read_now(lambda tx: tx.rows("SELECT model, answered, calls FROM sightings"))

    assert (record["model"], record["answered"]) == (FIRST, "m-1")
    assert seen == [(FIRST, "m-1", 3)]


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(
    ("ours_s", "theirs_s", "asked_s", "waits_s"),
    [
        (0, 0, 5, 5),
        (0, 3_600, 5, 5),  # The server's clock is ahead of ours, or behind it.
        (0, -3_600, 5, 5),
        (0, 0, -500, 0),  # It names a moment that is over.
        (0, 0, 10**9, 600),  # A generation is no wait.
    ],
)
async def test_a_date_to_come_back_at_is_held_against_the_servers_own_clock(
    ours_s: int, theirs_s: int, asked_s: int, waits_s: int, streams: bool
) -> None:
    now_s = LoopClock().now_us() // US_PER_S
    headers = {
        "date": formatdate(now_s + theirs_s, usegmt=True),
        "retry-after": formatdate(now_s + theirs_s + asked_s, usegmt=True),
    }
    limited = error(429, "slow down", **headers)
    last = streamed() if streams else whole(text="one")
    async with house({FIRST: [limited, last]}, models=[rule(FIRST)], limits={"seconds": 2_000.0}) as made:
        answer, _ = await made.said(raw=ask(stream=streams))
        begun_s = asyncio.get_running_loop().time()
        _, body = await made.said(raw=ask(stream=streams))
        waited_s = asyncio.get_running_loop().time() - begun_s

    assert answer.status == 429
    assert text_of("chat", body) == "one"
    assert waits_s - 1 <= waited_s <= waits_s + 1


async def test_a_limit_that_outlasts_the_call_sends_it_elsewhere_at_once() -> None:
    limited = error(429, "slow down", **{"retry-after": "86400"})
    models = [rule(FIRST, attempts=3), rule(SECOND)]
    async with house({FIRST: limited, SECOND: whole(text="one")}, models=models) as made:
        for _ in range(5):
            answer, body = await made.said()
            assert text_of("chat", body) == "one"
            assert header(answer, "x-airworthy-model") == SECOND
        spent_s = asyncio.get_running_loop().time()

    assert spent_s < 1
    assert len(made[FIRST].asked) == 1


@pytest.mark.parametrize(
    "value", ["-5", "nan", "inf", "1e999", "soon", "", "99999999999999999999", "0x10", "\u0665"]
)
async def test_an_odd_wait_spoils_nothing(value: str) -> None:
    limited = error(429, "slow down", **{"retry-after": value})
    async with house({FIRST: limited, SECOND: whole(text="one")}) as made:
        answer, body = await made.said()
        again, _ = await made.said(raw=ask(model=SECOND))

    assert text_of("chat", body) == "one"
    assert answer.status == again.status == 200


async def test_a_wait_is_told_to_callers_as_a_whole_number_within_a_day() -> None:
    found: list[Any] = []
    for value in ("0.2", "30", "1000000"):
        async with house({FIRST: error(429, "slow down", **{"retry-after": value})}) as made:
            found.append(header((await made.said())[0], "retry-after"))

    assert found == ["1", "30", "86400"]


async def test_an_answer_of_a_model_of_ones_own_costs_nothing_and_is_counted() -> None:
    models = [rule(FIRST, input_usd_per_mtok=0.0, output_usd_per_mtok=0.0)]
    async with house({FIRST: Say(whole().pieces)}, models=models, budgets={"calls_per_day": 2}) as made:
        found = [(await made.said())[1] for _ in range(3)]
        record = (await made.records())[0]

    assert record["cost_nano"] == 0
    assert b"2 are allowed" in found[2]
    assert bill() > 0
