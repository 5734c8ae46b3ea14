"""No channel reaches an internal address, however it is spelled, redirected to or resolved, unless it says internal."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import pytest

from airworthy.review.channel_rule import ChannelKind
from airworthy.review.courier_mail import MailCourier
from airworthy.review.couriers import Later, Secrets, Sent
from tests.review.kit import answer, http, message, receiving, rule
from tests.virtual import START_US, wait_external

ALWAYS_OUT = (
    "169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "0.0.0.0", "[::]", "224.0.0.1", "[::ffff:169.254.169.254]",
    "168.63.129.16", "[64:ff9b::a9fe:a9fe]",
)  # fmt: skip
INSIDE = (
    "127.0.0.1",
    "10.0.0.1",
    "192.168.1.1",
    "172.16.9.9",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[fd12::1]",
    "100.64.0.1",
)
ODD = ("2130706433", "0x7f000001", "0177.0.0.1", "127.1", "127.0.0.1.", "0x7f.1")
KINDS: tuple[ChannelKind, ...] = ("webhook", "slack", "teams", "pagerduty")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("host", [*ALWAYS_OUT, *INSIDE, *ODD])
async def test_an_internal_address_is_not_reached(kind: ChannelKind, host: str) -> None:
    result = await http(rule(kind, internal=False), f"https://{host}/SECRETPATH").carry(message(), START_US)

    assert isinstance(result, Later)
    assert any(
        says in result.error for says in ("not reached from here", "is a number", "The address is none")
    )
    assert "SECRETPATH" not in result.error


@pytest.mark.parametrize("host", ALWAYS_OUT)
async def test_some_are_not_reached_even_then(host: str) -> None:
    result = await http(rule(internal=True), f"http://{host}/").carry(message(), START_US)

    assert isinstance(result, Later)
    assert "not reached from here" in result.error


async def test_with_internal_it_is() -> None:
    async with receiving() as receiver:
        courier = http(rule(internal=True), receiver.url)
        assert await courier.carry(message(), START_US) == Sent()
        await courier.close()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "to", ["http://169.254.169.254/latest/meta-data/", "http://127.0.0.1:{port}/inside", "/inside"]
)
async def test_a_redirect_is_not_followed(status: int, to: str) -> None:
    async with receiving() as receiver:
        receiver.script.append(answer(status, location=to.format(port=receiver.port)))
        courier = http(rule(), receiver.url)
        result = await courier.carry(message(), START_US)
        await courier.close()

    assert isinstance(result, Later)
    assert f"answered {status}: redirects are not followed" in result.error
    assert len(receiver.seen) == 1


def _answers(*of: list[str]) -> tuple[Callable[[str, int], Awaitable[Iterable[str]]], list[str]]:
    """A resolver that gives each of the answers in turn, then the last one for ever."""
    left, asked = list(of), list[str]()

    async def resolve(host: str, port: int) -> Iterable[str]:
        asked.append(host)
        return left.pop(0) if len(left) > 1 else left[0]

    return resolve, asked


@pytest.mark.parametrize(
    ("why", "answers"),
    [
        ("the name is of an internal address", ["10.0.0.7"]),
        ("of the metadata service", ["169.254.169.254"]),
        ("of nothing but internal ones", ["127.0.0.1", "::1", "192.168.0.1"]),
        ("of nothing", []),
    ],
)
async def test_a_name_that_resolves_inside_is_not_reached(why: str, answers: list[str]) -> None:
    resolve, _ = _answers(answers)

    result = await http(rule(internal=False), "https://hooks.example/x", resolve=resolve).carry(
        message(), START_US
    )

    assert isinstance(result, Later), why
    assert "hooks.example" in result.error


async def test_a_name_is_asked_for_once_and_its_judged_address_is_the_one_connected_to() -> None:
    """DNS rebinding: the first answer passes the judge, the second would be inside. There is no second question."""
    async with receiving() as receiver:
        resolve, asked = _answers(["203.0.113.9", "8.8.8.8"], ["127.0.0.1"])
        connected: list[str] = []
        courier = http(rule(internal=False), f"https://rebind.example:{receiver.port}/x", resolve=resolve)
        real = asyncio.get_running_loop().create_connection

        async def spied(*args: object, host: str | None = None, **keys: object) -> object:
            connected.append(str(args[1] if len(args) > 1 else host))
            raise OSError("no network here")

        asyncio.get_running_loop().create_connection = spied  # type: ignore[method-assign,assignment]  # no network
        try:
            result = await courier.carry(message(), START_US)
        finally:
            asyncio.get_running_loop().create_connection = real  # type: ignore[method-assign]

    assert isinstance(result, Later)
    assert asked == ["rebind.example"]
    assert connected == ["8.8.8.8"]
    assert receiver.connections == 0


async def test_every_attempt_is_judged_anew() -> None:
    """A name that was fine yesterday and is internal today is refused today; no connection is kept between attempts."""
    async with receiving() as receiver:
        resolve, _ = _answers(["127.0.0.1"], ["169.254.169.254"])
        courier = http(rule(internal=True), f"http://hooks.example:{receiver.port}/x", resolve=resolve)
        first = await courier.carry(message(), START_US)
        second = await courier.carry(message(), START_US)
        await courier.close()

    assert first == Sent()
    assert isinstance(second, Later)
    assert "metadata" in second.error
    assert receiver.connections == 1


@pytest.mark.parametrize("host", [*ALWAYS_OUT[:3], *INSIDE[:4], *ODD[:3], "mail.example"])
async def test_mail_reaches_no_internal_server_either(host: str) -> None:
    resolve, _ = _answers(["10.1.2.3"])
    courier = MailCourier(
        rule("email", internal=False), lambda: Secrets(f"smtp://u:p4ssw0rd@{host}:587"), resolve=resolve
    )

    result = await wait_external(courier.carry(message(recipient="ann@example.com"), START_US))

    assert isinstance(result, Later)
    assert "not reached from here" in result.error or "is a number" in result.error
    assert "p4ssw0rd" not in result.error


async def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as proxy, receiving() as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        courier = http(rule(), receiver.url)
        assert await courier.carry(message(), START_US) == Sent()
        await courier.close()

    assert (proxy.connections, receiver.connections) == (0, 1)
