"""One call on its way through the chain, and what its run knows of the calls before. Values; nothing happens here."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from airworthy.core.canonical import digest
from airworthy.core.gate import CallFact, Gate
from airworthy.policy import ToolRule
from airworthy.recorder import Journal, Recorded, Slot
from airworthy.tools import hearing
from airworthy.tools.gaps import Gap, Gaps
from airworthy.tools.provenance import Ledger
from airworthy.tools.tool import Tool


@dataclass(slots=True)
class RunTools:
    """What one run knows about its tools: made when the run begins, gone with it."""

    journal: Journal
    gate: Gate
    held: set[str] = field(default_factory=set)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # One change of what it holds at a time.
    using: Counter[str] = field(default_factory=Counter)  # Calls under way on each resource.
    seen: dict[str, int] = field(default_factory=dict)
    awaited: set[str] = field(default_factory=set)  # Effects that this run found waiting for a person.
    notes: tuple[dict[str, Any], ...] = ()  # What every call of it is recorded with.
    gaps: Gaps = field(default_factory=Gaps)  # What the run went without.
    ledger: Ledger = field(default_factory=Ledger)
    confidence: float | None = None  # As the agent stated it last.
    dry_run: bool = False  # The whole task is a rehearsal.
    again_soon: bool = False  # The run is over, and the next comes sooner than a key is forgotten.

    def recall(self, recorded: Sequence[Recorded]) -> None:
        """What earlier runs of the task were told, and the versions of resources they have seen."""
        hearing.recall(self.ledger, recorded)
        for step in recorded:
            if step.facts.resource is not None and step.facts.resource_version is not None:
                self.seen[step.facts.resource] = step.facts.resource_version


@dataclass(frozen=True)
class Call:
    """One call on its way through the chain. `values` are what the function gets, `arguments` their JSON, and `stored`
    the same as it is written down: without secrets.
    """

    run: RunTools
    tool: Tool
    rule: ToolRule
    values: Mapping[str, Any]
    arguments: Mapping[str, Any]
    stored: Mapping[str, Any]
    slot: Slot
    fact: CallFact
    resource: str | None
    amended: bool = False  # A person changed its arguments while it was held; see `tools.amended`.

    @property
    def notes(self) -> tuple[dict[str, Any], ...]:
        """For the step's record, which keeps the arguments that the agent gave."""
        return ({"amended": dict(self.arguments)},) if self.amended else ()

    @property
    def hides(self) -> bool:
        """Its arguments hold a secret: without it, calls that differ would look alike."""
        return self.stored != self.arguments

    @cached_property
    def effect_id(self) -> str:
        """Also the idempotency key: the same for every try and every run of this very call."""
        return f"eff_{digest(self.run.journal.task.id.encode(), self.slot.key).hex()}"


@dataclass(frozen=True, slots=True)
class Answer:
    """A call's result; `gap`: what it stands in for, if the tool itself did not give it."""

    value: Any
    gap: Gap | None = None
