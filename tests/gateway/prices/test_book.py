"""The list knows a model by its exact name, then by its family; the policy's own prices go before all of it."""

import subprocess
import sys
from datetime import date
from typing import Any

import pytest

from airworthy.gateway.errors import Unpriced
from airworthy.gateway.prices import check_priced, cost_nano, end_of_life, price_list, price_of
from airworthy.gateway.prices.book import read_list
from airworthy.gateway.wire.facts import Usage
from airworthy.policy import ModelRule

SMALL = b"""{"date": "2026-01-02", "source": "made up", "providers": {
"near": {"address": "https://near", "also": ["far"], "models": [
  {"id": "family", "match": ["^family-", "=family"], "prices": [["", {"input": "1", "output": "2"}]], "window": 9},
  {"id": "special", "match": ["=family-special"], "prices": [["", {"input": "3", "output": "4"}]]},
  {"id": "both", "match": [["*alpha", "~beta$"]], "prices": [["", {"input": "5", "output": "6"}]]},
  {"id": "tail", "match": ["$-tail"], "prices": [["", {"input": "7", "output": "8"}]]},
  {"id": "pin", "match": ["=pin", "=pin-2026-01-01"], "prices": [["", {"input": "7", "output": "8"}]]},
  {"id": "two", "match": ["=two", "=two-2026-01-01", "=two-20260202"], "prices": [["", {"input": "7", "output": "8"}]]}
]},
"far": {"address": "https://far", "models": [
  {"id": "lent", "match": ["=lent"], "prices": [["", {"input": "9", "output": "9"}]]}
]}}}"""

FINDS = [
    ("near", "family", "family", "its own name"),
    ("near", "FAMILY-2", "family", "the family, in any case"),
    ("near", "family-special", "special", "the exact name before the family that stands first"),
    ("near", "an-alpha-beta", "both", "both clauses hold"),
    ("near", "an-alpha-beta-2", None, "one of them does not"),
    ("near", "x-tail", "tail", "an ending"),
    ("near", "lent", "lent", "a provider that sells another's models"),
    ("far", "family", None, "and not the other way round"),
    ("near", "unheard-of", None, "nothing is guessed"),
    ("nowhere", "family", None, "an unknown provider"),
]


@pytest.mark.parametrize(("provider", "name", "found", "why"), FINDS)
def test_a_name_finds_its_price(provider: str, name: str, found: str | None, why: str) -> None:
    price = read_list(SMALL).find(provider, name)

    assert (price and price.name) == found, why


def test_a_price_says_where_it_comes_from() -> None:
    price = read_list(SMALL).find("near", "family")

    assert price is not None
    assert (price.source, price.provider, price.window) == ("list of 2026-01-02", "near", 9)


def test_an_undated_name_has_a_dated_version_only_where_there_is_no_choice() -> None:
    book = read_list(SMALL)

    assert book.dated("near", "pin") == "pin-2026-01-01"
    assert book.dated("near", "two") is None
    assert book.dated("near", "family") is None


def rule(name: str, **more: Any) -> ModelRule:
    return ModelRule(name=name, **more)


def test_the_policys_prices_win_wholly() -> None:
    """A cached price of the list beside an input price of the policy would mix two contracts."""
    own = rule("gpt-4.1-2025-04-14", input_usd_per_mtok=1.0, output_usd_per_mtok=3.0)

    price = check_priced(own, price_list())

    assert price.source == "policy"
    assert cost_nano(price, Usage(1000, 100, cached=500)) == 1_300_000
    assert cost_nano(price, Usage(1000, 100), "flex") == 1_300_000


def test_every_price_of_the_policy_is_used() -> None:
    own = rule(
        "own-1", provider="anthropic", input_usd_per_mtok=1.0, output_usd_per_mtok=2.0, cached_input_usd_per_mtok=0.1,
        cache_write_usd_per_mtok=1.25, audio_input_usd_per_mtok=4.0, audio_output_usd_per_mtok=8.0,
    )  # fmt: skip

    price = check_priced(own, price_list())

    usage = Usage(1000, 10, cached=100, cache_write=200, cache_write_1h=300, audio_in=50, audio_out=4)
    # 350 plain, 50 audio, 100 read, 200 for minutes, 300 for an hour at 2.00; 6 written, 4 spoken
    assert cost_nano(price, usage) == 350_000 + 200_000 + 10_000 + 250_000 + 600_000 + 12_000 + 32_000


WHERE = [
    ({}, True, "the default provider"),
    ({"provider": "azure", "base_url": "https://mine.openai.azure.com/openai/v1"}, True, "it sells the same"),
    ({"provider": "ollama"}, False, "a server of one's own has no price in a list"),
    ({"provider": "compatible", "base_url": "http://127.0.0.1:9/v1"}, False, "any server"),
    ({"provider": "compatible", "base_url": "https://api.openai.com/v1"}, True, "known by its address"),
    ({"base_url": "https://api.anthropic.com/v1"}, False, "the address says more than the word"),
]


@pytest.mark.parametrize(("keys", "priced", "why"), WHERE)
def test_a_price_is_that_of_who_serves_the_model(keys: dict[str, Any], priced: bool, why: str) -> None:
    found = price_of(rule("gpt-4.1-2025-04-14", **keys), price_list())

    assert (found is not None) is priced, why


def test_a_model_without_a_price_says_how_to_give_it_one() -> None:
    with pytest.raises(Unpriced, match="qwen3:32b") as raised:
        check_priced(rule("qwen3:32b", provider="ollama"), price_list())
    assert "input_usd_per_mtok" in raised.value.mend


UNPRICED = [
    ("openai", "gpt-4o-audio-preview", "sound costs many times the text, and the list does not say how much"),
    ("openai", "whisper-1", "by the minute"),
    ("openai", "tts-1", "by the character"),
    ("google", "gemini-3-pro-image-preview", "pictures come out"),
    ("mistral", "mistral-ocr-latest", "by the page"),
]


@pytest.mark.parametrize(("provider", "name", "why"), UNPRICED)
def test_a_model_paid_by_other_things_than_tokens_has_no_price(provider: str, name: str, why: str) -> None:
    assert price_list().find(provider, name) is None, why


def test_a_free_model_costs_nothing_and_is_not_unpriced() -> None:
    price = next(price for price in price_list().models("openrouter") if price.name.endswith(":free"))

    assert price.free
    assert cost_nano(price, Usage(10**6, 10**6)) == 0


def test_the_answers_kept_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airworthy.gateway.prices.book.FOUND_MAX", 3)  # a bound one can reach
    book = read_list(SMALL)

    for number in range(10):
        book.find("near", f"family-{number}")

    assert len(book._found) <= 3


@pytest.mark.process
@pytest.mark.slow
def test_the_package_is_imported_without_reading_the_list() -> None:
    """Slow: a new interpreter."""
    code = (
        "import airworthy, airworthy.gateway.prices.book as book\n"
        "assert book.price_list.cache_info().currsize == 0\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_an_end_of_life_holds_at_the_provider_itself_only() -> None:
    assert end_of_life("openai", "gpt-4.1-2025-04-14") == date(2027, 1, 14)
    assert (
        end_of_life("gemini", "gemini-2.5-pro")
        == end_of_life("google", "gemini-2.5-pro")
        == date(2026, 12, 1)
    )
    assert end_of_life("azure", "gpt-4.1-2025-04-14") is None
    assert end_of_life("openai", "unheard-of") is None
