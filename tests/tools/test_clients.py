"""Tools with an HTTP client, against servers on the loopback that misbehave: what each failure means for the call."""

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from airworthy.core.errors import ConfigError
from airworthy.core.halt import Stop, TryLater
from airworthy.policy import DependencyRule, ToolRule
from airworthy.recorder import StepState
from airworthy.tools import EffectState, Tool, ToolDefinitionError, ToolFailed, ToolUnavailable, tool
from airworthy.tools import clients as clients_room
from tests.gateway.http.kit import Peer, Site, answering, serving
from tests.tools.kit import Kit, kit

ONCE = ToolRule(attempts=1, critical=False)


def http(status: str = "200 OK", body: bytes = b"{}", *headers: str) -> bytes:
    lines = [
        f"HTTP/1.1 {status}",
        f"content-length: {len(body)}",
        "content-type: application/json",
        *headers,
        "",
        "",
    ]
    return "\r\n".join(lines).encode() + body


@tool(dependency="crm")
async def look(customer: str, client: httpx.AsyncClient) -> Any:
    """Looks a customer up."""
    return (await client.get(f"customers/{customer}")).json()


@tool(dependency="crm")
def look_plain(customer: str, client: httpx.Client) -> Any:
    """Looks a customer up, in a thread."""
    return client.get(f"customers/{customer}").json()


@tool(effect="write", dependency="crm", name="note")
async def note(customer: str, text: str, client: httpx.AsyncClient) -> Any:
    """Adds a note, without a key."""
    return (await client.post(f"customers/{customer}/notes", json={"text": text})).json()


@tool(effect="write", keyed=True, dependency="crm")
async def refund(order: str, client: httpx.AsyncClient) -> Any:
    """Pays an order back, and books it: two acts."""
    paid = await client.post("refunds", json={"order": order})
    await client.post("bookings", json={"order": order})
    return paid.json()


@contextlib.asynccontextmanager
async def crm(
    handler: Callable[[Peer], Awaitable[None]], *tools: Tool, rule: ToolRule = ONCE, **dependency: Any
) -> AsyncIterator[tuple[Kit, Site]]:
    async with serving(handler) as site:
        about = {"base_url": f"http://127.0.0.1:{site.port}/v1", "internal": True, **dependency}
        rules = {each.name: rule for each in tools}
        k = kit(*tools, rules=rules, dependencies={"crm": DependencyRule(**about)})
        try:
            yield k, site
        finally:
            await k.box.aclose()


async def test_a_tool_is_handed_a_client_that_the_model_never_sees() -> None:
    async with crm(answering(http(body=b'{"name": "Ada"}')), look, look_plain) as (k, site):
        run = k.run()

        assert await k.call(run, look, customer="7") == {"name": "Ada"}
        assert await k.call(run, look_plain, customer="8") == {"name": "Ada"}

    assert [request.split(b" ")[1] for request in site.requests] == [b"/v1/customers/7", b"/v1/customers/8"]
    assert list(look.schema()["properties"]) == ["customer"]


async def test_connections_are_kept_between_calls() -> None:
    async with crm(answering(http()), look) as (k, site):
        run = k.run()
        for number in range(5):
            await k.call(run, look, customer=str(number))

    assert (len(site.peers), len(site.requests)) == (1, 5)


def key_of(request: bytes) -> str:
    headers = dict(line.split(": ", 1) for line in request.decode().split("\r\n\r\n")[0].split("\r\n")[1:])
    return {name.lower(): value for name, value in headers.items()}.get("idempotency-key", "")


class Shows(httpx.Auth):
    def auth_flow(self, request: httpx.Request) -> Any:
        request.headers["authorization"] = "Bearer first"
        response = yield request
        if response.status_code == 401:
            request.headers["authorization"] = "Bearer second"
            yield request


async def test_the_credential_of_the_dependency_sees_a_401_before_the_tool_does() -> None:
    async with serving(answering(http("401 Unauthorized"), http(body=b"1"))) as site:
        rule = DependencyRule(base_url=f"http://127.0.0.1:{site.port}", internal=True)
        k = kit(look, dependencies={"crm": rule}, credentials={"crm": Shows()})

        assert await k.call(k.run(), look, customer="7") == 1
        await k.box.aclose()

    assert [b"Bearer first" in r or b"Bearer second" in r for r in site.requests] == [True, True]


