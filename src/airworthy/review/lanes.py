"""Which channels a team's notices go to, and to whom there; from people.toml alone."""

from dataclasses import dataclass

from airworthy.review.people import People

TAKES_BACK = frozenset({"pagerduty", "webhook"})  # Kinds that can be told that something is over.


@dataclass(frozen=True, slots=True)
class Lane:
    """Messages of one lane go out in order, one after the other. `recipient`: "" where the channel has one."""

    channel: str
    recipient: str
    takes_back: bool


def lanes_of(people: People, team: str) -> tuple[Lane, ...]:
    """Empty for a team that has no channel, or that nobody declared."""
    rule = people.teams.get(team)
    if rule is None:
        return ()
    found = []
    for name in rule.notify:
        channel = people.channels[name]
        if channel.kind != "email":
            found.append(Lane(name, "", takes_back=channel.kind in TAKES_BACK))
            continue
        members = [people.people[id_].email for id_ in rule.members]
        found += [Lane(name, email, takes_back=False) for email in channel.to or members if email]
    return tuple(dict.fromkeys(found))
