"""Which systems the agent talks to, and what it does without them, in sentences an owner can approve."""

from collections.abc import Mapping
from typing import Final

from airworthy.policy.dependency_rule import DAYS, DependencyRule, OutageRule
from airworthy.policy.document import Block, Bullets, Code, Heading, Line, Paragraph, Strong, codes
from airworthy.policy.plain_words import count, duration, listed
from airworthy.policy.precondition_rule import Preconditions
from airworthy.policy.tool_rule import ToolRule

_INSTEAD: Final[Mapping[str, str]] = {
    "error": "is told of it and goes on without it",
    "nothing": "goes on with nothing in its place",
}
_OTHERWISE: Final[Mapping[str, str]] = {
    "wait": "the task waits, for up to {wait}, and then a person is asked",
    "decline": "the task is declined",
    "escalate": "a person is asked",
}


def dependency_blocks(rules: Mapping[str, DependencyRule], preconditions: Preconditions) -> list[Block]:
    if not rules:
        return []
    blocks: list[Block] = [Heading(2, ("Systems it talks to",))]
    for name, rule in rules.items():
        blocks += [Heading(3, (Code(name),)), Bullets(tuple(_lines(rule)))]
    if preconditions.dependencies:
        blocks.append(Paragraph(_before(preconditions)))
    return blocks


def fallback_lines(rule: ToolRule) -> list[Line]:
    """For the tool's own entry, where it says something of its own."""
    if rule.fallback is None:
        return []
    if rule.fallback.startswith("tool:"):
        return [("If it fails, ", Code(rule.fallback.removeprefix("tool:")), " is used instead.")]
    return [(f"If it fails, the agent {_instead(rule.fallback, rule.last_good_age_s_max)}.",)]


def _lines(rule: DependencyRule) -> list[Line]:
    lines: list[Line] = []
    if rule.base_url is not None:
        inside = "; it may be inside our own network" if rule.internal else ""
        lines.append(("At ", Code(rule.base_url), f"{inside}."))
    if rule.critical:
        lines.append(("Without it a task ", Strong("waits"), " and is tried again."))
    else:
        without = _instead(rule.fallback, rule.last_good_age_s_max)
        lines.append((f"Without it the agent {without}; the task's outcome says so.",))
    if rule.credentials is not None:
        lines.append((f"It knows us by a credential of the kind {rule.credentials.kind}.",))
    if rule.concurrency is not None:
        lines.append((f"At most {count(rule.concurrency, 'call')} at once in one process.",))
    if rule.rate is not None:
        lines.append((f"At most {rule.rate} in one process; further calls wait.",))
    return lines + [_outage(outage) for outage in rule.outages]


def _instead(fallback: str, age_s_max: float | None) -> str:
    if fallback == "last_good":
        oldest = f", if it is not older than {duration(age_s_max)}" if age_s_max is not None else ""
        return f"goes on with the last result{oldest}"
    return _INSTEAD[fallback]


def _outage(outage: OutageRule) -> Line:
    days = (
        "every day"
        if set(outage.days) == set(DAYS)
        else f"on {listed([day.capitalize() for day in outage.days])}"
    )
    note = f" {outage.note}" if outage.note else ""
    return (f"Known to be away {days} from {outage.begin} to {outage.end} ({outage.zone}).{note}",)


def _before(preconditions: Preconditions) -> Line:
    otherwise = _OTHERWISE[preconditions.otherwise].format(wait=duration(preconditions.wait_s_max))
    return (
        "Before a task begins, these must be well: ",
        *codes(preconditions.dependencies),
        f"; otherwise {otherwise}.",
    )
