"""Which facts a text states, and what supports them."""

from datetime import date
from typing import Any

import pytest

from airworthy.preflight.grounding import Support, stated
from airworthy.preflight.sources import instructions_in


def _kinds(text: Any) -> list[tuple[str, object]]:
    return [(fact.kind, fact.value) for fact in stated(text)]


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("It costs 12.90 EUR.", [("amount", 12.9)]),
        ("It costs €1,299.00.", [("amount", 1299.0)]),
        ("Es kostet 1.299,00 EUR.", [("amount", 1299.0)]),
        ("Order 1001 is on its way.", [("number", 1001.0)]),
        ("It ships on 3 December 2026.", [("date", (12, 3, 2026))]),
        ("It ships on December 3.", [("date", (12, 3, 0))]),
        ("Refund RF-88213 is done.", [("code", "rf88213")]),
        ("Write to help@shop.example.", [("address", "helpshopexample")]),
        ("You have 14 days.", [("count", 14.0)]),
        ("That is 20 % off.", [("share", 20.0)]),
        ("I have looked at 2 of them. 1. Yes. 2. No.", []),
        ("Nothing is known yet; a colleague will look at it.", []),
    ],
)
def test_what_a_reader_would_act_on_is_a_fact(text: str, facts: list[tuple[str, object]]) -> None:
    assert _kinds(text) == facts


@pytest.mark.parametrize(
    ("answer", "heard", "why"),
    [
        ("12.90 EUR", '{"price": "12.90 EUR"}', "as it was told"),
        ("12.90 EUR", '{"price_cents": 1290}', "in cents"),
        ("25.80 EUR", '{"unit_price": 12.9, "quantity": 2}', "price times count"),
        ("17.90 EUR", '{"total": "12.90", "shipping": "5.00"}', "a sum"),
        ("order 1001", "[1000,1001,1002]", "one of a list"),
        ("3 December 2026", '{"due": "2026-12-03T10:00:00Z"}', "another spelling of the day"),
        ("December 3", "2026-12-03", "without the year"),
        ("03.12.2026", "2026-12-03", "as numbers"),
        ("RF-88213", '{"id": "rf 88213"}', "another spelling of a code"),
        ("mail ada@x.example", "ADA@x.example", "another case"),
        ("today, 2026-11-26", "nothing", "the day of the task"),
    ],
)
def test_what_was_told_or_can_be_worked_out_is_supported(answer: str, heard: str, why: str) -> None:
    support = Support(["some other text 77", heard], [date(2026, 11, 26)])

    assert all(support.holds(fact) for fact in stated(answer)), why
    assert stated(answer)


@pytest.mark.parametrize(
    ("answer", "heard"),
    [
        ("12.90 EUR", '{"error": "HTTP 500"}'),
        ("order 1001", '{"id": 10010}'),
        ("3 December 2026", "2026-12-04"),
        ("3 December 2026", "2025-12-03"),
        ("RF-88213", '{"id": "RF-88214"}'),
        ("You have 14 days.", "You have some days."),
    ],
)
def test_what_nobody_told_is_not_supported(answer: str, heard: str) -> None:
    support = Support([heard])

    assert not any(support.holds(fact) for fact in stated(answer))


def test_facts_are_found_inside_of_structured_answers() -> None:
    answer = {"status": "answered", "prices": ["12.90 EUR", "12.90 EUR"], "note": {"order": 1001}}

    assert sorted(_kinds(answer)) == [("amount", 12.9), ("number", 1001.0)]


@pytest.mark.parametrize(
    "part", ["a-", "a1-", "1 ", "111 ", "1,1", "a.", "@", "EUR ", "12.", "https://", "2026-", "Dec 1"]
)
def test_a_hostile_text_takes_no_longer_than_another(part: str) -> None:
    text = part * (6_000 // len(part))

    Support([text]).holds(stated("12.90 EUR of order 1001 on 2026-11-03, RF-77")[0])
    assert len(stated(text)) <= 200


def test_of_many_numbers_no_sums_are_made() -> None:
    support = Support([" ".join(str(number * 37) for number in range(1, 60))])

    assert not support.says_number(37 * 50 + 37 * 59 + 0.5)
    assert not support.says_number(37 * 58 + 37 * 59)


@pytest.mark.parametrize(
    "asked",
    [
        {"messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello"}]},
        {"system": "Be kind.", "messages": [{"role": "user", "content": "Hello"}]},
        {"instructions": "Be kind.", "input": "Hello"},
    ],
    ids=["chat", "messages", "responses"],
)
def test_instructions_are_found_in_each_protocol(asked: Any) -> None:
    assert list(instructions_in(asked)) == ["Be kind."]


@pytest.mark.parametrize("number", ["12345678901234567890", "1234567890123456789.00"])
def test_a_number_longer_than_any_amount_is_a_fact_that_is_compared_as_written(number: str) -> None:
    (fact,) = stated(f"Your parcel is {number}.")

    assert Support([f'{{"parcel":"{number}"}}']).holds(fact)
    assert not Support(["12345678901234567891"]).holds(fact)
