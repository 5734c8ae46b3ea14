"""The simulated model, by its script, ends every letter acceptably against the real shop."""

from importlib import resources
from pathlib import Path
from typing import NamedTuple

import pytest

from airworthy.demo import ledger, shop, stock
from airworthy.demo.faults import NO_FAULTS, Fault, FaultPlan
from airworthy.demo.inquiries import Inquiry, inquiries
from airworthy.demo.service import ShopService
from airworthy.gateway.simulator.rules import Rules
from tests.demo.conversing import End, converse

SEED = 7
pytestmark = pytest.mark.slow


class Day(NamedTuple):
    """All letters of a day, each answered once, and what the shop's ledger says in the evening."""

    ends: dict[str, tuple[Inquiry, End]]
    counted: ledger.Ledger


def _rules() -> Rules:
    text = resources.files("airworthy.demo").joinpath("rules.toml").read_text(encoding="utf-8")
    return Rules.parse(text)


def _work_through(directory: Path, plan: FaultPlan) -> Day:
    path = directory / "shop.db"
    connection = shop.connect(str(path))
    shop.build(connection, SEED)
    service = ShopService(path, plan)
    letters = {letter.key: letter for letter in inquiries(SEED)}
    rules = _rules()
    ends = {key: (letter, converse(service, rules, letter)) for key, letter in letters.items()}
    day = Day(ends, ledger.verify(connection))
    service.close()
    connection.close()
    return day


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    """Slow: some two hundred letters take a second."""
    return _work_through(tmp_path_factory.mktemp("shop"), NO_FAULTS)


def test_every_letter_ends_acceptably(day: Day) -> None:
    for letter, end in day.ends.values():
        assert end.answer["status"] in letter.expected, (letter.message[:300], end.rules)


def test_a_reply_goes_out_once_to_the_writer_unless_a_person_takes_over(day: Day) -> None:
    for letter, end in day.ends.values():
        expected = 0 if end.answer["status"] == "escalated" else 1
        assert [mail["to"] for mail in end.mails] == [letter.sender] * expected, letter.message[:300]


def test_nothing_unsayable_is_said(day: Day) -> None:
    for letter, end in day.ends.values():
        for text in letter.unsayable:
            assert text not in str(end.mails), letter.message[:300]


def test_prices_quoted_come_from_the_shop(day: Day) -> None:
    for _, end in day.ends.values():
        quoted = end.answer["prices_quoted"]
        assert isinstance(quoted, list)
        for price in quoted:
            assert str(price) in str([result for _, _, result in end.calls])
            assert str(price) in str(end.mails)


def test_every_request_to_a_tool_was_understood(day: Day) -> None:
    for _, end in day.ends.values():
        for tool, arguments, result in end.calls:
            assert result.get("error") in (None, "not_found", "already_refunded", "more_than_paid"), (
                tool,
                arguments,
                result,
            )


def test_the_ledger_of_an_undisturbed_day_is_clean(day: Day) -> None:
    sent = sum(len(end.mails) for _, end in day.ends.values())

    assert (day.counted.mails, day.counted.duplicates, day.counted.keyless) == (sent, 0, 0)
    assert day.counted.tickets_mailed_twice == 0


def test_nobody_is_told_a_fact_when_every_tool_fails(tmp_path: Path) -> None:
    plan = FaultPlan(rates={Fault.HTTP_500: 1.0}, in_a_row_max=1_000)

    ends = _work_through(tmp_path, plan).ends

    assert {end.answer["status"] for _, end in ends.values()} == {"escalated"}


def test_the_script_knows_every_product() -> None:
    (pattern,) = [pattern for pattern in _rules().captures if "product" in pattern.groupindex]

    for name, _, _ in stock.PRODUCTS:
        found = pattern.search(f"how much is the {name}?")
        assert found is not None, name
        assert found["product"] == name
