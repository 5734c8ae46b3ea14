"""`[retention]` of recorder.toml: how many days each kind of record is kept."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import Field

from airworthy.policy.flaws import Flaw
from airworthy.policy.kinds import Section
from airworthy.recorder.holdings import Kept
from airworthy.recorder.retention import Keep

DAYS_MAX: Final = 36_600.0
AGENTS_MAX: Final = 500
Days = Annotated[float, Field(gt=0, le=DAYS_MAX)] | None


def _days(what: str) -> Any:
    return Field(default=None, description=f"{what} Left out: kept for good.")


class AgentRetention(Section):
    """What one agent's tasks have of their own."""

    payloads_days: Days = _days("Prompts, arguments, results, inputs, answers, and the index of their words.")
    traces_days: Days = _days("The whole task or trace, with its steps, effects and review items.")

    def days(self) -> Mapping[Kept, float]:
        found = {Kept.PAYLOADS: self.payloads_days, Kept.TRACES: self.traces_days}
        return {kind: days for kind, days in found.items() if days is not None}

    def contradictions(self) -> list[Flaw]:
        if self.payloads_days is None or self.traces_days is None or self.payloads_days <= self.traces_days:
            return []
        return [
            Flaw(
                ("payloads_days",),
                "is more than traces_days, and payloads go with their trace.",
                "Keep traces at least as long.",
            )
        ]


class RetentionRule(AgentRetention):
    """How long which records are kept. Without it everything is kept; sums by hour are always kept."""

    scores_days: Days = _days("What evaluations and users said, and what came of tasks.")
    alerts_days: Days = _days("Alerts that have ended.")
    notices_days: Days = _days("Notices and messages; what was sent goes after 30 days anyway.")
    sealed_days: Days = _days("Sealed days on the disk.")
    seal: bool = Field(
        default=False,
        description="Payloads and traces go only once their day is sealed; needs the extra `parquet`.",
    )
    sealed_folder: Annotated[str, Field(min_length=1, max_length=1_000)] = Field(
        default="sealed", description="Where sealed days are; from the working folder on."
    )
    agents: Mapping[str, AgentRetention] = Field(
        default={}, max_length=AGENTS_MAX, description="Days of single agents, by name."
    )

    def keep(self) -> Keep:
        rest = {Kept.SCORES: self.scores_days, Kept.ALERTS: self.alerts_days, Kept.NOTICES: self.notices_days}
        days = {**self.days(), **{kind: days for kind, days in rest.items() if days is not None}}
        return Keep(days, {name: rule.days() for name, rule in self.agents.items()}, sealed=self.seal)
