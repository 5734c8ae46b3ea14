"""The way to a server: by name or number, secured or not, straight or through a proxy; and what is in the way."""

import asyncio
import base64
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator

import pytest

from airworthy.gateway.errors import ModelTimeout, ModelUnreachable
from airworthy.gateway.http import Address, HttpClient, HttpUpstream
from airworthy.gateway.http.address import Proxy
from tests.gateway.http.authority import Authority
from tests.gateway.http.kit import (
    OK,
    Peer,
    Site,
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


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


async def refused(upstream: HttpUpstream, timeout_s: float = 5.0) -> ModelUnreachable:
    with pytest.raises(ModelUnreachable) as raised:
        await ask(upstream, sent(timeout_s=timeout_s))
    assert not raised.value.billed
    assert raised.value.retryable
    assert raised.value.mend
    assert idle(upstream) == 0
    return raised.value


@on_real_loops
async def test_a_server_that_does_not_run_is_unreachable_and_nothing_is_owed() -> None:
    async with client(f"http://127.0.0.1:{free_port()}") as upstream:
        assert "running" in (await refused(upstream)).mend


@on_real_loops
async def test_a_host_that_nobody_knows_is_told_as_that() -> None:
    """A name too long for any name service: none is asked."""
    async with client(f"http://{'a.' * 200}a") as upstream:
        assert "its name is not known" in str(await refused(upstream))


@on_real_loops
async def test_a_server_that_hangs_up_on_everybody_breaks_no_call_with_a_strange_error() -> None:
    async def handle(peer: Peer) -> None:
        peer.reset()

    async with serving(handle) as site, client(site.url) as upstream:
        for _ in range(30):
            with pytest.raises((ModelUnreachable, ModelTimeout)):
                await ask(upstream)


@on_real_loops
async def test_a_connection_that_broke_before_anything_was_sent_owes_nothing() -> None:
    async with serving(answering(OK)) as site:
        http = HttpClient(Address.of(site.url))
        connection = await http.take(asyncio.get_running_loop().time() + 5.0)
        await until(lambda: bool(site.peers))
        site.peers[0].reset()
        await until(lambda: connection.lost)

        with pytest.raises(ModelUnreachable, match="before anything was sent") as raised:
            await connection.exchange(b"x", 5.0, asyncio.get_running_loop().time() + 5.0)
        assert not raised.value.billed


@on_real_loops
async def test_connecting_takes_no_longer_than_the_whole_call_may() -> None:
    async def handle(peer: Peer) -> None:
        await peer.gone()

    loop = asyncio.get_running_loop()
    async with serving(handle) as site:
        async with client(
            site.url.replace("http:", "https:"), trust=ssl.create_default_context()
        ) as upstream:
            began_s = loop.time()
            error = await refused(upstream, SHORT_S)

        assert "no answer within 0.1 s" in error.message
        assert loop.time() - began_s < 4.0
        await until(lambda: site.ended == 1)


@pytest.mark.parametrize("after", range(12))
@on_real_loops
async def test_connecting_that_is_called_off_anywhere_leaves_nothing_behind(
    after: int, authority: Authority
) -> None:
    async with (
        serving(answering(OK), tls=authority.server("DNS:localhost")) as site,
        client(f"https://localhost:{site.port}", trust=authority.trust()) as upstream,
    ):
        call = asyncio.create_task(ask(upstream))
        await turns(after)
        call.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await call
        await upstream.aclose()
        await turns(10)
        await until(lambda: site.ended == len(site.peers))


@on_real_loops
async def test_an_ipv6_address_is_written_in_brackets() -> None:
    try:
        server = serving(answering(OK), host="::1")
        async with server as site, client(site.url) as upstream:
            assert (await ask(upstream)).body == b"ok"
            assert f"\r\nhost: [::1]:{site.port}\r\n".encode() in site.requests[0]
    except OSError as error:
        pytest.skip(f"no IPv6 on this machine: {error}")


@on_real_loops
async def test_a_secured_server_answers_whole_and_in_pieces_on_one_connection(authority: Authority) -> None:
    big = b"HTTP/1.1 200 OK\r\ncontent-length: 3000000\r\n\r\n" + b"x" * 3_000_000
    async with (
        serving(answering(OK, big, big), tls=authority.server("DNS:localhost")) as site,
        client(f"https://localhost:{site.port}", trust=authority.trust()) as upstream,
    ):
        assert (await ask(upstream)).body == b"ok"
        assert sum(map(len, await pieces(upstream))) == 3_000_000
        reply = await upstream.send(sent())
        rest = reply.chunks()
        await anext(rest)
        await turns(300)  # A slow reader: the connection is paused, and goes on.
        assert 0 < sum([len(piece) async for piece in rest]) < 3_000_000
        reply.close()

        assert len(site.peers) == 1


@on_real_loops
async def test_a_secured_connection_that_its_server_closed_costs_no_call(authority: Authority) -> None:
    async with (
        serving(answering(OK), tls=authority.server("DNS:localhost")) as site,
        client(f"https://localhost:{site.port}", trust=authority.trust()) as upstream,
    ):
        await ask(upstream)
        site.peers[0].shut_unseen()

        assert (await ask(upstream)).body == b"ok"


@on_real_loops
async def test_a_number_can_be_what_a_certificate_is_for(authority: Authority) -> None:
    async with (
        serving(answering(OK), tls=authority.server("IP:127.0.0.1")) as site,
        client(site.url, trust=authority.trust()) as upstream,
    ):
        assert (await ask(upstream)).body == b"ok"


@pytest.mark.parametrize("name", ["DNS:elsewhere.test", "IP:127.0.0.9"])
@on_real_loops
async def test_a_certificate_for_another_host_is_refused_and_the_mend_says_so(
    name: str, authority: Authority
) -> None:
    async with serving(answering(OK), tls=authority.server(name)) as site:
        for host in ("localhost", "127.0.0.1"):
            async with client(f"https://{host}:{site.port}", trust=authority.trust()) as upstream:
                error = await refused(upstream)

            assert "its certificate is for another server" in error.message
            assert "host name" in error.mend
        assert site.requests == []


@on_real_loops
async def test_a_certificate_of_an_unknown_authority_is_refused_and_the_mend_says_where_to_name_it(
    authority: Authority,
) -> None:
    async with (
        serving(answering(OK), tls=authority.server("DNS:localhost")) as site,
        client(f"https://localhost:{site.port}") as upstream,
    ):
        error = await refused(upstream)

    assert "its certificate is not believed" in error.message
    assert "SSL_CERT_FILE" in error.mend
    assert site.requests == []


@on_real_loops
async def test_a_server_that_speaks_no_tls_is_told_as_that() -> None:
    async def handle(peer: Peer) -> None:
        await peer.reader.read(1)
        peer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await peer.gone()

    async with serving(handle) as site, client(site.url.replace("http:", "https:")) as upstream:
        assert "http://" in (await refused(upstream)).mend


# Through a proxy.


@contextlib.asynccontextmanager
async def proxying(site: Site, answer: bytes = b"HTTP/1.1 200 Go\r\n\r\n") -> AsyncIterator[Site]:
    """A proxy that leads everybody to `site`, whomever they ask for."""

    async def handle(peer: Peer) -> None:
        await peer.request()
        peer.write(answer)
        if b" 200 " not in answer:
            await peer.gone()
            return
        reader, writer = await asyncio.open_connection(site.host, site.port)

        async def forth() -> None:
            while raw := await peer.reader.read(65536):
                writer.write(raw)
            writer.close()

        sending = asyncio.create_task(forth())
        try:
            while raw := await reader.read(65536):
                peer.write(raw)
                await peer.writer.drain()
        finally:
            sending.cancel()
            writer.transport.abort()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await sending

    async with serving(handle) as proxy:
        yield proxy


def through(proxy: Site, url: str, login: str = "", trust: ssl.SSLContext | None = None) -> HttpUpstream:
    way = f"http://{login}{proxy.host}:{proxy.port}"
    return HttpUpstream(HttpClient(Address.of(url, way), trust=trust), lambda: "k")


@on_real_loops
async def test_a_proxy_is_asked_for_a_tunnel_and_sees_nothing_of_the_call() -> None:
    async with serving(answering(OK)) as site, proxying(site) as proxy:
        upstream = through(proxy, "http://model.test:8080/v1")
        assert (await ask(upstream)).body == b"ok"
        assert sum(map(len, await pieces(upstream))) == 2
        await upstream.aclose()

    assert proxy.requests == [b"CONNECT model.test:8080 HTTP/1.1\r\nhost: model.test:8080\r\n\r\n"]
    assert site.requests[0].startswith(b"POST /v1/chat HTTP/1.1\r\nhost: model.test:8080\r\n")
    assert len(site.peers) == 1


@on_real_loops
async def test_through_a_proxy_the_server_is_secured_and_the_login_is_the_proxys_alone(
    authority: Authority,
) -> None:
    async with (
        serving(answering(OK), tls=authority.server("DNS:model.test")) as site,
        proxying(site) as proxy,
    ):
        upstream = through(proxy, "https://model.test/v1", "me:p%40ss@", authority.trust())
        assert (await ask(upstream)).body == b"ok"
        assert (await ask(upstream)).body == b"ok"
        await upstream.aclose()
        other = through(proxy, "https://another.test/v1", "", authority.trust())
        assert "for another server" in (await refused(other)).message

    login = base64.b64encode(b"me:p@ss")
    assert proxy.requests[0].endswith(
        b"host: model.test:443\r\nproxy-authorization: Basic %b\r\n\r\n" % login
    )
    assert len(site.requests) == 2
    assert not any(b"proxy" in request for request in site.requests)


@pytest.mark.parametrize(
    ("answer", "told", "mend"),
    [
        (b"HTTP/1.1 407 Login\r\ncontent-length: 0\r\n\r\n", "(407)", "user and password"),
        (b"HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n", "answered 403", "no_proxy"),
        (b"SSH-2.0\r\n", "does not speak HTTP", "no_proxy"),
    ],
)
@on_real_loops
async def test_a_proxy_that_refuses_is_told_apart_from_the_server_and_nothing_is_owed(
    answer: bytes, told: str, mend: str
) -> None:
    async with serving(answering(OK)) as site, proxying(site, answer) as proxy:
        error = await refused(through(proxy, "https://model.test/v1", "me:secret@"))
        await until(lambda: proxy.ended == 1)

    assert told in error.message
    assert mend in error.mend
    assert "secret" not in str(error)


@pytest.mark.parametrize("scheme", ["http", "https"])
@on_real_loops
async def test_a_proxy_that_dies_or_is_not_there_owes_nothing(scheme: str) -> None:
    async def hang_up(peer: Peer) -> None:
        await peer.request()

    async def hang_up_later(peer: Peer) -> None:
        await peer.request()
        peer.write(b"HTTP/1.1 200 Go\r\n\r\n")

    for handler in (hang_up, hang_up_later):
        async with serving(handler) as proxy:
            upstream = through(proxy, f"{scheme}://model.test/v1")
            if scheme == "https" or handler is hang_up:
                await refused(upstream)
            else:  # What was sent into a tunnel may have come through it.
                with pytest.raises((ModelUnreachable, ModelTimeout)):
                    await ask(upstream)
    gone = through(Site("127.0.0.1", free_port()), f"{scheme}://model.test/v1")
    assert "proxy" in (await refused(gone)).mend


@on_real_loops
async def test_a_proxy_that_is_silent_is_waited_for_no_longer_than_the_call_may_take() -> None:
    async def handle(peer: Peer) -> None:
        await peer.gone()

    async with serving(handle) as proxy:
        await refused(through(proxy, "https://model.test/v1"), SHORT_S)
        await until(lambda: proxy.ended == 1)


@on_real_loops
async def test_a_server_on_this_machine_is_never_asked_for_through_a_proxy() -> None:
    async with serving(answering(OK)) as site, client(site.url, proxy="http://127.0.0.1:1") as upstream:
        assert (await ask(upstream)).body == b"ok"


def test_a_proxys_login_is_not_shown() -> None:
    address = Address.of("https://model.test", "http://me:secret@proxy:3128")

    assert address.proxy == Proxy("proxy", 3128, f"Basic {base64.b64encode(b'me:secret').decode()}")
    assert "secret" not in repr(address)
    assert base64.b64encode(b"me:secret").decode() not in repr(address)
