"""What the egress guard lets through, by address, by form, by name, and over real connections."""

import asyncio
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airworthy.core.errors import ConfigError
from airworthy.resilience import (
    INTERNET_ONLY,
    Egress,
    EgressRefused,
    async_transport,
    checked_addresses,
    checked_addresses_async,
    sync_transport,
)
from airworthy.resilience.addresses import INTERNAL, AddressKind, kind_of
from airworthy.resilience.egress import ADDRESSES_MAX, HOSTS_MAX, judge, literal
from tests.gateway.http.authority import Authority
from tests.gateway.http.kit import OK, answering, serving

INSIDE = Egress(internal=True)


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("93.184.215.14", "public"),
        ("10.0.0.1", "private"),
        ("172.16.0.1", "private"),
        ("172.31.255.255", "private"),
        ("172.32.0.0", "public"),
        ("192.168.1.1", "private"),
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("100.64.0.1", "shared"),
        ("100.127.255.255", "shared"),
        ("100.128.0.0", "public"),
        ("169.254.1.1", "link_local"),
        ("169.254.169.254", "metadata"),
        ("169.254.170.2", "metadata"),
        ("100.100.100.200", "metadata"),
        ("168.63.129.16", "metadata"),
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "unspecified"),
        ("224.0.0.1", "multicast"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "reserved"),
        ("192.0.2.1", "reserved"),
        ("198.18.0.1", "reserved"),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", "public"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("fd12:3456::1", "private"),
        ("fd00:ec2::254", "metadata"),
        ("fe80::1", "link_local"),
        ("fe80::1%eth0", "link_local"),
        ("fec0::1", "reserved"),
        ("ff02::1", "multicast"),
        ("2001:db8::1", "reserved"),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "reserved"),  # Teredo
        ("::ffff:10.0.0.1", "private"),
        ("::ffff:169.254.169.254", "metadata"),
        ("::ffff:93.184.215.14", "public"),
        ("::127.0.0.1", "reserved"),  # IPv4-compatible
        ("::ffff:0:127.0.0.1", "reserved"),  # IPv4-translated
        ("64:ff9b::10.0.0.1", "private"),  # NAT64
        ("64:ff9b::169.254.169.254", "metadata"),
        ("64:ff9b::93.184.215.14", "public"),
        ("64:ff9b:1::93.184.215.14", "reserved"),
        ("2002:7f00:1::", "reserved"),  # 6to4
        ("2606:4700::5efe:10.0.0.1", "reserved"),  # ISATAP
        ("4000::1", "reserved"),
    ],
)
def test_every_address_has_its_kind(address: str, kind: str) -> None:
    assert kind_of(address) is AddressKind(kind)


@given(st.ip_addresses())
def test_what_the_standard_library_calls_not_global_is_never_public(
    address: IPv4Address | IPv6Address,
) -> None:
    """Two tables made apart; where they differ, ours may only be the stricter one."""
    if not address.is_global or address.is_multicast or address.is_link_local:
        assert kind_of(address) is not AddressKind.PUBLIC


@given(st.ip_addresses(v=4), st.sampled_from(["::ffff:0:0", "64:ff9b::"]))
def test_an_ipv4_address_in_ipv6_clothes_is_judged_as_itself(address: IPv4Address, prefix: str) -> None:
    dressed = IPv6Address(int(IPv6Address(prefix)) | int(address))

    assert kind_of(dressed) is kind_of(address)


@given(st.ip_addresses(v=4), st.sampled_from(["::", "2002::", "::ffff:0:0:0", "64:ff9b:1::"]))
def test_other_clothes_are_never_public(address: IPv4Address, prefix: str) -> None:
    shift = 80 if prefix == "2002::" else 0
    dressed = IPv6Address(int(IPv6Address(prefix)) | (int(address) << shift))

    assert kind_of(dressed) is not AddressKind.PUBLIC


def _forms(address: IPv4Address) -> list[str]:
    """The ways in which inet_aton and its kin let one address be written."""
    number = int(address)
    a, b, c, d = address.packed
    return [
        str(number),
        hex(number),
        f"0{number:o}",
        f"{a}.{number & 0xFFFFFF}",
        f"{a}.{b}.{number & 0xFFFF}",
        f"0{a:o}.0{b:o}.0{c:o}.0{d:o}",
        f"0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}",
        f"{a}.{b}.{c}.{d}.",
    ]