async def hangs(peer: Peer) -> None:
    await peer.request()
    await peer.gone()


async def half(peer: Peer) -> None:
    await peer.request()
    peer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")
    await peer.writer.drain()


async def resets(peer: Peer) -> None:
    await peer.request()
    peer.reset()


async def says_nothing(peer: Peer) -> None:
    await peer.request()


async def garbage(peer: Peer) -> None:
    await peer.request()
    peer.write(b"\x00\xff not http at all\r\n\r\n")


async def drips(peer: Peer) -> None:
    await peer.request()
    peer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    for _ in range(100):
        await asyncio.sleep(1.0)
        peer.write(b"x")


TABLE = [
    (hangs, ToolUnavailable, "maybe", "No answer came"),
    (half, ToolUnavailable, "maybe", "broken"),
    (resets, ToolUnavailable, "maybe", "broken"),
    (says_nothing, ToolUnavailable, "maybe", "broken"),
    (garbage, ToolUnavailable, "maybe", "broken"),
    (drips, ToolUnavailable, "maybe", "No answer came within 4 s"),
    (answering(http("500 Internal Server Error", b"oops")), ToolUnavailable, "maybe", "HTTP 500: oops"),
    (answering(http("502 Bad Gateway")), ToolUnavailable, "maybe", "HTTP 502"),
    (answering(http("503 Service Unavailable", b"", "retry-after: 9")), ToolUnavailable, "no", "HTTP 503"),
    (answering(http("429 Too Many Requests", b"", "retry-after: 9")), ToolUnavailable, "no", "HTTP 429"),
    (answering(http("401 Unauthorized")), ToolFailed, "no", "HTTP 401"),
    (answering(http("403 Forbidden", b"not yours")), ToolFailed, "no", "HTTP 403: not yours"),
    (answering(http("404 Not Found")), ToolFailed, "no", "HTTP 404"),
    (
        answering(http("302 Found", b"", "location: http://169.254.169.254/")),
        ToolFailed,
        "maybe",
        "redirects",
    ),
    (
        answering(http("307 Temporary", b"", "location: http://169.254.169.254/")),
        ToolFailed,
        "no",
        "redirects",
    ),
]
IDS = ["hangs", "half", "resets", "nothing", "garbage", "drips"]
IDS += [str(status) for status in (500, 502, 503, 429, 401, 403, 404, 302, 307)]


@pytest.mark.parametrize(("handler", "error", "happened", "text"), TABLE, ids=IDS)
async def test_what_a_failed_exchange_means_for_a_read(
    handler: Callable[[Peer], Awaitable[None]], error: type[Exception], happened: str, text: str
) -> None:
    async with crm(handler, look, timeout_s=4.0) as (k, _):
        with pytest.raises(error, match=text):
            await k.call(k.run(), look, customer="7")

    assert asyncio.get_running_loop().time() <= 4.1


@pytest.mark.parametrize(("handler", "error", "happened", "text"), TABLE, ids=IDS)
async def test_what_a_failed_exchange_means_for_an_act_without_a_key(
    handler: Callable[[Peer], Awaitable[None]], error: type[Exception], happened: str, text: str
) -> None:
    """Maybe: it is in doubt and never repeated. No: it failed, and nothing happened."""
    async with crm(handler, note, rule=ToolRule(attempts=3, critical=False, retry_wait_s_max=5.0), timeout_s=4.0) as (
        k, site,
    ):  # fmt: skip
        with pytest.raises(
            Stop if happened == "maybe" else error, match=text if happened == "no" else "may or may not"
        ):
            await k.call(k.run(), note, customer="7", text="hello")

    expected = EffectState.IN_DOUBT if happened == "maybe" else EffectState.FAILED
    assert k.effect().state is expected
    assert len(site.requests) == 1


@pytest.mark.parametrize(
    ("handler", "error", "happened", "text"), TABLE[1:5] + TABLE[6:], ids=IDS[1:5] + IDS[6:]
)
async def test_a_plain_tool_learns_the_same(
    handler: Callable[[Peer], Awaitable[None]], error: type[Exception], happened: str, text: str
) -> None:
    async with crm(handler, look_plain, timeout_s=4.0) as (k, _):
        with pytest.raises(error, match=text):
            await k.call(k.run(), look_plain, customer="7")


