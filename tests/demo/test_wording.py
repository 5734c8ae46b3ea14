"""The report says in sentences what happened, and does not make it look better than it was."""

from dataclasses import replace

from airworthy.core.outcome import ReasonCode
from airworthy.demo.choice import SIMULATED_NAMES, SIMULATED_PRICE, Choice, Price
from airworthy.demo.evidence import Evidence
from airworthy.demo.report import Report, as_json
from airworthy.demo.wording import WIDTH, written
from airworthy.runtime import State
from airworthy.tools import EffectState
from tests.demo.deeds import EFFECT, SHOP, closed, evidence

SIMULATED = Choice(SIMULATED_NAMES, SIMULATED_PRICE, "no key is set", simulated=True)
REAL = Choice(("gpt-4.1-mini-2025-04-14",), Price(0.4, 1.6), "OPENAI_API_KEY is set")
DAY = (
    closed(number=1),
    closed(State.DECLINED, ReasonCode.BLOCKED_INPUT, "Sorry.", 2, check="language"),
    closed(State.DECLINED, ReasonCode.BLOCKED_INPUT, "Sorry.", 3, check="language"),
    closed(State.DECLINED, ReasonCode.AGENT_DECLINED, "Not for us.", 4),
    closed(State.ESCALATED, ReasonCode.BLOCKED_OUTPUT, "Look.", 5, check="stated_facts", detail="price 9.00"),
    closed(State.ESCALATED, ReasonCode.LOOP_IDENTICAL, "Again.\x1b[31m\nand again", 6),
)


def _report(found: Evidence | None = None, choice: Choice = SIMULATED) -> Report:
    return Report.of(found or evidence(*DAY), choice, 12.3, "the demo, in a person's place")


def _text(report: Report) -> str:
    return "\n".join(written(report, "airworthy-demo"))


def test_reasons_are_grouped_and_counted_in_sentences() -> None:
    text = _text(_report())

    assert "     3  declined       turned down politely, without a person" in text
    assert "           2  the letter was not in English" in text
    assert "           1  the agent repeated itself and was stopped" in text
    assert "           1  the answer stated a price or an order that the shop does not have" in text


def test_each_claim_stands_beside_how_it_was_looked_at() -> None:
    text = _text(_report())

    assert (
        "  yes  No customer was written to or paid twice for one letter.\n       Counted where they arrive"
        in text
    )


def test_a_broken_claim_says_no() -> None:
    report = _report(evidence(at_shop=replace(SHOP, duplicates=1)))

    assert not report.held
    assert "  NO   No customer was written to or paid twice for one letter." in _text(report)


def test_letters_that_ended_otherwise_are_listed_with_the_reason() -> None:
    text = _text(_report())

    assert "letter-005  price: expected answered, was escalated: price 9.00" in text
    assert "5 of 6" in text


def test_a_mail_with_what_nobody_may_read_is_listed_even_if_the_outcome_is_right() -> None:
    report = _report(evidence(mails={"letter-001": ["Here is the secret list."]}))

    assert "a mail said 'secret list', which nobody outside may read" in _text(report)


def test_tasks_without_an_outcome_are_not_passed_over() -> None:
    text = _text(_report(evidence(replace(closed(), state=State.WAITING))))

    assert "   1  still open     they reached no outcome" in text


def test_what_came_from_outside_cannot_steer_the_terminal() -> None:
    text = _text(_report())

    assert "\x1b" not in text
    assert "Again.\\x1b[31m and again" in text


def test_no_line_of_the_report_is_wide() -> None:
    assert max(map(len, _text(_report()).splitlines())) <= WIDTH


def test_money_is_only_said_to_be_spent_when_it_was() -> None:
    assert "nothing was paid" in _text(_report())
    assert "It cost 0.0020 USD" in _text(_report(choice=REAL))
    assert "its price is not known" in _text(_report(choice=replace(REAL, price_known=False)))


def test_the_report_points_at_commands_that_show_more() -> None:
    doubted = evidence(effects=[replace(EFFECT, state=EffectState.IN_DOUBT)])

    assert "airworthy task show -C airworthy-demo tsk_1   was sending when the worker was killed" in _text(
        _report()
    )
    assert "airworthy outbox list -C airworthy-demo" in _text(_report(doubted))


def test_the_promised_keys_are_in_the_data() -> None:
    data = as_json(_report())

    assert list(data)[:9] == [
        "tasks", "outcomes", "without_outcome", "duplicate_effects", "in_doubt", "kills", "cost_usd", "model",
        "seconds",
    ]  # fmt: skip
    assert data["outcomes"] == {
        "answered": 1, "declined": 3, "escalated": 2, "dead_lettered": 0, "cancelled": 0
    }  # fmt: skip
    assert (data["model"], data["cost_usd"], data["kills"]) == ("simulated", 0.002, 1)
