"""What a token endpoint says is read strictly, and how long a token is good for never more than that."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airworthy.core.redact import Redactor
from airworthy.tools.credentials.answer import Given, Later, Refused, read_answer
from airworthy.tools.credentials.grant import Grant
from airworthy.tools.credentials.sealing import Seal, hkdf, row_name
from airworthy.tools.credentials.token import (
    LIFETIME_S_MAX,
    LIFETIME_S_MIN,
    LIFETIME_S_UNSAID,
    Token,
    lifetime_s,
)
from tests.tools.credentials.kit import Asked, client_credentials, refresh_token

CANARY = "canary-secret-0123"
READ = Redactor([CANARY]).redact_text


@pytest.mark.parametrize(
    ("status", "body", "expected", "why"),
    [
        (200, {"access_token": "abc", "token_type": "bearer"}, Given, "the plain case"),
        (200, {"access_token": "abc"}, Given, "many leave the type out"),
        (200, {"access_token": "abc", "token_type": "DPoP"}, Refused, "a token bound to a key is of no use"),
        (200, {"access_token": "a\r\nX-Evil: 1", "token_type": "Bearer"}, Later, "it would forge a header"),
        (200, {"access_token": "a" * 20_000}, Later, "no token is that long"),
        (200, {"access_token": 7}, Later, "not text"),
        (200, {"error": "invalid_client"}, Refused, "some say no with a 200"),
        (200, b"<html>sign in</html>", Later, "a captive page"),
        (200, b"", Later, "nothing"),
        (200, b"[1]", Later, "no object"),
        (200, b"[" * 50_000, Later, "too deep to read"),
        (302, b"", Later, "a redirect would carry the secret elsewhere"),
        (400, {"error": "invalid_grant"}, Refused, "revoked"),
        (401, {"error": "invalid_client"}, Refused, "the secret is wrong"),
        (400, {"error": "temporarily_unavailable"}, Later, "it says itself that it may pass"),
        (400, {"error": {"code": "odd"}}, Later, "no code of the protocol"),
        (404, b"no such page", Later, "nobody who knows the credential has judged it"),
        (429, {"error": "invalid_grant"}, Later, "the status says: later"),
        (500, {"error": "invalid_grant"}, Later, "a server that fails judges nothing"),
        (503, b"down", Later, "down"),
    ],
)
def test_an_answer_is_read_as(status: int, body: Any, expected: type, why: str) -> None:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)

    assert isinstance(read_answer(status, raw, None, READ), expected), why


@given(
    st.integers(100, 599),
    st.binary(max_size=200)
    | st.dictionaries(st.text(), st.none() | st.integers(-(2**53), 2**53) | st.text()),
)
def test_no_answer_whatever_breaks_the_reader(status: int, body: Any) -> None:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)

    found = read_answer(status, raw, None, READ)

    assert isinstance(found, Given | Later | Refused)


def test_what_the_endpoint_says_is_told_without_our_secret_and_on_one_line() -> None:
    body = orjson.dumps({"error": "invalid_client", "error_description": f"bad\n\x1b[2J {CANARY} sent"})
    found = read_answer(401, body, None, READ)

    assert isinstance(found, Refused)
    assert CANARY not in found.why
    assert found.why.isprintable()
    assert "invalid_client" in found.why


def test_a_wait_that_the_endpoint_asks_for_is_bounded() -> None:
    assert read_answer(503, b"", 1e9, READ) == Later("The token endpoint answered 503.", 3600.0)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (3600, 3600.0), ("3600", 3600.0), (None, LIFETIME_S_UNSAID), (0, LIFETIME_S_UNSAID), (-5, LIFETIME_S_UNSAID),
        ("soon", LIFETIME_S_UNSAID), (True, LIFETIME_S_UNSAID), (float("nan"), LIFETIME_S_UNSAID),
        ([], LIFETIME_S_UNSAID),
        (1, LIFETIME_S_MIN), (10**400, LIFETIME_S_MAX), (float("inf"), LIFETIME_S_MAX), ("9" * 400, LIFETIME_S_UNSAID),
    ],
)  # fmt: skip
def test_a_lifetime_is_believed_within_bounds(said: object, seconds: float) -> None:
    assert lifetime_s(said) == seconds


def test_a_short_life_is_used_for_half_of_it_however_early_renewal_should_be() -> None:
    token = Token("t", 0, 30_000_000)

    assert token.fresh(14_000_000, early_s=60.0)
    assert not token.fresh(16_000_000, early_s=60.0)
    assert token.lasts(29_999_999)
    assert not token.lasts(30_000_000)


def _asked(grant: Grant, refresh: str = "") -> Asked:
    request = grant.request(refresh)
    return Asked("/token", {name.lower(): value for name, value in request.headers.items()}, request.body)


def test_a_client_says_who_it_is_in_a_header_encoded_as_the_protocol_wants() -> None:
    asked = _asked(
        Grant(
            "crm", "client_credentials", "http://x", "id:1 ü", "s&c:%r et", scopes=("a", "b"), audience="api"
        )
    )

    assert asked.basic == ("id:1 ü", "s&c:%r et")
    assert asked.form == {"grant_type": "client_credentials", "scope": "a b", "audience": "api"}


def test_a_client_says_who_it_is_in_the_body_if_told_so_and_a_public_one_only_its_name() -> None:
    body = _asked(client_credentials(client_auth="body"))
    public = _asked(Grant("crm", "refresh_token", "http://x", "app", first_refresh="r0"), "r1")

    assert body.form["client_secret"] == "canary-client-secret-5f1b"
    assert "authorization" not in body.headers
    assert public.form == {"grant_type": "refresh_token", "refresh_token": "r1", "client_id": "app"}
    assert "authorization" not in public.headers


def test_no_value_on_the_way_shows_what_it_holds() -> None:
    shown = " ".join(
        repr(value)
        for value in (
            client_credentials(), refresh_token(), refresh_token().request("canary-r"),
            Given("canary-a", 1, "canary-r"), Token("canary-a", 0, 1), Seal("canary-root", b"x"),
        )
    )  # fmt: skip

    assert "canary" not in shown


@pytest.mark.parametrize(
    ("secret", "salt", "info", "size", "expected"),
    [
        ("0b" * 22, "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9", 42,
         "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"),
        ("0b" * 22, "", "", 42,
         "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"),
    ],
)  # fmt: skip
def test_keys_are_derived_as_rfc_5869_says(
    secret: str, salt: str, info: str, size: int, expected: str
) -> None:
    derived = hkdf(bytes.fromhex(secret), bytes.fromhex(salt), bytes.fromhex(info), size)

    assert derived.hex() == expected


def test_a_sealed_token_opens_for_the_same_secret_and_grant_alone() -> None:
    sealed = Seal("root", b"crm").sealed("access", "refresh", 1_700_000_000_000_000)

    assert Seal("root", b"crm").opened(sealed) == ("access", "refresh")
    assert Seal("other", b"crm").opened(sealed) is None
    assert Seal("root", b"billing").opened(sealed) is None
    assert Seal("root", b"crm").opened(sealed[:-4] + b"AAAA") is None
    assert b"access" not in sealed
    assert row_name("root", b"crm") != row_name("other", b"crm")
