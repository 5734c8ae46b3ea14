"""A trial passes when all that its case expects holds jointly."""

from dataclasses import replace
from typing import Any

import pytest

from airworthy.core.outcome import Outcome
from airworthy.evals import (
    KINDS,
    Act,
    Asked,
    Case,
    Expect,
    Finding,
    Number,
    ToolExpect,
    ToolUse,
    Trial,
    passed,
    score,
)
from airworthy.evals.baselines import baselines, best, sentence
from airworthy.evals.matching import fits, holds

GET = ToolUse("get_order", {"order_id": "1001"}, "read", 2)
REFUND = ToolUse("refund", {"amount": 20, "to": "ann@example.com"}, "write", 4)
DONE = Act("refund", REFUND.arguments)
GOOD = Trial(
    "a", Outcome.ANSWERED, "done", answer={"status": "refunded", "text": "We refund 20 EUR."}, tools=(GET, REFUND),
    acts=(DONE,), asked=(Asked("refund", "20?", "yes"),), steps=5, cost_nano=2_000_000, seconds=3,
)  # fmt: skip
ALL = Expect(
    outcome=("answered",), reason=("done",), facts=("20 eur", "/refund(s|ed)/", '"status": "refunded"'),
    not_facts=("password",), json_schema={"type": "object", "required": ["status"]},
    tools=(ToolExpect(name="get_order"), ToolExpect(name="refund", arguments={"amount": {"min": 5, "max": 20}})),
    in_order=True, not_tools=("delete",), acts=(ToolExpect(name="refund", arguments={"to": "/@example.com$/"}),),
    approval=("refund",), steps=Number(max=5), cost_usd=Number(max=0.01), seconds=Number(max=3), rubric="x", judge=0.7,
)  # fmt: skip


def _case(expect: Expect = ALL) -> Case:
    return Case(id="a", input="x", expect=expect)


def _kinds(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.kind for finding in findings]


def test_what_is_as_expected_in_everything_passes() -> None:
    assert score(_case(), GOOD, 0.7) == ()


WRONG = [
    ({"outcome": Outcome.DECLINED, "reason": "agent_declined"}, ["outcome"]),
    ({"outcome": None, "reason": "hangs"}, ["no_outcome"]),
    ({"reason": "by_person"}, ["reason"]),
    ({"answer": {"status": "refunded", "text": "We refunded 120 EUR."}}, ["facts"]),
    ({"answer": {"status": "refunded", "text": "We refund 20 EUR. PassWord: x"}}, ["not_facts"]),
    ({"answer": 'refunded 20 EUR {"status": "refunded"}'}, ["json_schema"]),
    ({"tools": (REFUND,)}, ["tools"]),
    ({"tools": (REFUND, GET)}, ["order"]),
    ({"tools": (GET, REFUND, ToolUse("delete", {}, "delete", 6, refused=True))}, ["not_tools"]),
    ({"acts": ()}, ["missing_effect"]),
    ({"acts": (DONE, Act("refund", {"amount": 20, "to": "eve@evil.test"}))}, ["wrong_effect"]),
    ({"acts": (DONE, Act("mail", {"text": "the password is 1"}))}, ["not_facts", "wrong_effect"]),
    ({"acts": (replace(DONE, times=2),)}, ["duplicate_effect"]),
    ({"asked": ()}, ["approval"]),
    ({"steps": 6}, ["steps"]),
    ({"cost_nano": 20_000_000}, ["cost"]),
    ({"cost_nano": None}, ["unpriced"]),
    ({"seconds": 3.5}, ["seconds"]),
    ({"crash": "our fault"}, ["broken"]),
]


@pytest.mark.parametrize(("change", "kinds"), WRONG, ids="-".join)
def test_each_thing_that_is_not_as_expected_is_found(change: dict[str, Any], kinds: list[str]) -> None:
    findings = score(_case(), replace(GOOD, **change), 0.7)

    assert _kinds(findings) == kinds
    assert set(kinds) <= set(KINDS)
    assert all(finding.text.endswith(".") for finding in findings)


