"""What preflight.toml may say of many runs at once: how many, how fast, and how long one may wait. Values only."""

from pydantic import Field

from airworthy.policy.kinds import Section


class ConcurrencySettings(Section):
    """`[concurrency]`."""

    runs: int = Field(default=25, ge=2, le=50, description="Runs of different cases at once.")
    same_runs: int = Field(
        default=10, ge=2, le=50, description="Runs of one case at once, on the same resources."
    )


class LoadSettings(Section):
    """`[load]`."""

    per_hour: float | None = Field(
        default=None,
        gt=0,
        description="Tasks that are expected; left out, the policy's admission rate counts as declared.",
    )
    places: int = Field(
        default=16, ge=1, le=100_000, description="Tasks that all workers together do at once."
    )
    times: float = Field(default=10.0, ge=1, le=1000, description="By how much more is handed in.")
    tasks: int = Field(default=100, ge=2, le=2000, description="How many tasks are handed in.")
    arrivals: str = Field(
        default="",
        description="A file with the times at which tasks came, for their pattern; left out, the folder's own tasks.",
    )
    queue_s_max: float = Field(
        default=60.0,
        ge=0,
        description="How long nineteen tasks of twenty may wait for their beginning. Broken: the part is a no-go.",
    )
    success_min: float = Field(
        default=0.99,
        ge=0,
        le=1,
        description="The share that must end as expected. Broken: the part is a no-go.",
    )
    model_s: float | None = Field(
        default=None,
        ge=0,
        le=600,
        description="How long a call of a model takes; left out, as long as when it was recorded.",
    )
    tool_s: float | None = Field(
        default=None,
        ge=0,
        le=600,
        description="How long a call of a tool takes; left out, as long as when it was recorded.",
    )
