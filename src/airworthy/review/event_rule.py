"""What another program is told of, as a value of people.toml; sends nothing."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field

from airworthy.core.outcome import Outcome
from airworthy.policy.flaws import Flaw
from airworthy.policy.kinds import Section, Word, Words
from airworthy.recorder.events import KINDS, Kind, Wish
from airworthy.review.channel_rule import ChannelRule

EVENTS_MAX: Final = 50
Content = Literal["facts", "full"]
OutcomeName = Literal["answered", "declined", "escalated", "dead_lettered", "cancelled"]
assert set(OutcomeName.__args__) == {outcome.value for outcome in Outcome}  # type: ignore[attr-defined]


class EventRule(Section):
    """One `[events.<name>]` table of people.toml: what happens here, to a program elsewhere."""

    channel: Word = Field(
        description="A channel of kind webhook. Broken: one that is not there, or of another kind, is an error at load."
    )
    on: Annotated[tuple[Kind, ...], Field(strict=False, min_length=1, max_length=len(KINDS))] = Field(
        description=f"What is told: {', '.join(f'`{kind}`' for kind in KINDS)}. "
        "Broken: any other word is an error at load."
    )
    agents: Words = Field(
        default=(), description="Only what concerns these agents. Broken: left out, all are told of."
    )
    outcomes: Annotated[tuple[OutcomeName, ...], Field(strict=False, max_length=5)] = Field(
        default=(),
        description="Of closed tasks only those that ended so: answered, declined, escalated, dead_lettered, "
        "cancelled. Broken: left out, however they ended.",
    )
    content: Content = Field(
        default="facts",
        description="full: with the input and the answer of a task, or the arguments of a call; facts: without. "
        "Broken: any other word is an error at load.",
    )

    def contradictions(self) -> list[Flaw]:
        if self.outcomes and "task.closed" not in self.on:
            return [
                Flaw(
                    ("outcomes",), "says how tasks ended, and none is told of.", 'Add "task.closed" to `on`.'
                )
            ]
        return []

    def wish(self, name: str) -> Wish:
        return Wish(name, self.on, tuple(self.agents), self.outcomes)


def event_flaws(events: Mapping[str, EventRule], channels: Mapping[str, ChannelRule]) -> list[Flaw]:
    """What is wrong between the two."""
    flaws = []
    for name, rule in events.items():
        where, channel = ("events", name, "channel"), channels.get(rule.channel)
        if channel is None:
            says = f"names {rule.channel!r}, which is not there."
            flaws.append(Flaw(where, says, f"Add [channels.{rule.channel}]."))
        elif channel.kind != "webhook":
            says = f"names {rule.channel!r}, which is of kind {channel.kind!r}: that one is for people."
            flaws.append(Flaw(where, says, "Name a channel of kind webhook."))
    return flaws