@given(st.ip_addresses(v=4))
def test_a_number_that_programs_read_differently_is_no_host(address: IPv4Address) -> None:
    for form in _forms(address):
        with pytest.raises(EgressRefused, match="programs read"):
            literal(form)


@given(st.ip_addresses())
def test_the_canonical_form_of_an_address_needs_no_resolver(address: IPv4Address | IPv6Address) -> None:
    def never(_host: str, _port: int) -> Iterable[str]:
        raise AssertionError("resolved")

    for egress in (INTERNET_ONLY, INSIDE):
        allowed = {AddressKind.PUBLIC, *(INTERNAL if egress.internal else ())}
        if kind_of(address) in allowed:
            assert checked_addresses(str(address), 80, egress, resolve=never) == (str(address),)
        else:
            with pytest.raises(EgressRefused):
                checked_addresses(str(address), 80, egress, resolve=never)


@given(st.lists(st.ip_addresses().map(str), max_size=40), st.booleans())
def test_nothing_is_let_through_that_was_not_judged_good(found: list[str], internal: bool) -> None:
    egress = Egress(internal=internal)
    allowed = {AddressKind.PUBLIC, *(INTERNAL if internal else ())}
    try:
        good = judge("crm.example", found, egress)
    except EgressRefused:
        good = ()

    looked_at = list(dict.fromkeys(found))[:ADDRESSES_MAX]
    assert list(good) == [address for address in looked_at if kind_of(address) in allowed]


@given(st.text(max_size=300))
def test_no_text_makes_the_host_check_fail_otherwise_than_by_refusing(text: str) -> None:
    try:
        address = literal(text)
    except EgressRefused:
        return
    assert address is None or address == ip_address(text.strip("[]"))


@pytest.mark.parametrize(
    "host", ["", " ", "a b", "crm\n.example", "crm\x00.example", "١٢٧.٠.٠.١", "a:80", "x" * 254]
)
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(EgressRefused):
        literal(host)


def test_a_refusal_says_what_resolved_to_what_and_how_to_declare_it() -> None:
    with pytest.raises(EgressRefused) as refused:
        checked_addresses("crm.example", 443, resolve=lambda *_: ["10.0.0.7", "fe80::1"])

    assert refused.value.message == (
        "'crm.example' resolves to 10.0.0.7 (private), fe80::1 (link-local), which is not reached from here."
    )
    assert "internal = true" in refused.value.mend


def test_metadata_cannot_be_declared_internal() -> None:
    with pytest.raises(EgressRefused) as refused:
        checked_addresses("169.254.169.254", 80, Egress(internal=True, hosts=("169.254.169.254",)))

    assert "never reached" in refused.value.mend


def test_one_host_may_be_declared_internal_and_no_other() -> None:
    egress = Egress(hosts=("Crm.Example.",))

    assert checked_addresses("crm.example", 443, egress, resolve=lambda *_: ["10.0.0.7"]) == ("10.0.0.7",)
    with pytest.raises(EgressRefused):
        checked_addresses("crm.example.evil.example", 443, egress, resolve=lambda *_: ["10.0.0.7"])


def test_of_mixed_addresses_only_the_good_ones_are_used() -> None:
    found = ["127.0.0.1", "93.184.215.14", "169.254.169.254", "93.184.215.14"]

    assert checked_addresses("crm.example", 443, resolve=lambda *_: found) == ("93.184.215.14",)


def test_a_name_without_addresses_is_refused() -> None:
    with pytest.raises(EgressRefused, match="no address"):
        checked_addresses("crm.example", 443, resolve=lambda *_: [])


def test_internal_hosts_are_bounded() -> None:
    Egress(hosts=("a",) * HOSTS_MAX)
    with pytest.raises(ConfigError):
        Egress(hosts=("a",) * (HOSTS_MAX + 1))


async def test_localhost_is_refused_unless_declared() -> None:
    with pytest.raises(EgressRefused, match="loopback"):
        await checked_addresses_async("localhost", 80)
    assert {kind_of(each) for each in await checked_addresses_async("localhost", 80, INSIDE)} == {
        AddressKind.LOOPBACK
    }


