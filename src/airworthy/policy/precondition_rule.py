"""What must be well before a task begins, and what becomes of the task while it is not."""

from typing import Annotated, Literal

from pydantic import Field

from airworthy.policy.kinds import ENTRIES_MAX, Seconds, SecondsOrNone, Section, ToolName


class Preconditions(Section):
    """What is looked at before a task begins, so that it does not fail in the middle."""

    dependencies: Annotated[tuple[ToolName, ...], Field(strict=False, max_length=ENTRIES_MAX)] = Field(
        default=(),
        description="Dependencies that must be well: breaker not open, credentials at hand, health as declared. "
        "Broken: the task does not begin, see `otherwise`; one that is not critical holds no task up.",
    )
    otherwise: Literal["wait", "decline", "escalate"] = Field(
        default="wait",
        description="What becomes of the task: it waits and looks again, is declined, or goes to a person. "
        "Broken: an unknown word is an error at load.",
    )
    wait_s_max: Seconds = Field(
        default=3_600.0,
        description="How long a task waits to begin. Broken: `tool_failure` stops the task.",
    )
    timeout_s: Seconds = Field(
        default=10.0,
        description="How long the whole look may take. Broken: what has not answered counts as unwell.",
    )
    cache_s: SecondsOrNone = Field(
        default=10.0,
        description="How long one look serves for all tasks of a worker. Broken: the next task looks anew.",
    )
