"""Signing in on a provider's word, over real HTTP with a provider that can be told to misbehave."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from airworthy.app.console import provider_of
from airworthy.app.console_settings import OidcRule
from airworthy.console.door import Door
from airworthy.core.errors import ConfigError
from tests.console.kit import Api
from tests.console.web.browsing import Browser, house, with_account
from tests.console.web.provider import CLIENT, SECRET, Simulated, key, provider

BASE = "https://console.example"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Api, Simulated]]:
    monkeypatch.setenv("OIDC_SECRET", SECRET)
    api = house()
    with provider(api.clock) as simulated:
        connect(api, simulated)
        yield api, simulated


def connect(api: Api, simulated: Simulated, **more: Any) -> None:
    rule = OidcRule(
        issuer=simulated.issuer, client_id=CLIENT, client_secret_env="OIDC_SECRET", internal=True, name="Example Ltd",
        **more,
    )  # fmt: skip
    api.door = Door(BASE, provider=rule.name)
    api.provider = provider_of(rule, BASE, api.clock, lambda: api.people[0])
    api.__dict__.pop("served", None)


async def signed(api: Api, simulated: Simulated, wanted: str = "/") -> tuple[Browser, httpx.Response]:
    browser = Browser(api, BASE)
    left = await browser.get("/login/oidc", params={"next": wanted})
    assert left.status_code == 303, left.text
    return browser, await browser.get("/login/oidc/back", params=simulated.consent(left.headers["location"]))


async def test_a_person_whom_the_provider_vouches_for_is_signed_in_and_led_on(
    made: tuple[Api, Simulated],
) -> None:
    api, simulated = made
    browser, answer = await signed(api, simulated, "/traces?q=1")
    me = (await browser.get("/api/v1/me")).json()

    assert (answer.status_code, answer.headers["location"]) == (303, "/traces?q=1")
    assert (me["name"], me["roles"], me["sessions"][0]["by"]) == ("dana", ["reviewer"], "oidc")
    assert "Example Ltd" in (await Browser(api, BASE).get("/login")).text


WRONG: dict[str, dict[str, Any]] = {
    "another nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "another issuer": {"iss": "https://evil.example"},
    "for another client": {"aud": "another"},
    "for several, given to another": {"aud": ["airworthy", "another"], "azp": "another"},
    "for several, given to nobody named": {"aud": ["airworthy", "another"]},
    "no expiry": {"exp": None},
    "an expiry that is no number": {"exp": "tomorrow"},
    "an expiry that is no finite number": {"exp": float("nan")},
    "no subject": {"sub": None},
    "no address": {"email": None},
    "an address not verified": {"email_verified": False},
    "an address of nobody here": {"email": "mallory@example.com"},
    "an address that is no text": {"email": ["dana@example.com"]},
}


@pytest.mark.parametrize("claims", WRONG.values(), ids=WRONG)
async def test_a_token_that_says_the_wrong_thing_signs_nobody_in(
    claims: dict[str, Any], made: tuple[Api, Simulated]
) -> None:
    api, simulated = made
    simulated.claims |= claims
    browser, answer = await signed(api, simulated)

    assert answer.status_code == 403, answer.text
    assert "not signed in" in answer.text
    assert (await browser.get("/api/v1/me")).status_code == 401


@pytest.mark.parametrize("forge", ["none", "hs256", "other_key", "unknown_kid"])
async def test_a_token_that_is_not_the_providers_signs_nobody_in(
    forge: str, made: tuple[Api, Simulated]
) -> None:
    """Unsigned; signed with the public key as a shared secret; by another key; by one that is not published."""
    api, simulated = made
    simulated.forge = forge
    _, answer = await signed(api, simulated)

    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("ahead_s", "status"), [(-119, 303), (119, 303), (-3_700, 403), (130, 403), (-420, 303), (-421, 403)]
)
async def test_clocks_may_differ_a_little(ahead_s: int, status: int, made: tuple[Api, Simulated]) -> None:
    """The token lives for 300 s; 120 s more are let pass either way."""
    api, simulated = made
    now_s = api.clock.now_us() // 1_000_000
    simulated.claims |= {"iat": now_s + ahead_s, "exp": now_s + ahead_s + 301}
    _, answer = await signed(api, simulated)

    assert answer.status_code == status, answer.text


async def test_an_answer_is_taken_once_and_only_by_the_browser_that_left(made: tuple[Api, Simulated]) -> None:
    api, simulated = made
    browser = Browser(api, BASE)
    left = await browser.get("/login/oidc")
    back = simulated.consent(left.headers["location"])
    kept = dict(browser.cookies)
    stranger = await Browser(api, BASE).get("/login/oidc/back", params=back)
    first = await browser.get("/login/oidc/back", params=back)
    again = Browser(api, BASE)
    again.cookies.update(kept)
    simulated.codes[back["code"]] = dict(
        httpx.URL(left.headers["location"]).params
    )  # A provider that forgets.
    second = await again.get("/login/oidc/back", params=back)

    assert (stranger.status_code, first.status_code, second.status_code) == (403, 303, 403)


async def test_a_code_that_was_used_already_signs_nobody_in(made: tuple[Api, Simulated]) -> None:
    api, simulated = made
    browser = Browser(api, BASE)
    left = await browser.get("/login/oidc")
    back = simulated.consent(left.headers["location"])
    simulated.codes.clear()

    assert (await browser.get("/login/oidc/back", params=back)).status_code == 403


@pytest.mark.parametrize(
    "change",
    [
        {"state": "another"},
        {"state": ""},
        {"iss": "https://evil.example"},
        {"code": ""},
        {"error": "access_denied"},
    ],
    ids=str,
)
async def test_an_answer_that_was_tampered_with_signs_nobody_in(
    change: dict[str, str], made: tuple[Api, Simulated]
) -> None:
    api, simulated = made
    browser = Browser(api, BASE)
    left = await browser.get("/login/oidc")
    back = {**simulated.consent(left.headers["location"]), **change}

    assert (await browser.get("/login/oidc/back", params=back)).status_code == 403


async def test_a_journey_of_more_than_ten_minutes_is_over(made: tuple[Api, Simulated]) -> None:
    api, simulated = made
    browser = Browser(api, BASE)
    left = await browser.get("/login/oidc")
    back = simulated.consent(left.headers["location"])
    api.clock.advance(601)

    assert (await browser.get("/login/oidc/back", params=back)).status_code == 403


async def test_a_new_key_of_the_provider_is_fetched_when_a_token_names_it(
    made: tuple[Api, Simulated],
) -> None:
    api, simulated = made
    await signed(api, simulated)
    simulated.keys.append(key("two"))
    early = (await signed(api, simulated))[1].status_code
    api.clock.advance(61)
    late = (await signed(api, simulated))[1].status_code

    assert (early, late) == (403, 303)  # Strangers cannot make us ask more than once a minute.
    assert simulated.asked.count("/keys") == 2


async def test_while_the_provider_is_down_people_are_told_and_passwords_work(
    made: tuple[Api, Simulated],
) -> None:
    api, simulated = made
    with_account(api)
    simulated.down = True
    answer = await Browser(api, BASE).get("/login/oidc")

    assert (answer.status_code, "sign in with a password" in answer.text) == (502, True)
    assert (await Browser(api, BASE).sign_in()).status_code == 303


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"issuer": "https://evil.example"}, "of another name"),
        ({"token_endpoint": "ftp://x"}, "an endpoint that is no address"),
        ({"jwks_uri": None}, "no keys"),
    ],
)
async def test_a_provider_that_describes_itself_wrongly_is_not_asked(
    document: dict[str, Any], why: str, made: tuple[Api, Simulated]
) -> None:
    api, simulated = made
    simulated.discovery = document

    assert (await Browser(api, BASE).get("/login/oidc")).status_code == 502, why


@pytest.mark.parametrize(
    ("groups", "roles"),
    [
        (["ops", "staff"], ["operator"]),
        ("ops", ["operator"]),
        (["rev", "ops"], ["operator", "reviewer"]),
        (["adm"], []),
    ],
)
async def test_groups_let_people_have_of_their_roles_those_that_they_stand_for(
    groups: Any, roles: list[str], made: tuple[Api, Simulated]
) -> None:
    """People.toml says the most that somebody may; groups take away and never give."""
    api, simulated = made
    both = api.people[0].people["dana"].model_copy(update={"roles": ("reviewer", "operator")})
    api.people[0] = api.people[0].model_copy(update={"people": {"dana": both}})
    connect(
        api, simulated, roles_claim="groups", roles={"ops": "operator", "rev": "reviewer", "adm": "admin"}
    )
    simulated.claims |= {"groups": groups}
    browser, answer = await signed(api, simulated)
    me = await browser.get("/api/v1/me")

    assert answer.status_code == (303 if roles else 403)
    assert (me.json()["roles"] if me.status_code == 200 else []) == roles


async def test_another_claim_names_a_person_by_id(made: tuple[Api, Simulated]) -> None:
    api, simulated = made
    connect(api, simulated, person_claim="sub")
    refused = (await signed(api, simulated))[1].status_code
    simulated.claims |= {"sub": "olga"}
    browser, _ = await signed(api, simulated)

    assert refused == 403
    assert (await browser.get("/api/v1/me")).json()["name"] == "olga"


async def test_whoever_is_shut_out_is_shut_out_by_this_door_too(made: tuple[Api, Simulated]) -> None:
    api, simulated = made
    browser, _ = await signed(api, simulated)
    api.parts.accounts.add("dana")
    api.parts.accounts.disable("dana")

    assert (await browser.get("/api/v1/me")).status_code == 401
    assert (await signed(api, simulated))[1].status_code == 403


async def test_answers_that_nobody_asked_for_are_bounded_by_address(made: tuple[Api, Simulated]) -> None:
    api, simulated = made
    simulated.forge = "other_key"
    statuses = [(await signed(api, simulated))[1].status_code for _ in range(21)]

    assert statuses == [403] * 20 + [429]


def bad(**keys: Any) -> Callable[[], OidcRule]:
    return lambda: OidcRule(**{"issuer": "https://id.example", "client_id": "x", **keys})


@pytest.mark.parametrize(
    "rule",
    [
        bad(issuer="http://id.example"),
        bad(scopes=["email"]),
        bad(roles_claim="groups"),
        bad(roles={"a": "admin"}),
    ],
)
def test_settings_that_cannot_be_are_refused(rule: Callable[[], OidcRule]) -> None:
    with pytest.raises(ValueError):
        rule()


def test_a_secret_that_is_not_set_is_told_at_the_start(made: tuple[Api, Simulated]) -> None:
    rule = OidcRule(issuer="https://id.example", client_id="x", client_secret_env="NOT_SET_ANYWHERE")

    with pytest.raises(ConfigError, match="NOT_SET_ANYWHERE"):
        provider_of(rule, BASE, made[0].clock, lambda: made[0].people[0])
