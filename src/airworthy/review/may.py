"""Whether a person may do an act with an item, and in which role; a refusal says who may. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from airworthy.core.errors import AirworthyError
from airworthy.review.item import Act, Item, Kind
from airworthy.review.people import People, PersonRule

NAMES_SHOWN_MAX = 8
# What an operator may do whatever team it is: it stops things or tries them again, and lets nothing out.
OPERATING = frozenset({
    (Kind.DEAD_LETTER, Act.APPROVE), (Kind.DEAD_LETTER, Act.REJECT), (Kind.DELAYED, Act.REJECT),
    (Kind.DELAYED, Act.HOLD), (Kind.APPROVAL, Act.REJECT),
})  # fmt: skip


class NotAllowed(AirworthyError):
    """This person may not do this; nothing was changed. The mend says who may."""

    code = "not_allowed"


@dataclass(frozen=True, slots=True)
class Mine:
    """What a task has to do with the person who decides. `handed_in`: they submitted it."""

    four_eyes: bool = False
    handed_in: str = ""


def role_for(people: People, by: str, item: Item, act: Act, mine: Mine = Mine()) -> str:
    """The role in which they may; empty where nobody is declared. Raises: NotAllowed."""
    role = _role(people, by, item, act)
    if (
        mine.four_eyes
        and act is Act.APPROVE
        and item.kind is Kind.APPROVAL
        and by in (mine.handed_in, item.edited_by)
    ):
        what = "changed this call" if by == item.edited_by else "handed in this task"
        raise NotAllowed(
            f"{by} {what}, so somebody else must approve it.",
            mend=who_may(people, item, act, but=by) or "Ask a colleague.",
        )
    return role


def may_look(people: People, by: str) -> bool:
    """Every role may look; without people.toml everybody may."""
    return not people.people or by in people.people


def who_may(people: People, item: Item, act: Act, but: str = "") -> str:
    """A sentence with their names; empty when nobody may."""
    return named([
        person.name
        for id_, person in people.people.items()
        if id_ != but and _role_of(people, id_, person, item, act) is not None
    ])  # fmt: skip


def named(names: Sequence[str]) -> str:
    """Those who may, as a sentence; empty when nobody may."""
    if not names:
        return ""
    more = f" and {len(names) - NAMES_SHOWN_MAX} more" if len(names) > NAMES_SHOWN_MAX else ""
    return f"Those who may: {', '.join(names[:NAMES_SHOWN_MAX])}{more}."


def _role(people: People, by: str, item: Item, act: Act) -> str:
    if not people.people:
        return ""
    person = people.people.get(by)
    mend = who_may(people, item, act) or "Add somebody to people.toml who may."
    if person is None:
        raise NotAllowed(f"{by!r} is not in people.toml, so they may decide nothing.", mend=mend)
    role = _role_of(people, by, person, item, act)
    if role is None:
        raise NotAllowed(_why_not(people, person, item), mend=mend)
    return role


def _role_of(people: People, by: str, person: PersonRule, item: Item, act: Act) -> str | None:
    if person.agents and item.agent not in person.agents:
        return None
    if "admin" in person.roles:
        return "admin"
    if "operator" in person.roles and ((item.kind, act) in OPERATING or act is Act.ASSIGN):
        return "operator"
    if "reviewer" not in person.roles:
        return None
    if item.assigned == by:
        return "reviewer, assigned"
    if not item.placed and people.teams:
        return None  # Whose it is nobody knows yet; guessing would let the wrong team decide.
    if not item.to:
        return "reviewer"
    team = people.teams.get(item.to)
    return f"reviewer of {item.to}" if team is not None and by in team.members else None


def _why_not(people: People, person: PersonRule, item: Item) -> str:
    if person.agents and item.agent not in person.agents:
        return f"{person.name} has to do with {', '.join(person.agents)} here, and this is of {item.agent}."
    if "reviewer" not in person.roles:
        return f"{person.name} is {' and '.join(person.roles)} here, and that decides nothing of this kind."
    if not item.placed:
        return f"{person.name} cannot decide this yet: a worker has still to find the team it is for."
    if item.to not in people.teams:
        return f"This is for {item.to!r}, and people.toml has no such team, so only an admin may decide it."
    return f"This is for {item.to}, and {person.name} is not of that team."
