"""What preflight.toml may say of the world around a trial: a value, checked; who reads the file stands in `app`."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from airworthy.policy.flaws import Flaw
from airworthy.policy.kinds import ENTRIES_MAX, Section

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
