"""Cases of a working folder: those in its files, those that people made of tasks, and what makes one small."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from airworthy.app.build import App
from airworthy.app.preflight_parts import models_of, staged, suite_of
from airworthy.app.preflight_settings import load_preflight_settings
from airworthy.evals import Case, Trial
from airworthy.evals.suites import Suite, load
from airworthy.preflight.cases.keeping import Cases
from airworthy.preflight.cases.shrinking import RUNS_MAX, Shrunk, shrink
from airworthy.preflight.settings import CASES
from airworthy.preflight.stage.purse import Purse, cap_of
from airworthy.preflight.stage.script import Script
from airworthy.runtime import Agent

SEED = 7


@dataclass(frozen=True, slots=True)
class Effort:
    """How long and for how much a smaller case is looked for. `budget_usd` None: as preflight.toml says."""

    runs_max: int = RUNS_MAX
    repeat: int = 1
    budget_usd: float | None = None


def cases_of(app: App) -> Cases:
    return Cases(app.database, app.clock, app.payloads)


def suite_in(folder: Path, paths: Sequence[str], stored: Sequence[Case] = ()) -> Suite:
    """What a preflight of the folder would run: its suites, or `paths` in their place, and stored cases. A folder
    without any has none. Raises: SuiteError, PolicyError.
    """
    settings = load_preflight_settings(folder)
    if not paths and settings.cases == (CASES,) and not (folder / CASES).exists():
        return load((), more=stored)
    return suite_of(folder, settings, paths, stored)


async def shrunk(app: App, agent: Agent, folder: Path, case: Case, effort: Effort) -> Shrunk:
    """Plays the case on a stage of its own, as preflight.toml says. Raises: DoesNotFail, ConfigError."""
    settings = load_preflight_settings(folder)
    models, _ = models_of(agent, folder, settings)
    usd = settings.budget_usd if effort.budget_usd is None else effort.budget_usd
    purse = Purse(cap_of(usd))
    async with staged(app, agent, settings, models, purse) as stage:

        async def play(tried: Case) -> Trial:
            # The same chances each time: what differs is the case alone.
            return (await stage.play(Script(tried, seed=SEED))).trial

        return await shrink(case, play, runs_max=effort.runs_max, repeat=effort.repeat)
