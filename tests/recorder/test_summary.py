"""The sentence a person reads first."""

from typing import Any

import pytest

from airworthy.core.outcome import Outcome
from airworthy.recorder import Recorded, StepFacts, StepState, summarise


def step(name: str, state: StepState = StepState.DONE, kind: str = "tool", **changes: Any) -> Recorded:
    values: dict[str, Any] = {
        "seq": 1, "run": 1, "kind": kind, "name": name, "key": b"k", "state": state, "effect": None, "exact": True,
        "started_us": 0, "ended_us": 1, "error_type": None, "arguments": {}, "result": None, "error": None,
        "facts": StepFacts(),
    }  # fmt: skip
    return Recorded(**{**values, **changes})


STEPS = [
    step("chat", kind="model"),
    step("get_order", arguments={"order_id": 8812}, facts=StepFacts(attempts=2)),
    step("refund", arguments={"order_id": 8812, "amount_cents": 4210}),
]


def test_says_what_was_done_how_it_ended_and_what_it_took() -> None:
    sentence = summarise(STEPS, outcome=Outcome.ANSWERED, why="", cost_nano=13_000_000, seconds=4.2)

    assert sentence == (
        "Get order (8812), refund (8812, 4210). Answered. 3 steps, 1 model call, one retry, 4.2 s, 0.0130 USD."
    )


@pytest.mark.parametrize(
    ("outcome", "why", "expected"),
    [
        (Outcome.DECLINED, "Not our shop.", "Declined: Not our shop."),
        (Outcome.ESCALATED, "Needs a person", "Handed to a person: Needs a person."),
        (Outcome.DEAD_LETTERED, "A bug.", "Could not be processed: A bug."),
        (None, "", "Still open."),
    ],
)
def test_every_ending_has_its_words(outcome: Outcome | None, why: str, expected: str) -> None:
    assert expected in summarise([], outcome=outcome, why=why, cost_nano=0, seconds=0)


def test_an_unknown_cost_is_never_shown_as_zero() -> None:
    assert "unpriced" in summarise([], outcome=None, why="", cost_nano=None, seconds=0)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (StepState.FAILED, "failed"),
        (StepState.REFUSED, "was refused"),
        (StepState.HELD, "waits for a person"),
        (StepState.STARTED, "is under way"),
        (StepState.IN_DOUBT, "is in doubt"),
    ],
)
def test_what_did_not_simply_work_is_said(state: StepState, words: str) -> None:
    assert words in summarise([step("send", state)], outcome=None, why="", cost_nano=0, seconds=0)


def test_a_long_task_stays_one_sentence() -> None:
    many = [step(f"call_{number}") for number in range(30)]

    assert "and 24 more calls" in summarise(many, outcome=None, why="", cost_nano=0, seconds=0)
