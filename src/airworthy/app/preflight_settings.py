"""What `preflight.toml` says of a working folder's preflights; the parts declare their own tables."""

from pathlib import Path
from typing import Annotated, Final

from pydantic import Field

from airworthy.policy import ModelRule
from airworthy.policy.load import load_toml
from airworthy.preflight.crowd_settings import ConcurrencySettings, LoadSettings
from airworthy.preflight.failure_settings import FailureSettings
from airworthy.preflight.settings import StageSettings

PREFLIGHT_FILE: Final = "preflight.toml"
CASES: Final = "cases"
BUILT_IN: Final = "built-in"  # The simulator without a file of rules.


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


def load_preflight_settings(folder: Path) -> PreflightSettings:
    """Raises: PolicyError, with all problems of the file at once, each with its line."""
    path = folder / PREFLIGHT_FILE
    return load_toml(path, PreflightSettings) if path.exists() else PreflightSettings()
