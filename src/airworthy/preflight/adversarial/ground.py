"""What adversarial cases are made from: the agent's policy and tools, and what its golden cases did."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from airworthy.core.outcome import Outcome
from airworthy.evals import Act, Case, Trial
from airworthy.policy import Policy
from airworthy.policy.tool_rule import ToolRule
from airworthy.preflight.adversarial.wording import Wording, leaves, plain, wording_of
from airworthy.preflight.sources import instructions_in
from airworthy.preflight.stage import Played, Recording
from airworthy.recorder import Recorded, StepState
from airworthy.tools import Tool

_ADDRESS: Final = re.compile(r"[^\s@<>,;:\"'()\[\]]{1,64}@[^\s@<>,;:\"'()\[\]]{1,255}")
_TOLD: Final = re.compile(
    r"\d{4}|@|\d[.,]\d\d"
)  # What tells one record from another: numbers, addresses, sums.
_NAMED: Final = re.compile(r"(?i)name|address|mail|phone|account|iban|birth")
SECRET_CHARS_MIN: Final = 5
ID_CHARS_MAX: Final = 64


@dataclass(frozen=True)
class Base:
    """One golden case with its passing trials; the first is the one that is copied from."""

    case: Case
    played: tuple[Played, ...]

    @property
    def trial(self) -> Trial:
        return self.played[0].trial

    @property
    def recording(self) -> Recording:
        return self.played[0].recording

    @cached_property
    def wording(self) -> Wording | None:
        return wording_of(self.case.input)

    @property
    def acts(self) -> tuple[Act, ...]:
        """Of all its passing trials: whatever one of them did may be done."""
        return tuple(act for each in self.played for act in each.trial.acts)

    @cached_property
    def heard(self) -> str:
        """All that its input and its tools said."""
        told = (text for each in self.played for text in each.trial.heard)
        results = (plain(one.result) for each in self.played for one in each.recording.results)
        return "\n".join((plain(self.case.input), *told, *results))

    @cached_property
    def own(self) -> frozenset[str]:
        """Of the one it works for: user, session, addresses in the input's head and of the golden run's letters."""
        wording = self.wording
        head = wording.head if wording is not None else ""
        fields = plain(self.case.input) if not isinstance(self.case.input, str) else head
        answered = (leaf for act in self.acts for _, leaf in leaves(act.arguments) if isinstance(leaf, str))
        found = {
            self.case.user,
            self.case.session,
            *_ADDRESS.findall(fields),
            *filter(_ADDRESS.fullmatch, answered),
        }
        return frozenset(each.strip().casefold() for each in found if each.strip())

    @cached_property
    def structured(self) -> bool:
        """Whether data beside the words says what is wanted (an order's number, a sum), whatever the words say."""
        if isinstance(self.case.input, str):
            return False
        words = self.wording.path if self.wording is not None else None
        return any(
            identifies(leaf) and str(leaf).casefold() not in {self.case.user, self.case.session}
            for path, leaf in leaves(self.case.input)
            if path != words
        )

    @property
    def person(self) -> str:
        return self.case.user or self.case.session

    def calls(self) -> Iterator[Recorded]:
        """Tool calls of the first trial that gave something, in their order."""
        for step in self.recording.steps:
            if step.kind == "tool" and step.state is StepState.DONE and step.key is not None:
                yield step


@dataclass(frozen=True)
class Ground:
    """`bases`: golden cases that passed at least once. `seed` decides choices, never which ids exist."""

    policy: Policy
    tools: Mapping[str, Tool]
    bases: tuple[Base, ...]
    seed: int = 0

    @cached_property
    def plain(self) -> Base | None:
        """One that is answered and changes nothing; the best to be spoilt without any doubt of what may follow."""
        answered = [each for each in self.worded if each.trial.outcome is Outcome.ANSWERED]
        still = [each for each in answered if not self.changes(each)]
        return next(iter(still or answered or self.worded), None)

    @cached_property
    def acting(self) -> Base | None:
        """One that changes something; where none does, one that sends something."""
        changing = [each for each in self.worded if self.changes(each)]
        sending = [each for each in self.worded if each.acts]
        return next(iter(changing or sending), None)

    @cached_property
    def worded(self) -> tuple[Base, ...]:
        return tuple(each for each in self.bases if each.wording is not None and each.wording.words.strip())

    def changes(self, base: Base) -> bool:
        """Whether it did more than tell somebody something."""
        return any(self.effect(act.tool) in ("write", "delete") for act in base.acts)

    def effect(self, tool: str) -> str:
        known = self.tools.get(tool)
        return known.effect.value if known is not None else "write"

    def rule(self, tool: str) -> ToolRule:
        return self.policy.tools.get(tool, ToolRule())

    @property
    def acting_tools(self) -> tuple[Tool, ...]:
        return tuple(
            tool for name, tool in self.tools.items() if tool.effect.acts and name in self.policy.tools
        )

    @cached_property
    def instructions(self) -> str:
        """What the models were told before the input, as the golden trials recorded it."""
        texts: dict[str, None] = {}
        for base in self.bases:
            for step in base.recording.steps:
                if step.kind == "model":
                    texts.update(dict.fromkeys(instructions_in(step.arguments)))
        return "\n".join(texts)

    @cached_property
    def usual(self) -> str:
        """What left the house in the golden runs."""
        return "\n".join(said_in(each.trial) for base in self.bases for each in base.played)


@dataclass(frozen=True, slots=True)
class Other:
    """`ids`: what names records of `base`'s person in calls. `secrets`: what only those records say."""

    base: Base
    ids: tuple[str, ...]
    secrets: tuple[str, ...]

    @classmethod
    def of(cls, ground: Ground, mine: Base, other: Base) -> "Other":
        said = plain(other.case.input)
        known = mine.heard.casefold()
        ids: dict[str, None] = {}
        for step in other.calls():
            for _, leaf in leaves(step.arguments):
                text = str(leaf)
                told = identifies(leaf) and text in said and text.casefold() not in known
                if told and text.casefold() not in other.own:
                    ids[text] = None
        return cls(other, tuple(ids), tuple(_secrets(ground, mine, other, set(ids))))


def identifies(value: Any) -> bool:
    """Whether it may name one record: a number, or text without spaces that holds a digit, an @, a slash or a colon."""
    if isinstance(value, bool) or value is None:
        return False
    if isinstance(value, int | float):
        return True
    return (
        isinstance(value, str)
        and 0 < len(value) <= ID_CHARS_MAX
        and not any(char.isspace() for char in value)
        and (any(char.isdigit() for char in value) or any(char in "@/:" for char in value))
    )


def _secrets(ground: Ground, mine: Base, other: Base, ids: set[str]) -> Iterator[str]:
    """What is the same for everybody (a price, a promise) is no secret, nor what both may know."""
    public = "\n".join(
        each.heard for each in ground.bases if not each.person or each.person != other.person
    ).casefold()
    public += mine.heard.casefold() + ground.instructions.casefold()
    seen = set(ids)
    for result in other.recording.results:
        if ground.effect(result.tool) != "read":
            continue
        for path, leaf in leaves(result.result):
            text = str(leaf)
            personal = bool(_NAMED.search(str(path[-1]) if path else ""))
            if (
                not isinstance(leaf, bool)
                and len(text) >= SECRET_CHARS_MIN
                and len(text) <= ID_CHARS_MAX
                and (_TOLD.search(text) or personal)
                and text not in seen
                and text.casefold() not in public
            ):
                seen.add(text)
                yield text


def said_in(trial: Trial) -> str:
    """What left the house. What people of the house are shown (an escalation, an answer held back) did not."""
    told = [plain(act.arguments) for act in trial.acts]
    if trial.outcome is Outcome.ANSWERED:
        told.append(plain(trial.answer))
    if trial.outcome is Outcome.DECLINED:
        told.append(trial.text)
    return "\n".join(told)


def ground_of(
    policy: Policy, tools: Sequence[Tool], golden: Sequence[tuple[Case, Sequence[Played]]], seed: int
) -> Ground:
    """`golden`: cases with their passing trials; those without any are left out."""
    bases = tuple(Base(case, tuple(played)) for case, played in golden if played)
    return Ground(policy, {tool.name: tool for tool in tools}, bases, seed)
