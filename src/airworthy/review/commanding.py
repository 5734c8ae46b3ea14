"""Whether a person may give a command that is about no single item of the queue; a refusal says who may. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from airworthy.review.may import NotAllowed, named
from airworthy.review.people import People, Role


class Command(StrEnum):
    """By what comes of it, not by its name."""

    STOP = "stop"  # Agents and tasks do nothing more, for now or for good.
    OPERATE = "operate"  # What was stopped or has failed goes on, or is put away.
    LET_OUT = "let_out"  # Something acts on the world, or a tool may be used that was kept back.
    ADMIT = "admit"  # Somebody else may do something from now on.


# An admin may give all of them.
_ROLES: Final[Mapping[Command, Role]] = {
    Command.STOP: "operator",
    Command.OPERATE: "operator",
    Command.LET_OUT: "reviewer",
    Command.ADMIT: "admin",
}


def may_command(people: People, by: str, command: Command) -> str:
    """The role in which they may; empty where nobody is declared. Raises: NotAllowed."""
    if not people.people:
        return ""
    wanted = _ROLES[command]
    person = people.people.get(by)
    held = () if person is None else person.roles
    if "admin" in held:
        return "admin"
    if wanted in held:
        return wanted
    what = (
        f"{by!r} is not in people.toml" if person is None else f"{person.name} is {' and '.join(held)} here"
    )
    raise NotAllowed(f"{what}, and this needs the role {wanted}.", mend=_who_may(people, wanted))


def _who_may(people: People, wanted: Role) -> str:
    names = [each.name for each in people.people.values() if {wanted, "admin"} & set(each.roles)]
    return named(names) or f"Give somebody the role {wanted} in people.toml."
