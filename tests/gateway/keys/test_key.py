"""A key as a value: drawn, hashed, bounded in time."""

from typing import Any

import pytest

from airworthy.core.clock import US_PER_S
from airworthy.core.errors import InputError
from airworthy.core.ids import Ids
from airworthy.gateway.budget.scopes import KeyBudgets
from airworthy.gateway.keys import Key, NewKey, digest_of, expiry_us, is_label, mint
from tests.gateway.keys.kit import seeded

NOW_US = 1_764_000_000 * US_PER_S
DAY_US = 86_400 * US_PER_S


def test_a_secret_is_aw_and_32_characters_that_a_double_click_selects() -> None:
    secrets = {mint(NewKey("support"), Ids(), NOW_US)[0] for _ in range(200)}

    assert len(secrets) == 200
    assert all(
        secret[:3] == "aw_" and len(secret) == 35 and secret[3:].isalnum() and secret.isascii()
        for secret in secrets
    )


def test_what_is_kept_of_a_secret_is_its_hash_and_its_beginning() -> None:
    secret, key = mint(NewKey("support"), seeded(), NOW_US)

    assert key.id == secret[:11]
    assert key.digest == digest_of(secret)
    assert secret not in repr(key)


@pytest.mark.parametrize(
    ("changes", "at_us", "good"),
    [
        ({}, NOW_US, True),
        ({"expires_us": NOW_US + 1}, NOW_US, True),
        ({"expires_us": NOW_US}, NOW_US, False),
        ({"revoked_us": NOW_US}, NOW_US, False),
        ({"revoked_us": NOW_US + 5}, NOW_US, False),
    ],
)
def test_a_key_is_good_until_it_expires_or_is_revoked(
    changes: dict[str, Any], at_us: int, good: bool
) -> None:
    assert Key("aw_1", b"", "support", NOW_US, **changes).good(at_us) is good


@pytest.mark.parametrize(
    ("period", "us"),
    [("1m", 60 * US_PER_S), ("12h", DAY_US // 2), ("30d", 30 * DAY_US), ("8w", 56 * DAY_US), ("1y", 365 * DAY_US)],
)  # fmt: skip
def test_a_period_is_a_number_and_a_unit(period: str, us: int) -> None:
    assert expiry_us(period, NOW_US) == NOW_US + us


@pytest.mark.parametrize("period", ["", "30", "d", "0d", "-1d", "1.5h", "101y", "9999999d", "30 days"])
def test_anything_else_is_no_period(period: str) -> None:
    with pytest.raises(InputError, match="no period"):
        expiry_us(period, NOW_US)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("agent", ""), ("agent", "a b"), ("user", "a\nb"), ("feature", "x" * 129), ("label", "x" * 201),
        ("label", "a\x1b[2J"), ("priority", 1_001), ("priority", -1_001),
    ],
)  # fmt: skip
def test_a_key_for_what_no_call_could_carry_is_refused(name: str, value: object) -> None:
    fields: dict[str, Any] = {"agent": "support", name: value}

    with pytest.raises(InputError):
        NewKey(**fields)


def test_a_key_is_not_born_expired() -> None:
    with pytest.raises(InputError, match="expired already"):
        mint(NewKey("support", expires_us=NOW_US), seeded(), NOW_US)


@pytest.mark.parametrize("text", ["a", "run_01", "u:7.x-Y", "x" * 128])
def test_labels_are_plain_words(text: str) -> None:
    assert is_label(text)


@pytest.mark.parametrize("text", ["", "x" * 129, "a b", "a/b", "é", "a\r\nb", "a\n", "%41", "a@b.c"])
def test_whatever_could_forge_a_header_a_path_or_a_scope_is_no_label(text: str) -> None:
    assert not is_label(text)


@pytest.mark.parametrize(
    "budget", [{"day_usd": 0.0}, {"total_usd": -1.0}, {"month_usd": float("nan")}, {"day_calls": 0}]
)
def test_a_budget_bounds_something_and_lets_something_through(budget: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(budget))):
        NewKey("support", budgets=KeyBudgets(**budget))
