"""A policy's model is held against what is known of it on a day."""

from datetime import date
from typing import Any

import pytest

from airworthy.gateway.prices import price_list
from airworthy.gateway.prices.review import concerns, ends, usd_text, version
from airworthy.policy import ModelRule

DAY = date(2026, 6, 1)
PINNED = (
    "gpt-4.1-2025-04-14"  # Switched off on 2027-01-14; 2 in, 0.50 cached, 8 out; 1,000,000 tokens of window.
)


def rule(name: str = PINNED, **keys: Any) -> ModelRule:
    return ModelRule(name=name, **keys)


def priced(into: float, out: float, **keys: Any) -> ModelRule:
    return rule(input_usd_per_mtok=into, output_usd_per_mtok=out, **keys)


# (rule, day, whether it must be mended: None for no concern, part of the text, part of the mend)
CASES: list[tuple[ModelRule, date, bool | None, str, str]] = [
    (rule(), DAY, None, "", ""),
    (rule("gpt-4.1"), DAY, True, "is a floating name", f'"{PINNED}"'),
    (rule("gpt-5.4"), DAY, True, "is a floating name", '"gpt-5.4-2026-03-05"'),
    (rule("gpt-5.5"), DAY, True, "is a floating name", "Name the exact version"),
    (rule(), date(2026, 11, 15), True, "on 2027-01-14, in 60 days", "successor"),
    (rule(), date(2026, 11, 14), None, "", ""),
    (rule(), date(2027, 1, 13), True, "in 1 day.", "successor"),
    (rule(), date(2027, 1, 14), True, "has been switched off since 2027-01-14", "successor"),
    (rule(end_of_life=date(2026, 6, 30)), DAY, True, "on 2026-06-30", "successor"),
    (rule("made-up-2026-01-01"), DAY, True, "has no price", "input_usd_per_mtok"),
    (priced(3.0, 12.0), DAY, None, "", ""),
    (priced(3.01, 8.0), DAY, False, "input_usd_per_mtok is 3.01, and 2 in the list", "page"),
    (priced(2.0, 0.8), DAY, False, "output_usd_per_mtok is 0.8, and 8 in the list", "page"),
    (priced(2.0, 8.0, cached_input_usd_per_mtok=0.05), DAY, False, "cached_input_usd_per_mtok is 0.05", "page"),
    (priced(0.0, 8.0), DAY, False, "input_usd_per_mtok is 0,", "page"),
    (priced(2.0, 8.0, window=2_000_000), DAY, False, "window is 2000000", "page"),
    (priced(2.0, 8.0, window=1_000_000), DAY, None, "", ""),
]  # fmt: skip


@pytest.mark.parametrize(("checked", "day", "must", "what", "mend"), CASES)
def test_a_model_is_held_against_what_is_known(
    checked: ModelRule, day: date, must: bool | None, what: str, mend: str
) -> None:
    found = concerns(checked, price_list(), day)

    assert [one.must for one in found] == ([] if must is None else [must])
    assert all(what in one.what and mend in one.mend for one in found)


def test_a_server_of_ones_own_needs_a_price_and_a_word_on_its_pin() -> None:
    own = rule("qwen3:32b", provider="ollama", input_usd_per_mtok=0.0, output_usd_per_mtok=0.0)
    vowed = own.model_copy(update={"pinned": True})

    assert [one.must for one in concerns(own, price_list(), DAY)] == [True]
    assert concerns(vowed, price_list(), DAY) == []


def test_what_must_be_mended_stands_before_cautions() -> None:
    found = concerns(
        rule("gpt-4.1", input_usd_per_mtok=0.2, output_usd_per_mtok=0.8), price_list(), date(2027, 1, 1)
    )

    assert [one.must for one in found] == [True, True, False, False]


def test_the_earlier_end_counts_and_a_cloud_keeps_its_own() -> None:
    book = price_list()

    assert ends(rule(end_of_life=date(2026, 6, 30)), book) == date(2026, 6, 30)
    assert ends(rule(end_of_life=date(2028, 1, 1)), book) == date(2027, 1, 14)
    assert ends(rule(provider="azure", base_url="https://mine.openai.azure.com/openai/v1"), book) is None


def test_a_pinned_name_has_no_other_version() -> None:
    assert version(rule(), price_list()) is None


@pytest.mark.parametrize(
    ("nano", "text"),
    [(0, "0"), (2_500_000_000, "2.5"), (2_800_000, "0.0028"), (10**10, "10"), (1, "0.000000001")],
)
def test_a_price_is_shown_exactly(nano: int, text: str) -> None:
    assert usd_text(nano) == text
