"""Who the people are, their roles and their teams: the values of people.toml. Reads no file."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from airworthy.policy.dependency_rule import DAYS, Day, TimeOfDay, ZoneName, is_zone
from airworthy.policy.flaws import Flaw
from airworthy.policy.kinds import ENTRIES_MAX, Place, Seconds, Section, Sentence, Word
from airworthy.review.channel_rule import CHANNELS_MAX, ChannelRule, Mailbox
from airworthy.review.event_rule import EVENTS_MAX, EventRule, event_flaws

Role = Literal["viewer", "reviewer", "operator", "admin"]


class PersonRule(Section):
    """One `[people.<id>]` table; the id is the name of their login, or what `--by` says."""

    name: Sentence = Field(description="As others know them.")
    email: Mailbox | None = Field(
        default=None, description="Where e-mail channels of their teams reach them."
    )
    roles: Annotated[tuple[Role, ...], Field(strict=False, min_length=1, max_length=4)] = Field(
        default=("reviewer",),
        description="viewer looks; reviewer decides for their teams; operator also pauses, cancels and requeues; "
        "admin may do all.",
    )
    agents: Annotated[tuple[Word, ...], Field(strict=False, max_length=ENTRIES_MAX)] = Field(
        default=(), description="The agents whose tasks they may see and decide on; none named: all."
    )


class HoursRule(Section):
    """One `[[teams.<name>.hours]]`: when somebody of the team looks."""

    days: Annotated[tuple[Day, ...], Field(strict=False, min_length=1, max_length=7)] = Field(
        default=DAYS, description="Weekdays on which the hours begin."
    )
    begin: TimeOfDay = Field(description="When they begin, as 09:00, in the team's zone.")
    end: TimeOfDay = Field(description="When they end; before `begin`: the next day.")

    def contradictions(self) -> list[Flaw]:
        if self.begin == self.end:
            return [Flaw(("end",), "is `begin` too, so these hours have no length.", "Write when they end.")]
        return []


class TeamRule(Section):
    """One `[teams.<name>]` table; `to = "<name>"` of a policy's stop or escalation names it."""

    members: Annotated[tuple[Word, ...], Field(strict=False, min_length=1, max_length=ENTRIES_MAX)] = Field(
        description="Ids of people."
    )
    notify: Annotated[tuple[Word, ...], Field(strict=False, max_length=50)] = Field(
        default=(), description="Names of channels."
    )
    deadline_s: Seconds | None = Field(
        default=None, description="How long a question may wait for an answer."
    )
    remind_s: Annotated[tuple[Seconds, ...], Field(strict=False, max_length=10)] = Field(
        default=(), description="How long before the deadline the team is reminded."
    )
    zone: ZoneName = Field(default="UTC", description="The time zone of the hours, as Europe/Berlin.")
    hours: Annotated[tuple[HoursRule, ...], Field(strict=False, max_length=50)] = Field(
        default=(), description="When somebody looks; none: always."
    )
    out_of_hours: Annotated[str, Field(pattern=r"^(wait|count|to:.{1,100})$")] = Field(
        default="wait",
        description="Outside the hours a deadline's clock stands still (`wait`) or goes on (`count`), or what comes "
        'then goes to another team ("to:on-call").',
    )

    def contradictions(self) -> list[Flaw]:
        if not is_zone(self.zone):
            return [Flaw(("zone",), "is no time zone.", "Write one of the IANA database, as Europe/Berlin.")]
        if self.says("out_of_hours") and not self.hours:
            return [Flaw(("out_of_hours",), "has no meaning without hours.", "Add [[teams.<name>.hours]].")]
        return []

    @property
    def stand_in(self) -> str:
        """The team that is asked outside the hours; empty: this one."""
        kind, _, name = self.out_of_hours.partition(":")
        return name.strip() if kind == "to" else ""


class People(Section):
    """All of people.toml. Without the file anybody who can reach the database may decide."""

    people: Annotated[Mapping[Word, PersonRule], Field(max_length=ENTRIES_MAX)] = Field(default_factory=dict)
    teams: Annotated[Mapping[Place, TeamRule], Field(max_length=ENTRIES_MAX)] = Field(default_factory=dict)
    channels: Annotated[Mapping[Word, ChannelRule], Field(max_length=CHANNELS_MAX)] = Field(
        default_factory=dict
    )
    events: Annotated[Mapping[Word, EventRule], Field(max_length=EVENTS_MAX)] = Field(default_factory=dict)
    alerts: Place | None = Field(
        default=None, description="The team that is told of alerts which concern no single agent."
    )

    def contradictions(self) -> list[Flaw]:
        flaws = event_flaws(self.events, self.channels)
        for team, rule in self.teams.items():
            if rule.stand_in and rule.stand_in not in self.teams:
                says = f"names {rule.stand_in!r}, which is no team."
                flaws.append(Flaw(("teams", team, "out_of_hours"), says, "Declare it, or name another."))
            for key, names, known in (
                ("members", rule.members, self.people),
                ("notify", rule.notify, self.channels),
            ):
                flaws += [
                    Flaw(
                        ("teams", team, key, position), f"names {name!r}, which is not there.", "Declare it."
                    )
                    for position, name in enumerate(names)
                    if name not in known
                ]
        if self.alerts is not None and self.alerts not in self.teams:
            flaws.append(
                Flaw(("alerts",), f"names {self.alerts!r}, which is not there.", "Declare the team.")
            )
        return flaws
