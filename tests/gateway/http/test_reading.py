"""Answers in every form HTTP/1.1 has for them, and in forms it has not: read whole, or refused by name."""

import asyncio
import gzip
import itertools
import random
import zlib
from dataclasses import dataclass
from typing import Any, cast

import pytest

from airworthy.gateway.errors import ModelError, ModelMalformed, ModelTimeout
from airworthy.gateway.http.connection import HEADER_BYTES_MAX, UNFOLDED_BYTES_MAX, Connection
from tests.gateway.http.kit import (
    Peer,
    answering,
    ask,
    client,
    idle,
    on_real_loops,
    pieces,
    sent,
    serving,
    until,
)

END = b"0\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
PACKED = gzip.compress(b"a packed body" * 9, mtime=0)
UNPACKED = b"a packed body" * 9


def chunk(raw: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(raw), raw)


def said(body: bytes, *lines: str, status: str = "200 OK") -> bytes:
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", *lines, f"content-length: {len(body)}"))
    return head.encode() + b"\r\n" + body


@dataclass
class Case:
    """`kept`: whether the connection may be used again. `closes`: whether the server ends it after the answer."""

    why: str
    raw: bytes
    body: bytes
    status: int = 200
    kept: bool = True
    closes: bool = False


CASES = [
    Case("a length", said(b"abc"), b"abc"),
    Case("no body", said(b""), b""),
    Case("no reason behind the status", b"HTTP/1.1 200\r\ncontent-length: 1\r\n\r\na", b"a"),
    Case("chunks", CHUNKED + chunk(b"ab") + chunk(b"c") + END, b"abc"),
    Case("chunks that say more of themselves", CHUNKED + b"2;x=1\r\nab\r\n0;y\r\n\r\n", b"ab"),
    Case("chunks of chunks' names", CHUNKED.replace(b"chunked", b"Chunked") + chunk(b"a") + END, b"a"),
    Case("no chunk", CHUNKED + END, b""),
    Case("trailers", CHUNKED + chunk(b"a") + b"0\r\nx-sum: 1\r\nx: 2\r\n\r\n", b"a"),
    Case("many chunks", CHUNKED + chunk(b"word ") * 500 + END, b"word " * 500),
    Case("until closed", b"HTTP/1.1 200 OK\r\n\r\nabc", b"abc", kept=False, closes=True),
    Case("1.0", b"HTTP/1.0 200 OK\r\n\r\nabc", b"abc", kept=False, closes=True),
    Case("1.0 with a length", b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nab", b"ab", kept=False),
    Case("1.0 kept", said(b"ab", "connection: keep-alive").replace(b"1.1", b"1.0", 1), b"ab"),
    Case("last", said(b"ab", "connection: close"), b"ab", kept=False),
    Case("continue", b"HTTP/1.1 100 Continue\r\n\r\n" + said(b"a"), b"a"),
    Case("hints", b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\nx: 1\r\n\r\n" + said(b"a"), b"a"),
    Case("204", b"HTTP/1.1 204 No Content\r\n\r\n", b"", 204),
    Case("304 with the length it would have", said(b"", status="304 X").replace(b" 0", b" 9"), b"", 304),
    Case("a refusal", said(b"no", status="429 Slow"), b"no", 429),
    Case("a second answer nobody asked for", said(b"ab") + said(b"wrong", "x: 2"), b"ab", kept=False),
    Case("garbage after the end", said(b"ab") + b"garbage", b"ab", kept=False),
    Case("less announced than sent", said(b"abcd").replace(b" 4", b" 3"), b"abc", kept=False),
    Case("empty lines after the end", said(b"ab") + b"\r\n\r\n", b"ab"),
    Case("gzip", said(PACKED, "content-encoding: gzip"), UNPACKED),
    Case("gzip, by another name", said(PACKED, "content-encoding: X-GZIP"), UNPACKED),
    Case("gzip of nothing at all", said(b"", "content-encoding: gzip"), b""),
    Case("gzip twice in a row", said(PACKED * 2, "content-encoding: gzip"), UNPACKED * 2),
    Case(
        "gzip in chunks",
        CHUNKED[:-2] + b"content-encoding: gzip\r\n\r\n" + b"".join(map(chunk, (PACKED[:9], PACKED[9:]))) + END,
        UNPACKED,
    ),
    Case("as it is", said(b"ab", "content-encoding: Identity"), b"ab"),
    Case(
        "a refusal in an unknown encoding: its status is what counts",
        said(b"\x00\x01", "content-encoding: br", status="503 Down"),
        b"",
        503,
        kept=False,
    ),
]  # fmt: skip
NAMES = [case.why for case in CASES]


class Wire:
    """A transport without a line."""

    def __init__(self) -> None:
        self.aborted = False
        self.reading = True

    def write(self, raw: bytes) -> None: ...

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


async def fed(parts: list[bytes], *, closes: bool = False) -> tuple[Connection, bytes]:
    connection, wire = Connection("the server"), Wire()
    connection.connection_made(cast("Any", wire))
    loop = asyncio.get_running_loop()
    asked = asyncio.create_task(connection.exchange(b"", 5.0, loop.time() + 5.0))
    await asyncio.sleep(0)
    for part in parts:
        if not wire.aborted:
            connection.data_received(part)
    if closes or wire.aborted:
        connection.connection_lost(None)
    await asked
    return connection, await connection.read(10**9, 5.0)


def cut(raw: bytes, seed: int) -> list[bytes]:
    chance = random.Random(seed)
    at = sorted({0, len(raw), *(chance.randrange(len(raw)) for _ in range(chance.randint(1, 12)))})
    return [raw[left:right] for left, right in itertools.pairwise(at)]


@pytest.mark.parametrize("case", CASES, ids=NAMES)
@on_real_loops
async def test_an_answer_is_read_whole_and_its_connection_kept_where_it_may_be(case: Case) -> None:
    handler = answering(case.raw, then="close" if case.closes else "stay")
    async with serving(handler) as site, client(site.url) as upstream:
        got = await ask(upstream)

        assert (got.status, got.body) == (case.status, case.body)
        assert idle(upstream) == case.kept
        assert not {"link", "x", "x-sum"} & set(got.headers)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
@on_real_loops
async def test_a_stream_gives_the_same_bytes(case: Case) -> None:
    handler = answering(case.raw, then="close" if case.closes else "stay")
    async with serving(handler) as site, client(site.url) as upstream:
        assert b"".join(await pieces(upstream)) == case.body


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_where_the_wire_cuts_an_answer_makes_no_difference(case: Case) -> None:
    async def main() -> None:
        cuts = [cut(case.raw, seed) for seed in range(40)]
        for parts in ([bytes([byte]) for byte in case.raw], *cuts):
            connection, body = await fed(parts, closes=case.closes)
            assert (connection.status, body) == (case.status, case.body), parts

    asyncio.run(main())


@on_real_loops
async def test_what_lies_here_together_is_handed_on_together() -> None:
    async with serving(answering(CHUNKED + chunk(b"word ") * 500 + END)) as site, client(site.url) as up:
        got = await pieces(up)

    assert b"".join(got) == b"word " * 500
    assert len(got) < 10


@on_real_loops
async def test_of_a_header_said_twice_the_last_counts_and_of_encodings_all() -> None:
    twice = said(b"ab", "x-a: 1", "X-A: 2", "content-encoding: gzip", "content-encoding: gzip")
    async with serving(answering(said(b"ab", "x-a: 1", "X-A: 2"), twice)) as site, client(site.url) as up:
        assert (await ask(up)).headers["x-a"] == "2"
        with pytest.raises(ModelMalformed, match="gzip, gzip"):
            await ask(up)


BOMB = gzip.compress(bytes(2 * UNFOLDED_BYTES_MAX), mtime=0)
BAD: list[tuple[str, bytes, str, type[ModelError], str]] = [
    ("not HTTP", b"SSH-2.0-OpenSSH_9.6\r\n", "stay", ModelMalformed, "does not speak HTTP"),
    ("random bytes", random.Random(1).randbytes(500), "stay", ModelMalformed, "does not speak HTTP"),
    ("another protocol", b"HTTP/1.1 101 S\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nabc", "stay",
     ModelMalformed, "another protocol"),
    ("the length twice", said(b"ab", "content-length: 2"), "stay", ModelMalformed, "does not speak HTTP"),
    ("a length and chunks", said(b"ab", "transfer-encoding: chunked"), "stay", ModelMalformed, "HTTP"),
    ("a length below nothing", b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", "stay", ModelMalformed, "HTTP"),
    ("a chunk that is none", CHUNKED + b"zz\r\n", "stay", ModelMalformed, "does not speak HTTP"),
    ("a transfer encoding", b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n", "stay",
     ModelMalformed, "not asked for"),
    ("an unknown encoding", said(b"ab", "content-encoding: br"), "stay", ModelMalformed, "encoding 'br'"),
    ("not packed", said(b"plain", "content-encoding: gzip"), "stay", ModelMalformed, "cannot be unpacked"),
    ("half packed", said(PACKED[:20], "content-encoding: gzip"), "stay", ModelMalformed, "without its end"),
    ("half packed, until closed", b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n" + PACKED[:20], "close",
     ModelMalformed, "without its end"),
    ("a bomb", said(BOMB, "content-encoding: gzip"), "stay", ModelMalformed, "unpacks to more"),
    ("a bomb in many chunks", CHUNKED[:-2] + b"content-encoding: gzip\r\n\r\n"
     + b"".join(chunk(BOMB[at : at + 512]) for at in range(0, len(BOMB), 512)) + END, "stay",
     ModelMalformed, "unpacks to more"),
    ("a bomb of many", said(gzip.compress(bytes(10**6), mtime=0) * 40, "content-encoding: gzip"), "stay",
     ModelMalformed, "unpacks to more"),
    ("too many headers", said(b"", *(f"x-{number}: {'v' * 100}" for number in range(700))), "stay",
     ModelMalformed, "bytes of headers"),
    ("a header without an end", b"HTTP/1.1 200 OK\r\nx: " + b"v" * 10**6, "stay", ModelMalformed, "no body"),
    ("a status without an end", b"HTTP/1.1 200 " + b"v" * 10**6, "stay", ModelMalformed, "no body"),
    ("interim answers without an end", b"HTTP/1.1 100 C\r\n\r\n" * 20_000, "stay", ModelMalformed, "no body"),
    ("a chunk's extension without an end", CHUNKED + b"1;" + b"x" * 10**6, "stay", ModelMalformed, "no body"),
    ("a trailer without an end", CHUNKED + chunk(b"a") + b"0\r\nx: " + b"v" * 10**6, "stay",
     ModelMalformed, "no body"),
    ("closed without an answer", b"", "close", ModelTimeout, "without a reply"),
    ("reset without an answer", b"", "reset", ModelTimeout, "without a reply"),
    ("closed in the headers", b"HTTP/1.1 200 OK\r\nx: 1\r\n", "close", ModelTimeout, "without a reply"),
    ("closed after an interim answer", b"HTTP/1.1 100 C\r\n\r\n", "close", ModelTimeout, "without a reply"),
    ("closed after the headers", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", "close", ModelTimeout, "whole"),
    ("more announced than sent", said(b"ab").replace(b" 2", b" 3"), "close", ModelTimeout, "whole"),
    ("reset in the body", said(b"ab").replace(b" 2", b" 3"), "reset", ModelTimeout, "broke"),
    ("reset in a body without a length", b"HTTP/1.1 200 OK\r\n\r\nab", "reset", ModelTimeout, "broke"),
    ("closed in a chunk", CHUNKED + b"9\r\nab", "close", ModelTimeout, "whole"),
    ("closed before the last chunk", CHUNKED.replace(b"chunked", b"CHUNKED") + chunk(b"ab"), "close",
     ModelTimeout, "whole"),
]  # fmt: skip


@pytest.mark.parametrize(("why", "raw", "then", "error", "told"), BAD, ids=[row[0] for row in BAD])
@on_real_loops
async def test_a_bad_answer_has_a_name_may_have_been_billed_and_costs_its_connection(
    why: str, raw: bytes, then: str, error: type[ModelError], told: str
) -> None:
    async with serving(answering(raw, then=then)) as site, client(site.url) as upstream:
        with pytest.raises(error, match=told) as raised:
            await ask(upstream)

        assert raised.value.billed
        assert raised.value.retryable
        assert site.url in raised.value.message
        assert idle(upstream) == 0
        await until(lambda: site.ended == 1)


@pytest.mark.parametrize("seed", range(20))
def test_noise_of_any_kind_ends_in_a_named_error_or_an_answer(seed: int) -> None:
    """A right answer with some bytes changed, cut anywhere: never another exception, never a wait without an end."""

    async def main() -> None:
        chance = random.Random(seed)
        for _ in range(100):
            case = chance.choice(CASES)
            raw = bytearray(case.raw)
            for _ in range(chance.randint(1, 4)):
                raw[chance.randrange(len(raw))] = chance.randrange(256)
            try:
                await fed(cut(bytes(raw), chance.randrange(10**6)), closes=True)
            except ModelError:
                continue

    asyncio.run(main())


@on_real_loops
async def test_what_came_before_the_break_is_handed_on_before_the_break_is_told() -> None:
    async with serving(answering(CHUNKED + chunk(b"ab"), then="close")) as site, client(site.url) as upstream:
        reply = await upstream.send(sent())
        rest = reply.chunks()

        assert await anext(rest) == b"ab"
        with pytest.raises(ModelTimeout):
            await anext(rest)
        reply.close()


@on_real_loops
async def test_headers_may_be_as_large_as_the_bound() -> None:
    left = HEADER_BYTES_MAX - len("content-length") - 1 - len("x")
    good, bad = (said(b"", f"x: {'v' * size}") for size in (left, left + 1))
    async with serving(answering(good, bad)) as site, client(site.url) as upstream:
        assert len((await ask(upstream)).headers["x"]) == left
        with pytest.raises(ModelMalformed):
            await ask(upstream)


def test_unpacking_takes_no_more_memory_than_the_bound() -> None:
    async def main() -> None:
        connection, wire = Connection("the server"), Wire()
        connection.connection_made(cast("Any", wire))
        asked = asyncio.create_task(connection.exchange(b"", 5.0, asyncio.get_running_loop().time() + 5.0))
        await asyncio.sleep(0)
        connection.data_received(said(BOMB, "content-encoding: gzip"))
        await asked

        assert wire.aborted
        assert sum(map(len, connection._parts)) <= UNFOLDED_BYTES_MAX
        with pytest.raises(ModelMalformed):
            await connection.read(10**9, 5.0)

    assert zlib.decompress(BOMB, 31) == bytes(2 * UNFOLDED_BYTES_MAX)
    asyncio.run(main())


@on_real_loops
async def test_a_right_answer_that_ends_with_its_connection_is_whole_even_if_it_is_read_late() -> None:
    async def handle(peer: Peer) -> None:
        await peer.request()
        peer.write(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 3_000_000)
        await peer.writer.drain()
        peer.close()

    async with serving(handle) as site, client(site.url) as upstream:
        reply = await upstream.send(sent())
        got = 0
        async for piece in reply.chunks():
            got += len(piece)
            await asyncio.sleep(0)
        reply.close()

    assert got == 3_000_000
