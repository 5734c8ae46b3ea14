"""The header in real requests, async and in threads: renewed on a 401, sent once more, and never to strangers."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from airworthy.core.clock import ManualClock, SystemClock
from airworthy.resilience import Egress
from airworthy.tools.clients import DependencyClient, Terms
from airworthy.tools.credentials import CredentialBroken, CredentialDown, FromCode, Keeper, PlainKey
from airworthy.tools.credentials.auth import CredentialAuth
from airworthy.tools.errors import Permanent, Transient
from tests.tools.credentials.kit import Answer, Guarded, Kit, Server, Tokens, asking, client_credentials, kit


def _oauth(tokens: Server) -> Kit:
    clock = ManualClock()
    return kit(client_credentials(tokens.url), asking(clock).ask, clock=clock)


def _post(api: Server, auth: httpx.Auth, **about: Any) -> httpx.Response:
    with httpx.Client(base_url=api.url, auth=auth, trust_env=False) as client:
        return client.post("/orders", **about)


def _post_async(api: Server, auth: httpx.Auth, **about: Any) -> httpx.Response:
    async def main() -> httpx.Response:
        async with httpx.AsyncClient(base_url=api.url, auth=auth, trust_env=False) as client:
            return await client.post("/orders", **about)

    return asyncio.run(main())


@pytest.mark.parametrize("post", [_post, _post_async])
def test_a_call_carries_the_token_and_after_a_401_another_one(post: Any) -> None:
    tokens = Tokens()
    with Server(tokens) as endpoint, Server(Guarded(lambda: tokens.given[-1])) as api:
        made = _oauth(endpoint)
        auth = CredentialAuth(made.keeper, api.url)
        first = post(api, auth, content=b"one")
        made.clock.advance(60)
        tokens.given.append("revoked-by-hand")  # What was given is good no more.
        second = post(api, auth, content=b"two")

    assert (first.json(), second.json()) == ({"got": "one"}, {"got": "two"})
    assert [asked.body for asked in api.asked] == [b"one", b"two", b"two"]
    assert len(endpoint.asked) == 2


def test_the_client_that_tools_are_handed_sends_a_refused_call_again() -> None:
    tokens = Tokens()
    with Server(tokens) as endpoint, Server(Guarded(lambda: tokens.given[-1])) as api:
        made = _oauth(endpoint)
        auth = CredentialAuth(made.keeper, api.url)
        terms = Terms("crm", api.url, 5.0, Egress(internal=True), auth)

        async def main() -> str:
            made.keeper.get()
            made.clock.advance(60)
            tokens.given.append("revoked-by-hand")
            async with DependencyClient(terms, SystemClock()) as client:
                return (await client.post("/orders", content=b"one")).text

        text = asyncio.run(main())

    assert "one" in text
    assert len(endpoint.asked) == 2


@pytest.mark.parametrize("post", [_post, _post_async])
def test_a_call_that_stays_refused_is_sent_twice_and_not_more(post: Any) -> None:
    with Server(Tokens()) as endpoint, Server(Guarded(lambda: "another")) as api:
        made = _oauth(endpoint)
        auth = CredentialAuth(made.keeper, api.url)
        made.keeper.get()
        made.clock.advance(60)
        answers = [post(api, auth, content=b"one").status_code for _ in range(3)]

    assert answers == [401, 401, 401]
    assert len(api.asked) == 4
    assert len(endpoint.asked) == 2


def test_a_body_that_is_gone_with_the_sending_is_not_sent_again() -> None:
    def parts() -> Iterator[bytes]:
        yield b"once"

    async def parts_async() -> AsyncIterator[bytes]:
        yield b"once"

    with Server(Tokens()) as endpoint, Server(Guarded(lambda: "another")) as api:
        made = _oauth(endpoint)
        auth = CredentialAuth(made.keeper, api.url)
        made.keeper.get()
        made.clock.advance(60)
        answers = [_post(api, auth, content=parts()), _post_async(api, auth, content=parts_async())]

    assert [answer.status_code for answer in answers] == [401, 401]
    assert len(api.asked) == 2
    assert len(endpoint.asked) == 1


def test_a_request_to_another_origin_carries_nothing() -> None:
    with Server(lambda _: Answer()) as stranger, Server(lambda _: Answer()) as api:
        auth = CredentialAuth(PlainKey(lambda: "canary-key"), api.url, "X-Api-Key", "")
        with httpx.Client(auth=auth, trust_env=False) as client:
            client.get(f"{api.url}/a")
            client.get(f"{stranger.url}/b")

    assert api.asked[0].headers["x-api-key"] == "canary-key"
    assert "x-api-key" not in stranger.asked[0].headers


def test_a_token_that_cannot_be_had_stops_the_call_before_it_is_sent() -> None:
    with Server(lambda _: Answer(500)) as endpoint, Server(lambda _: Answer()) as api:
        auth = CredentialAuth(_oauth(endpoint).keeper, api.url)
        with pytest.raises(CredentialDown, match="answered 500"):
            _post(api, auth)
        with pytest.raises(CredentialDown, match="answered 500"):
            _post_async(api, auth)

    assert api.asked == []
    assert len(endpoint.asked) == 1


def test_a_key_that_was_changed_is_read_anew_and_once_more_after_a_401() -> None:
    keys = ["old"]
    good = ["old"]
    with Server(Guarded(lambda: good[0])) as api:
        auth = CredentialAuth(PlainKey(lambda: keys.pop(0) if len(keys) > 1 else keys[0]), api.url)
        before = _post(api, auth).status_code
        good[0] = "new"
        keys[:] = ["old", "new"]  # It is changed between the call and its refusal.
        after = _post(api, auth).status_code
        good[0] = "newer"
        refused = _post(api, auth).status_code

    assert (before, after, refused) == (200, 200, 401)
    assert len(api.asked) == 4


@pytest.mark.parametrize("key", ["canary-key\nX-Evil: 1", "canary-k\u00e9y", "canary\x00", ""])
def test_a_key_that_cannot_stand_in_a_header_is_refused_without_being_repeated(key: str) -> None:
    with Server(lambda _: Answer()) as api, pytest.raises(CredentialBroken) as caught:
        _post(api, CredentialAuth(PlainKey(lambda: key), api.url))

    assert "canary" not in str(caught.value)
    assert api.asked == []


def test_a_function_of_ones_own_gives_tokens_async_or_not_and_is_asked_when_they_end_or_are_refused() -> None:
    clock = ManualClock()
    given: list[str] = []

    def plain() -> tuple[str, float]:
        given.append(f"t{len(given) + 1}")
        return given[-1], 100.0

    async def awaited() -> str:
        await asyncio.sleep(0)
        return "from a coroutine"

    keeper = Keeper("crm", FromCode("crm", plain, clock), clock, 10.0)
    one = [keeper.get(), keeper.get()]
    clock.advance(101)
    two = keeper.get()
    clock.advance(11)
    three = keeper.instead(two)

    assert (one, two, three) == (["t1", "t1"], "t2", "t3")
    assert Keeper("crm", FromCode("crm", awaited, clock), clock, 10.0).get() == "from a coroutine"


@pytest.mark.parametrize(
    ("raised", "error", "says"),
    [
        (ValueError("canary-1234"), CredentialDown, "failed with ValueError at test_auth.py:"),
        (Transient("canary-1234", retry_after_s=9), CredentialDown, "gave none at test_auth.py:"),
        (Permanent("canary-1234", mend="Log in again."), CredentialBroken, "says no at test_auth.py:"),
    ],
)
def test_what_a_function_raises_is_told_by_type_and_place_and_not_asked_again_at_once(
    raised: Exception, error: type[Exception], says: str
) -> None:
    clock = ManualClock()
    asked = []

    def giving() -> str:
        asked.append(1)
        raise raised

    keeper = Keeper("crm", FromCode("crm", giving, clock), clock, 10.0)
    for _ in range(5):
        with pytest.raises(error, match=says) as caught:
            keeper.get()

    assert "canary" not in str(caught.value)
    assert len(asked) == 1


@pytest.mark.parametrize("value", [None, 7, "", "two\nlines", b"bytes", ("a", "b", "c")])
def test_what_a_function_gives_must_fit_a_header(value: Any) -> None:
    clock = ManualClock()
    keeper = Keeper("crm", FromCode("crm", lambda: value, clock), clock, 10.0)

    with pytest.raises(CredentialBroken, match="cannot stand in a header"):
        keeper.get()


def test_a_function_that_hangs_holds_up_nobody_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    # The bound is real time of a thread, which no test should wait out.
    monkeypatch.setattr("airworthy.tools.credentials.keeper.WAIT_S_MAX", 0.05)
    clock = ManualClock()
    over = threading.Event()
    asked = []

    def giving() -> str:
        asked.append(1)
        over.wait(10)
        return "late"

    keeper = Keeper("crm", FromCode("crm", giving, clock), clock, 10.0)
    for _ in range(12):
        with pytest.raises(CredentialDown):
            keeper.get()
        clock.advance(31)
    over.set()

    assert len(asked) == 5  # The one under way, and four that were given up.
