"""From the evidence to the checklist: answered, waived or unanswered, each with its evidence and where to look."""

from collections.abc import Sequence
from dataclasses import replace

from airworthy.core.clock import utc_text
from airworthy.policy import Gap
from airworthy.preflight.readiness.evidence import Evidence, Waiver
from airworthy.preflight.readiness.questions import OF_THE_POLICY, QUESTIONS
from airworthy.preflight.report import Item


def checklist(given: Evidence) -> tuple[Item, ...]:
    """In the order of QUESTIONS. Within a report that is being made, what its verdict would be is not asked."""
    waivers = {waiver.item: waiver for waiver in given.waivers}
    return tuple(
        _item(key, given, waivers.get(key)) for key in QUESTIONS if not (given.making and key == "preflight")
    )


def gaps_of(items: Sequence[Item]) -> tuple[Gap, ...]:
    """What keeps an agent from going live, beside what the policy alone shows to be missing."""
    return tuple(
        Gap(f"readiness.{item.key}", f"{item.question} {item.evidence}", item.mend)
        for item in items
        if item.state == "unanswered" and item.key not in OF_THE_POLICY
    )


def _item(key: str, given: Evidence, waiver: Waiver | None) -> Item:
    question, answer = QUESTIONS[key]
    said = answer(given)
    if said.yes:
        return Item(key, question, "answered", said.evidence, said.link)
    made = Item(key, question, "unanswered", said.evidence, said.link, said.mend)
    if waiver is None:
        return made
    until = utc_text(waiver.until_us - 1)[: len("2026-12-31")]  # The last day on which it holds.
    if waiver.until_us <= given.now_us:
        return replace(made, evidence=f"{said.evidence} The waiver of {waiver.by} ended on {until}.")
    told = f"{said.evidence} Waived by {waiver.by} until {until}: {waiver.because}"
    return replace(made, state="waived", evidence=told)
