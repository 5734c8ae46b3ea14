"""What preflight.toml may say of many runs at once: how many, how fast, and how long one may wait. Values only."""

from pydantic import BaseModel, ConfigDict, Field


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ConcurrencySettings(_Strict):
    """`runs`: of different cases at once. `same_runs`: of one case at once, on the same resources."""

    runs: int = Field(default=25, ge=2, le=50)
    same_runs: int = Field(default=10, ge=2, le=50)


class LoadSettings(_Strict):
    """`per_hour`: tasks that are expected; left out, the policy's admission rate counts as declared. `times`: by how
    much more is handed in. `tasks`: how many. `arrivals`: a file with times, whose pattern is kept. `queue_s_max`: how
    long nineteen tasks of twenty may wait for their beginning. `success_min`: share that must end as expected.
    `places`: tasks that all workers together do at once. `model_s`, `tool_s`: how long a call takes; left out, as long
    as it took when it was recorded.
    """

    per_hour: float | None = Field(default=None, gt=0)
    places: int = Field(default=16, ge=1, le=100_000)
    times: float = Field(default=10.0, ge=1, le=1000)
    tasks: int = Field(default=100, ge=2, le=2000)
    arrivals: str = ""
    queue_s_max: float = Field(default=60.0, ge=0)
    success_min: float = Field(default=0.99, ge=0, le=1)
    model_s: float | None = Field(default=None, ge=0, le=600)
    tool_s: float | None = Field(default=None, ge=0, le=600)
