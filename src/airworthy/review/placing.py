"""Which team an item goes to and until when: pure decisions of (rule, team, moment). Reads nothing."""

from dataclasses import dataclass

from airworthy.core.clock import US_PER_S
from airworthy.policy.review_rule import WaitRule
from airworthy.review.hours import deadline_us, works_at
from airworthy.review.people import People


@dataclass(frozen=True, slots=True)
class Placing:
    """`wake_us`: the first reminder, or the deadline where there is none before it."""

    to: str
    deadline_us: int | None
    on_deadline: str
    escalate_to: str
    wake_us: int | None


@dataclass(frozen=True, slots=True)
class Asked:
    """What the question itself says, which goes before any rule. `default`: whether it brought an answer of its own."""

    to: str = ""
    deadline_s: float | None = None
    default: bool = False


NOTHING_ASKED = Asked()


def placed(
    rule: WaitRule, people: People, since_us: int, asked: Asked = NOTHING_ASKED, place: str = ""
) -> Placing:
    """`place`: where the policy's stop or its default points. The question goes first, then the rule, then the place.

    A team that is out of its hours may name a stand-in, whose own hours and deadlines then hold.
    """
    to = asked.to or rule.to or place
    team = people.teams.get(to)
    if team is not None and team.stand_in and not works_at(team, since_us):
        to = team.stand_in
        team = people.teams.get(to)
    seconds = asked.deadline_s if asked.deadline_s is not None else rule.deadline_s
    if seconds is None and team is not None:
        seconds = team.deadline_s
    on_deadline = "default" if asked.default else rule.on_deadline
    escalate_to = rule.escalate_to or "" if on_deadline == "escalate" else ""
    if seconds is None:
        return Placing(to, None, on_deadline, escalate_to, None)
    ends_us = deadline_us(team, since_us, seconds)
    return Placing(to, ends_us, on_deadline, escalate_to, next_wake_us(people, to, ends_us, since_us))


def escalated(people: People, to: str, now_us: int) -> Placing:
    """At its deadline it goes to another team, as a new question of theirs: with their deadline, and no third team."""
    team = people.teams.get(to)
    seconds = team.deadline_s if team is not None else None
    if seconds is None:
        return Placing(to, None, "wait", "", None)
    ends_us = deadline_us(team, now_us, seconds)
    return Placing(to, ends_us, "wait", "", next_wake_us(people, to, ends_us, now_us))


def next_wake_us(people: People, to: str, ends_us: int, now_us: int) -> int:
    """When a clock has something to do next: the nearest reminder that is still to come, else the deadline."""
    return min((at for at in reminders_us(people, to, ends_us) if at > now_us), default=ends_us)


def reminders_us(people: People, to: str, ends_us: int) -> list[int]:
    team = people.teams.get(to)
    return [] if team is None else sorted(ends_us - round(before * US_PER_S) for before in team.remind_s)