async def test_a_refused_connection_certainly_did_nothing() -> None:
    async with crm(hangs, note) as (k, _):
        pass  # Nobody listens there any more.
    with pytest.raises(ToolUnavailable, match="cannot be reached"):
        await k.call(k.run(), note, customer="7", text="hello")
    await k.box.aclose()

    assert k.effect().state is EffectState.FAILED


async def test_a_retry_waits_as_long_as_the_header_says() -> None:
    busy = http("429 Too Many Requests", b"", "retry-after: 9")
    async with crm(answering(busy, http(body=b"1")), look, rule=ToolRule(attempts=2)) as (k, _):
        assert await k.call(k.run(), look, customer="7") == 1

    assert asyncio.get_running_loop().time() == pytest.approx(9.0, abs=0.1)


async def test_the_key_of_a_keyed_tool_goes_out_by_itself_and_each_act_has_its_own() -> None:
    async with crm(answering(http()), refund) as (k, site):
        await k.call(k.run(), refund, order="1001")

    effect = k.effect().id
    keys = [key_of(request) for request in site.requests]
    assert keys == [effect, f"{effect}:2"]


async def test_the_key_goes_out_of_a_plain_tool_too_and_a_read_sends_none() -> None:
    @tool(effect="write", keyed=True, dependency="crm")
    def pay(order: str, client: httpx.Client) -> Any:
        """Looks, then pays."""
        client.get(f"orders/{order}")
        return client.post("payments", headers={"x-order": order}).json()

    async with crm(answering(http()), pay) as (k, site):
        await k.call(k.run(), pay, order="1001")

    assert [key_of(request) for request in site.requests] == ["", k.effect().id]


async def test_a_key_that_the_tool_sets_itself_is_left_as_it_is() -> None:
    @tool(effect="write", keyed=True, dependency="crm")
    async def pay(order: str, client: httpx.AsyncClient) -> Any:
        """Pays under the order's own key."""
        return (await client.post("payments", headers={"Idempotency-Key": f"order-{order}"})).json()

    async with crm(answering(http()), pay) as (k, site):
        await k.call(k.run(), pay, order="1001")

    assert key_of(site.requests[0]) == "order-1001"


async def test_after_a_first_act_no_later_refusal_says_that_nothing_happened() -> None:
    """The refund was paid; that the booking was refused certainly must not make the whole call look undone."""
    refused = http("422 Unprocessable Entity", b"no")
    plain = tool(effect="write", dependency="crm", name="refund_plain")(refund.function)
    async with crm(answering(http(), refused), plain) as (k, _):
        with pytest.raises(Stop):
            await k.call(k.run(), plain, order="1001")

    assert k.effect().state is EffectState.IN_DOUBT


async def test_a_keyed_act_whose_answer_was_lost_is_made_again_under_the_same_key() -> None:
    async def loses_the_first(peer: Peer) -> None:
        if peer.number == 0:
            await peer.request()
            peer.reset()
            return
        await answering(http())(peer)

    async with crm(loses_the_first, refund, rule=ToolRule(attempts=2)) as (k, site):
        await k.call(k.run(), refund, order="1001")

    assert k.effect().state is EffectState.DONE
    assert len(site.requests) == 3
    assert key_of(site.requests[0]) == key_of(site.requests[1]) == k.effect().id


async def test_a_tool_may_read_a_status_itself() -> None:
    @tool(dependency="crm", accepts=[404])
    async def known(customer: str, client: httpx.AsyncClient) -> bool:
        """Whether there is such a customer."""
        return (await client.get(f"customers/{customer}")).status_code != 404

    async with crm(answering(http("404 Not Found"), http("500 Oops")), known) as (k, _):
        run = k.run()
        assert await k.call(run, known, customer="7") is False
        with pytest.raises(ToolUnavailable):
            await k.call(run, known, customer="8")


async def test_the_client_goes_nowhere_but_to_its_dependency() -> None:
    """A model names the address: neither the credential nor the request leaves for it."""

    @tool(dependency="crm")
    async def fetch(url: str, client: httpx.AsyncClient) -> str:
        """Fetches whatever it is told to."""
        return (await client.get(url)).text

    async with crm(answering(http()), fetch) as (k, site), serving(answering(http())) as other:
        run = k.run()
        with pytest.raises(ToolFailed, match="alone"):
            await k.call(run, fetch, url=f"http://localhost:{site.port}/")
        with pytest.raises(ToolFailed, match="alone"):
            await k.call(run, fetch, url=f"http://127.0.0.1:{other.port}/")

    assert (site.requests, other.requests) == ([], [])


