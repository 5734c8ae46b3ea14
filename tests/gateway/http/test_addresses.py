"""Addresses, proxies and who is spared them, as tables."""

import pytest

from airworthy.app.config import proxy_for
from airworthy.core.errors import ConfigError
from airworthy.gateway.http import Address
from airworthy.gateway.http.address import Proxy, is_loopback


@pytest.mark.parametrize(
    ("url", "shown", "netloc", "at"),
    [
        ("http://a/v1", "http://a/v1", "a", "a:80"),
        (
            "https://API.example.com/v1/",
            "https://api.example.com/v1",
            "api.example.com",
            "api.example.com:443",
        ),
        ("https://a:8443", "https://a:8443", "a:8443", "a:8443"),
        ("http://a:443", "http://a:443", "a:443", "a:443"),
        ("https://[::1]/v1", "https://[::1]/v1", "[::1]", "[::1]:443"),
        ("http://[2001:db8::1]:81", "http://[2001:db8::1]:81", "[2001:db8::1]:81", "[2001:db8::1]:81"),
        ("http://[fe80::1%eth0]/v1", "http://[fe80::1]/v1", "[fe80::1]", "[fe80::1]:80"),
        ("http://bücher.example/v1", "http://xn--bcher-kva.example/v1", "xn--bcher-kva.example", None),
        ("http://my_server:1", "http://my_server:1", "my_server:1", "my_server:1"),
        ("https://a.example./v1", "https://a.example/v1", "a.example", "a.example:443"),
    ],
)
def test_an_address_is_taken_apart(url: str, shown: str, netloc: str, at: str | None) -> None:
    address = Address.of(url)

    assert (str(address), address.netloc) == (shown, netloc)
    assert address.at == (at or f"{netloc}:80")


@pytest.mark.parametrize(
    "url",
    [
        "", "a", "a:80", "ftp://a", "http://", "http:///v1", "http://:80", "http://a:0", "http://a:99999",
        "http://a:b", "http://[::1", "http://[nonsense]", "http://a..b", "http://a b", "http://a/b c",
        "http://a/ü", "http://a\x00b", "http://a/\x7f", "http://.a", "http://a/v1?x=1", "http://a/#x",
        "http://me:secret@a/v1",
        f"http://{'a' * 64}.example",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_without_showing_a_secret(url: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Address.of(url)

    assert raised.value.mend
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://proxy:3128", Proxy("proxy", 3128)),
        ("proxy:3128", Proxy("proxy", 3128)),
        ("http://proxy", Proxy("proxy", 80)),
        ("http://[::1]:3128/", Proxy("::1", 3128)),
        ("http://me@proxy:1", Proxy("proxy", 1, "Basic bWU6")),
        ("http://me:p%40ss@proxy:1", Proxy("proxy", 1, "Basic bWU6cEBzcw==")),
    ],
)
def test_a_proxy_is_read_as_curl_reads_it(url: str, proxy: Proxy) -> None:
    assert Address.of("https://model.test", url).proxy == proxy


@pytest.mark.parametrize(
    "url",
    ["socks5://me:secret@proxy:1", "https://me:secret@proxy", "http://me:secret@", "http://me:secret@p:x"],
)
def test_a_proxy_that_cannot_be_used_is_refused_without_showing_its_password(url: str) -> None:
    with pytest.raises(ConfigError, match="proxy") as raised:
        Address.of("https://model.test", url)

    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True), ("localhost.", True), ("model.localhost", True), ("127.0.0.1", True),
        ("127.9.9.9", True), ("::1", True), ("::ffff:127.0.0.1", True), ("127.example.com", False),
        ("128.0.0.1", False), ("::2", False), ("notlocalhost", False), ("localhost.example.com", False),
    ],
)  # fmt: skip
def test_only_this_machine_is_this_machine(host: str, here: bool) -> None:
    assert is_loopback(host) is here


PROXY, OTHER = "http://proxy:1", "http://other:2"


@pytest.mark.parametrize(
    ("url", "no_proxy", "spared"),
    [
        ("https://a.example.com", "", False),
        ("https://a.example.com", "*", True),
        ("https://a.example.com", "b.example.com, a.example.com", True),
        ("https://a.example.com", "example.com", True),
        ("https://a.example.com", ".example.com", True),
        ("https://a.example.com", "*.example.com", True),
        ("https://A.Example.com.", "EXAMPLE.com.", True),
        ("https://example.com", ".example.com", True),
        ("https://a.example.com", "ample.com", False),
        ("https://a.example.com", "*.internal", False),  # A star among others spares nobody else.
        ("https://a.example.com", "*.internal,, ,", False),
        ("https://a.example.com", "a.example.com:443", True),
        ("https://a.example.com", "a.example.com:8443", False),
        ("https://a.example.com:8443", "example.com:8443", True),
        ("http://a.example.com", "a.example.com:80", True),
        ("http://10.1.2.3", "10.1.2.3", True),
        ("http://10.1.2.3:81", "10.1.2.3:80", False),
        ("http://10.1.2.3", "10.0.0.0/8", True),
        ("http://11.1.2.3", "10.0.0.0/8", False),
        ("http://10.1.2.3", "2.3", False),
        ("http://[2001:db8::1]", "[2001:db8::1]", True),
        ("http://[2001:db8::1]", "2001:DB8:0::1", True),
        ("http://[2001:db8::1]:81", "[2001:db8::1]:81", True),
        ("http://[2001:db8::1]:81", "[2001:db8::1]:82", False),
        ("http://[2001:db8::1]", "2001:db8::/32", True),
        ("http://[2001:db8::1]", "10.0.0.0/8", False),
    ],
)
def test_who_is_spared_the_proxy(
    url: str, no_proxy: str, spared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean(monkeypatch)
    monkeypatch.setenv("NO_PROXY", no_proxy)
    monkeypatch.setenv("ALL_PROXY", PROXY)

    assert proxy_for(url) == ("" if spared else PROXY)


@pytest.mark.parametrize(
    ("url", "variables", "proxy"),
    [
        ("https://a", {}, ""),
        ("https://a", {"HTTPS_PROXY": PROXY}, PROXY),
        ("https://a", {"https_proxy": PROXY, "HTTPS_PROXY": OTHER}, PROXY),
        ("https://a", {"http_proxy": PROXY}, ""),
        ("http://a", {"http_proxy": PROXY, "https_proxy": OTHER, "all_proxy": OTHER}, PROXY),
        ("https://a", {"http_proxy": PROXY, "all_proxy": OTHER}, OTHER),
    ],
)
def test_the_scheme_says_which_proxy(
    url: str, variables: dict[str, str], proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean(monkeypatch)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert proxy_for(url) == proxy


def test_an_address_that_cannot_be_taken_apart_has_no_proxy_but_a_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clean(monkeypatch)

    for url in ("http://[::1", "http://a:99999"):
        with pytest.raises(ConfigError):
            proxy_for(url)


def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "all_proxy", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