@pytest.mark.parametrize("judged", [None, float("nan"), 1.5])
def test_what_is_not_judged_is_no_pass(judged: float | None) -> None:
    findings = score(_case(), GOOD, judged)

    assert _kinds(findings) == ["not_judged"]
    assert passed(findings) is None


def test_a_failure_of_the_agent_is_one_even_where_the_judge_is_silent() -> None:
    assert passed(score(_case(), replace(GOOD, steps=9))) is False


def test_a_case_that_expects_nothing_still_forbids_duplicates_and_silence() -> None:
    trial = replace(GOOD, outcome=None, acts=(replace(DONE, times=3),))

    assert _kinds(score(_case(Expect()), trial)) == ["no_outcome", "duplicate_effect"]


def test_two_of_the_same_are_right_where_two_are_asked_for() -> None:
    expect = Expect(acts=(ToolExpect(name="refund", times=Number(min=2, max=2)),))

    assert score(_case(expect), replace(GOOD, acts=(replace(DONE, times=2),))) == ()
    assert _kinds(score(_case(expect), GOOD)) == ["missing_effect"]


def test_the_reason_is_what_a_declined_user_reads() -> None:
    trial = Trial("a", Outcome.DECLINED, "agent_declined", text="Refunds end after 30 days.")

    assert score(_case(Expect(facts=("30 days",))), trial) == ()


NUMBERS = [
    ("it costs 42 EUR", "42", True), ("it costs 142 EUR", "42", False), ("it costs 420", "42", False),
    ("19.90", "19", False), ("19.90", "90", False), ("19.90", "19.90", True), ("end at 19.", "19", True),
    ("1,900", "1", False), ("A  Straße", "a strasse", True), ("ｆｕｌｌ", "full", True), ("order42", "42", True),
]  # fmt: skip


@pytest.mark.parametrize(("text", "fact", "found"), NUMBERS)
def test_a_number_is_found_whole_and_words_in_any_case(text: str, fact: str, found: bool) -> None:
    assert holds(text, fact) is found


def test_a_pattern_meets_any_text_in_linear_time() -> None:
    assert not holds("a" * 100_000 + "!", "/^(a+)+$/")


ARGUMENTS = [
    ({"a": 1, "b": 2}, {"a": 1}, True), ({"b": 2}, {"a": 1}, False), ({"a": True}, {"a": 1}, False),
    ({"a": "12.50"}, {"a": {"min": 12, "max": 13}}, True), ({"a": None}, {"a": {"min": 0}}, False),
    ({"a": {"b": [1, "xy"]}}, {"a": {"b": [1, "/^x/"]}}, True), ({"a": [1, 2]}, {"a": [1]}, False),
    ({"a": {"min": 1, "max": 2, "c": 3}}, {"a": {"c": 3}}, True), ({"a": 1.0}, {"a": 1}, True),
]  # fmt: skip


@pytest.mark.parametrize(("actual", "expected", "found"), ARGUMENTS)
def test_named_arguments_must_be_so(actual: Any, expected: Any, found: bool) -> None:
    assert fits(actual, expected) is found


def test_agents_that_do_nothing_are_scored() -> None:
    cases = [
        Case(id="easy", input=1), Case(id="no", input=2, expect=Expect(outcome=("declined",))),
        Case(id="fact", input=3, expect=Expect(outcome=("answered",), facts=("Paris",))),
        Case(id="rated", input=4, expect=Expect(rubric="r", judge=0.5)),
    ]  # fmt: skip

    found = {each.name: each for each in baselines(cases, ["Lyon", "It is Paris.", "Lyon"])}

    assert found["nothing"].ids == ("easy",)
    assert found["declines"].ids == ("easy", "no")
    assert found["constant"].ids == found["everything"].ids == ("easy", "fact")
    assert found["nothing"].undecided == 1
    assert best(list(found.values())) is not None
    assert sentence([found["declines"]]).startswith(
        "An agent that declines every case passes 2 of 4 cases; 1 more"
    )


def test_half_a_character_hides_nothing_from_a_pattern() -> None:
    assert holds("the secret \ud83d is out", "/secret/")
