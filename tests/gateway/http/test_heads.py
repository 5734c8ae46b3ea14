"""What a request says about itself: never more than one request, never a key where others read it."""

import os
from pathlib import Path

import pytest

from airworthy.app.providers import KEY_CHARS_MAX, key_of, upstream_of
from airworthy.gateway.errors import ModelAuthFailed, ModelRefusedRequest
from airworthy.gateway.http import Address, HttpClient, HttpUpstream
from airworthy.gateway.upstream import Sent
from airworthy.policy import ModelRule
from tests.gateway.http.kit import OK, answering, ask, client, idle, on_real_loops, sent, serving
from tests.gateway.kit import PRICED


def upstream(key: str = "sk-1", header: str = "bearer", **fixed: str) -> HttpUpstream:
    address = Address.of("https://model.test/v1")
    return HttpUpstream(HttpClient(address), lambda: key, header, fixed)  # type: ignore[arg-type]  # A word of three.


def lines(made: HttpUpstream, request: Sent) -> list[str]:
    head = made._head(request).decode()
    assert head.endswith("\r\n\r\n")
    return head[:-4].split("\r\n")


def test_a_head_has_what_a_provider_needs_and_nothing_twice() -> None:
    made = lines(upstream(), sent(b"abc", headers={"anthropic-beta": "x", "Content-Type": "text/plain"}))

    assert made == [
        "POST /v1/chat HTTP/1.1",
        "host: model.test",
        "accept-encoding: identity",
        "content-type: text/plain",
        "user-agent: airworthy",
        "anthropic-beta: x",
        "authorization: Bearer sk-1",
        "content-length: 3",
    ]


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("bearer", "authorization: Bearer sk-1"),
        ("x-api-key", "x-api-key: sk-1"),
        ("api-key", "api-key: sk-1"),
    ],
)
def test_a_key_travels_as_its_provider_wants_it_and_the_callers_own_does_not(header: str, line: str) -> None:
    name = line.partition(":")[0]
    made = lines(upstream(header=header), sent(headers={name.title(): "Bearer another"}))

    assert line in made
    assert not any("another" in found for found in made)


def test_without_a_key_none_is_sent() -> None:
    assert not any("authorization" in line for line in lines(upstream(""), sent()))


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "content-length",
        "Transfer-Encoding",
        "connection",
        "accept-encoding",
        "expect",
        "te",
        "upgrade",
    ],
)
def test_where_a_message_ends_is_nothing_a_caller_may_say(name: str) -> None:
    made = lines(upstream(), sent(b"abc", headers={name: "odd"}))

    assert not any("odd" in line for line in made)
    assert "content-length: 3" in made


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x", "a\r\nhost: b"), ("x", "a\nb"), ("x", "a\rb"), ("x", "a\x00b"), ("x", "a\u2028b"), ("x\r\ny", "a"),
        ("x: y", "a"), ("", "a"), ("x y", "a"), ("ü", "a"),
    ],
)  # fmt: skip
def test_a_header_that_would_begin_a_line_of_its_own_is_refused(name: str, value: str) -> None:
    with pytest.raises(ModelRefusedRequest):
        upstream()._head(sent(headers={name: value}))


@pytest.mark.parametrize("key", ["sk-1\n", "sk\r\nx: y", "sk-1\x00", "\x1b[0m", "sk–1", "sk-1\u00a0", "ключ"])
@on_real_loops
async def test_a_key_with_a_character_that_no_key_has_is_refused_before_anything_is_sent(key: str) -> None:
    async with serving(answering(OK)) as site, client(site.url, key=key) as made:
        with pytest.raises(ModelAuthFailed) as raised:
            await ask(made)

        assert key.strip() not in str(raised.value)
        assert not raised.value.billed
        assert (site.peers, idle(made)) == ([], 0)


def test_what_changes_between_calls_is_in_the_next_head() -> None:
    keys = iter(["one", "two", "two", "two"])
    made = HttpUpstream(HttpClient(Address.of("http://a")), lambda: next(keys))
    headers = {"x": "1"}

    assert "authorization: Bearer one" in lines(made, Sent("/a", b"", headers, 1.0))
    assert "authorization: Bearer two" in lines(made, Sent("/a", b"", headers, 1.0))
    headers["x"] = "2"
    assert "x: 2" in lines(made, Sent("/a", b"12", headers, 1.0))
    assert lines(made, Sent("/b", b"", headers, 1.0))[0] == "POST /b HTTP/1.1"


def test_a_key_is_in_no_repr() -> None:
    made = upstream("sk-secret-1")
    made._head(sent())

    assert "secret" not in repr(made)
    assert repr(made) == "HttpUpstream(https://model.test/v1)"


# Keys as the policy names them.


def rule(**settings: object) -> ModelRule:
    return ModelRule.model_validate({"name": "m", **PRICED, **settings})


def test_a_key_file_is_read_anew_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("one\n")
    key = key_of(rule(api_key_file=str(file)))
    assert (key(), key()) == ("one", "one")

    file.write_text("three\n")
    assert key() == "three"


def test_a_key_file_in_whose_place_another_was_put_is_read_anew_even_if_it_looks_the_same(
    tmp_path: Path,
) -> None:
    """As secrets are renewed: the new file is moved over the old one; time and size may be the same."""
    file, new = tmp_path / "key", tmp_path / "new"
    file.write_text("one")
    new.write_text("two")
    for path in (file, new):
        os.utime(path, ns=(10**18, 10**18))
    key = key_of(rule(api_key_file=str(file)))
    assert key() == "one"

    new.replace(file)
    assert key() == "two"


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (None, "cannot be read"), (b"", "is empty"), (b" \n", "is empty"), (b"\xff\xfe", "cannot be read"),
        (b"k" * (KEY_CHARS_MAX + 1), "more than"),
    ],
)  # fmt: skip
def test_a_key_file_without_a_key_is_a_refused_key_until_it_has_one(
    raw: bytes | None, told: str, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    if raw is not None:
        file.write_bytes(raw)
    key = key_of(rule(api_key_file=str(file)))

    for _ in range(2):
        with pytest.raises(ModelAuthFailed, match=told):
            key()
    file.write_bytes(b"k" * KEY_CHARS_MAX)
    assert key() == "k" * KEY_CHARS_MAX


def test_a_key_from_the_environment_and_an_address_make_an_upstream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "sk-9")
    monkeypatch.setenv("no_proxy", "*")
    settings = {"provider": "anthropic", "base_url": "https://model.test/v1", "api_key_env": "SOME_KEY"}
    made = lines(upstream_of(rule(**settings)), sent())

    assert "x-api-key: sk-9" in made
    assert "anthropic-version: 2023-06-01" in made


def test_a_proxy_of_the_environment_is_on_the_way_of_an_upstream(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    far, near = (
        upstream_of(rule(provider="compatible", base_url=url))
        for url in ("https://a.test", "https://127.0.0.1")
    )

    assert far._client.address.proxy is not None
    assert near._client.address.proxy is None
