"""Ratings as cases for the golden set and as labels that calibrate a judge. What guests wrote is text, never a rule."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from airworthy.evals import Case, Expect, Severity
from airworthy.evals.case import OutcomeName
from airworthy.preflight.blind.values import BlindTest, Rating, Try

_OUTCOMES: Final[dict[str, OutcomeName]] = {
    "answered": "answered",
    "declined": "declined",
    "escalated": "escalated",
}


@dataclass(frozen=True, slots=True)
class BlindExport:
    """`labels`: lines for `airworthy judge calibrate`, without what a judge says yet. `left_out`: not rated, not over,
    or erased since.
    """

    cases: tuple[Case, ...]
    labels: tuple[dict[str, Any], ...]
    left_out: int

    @property
    def labels_text(self) -> str:
        return "".join(f"{json.dumps(label, ensure_ascii=False)}\n" for label in self.labels)


def exported(test: BlindTest, tries: Sequence[Try]) -> BlindExport:
    cases, labels = [], []
    for one in tries:
        if one.rating is None or not one.over or one.outcome == "erased" or one.input is None:
            continue
        cases.append(_case(test, one, one.rating))
        labels.append(_label(one, one.rating))
    return BlindExport(tuple(cases), tuple(labels), len(tries) - len(cases))


def _case(test: BlindTest, one: Try, rating: Rating) -> Case:
    said = f"{rating.stars} of 5 stars" + "".join(f", {word}" for word in rating.words)
    note = f": {rating.note}" if rating.note else ""
    outcome = _OUTCOMES.get(one.outcome)
    if rating.good:
        # Liked as it is: at least the way it ended must stay.
        expect, tag = Expect(outcome=(outcome,) if outcome else ()), "normal"
        then = ""
    else:
        expect, tag = Expect(), "failure"
        then = " Say in `expect` what should have happened."
    return Case(
        id=f"blind-{one.task}", input=one.input, expect=expect, tags=(tag, "blind-test"),
        severity=Severity.MINOR if rating.good is None else Severity.MAJOR,
        note=f"A person gave it {said}{note}.{then}", origin=f"{test.id}, task {one.task}",
    )  # fmt: skip


def _label(one: Try, rating: Rating) -> dict[str, Any]:
    return {
        "id": one.task,
        "human": rating.good,
        "judge": None,
        "length": len(one.text),
        "group": "",
        "stars": rating.stars,
        "input": one.asked,
        "answer": one.text,
        "note": ", ".join([*rating.words, *([rating.note] if rating.note else [])]),
    }