async def test_a_loopback_server_is_reached_only_when_declared() -> None:
    async with serving(answering(OK)) as site:
        async with httpx.AsyncClient(transport=async_transport(INSIDE)) as client:
            assert (await client.get(site.url)).text == "ok"
        async with httpx.AsyncClient(transport=async_transport()) as client:
            with pytest.raises(EgressRefused):
                await client.get(site.url)

    assert len(site.peers) == 1


async def test_the_sync_client_is_guarded_too() -> None:
    async with serving(answering(OK)) as site:

        def ask(egress: Egress) -> str:
            with httpx.Client(transport=sync_transport(egress)) as client:
                return client.get(site.url).text

        assert await asyncio.to_thread(ask, INSIDE) == "ok"
        with pytest.raises(EgressRefused):
            await asyncio.to_thread(ask, INTERNET_ONLY)

    assert len(site.peers) == 1


async def test_a_name_that_answers_otherwise_the_second_time_gains_nothing() -> None:
    """DNS rebinding: good at the check, internal at the connection. There is no second time."""
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    async with (
        serving(answering(OK)) as site,
        httpx.AsyncClient(transport=async_transport(INSIDE, resolve=rebinding)) as client,
    ):
        assert (await client.get(f"http://rebinding.example:{site.port}/")).text == "ok"

    assert asked == ["rebinding.example"]
    assert b"host: rebinding.example" in site.requests[0].lower()


async def test_a_redirect_to_an_internal_address_is_judged_anew() -> None:
    where = b"http://169.254.169.254/latest/meta-data/"
    redirect = b"HTTP/1.1 302 Found\r\nlocation: " + where + b"\r\ncontent-length: 0\r\n\r\n"
    async with (
        serving(answering(redirect)) as site,
        httpx.AsyncClient(transport=async_transport(INSIDE), follow_redirects=True) as client,
    ):
        with pytest.raises(EgressRefused, match=r"169\.254\.169\.254"):
            await client.get(site.url)


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(answering(OK)) as site, serving(answering(OK)) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        async with httpx.AsyncClient(transport=async_transport(INSIDE)) as client:
            assert (await client.get(site.url)).text == "ok"

    assert (len(site.requests), len(proxy.requests)) == (1, 0)


async def test_the_next_good_address_is_tried_when_one_refuses_the_connection() -> None:
    async def two(_host: str, _port: int) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    async with (
        serving(answering(OK)) as site,
        httpx.AsyncClient(transport=async_transport(INSIDE, resolve=two)) as client,
    ):
        assert (await client.get(f"http://two.example:{site.port}/")).text == "ok"


async def test_a_resolver_that_hangs_ends_at_the_time_to_connect() -> None:
    async def hanging(_host: str, _port: int) -> list[str]:
        await asyncio.sleep(3600)
        return []

    async with httpx.AsyncClient(transport=async_transport(resolve=hanging), timeout=2.0) as client:
        with pytest.raises(httpx.ConnectTimeout, match="not resolved within 2 s"):
            await client.get("http://slow.example/")

    assert asyncio.get_running_loop().time() == 2.0


async def test_a_name_that_nobody_knows_is_a_failed_connection() -> None:
    async def unknown(_host: str, _port: int) -> list[str]:
        raise OSError("Name or service not known")

    async with httpx.AsyncClient(transport=async_transport(resolve=unknown)) as client:
        with pytest.raises(httpx.ConnectError, match=r"'gone.example' was not resolved"):
            await client.get("http://gone.example/")


@pytest.mark.slow
async def test_tls_is_verified_against_the_name_though_the_address_is_connected_to(
    authority: Authority,
) -> None:
    """Slow: makes certificates."""

    async def at_home(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    transport = async_transport(INSIDE, ssl_context=authority.trust(), resolve=at_home)
    async with (
        serving(answering(OK), tls=authority.server("DNS:crm.example")) as site,
        httpx.AsyncClient(transport=transport) as client,
    ):
        assert (await client.get(f"https://crm.example:{site.port}/")).text == "ok"
        with pytest.raises(httpx.ConnectError, match="mismatch"):
            await client.get(f"https://other.example:{site.port}/")
