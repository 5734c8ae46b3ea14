"""The sentence a person reads first."""

from typing import Any

import pytest

from airworthy.core.outcome import Outcome
from airworthy.recorder import Recorded, StepFacts, StepState, summarise
from airworthy.recorder.summary import Act, Deed, Took, span_text, summarise_acts

MINUTE_US = 60_000_000


def step(name: str, state: StepState = StepState.DONE, kind: str = "tool", **changes: Any) -> Recorded:
    values: dict[str, Any] = {
        "seq": 1, "run": 1, "kind": kind, "name": name, "key": b"k", "state": state, "effect": None, "exact": True,
        "started_us": 0, "ended_us": 1, "error_type": None, "arguments": {}, "result": None, "error": None,
        "facts": StepFacts(),
    }  # fmt: skip
    return Recorded(**{**values, **changes})


def noted(*notes: dict[str, Any], **facts: Any) -> StepFacts:
    return StepFacts(notes=notes, **facts)


def told(*steps: Recorded, **keys: Any) -> str:
    given: dict[str, Any] = {"outcome": Outcome.ANSWERED, "why": "", "cost_nano": 0, "seconds": 0}
    return summarise(steps, **{**given, **keys})


STEPS = [
    step("chat", kind="model"),
    step("get_order", arguments={"order_id": 8812}, facts=StepFacts(attempts=2)),
    step("refund", arguments={"order_id": 8812, "amount": "42.10", "currency": "EUR"}, seq=3),
    step("email_customer"),
]


def test_says_what_was_done_how_it_ended_and_what_it_took() -> None:
    assert told(*STEPS, cost_nano=13_000_000, seconds=4.2) == (
        "Looked up order 8812, refunded 42.10 EUR for order 8812, e-mailed the customer; "
        "4 steps, one retry, 4.2 s, 0.0130 USD."
    )


@pytest.mark.parametrize(
    ("outcome", "why", "expected"),
    [
        (Outcome.DECLINED, "Not our shop.", "Declined: Not our shop."),
        (Outcome.ESCALATED, "Needs a person", "Handed to a person: Needs a person."),
        (Outcome.DEAD_LETTERED, "A bug.", "Could not be processed: A bug."),
        (Outcome.CANCELLED, "", "Cancelled."),
        (None, "", "Still open."),
        (Outcome.ANSWERED, "", "Answered; 0 steps"),
    ],
)
def test_every_ending_has_its_words(outcome: Outcome | None, why: str, expected: str) -> None:
    assert expected in told(outcome=outcome, why=why)


def test_an_unknown_cost_is_never_shown_as_zero() -> None:
    assert "unpriced" in told(cost_nano=None)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (StepState.FAILED, "Refunding failed"),
        (StepState.REFUSED, "Refunding was refused"),
        (StepState.HELD, "Refunding waits for a person"),
        (StepState.STARTED, "Refunding is under way"),
        (StepState.IN_DOUBT, "Refunding is in doubt"),
    ],
)
def test_what_did_not_simply_work_is_said(state: StepState, words: str) -> None:
    assert told(step("refund", state)).startswith(words)


@pytest.mark.parametrize(
    ("facts", "deed", "words"),
    [
        (StepFacts(), Deed("done", "Ana"), "Refunded after Ana approved"),
        (StepFacts(), Deed("undone"), "Refunded and took that back"),
        (noted({"dry_run": True}), None, "Rehearsed refunding"),
        (noted({"by_hand": "Ana"}), None, "Refunded by the hand of Ana"),
        (noted({"settled_by": "Ana"}), None, "Refunded, as Ana says"),
        (noted({"delayed_s": 60}), None, "Accepted refunding for later"),
        (noted({"delayed_s": 60}), Deed("scheduled"), "Accepted refunding for later"),
        (noted({"delayed_s": 60}), Deed("done"), "Refunded after a delay"),
        (noted({"delayed_s": 60}), Deed("cancelled", "Ana"), "Refunding was stopped by Ana before it was sent"),
        (noted({"gap": {"instead": "nothing"}}), None, "Refunding failed and nothing took its place"),
        (noted({"gap": {"instead": "last_good"}}), None, "Refunding failed and an older answer took its place"),
        (noted({"gap": {"instead": "tool:ask_cache"}}), None, "Refunding failed and ask_cache took its place"),
    ],
)  # fmt: skip
def test_who_let_it_out_and_what_came_of_it_is_said(facts: StepFacts, deed: Deed | None, words: str) -> None:
    sentence = told(step("refund", facts=facts), deeds={1: deed} if deed else {})

    assert sentence.startswith(words + ";")


def test_a_fallback_names_the_model_that_answered() -> None:
    failed = {"model": "a-2026", "error": "ModelOutage", "message": "down"}

    assert "fell back to b-2026" in told(step("chat", kind="model", facts=noted(failed, model="b-2026")))
    assert "fell back" not in told(step("chat", kind="model", facts=noted(failed, model="a-2026")))


def test_a_wait_for_a_person_is_told_and_a_short_one_is_not() -> None:
    asked = step("ask", kind="ask", ended_us=125 * MINUTE_US)
    between = [step("get"), step("get", run=2, started_us=3 * MINUTE_US, ended_us=3 * MINUTE_US)]

    assert "waited 2 h 5 min" in told(asked)
    assert "waited 3 min" in told(*between)
    assert "waited" not in told(step("ask", kind="ask", ended_us=1))


def test_a_long_task_stays_one_sentence() -> None:
    many = [step(f"call_{number}") for number in range(30)]

    assert "and 24 more calls" in told(*many)


def test_the_same_call_again_and_again_is_said_once() -> None:
    assert told(*[step("get_order", arguments={"id": 7})] * 3).startswith("Looked up order 7 (3 times);")


def test_a_foreign_trace_is_told_the_same_way() -> None:
    acts = [Act("get_order", {"order_id": 8812}), Act("refund", {}, error="Timeout")]
    took = Took(steps=3, cost_nano=None, seconds=None)

    assert summarise_acts(acts, error="", took=took) == (
        "Looked up order 8812, refunding failed; 3 steps, unpriced."
    )
    assert summarise_acts([], error="boom\x1b[0m", took=took) == "Failed: boom\\x1b[0m. 3 steps, unpriced."


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (59.94, "59.9 s"),
        (60, "1 min"),
        (125, "2 min 5 s"),
        (7500, "2 h 5 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_times_are_as_long_as_a_person_would_say_them(seconds: float, text: str) -> None:
    assert span_text(seconds) == text


HOSTILE = "\x1b]0;x\x07\u202e<script>\x00\nFAKE LINE" + "x" * 100_000


def test_no_text_from_outside_breaks_the_sentence() -> None:
    failed = {"model": HOSTILE, "error": "x"}
    steps = [
        step(HOSTILE, arguments={HOSTILE: HOSTILE}, facts=noted(failed, model=HOSTILE + "2")),
        step("refund", arguments={"amount": HOSTILE, "to": HOSTILE}, facts=noted({"by_hand": HOSTILE})),
        step("refund", StepState.REFUSED, seq=2),
    ]
    sentence = told(*steps, outcome=Outcome.ESCALATED, why=HOSTILE, deeds={2: Deed("rejected", HOSTILE)})

    assert sentence.isprintable()
    assert len(sentence) < 1_500
