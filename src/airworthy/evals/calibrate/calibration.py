"""A judge, or an agent's own confidence, against people: all that is known of how far it may be trusted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airworthy.core.errors import InputError
from airworthy.evals.calibrate.agreement import Agreement, agreement, among_people
from airworthy.evals.calibrate.bias import Length, Position, length, position
from airworthy.evals.calibrate.labels import Label
from airworthy.evals.calibrate.reliability import Reliability, reliability
from airworthy.evals.calibrate.threshold import Threshold, threshold
from airworthy.evals.stats.ppi import corrected_rate
from airworthy.evals.stats.rates import Rate

GOOD_AND_BAD = frozenset({"good", "bad"})


@dataclass(frozen=True, slots=True)
class Calibration:
    """None of a part: the labels do not hold what it needs. `people`: two people against each other. `good`: the true
    share of good answers, from the judge on all of them and people on some.
    """

    labels: int
    pairs: bool
    agreement: Agreement | None = None
    people: Rate | None = None
    position: Position | None = None
    length: Length | None = None
    reliability: Reliability | None = None
    threshold: Threshold | None = None
    good: Rate | None = None

    @property
    def sentences(self) -> tuple[str, ...]:
        return tuple(_sentences(self))


def calibrate(labels: Sequence[Label], target: float = 0.05) -> Calibration:
    """`target`: the share of wrong ones among answers that go out alone. Confidence is a line's own, else the judge's
    score. Wrong is an answer that people call bad; of pairs and of other words: a judgement that is not theirs.
    """
    known = [label for label in labels if label.human]
    if not known:
        raise InputError(
            "No line has a label of people.", mend="Fill `human`, or `human_winner`, in some lines."
        )
    judged = [label for label in known if label.judge]
    sure = [(c, _right(label)) for label in known if (c := _confidence(label)) is not None]
    confidences, right = [c for c, _ in sure], [is_right for _, is_right in sure]
    several = [label.people for label in known if len(label.people) > 1]
    return Calibration(
        len(known),
        any(label.pair for label in known),
        agreement=_agreement(judged),
        people=among_people(several) if several else None,
        position=position(known),
        length=length(known),
        reliability=reliability(confidences, right),
        threshold=threshold(confidences, right, target) if sure else None,
        good=_good(labels),
    )


def _confidence(label: Label) -> float | None:
    return label.score if label.confidence is None else label.confidence


def _right(label: Label) -> bool:
    if label.human in GOOD_AND_BAD and not label.pair:
        return label.human == "good"
    return label.judge == label.human


def _agreement(judged: Sequence[Label]) -> Agreement | None:
    """Of pairs shown in both orders, both judgements count, as two of one group."""
    if not judged:
        return None
    rows = [(label.human, label.judge, label.group or label.id) for label in judged]
    rows += [(label.human, label.swapped, label.group or label.id) for label in judged if label.swapped]
    grouped = len({group for _, _, group in rows}) < len(rows)
    return agreement(
        [human for human, _, _ in rows],
        [judge for _, judge, _ in rows],
        [group for _, _, group in rows] if grouped else (),
    )


def _good(labels: Sequence[Label]) -> Rate | None:
    scored = [label for label in labels if not label.pair and label.judge in GOOD_AND_BAD]
    people = [label for label in scored if label.human in GOOD_AND_BAD]
    if not people or len(people) == len(scored):
        return None

    def said(label: Label) -> float:
        return label.score if label.score is not None else float(label.judge == "good")

    return corrected_rate(
        [float(label.human == "good") for label in people],
        [said(label) for label in people],
        [said(label) for label in scored if label.human not in GOOD_AND_BAD],
    )


def _sentences(it: Calibration) -> list[str]:
    said = []
    if it.agreement is not None:
        rate, kappa = it.agreement.rate, it.agreement.kappa
        beyond = (
            "kappa cannot be told, all labels are the same"
            if kappa is None
            else f"kappa {kappa:.2f} [{it.agreement.kappa_low:.2f}, {it.agreement.kappa_high:.2f}]"
        )
        said.append(f"The judge agrees with people in {rate} of {rate.runs} judgements, {beyond}.")
    if it.people is not None:
        said.append(f"Two people agree in {it.people}, of {it.people.cases} that several looked at.")
    if it.position is not None:
        said.append(_of_position(it.position))
    if it.length is not None:
        word = "Length moves it" if it.length.found else "No effect of length found"
        said.append(
            f"{word}: it favours longer answers {it.length.excess:+.1%} [{it.length.low:+.1%},"
            f" {it.length.high:+.1%}] more often than people do, of {it.length.labels}."
        )
    if it.reliability is not None:
        found = it.reliability
        said.append(
            f"Stated confidence is off by {found.gap:.1%} on average (Brier {found.brier:.3f}, {found.labels} labels)."
        )
    if it.good is not None:
        said.append(f"Good answers in truth, by the judge on all and people on {it.good.cases}: {it.good}.")
    if it.threshold is not None:
        said.append(it.threshold.sentence)
    return said


def _of_position(found: Position) -> str:
    first = found.first
    way = (
        "of those that flip none is there to tell a preference"
        if not first.runs
        else f"of {first.runs} that flip the one shown first wins {first} (p = {found.p:.3f} of no preference)"
    )
    return (
        f"It keeps to its winner in {found.consistent} of {found.consistent.runs} pairs shown in both orders; {way};"
        f" where it keeps to it, people agree in {found.agreed}."
    )


def calibration_document(it: Calibration) -> dict[str, Any]:
    """As JSON data, for programs."""
    from dataclasses import asdict

    return {**asdict(it), "sentences": list(it.sentences)}