async def test_an_internal_address_must_be_declared() -> None:
    async with crm(answering(http()), note, internal=False) as (k, site):
        with pytest.raises(ToolFailed, match="internal = true") as refused:
            await k.call(k.run(), note, customer="7", text="hello")

    assert "loopback" in refused.value.message
    assert k.effect().state is EffectState.FAILED
    assert site.peers == []


async def test_cookies_of_one_call_are_not_shown_by_another() -> None:
    async with crm(answering(http("200 OK", b"{}", "set-cookie: session=of-ada; path=/")), look) as (k, site):
        run = k.run()
        await k.call(run, look, customer="7")
        await k.call(run, look, customer="8")

    assert b"of-ada" not in site.requests[1]


async def test_an_answer_beyond_its_bound_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients_room, "ANSWER_BYTES_MAX", 1000)  # 32 MiB would take the test seconds.
    bomb = gzip.compress(b"0" * 100_000)
    async with crm(answering(http("200 OK", bomb, "content-encoding: gzip")), look, look_plain) as (k, _):
        run = k.run()
        for each in (look, look_plain):
            with pytest.raises(ToolFailed, match="more than 1000 bytes"):
                await k.call(run, each, customer="7")


async def test_what_was_packed_is_read_as_if_it_had_not_been() -> None:
    packed = gzip.compress(b'{"name": "Ada"}')
    async with crm(answering(http("200 OK", packed, "content-encoding: gzip")), look, look_plain) as (k, _):
        run = k.run()
        assert await k.call(run, look, customer="7") == {"name": "Ada"}
        assert await k.call(run, look_plain, customer="7") == {"name": "Ada"}


async def test_a_critical_tool_whose_dependency_is_down_puts_its_task_off() -> None:
    async with crm(answering(http("503 Service Unavailable")), look, rule=ToolRule(attempts=1)) as (k, _):
        with pytest.raises(TryLater):
            await k.call(k.run(), look, customer="7")


async def test_a_client_of_ones_own_gets_the_same_judgement() -> None:
    @tool
    async def elsewhere() -> str:
        """Makes a client of its own."""
        async with httpx.AsyncClient() as client:
            return (await client.get("http://127.0.0.1:9/")).text

    k = kit(elsewhere, rules={"elsewhere": ONCE})
    with pytest.raises(ToolUnavailable, match="ConnectError"):
        await k.call(k.run(), elsewhere)

    assert k.steps()[0].state is StepState.FAILED


async def test_the_calls_of_all_tools_of_a_dependency_are_bounded_together() -> None:
    at_once = most = 0

    async def busy(peer: Peer) -> None:
        nonlocal at_once, most
        while True:
            await peer.request()
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(1.0)
            at_once -= 1
            peer.write(http())

    @tool(dependency="crm")
    async def other(customer: str, client: httpx.AsyncClient) -> Any:
        """Another tool of the same dependency."""
        return (await client.get(f"others/{customer}")).json()

    async with crm(busy, look, other, concurrency=2) as (k, _):
        run = k.run()
        await asyncio.gather(
            *(k.call(run, each, customer=str(number)) for each in (look, other) for number in range(4))
        )

    assert most == 2
    assert asyncio.get_running_loop().time() == pytest.approx(4.0, abs=0.2)


def test_a_client_needs_an_address() -> None:
    async def start(**policy: Any) -> None:
        kit(look, **policy)

    for policy in ({}, {"dependencies": {"crm": DependencyRule()}}):
        with pytest.raises(ConfigError, match="no address") as refused:
            asyncio.run(start(**policy))
        assert "[dependencies.crm]" in refused.value.mend


def test_a_client_of_the_wrong_kind_is_no_tool() -> None:
    async def blocks(client: httpx.Client) -> str:
        """Would hold up the loop."""
        return client.get("/").text

    with pytest.raises(ToolDefinitionError, match="does not fit"):
        tool(dependency="crm")(blocks)


def test_two_clients_are_no_tool() -> None:
    async def both(first: httpx.AsyncClient, second: httpx.AsyncClient) -> str:
        """Takes two."""
        return first.base_url.path + second.base_url.path

    with pytest.raises(ToolDefinitionError, match="2 HTTP clients"):
        tool(dependency="crm")(both)
