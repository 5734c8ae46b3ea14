"""What preflight.toml may say, as values, checked; who reads the file stands in `app`."""

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import Field

from airworthy.policy import ModelRule
from airworthy.policy.flaws import Flaw
from airworthy.policy.kinds import ENTRIES_MAX, Section
from airworthy.preflight.crowd_settings import ConcurrencySettings, LoadSettings
from airworthy.preflight.failure_settings import FailureSettings

CASES: Final = "cases"

Place = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*$", max_length=300)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.:/-]{0,127}$")]


class ToolSettings(Section):
    """`[tools.NAME]`: what stands in for one tool."""

    stand_in: Annotated[str, Field(max_length=300)] = Field(
        default="live",
        description='"live": its own function, for tools that only read (what acts is never called); "recorded": what '
        'was recorded, else made up; or "module:function": a function that only pretends.',
    )

    def contradictions(self) -> list[Flaw]:
        module, colon, name = self.stand_in.partition(":")
        fits = bool(colon) and all(part.isidentifier() for part in (*module.split("."), name))
        if self.stand_in in ("live", "recorded") or fits:
            return []
        return [Flaw(("stand_in",), "is none of these.", 'Write "live", "recorded" or "module:function".')]


class StageSettings(Section):
    """The part of preflight.toml that says what trials are played with."""

    tools: Annotated[Mapping[Name, ToolSettings], Field(max_length=ENTRIES_MAX)] = Field(
        default_factory=dict, description="What stands in for which tool."
    )
    sandbox: Place | None = Field(
        default=None,
        description="A context manager, async or not, that is entered once around the whole preflight.",
    )
    simulator: Annotated[str, Field(min_length=1, max_length=500)] | None = Field(
        default=None,
        description='A file of rules, or "built-in": the simulator answers in place of every model.',
    )
    trial_s_max: Annotated[float, Field(gt=0, le=3600)] | None = Field(
        default=None,
        description="Real seconds after which a trial is given up; default: as long as the policy lets a task run, and "
        "15 more; with the simulator at most 30.",
    )


class PreflightSettings(StageSettings):
    """All of preflight.toml; without the file all is as by default."""

    cases: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=500)], ...], Field(strict=False, max_length=100)
    ] = Field(
        default=(CASES,),
        description="Suites: files (YAML, JSON, CSV), folders, and functions as module:function, from this folder on.",
    )
    budget_usd: Annotated[float, Field(ge=0, le=1_000_000)] = Field(
        default=5.0,
        description="What one preflight may cost. Broken: it ends with a partial verdict; --budget says otherwise.",
    )
    judge: ModelRule | None = Field(
        default=None,
        description="The model that scores answers against rubrics; without one such cases are undecided.",
    )
    failures: FailureSettings = Field(default=FailureSettings(), description="The tool-failure matrix.")
    concurrency: ConcurrencySettings = Field(
        default=ConcurrencySettings(), description="How many runs at once are tried."
    )
    load: LoadSettings = Field(
        default=LoadSettings(), description="The volume to be expected, and what may come of it."
    )
