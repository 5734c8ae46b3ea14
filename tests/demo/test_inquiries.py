"""Two hundred letters, the same for the same seed, about things that the shop of that seed really holds."""

import re
import tomllib
from collections import Counter
from contextlib import closing
from importlib import resources

import pytest

from airworthy.demo import shop
from airworthy.demo.inquiries import REFUND_ALONE_CENTS_MAX, SUBMISSIONS, Inquiry, inquiries

SEEDS = [0, 7, 42]


def _euros_asked(letter: Inquiry) -> int:
    amount = re.search(r"(\d+)\.(\d\d) EUR", letter.body)
    assert amount is not None, letter.body
    return int(amount[1] + amount[2])


@pytest.mark.parametrize("seed", SEEDS)
def test_there_are_exactly_two_hundred_and_they_depend_on_the_seed_alone(seed: int) -> None:
    assert len(inquiries(seed)) == SUBMISSIONS
    assert inquiries(seed) == inquiries(seed)
    assert inquiries(seed) != inquiries(seed + 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_key_comes_again_only_with_the_same_letter(seed: int) -> None:
    first: dict[str, Inquiry] = {}
    for letter in inquiries(seed):
        assert first.setdefault(letter.key, letter) == letter

    assert len(first) == SUBMISSIONS - 4


@pytest.mark.parametrize("seed", SEEDS)
def test_some_texts_come_again_under_a_new_key_and_later(seed: int) -> None:
    letters = inquiries(seed)
    again = [(at, letter) for at, letter in enumerate(letters) if letter.kind == "resubmitted"]

    assert len(again) == 2
    for at, letter in again:
        earlier = [other for other in letters[:at] if other.message == letter.message]
        assert [other.key for other in earlier if other.key != letter.key]


@pytest.mark.parametrize("seed", SEEDS)
def test_everybody_outside_lives_at_a_reserved_domain(seed: int) -> None:
    for letter in inquiries(seed):
        for domain in re.findall(r"[\w.]+@([\w.-]+\w)", letter.message):
            assert re.fullmatch(r"(?:[\w-]+\.)?example\.(?:com|org|net)", domain), letter.message


@pytest.mark.parametrize("seed", SEEDS)
def test_a_place_is_always_filled(seed: int) -> None:
    for letter in inquiries(seed):
        assert not re.search(r"\{(?:order|other_order|product|amount|placed_on)\}", letter.message)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_ordinary_letter_is_about_the_writers_own_order(seed: int) -> None:
    with closing(shop.in_memory(seed)) as connection:
        for letter in inquiries(seed):
            if letter.kind not in {"order_status", "refund_small", "refund_large"}:
                continue
            number = re.search(r"(?<!\d)(1\d{3})(?!\d)", letter.message)
            assert number is not None
            found = shop.order(connection, int(number[1]))
            (writer,) = shop.customers_by_email(connection, letter.sender)
            assert found is not None
            assert found["customer_id"] == writer["id"]


@pytest.mark.parametrize("seed", SEEDS)
def test_refunds_lie_on_both_sides_of_the_line(seed: int) -> None:
    letters = inquiries(seed)
    small = [_euros_asked(letter) for letter in letters if letter.kind == "refund_small"]
    large = [_euros_asked(letter) for letter in letters if letter.kind == "refund_large"]

    assert small
    assert large
    assert max(small) <= REFUND_ALONE_CENTS_MAX < min(large)


def test_every_odd_kind_is_there() -> None:
    kinds = Counter(letter.kind for letter in inquiries(7))

    for kind, least in {
        "injection": 16,
        "tool_result_injection": 2,
        "other_language": 10,
        "unreadable": 8,
        "twin_names": 4,
        "others_order": 4,
        "no_such_order": 4,
        "unknown_sender": 4,
        "long_paste": 2,
        "legal": 3,
        "angry": 4,
        "contradictory": 3,
        "several": 4,
        "off_topic": 6,
        "system_prompt": 3,
        "secret": 2,
        "mojibake": 2,
        "mixed_direction": 2,
        "negative_balance": 2,
        "change_address": 5,
    }.items():
        assert kinds[kind] >= least, kind


def test_a_long_paste_is_thirty_pages() -> None:
    sizes = [len(letter.body) for letter in inquiries(7) if letter.kind == "long_paste"]

    assert all(90_000 <= size < 95_000 for size in sizes)


def test_invisible_characters_are_escapes_in_the_source() -> None:
    text = resources.files("airworthy.demo").joinpath("letters.toml").read_text(encoding="utf-8")

    assert tomllib.loads(text)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u200b-\u200f\u202a-\u202e\u2066-\u2069\u00a0\u3000]", text)
