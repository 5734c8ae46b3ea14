"""What a preflight is put together of: its cases, its parts, what answers for the models, and the release it is of."""

import contextlib
import importlib
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final

from airworthy.app.build import MIGRATIONS, App
from airworthy.app.credentials import credentials_of
from airworthy.app.preflight_settings import BUILT_IN
from airworthy.app.providers import upstream_of
from airworthy.core.errors import ConfigError
from airworthy.evals import Case
from airworthy.evals.suites import Reach, Suite, load
from airworthy.evals.suites.load import is_function
from airworthy.gateway import place_of
from airworthy.gateway.simulator.rules import Rules
from airworthy.preflight.cell import Part
from airworthy.preflight.plan import PartOf
from airworthy.preflight.settings import CASES, PreflightSettings
from airworthy.preflight.stage.answers import StoredAnswers
from airworthy.preflight.stage.models import Models, RealModels, SimulatedModels
from airworthy.preflight.stage.playhouse import Playhouse, Setting, opened
from airworthy.preflight.stage.purse import Purse
from airworthy.preflight.stage.stand_ins import named
from airworthy.runtime import Agent
from airworthy.runtime.sources import code_files, fingerprint

_PARTS: Final = {
    Part.FAILURES: "airworthy.preflight.failures",
    Part.ADVERSARIAL: "airworthy.preflight.adversarial",
    Part.CONTEXT: "airworthy.preflight.context",
    Part.CONCURRENCY: "airworthy.preflight.concurrency",
    Part.LOAD: "airworthy.preflight.load",
}


def parts(wanted: Sequence[Part]) -> dict[Part, PartOf]:
    """Only those wanted are imported, since each knows a good part of the house."""
    return {part: importlib.import_module(module) for part, module in _PARTS.items() if part in wanted}


def suite_of(
    folder: Path,
    settings: PreflightSettings,
    named: Sequence[str],
    stored: Sequence[Case] = (),
    reach: Reach | None = None,
) -> Suite:
    """`named`: suites of the command line, in place of those of the settings. `stored`: cases that people made of tasks
    and that no file holds. `reach`: of the agent that is to run them. Raises: SuiteError, ConfigError.
    """
    at = str(folder.resolve())
    if at not in sys.path:
        sys.path.insert(0, at)
    wanted = list(named) or list(settings.cases)
    if wanted == [CASES] and not (folder / CASES).exists():
        if stored:
            return load((), more=stored, reach=reach)
        raise ConfigError(
            f"There are no cases: {folder / CASES} is not there.",
            mend="Write cases/golden.yaml, or take a task as one: airworthy case from-task ID.",
        )
    return load([path if is_function(path) else folder / path for path in wanted], more=stored, reach=reach)


def reach_of(agent: Agent) -> Reach:
    """What its policy lets it do at all. An agent without tools here may have them elsewhere."""
    policy = agent.policy
    amounts = {
        name: (rule.amount_arg, float(rule.amount_max))
        for name, rule in policy.tools.items()
        if rule.amount_arg is not None and rule.amount_max is not None
    }
    tools = frozenset(tool.name for tool in agent.tools) or None
    limits = policy.limits
    return Reach(tools, limits.steps, limits.cost_usd, limits.seconds, amounts)


def props_of(folder: Path, settings: PreflightSettings) -> dict[str, str]:
    """Fingerprints of what preflight.toml names and no release holds: rules, arrivals, stand-ins, the sandbox. Cells
    that were played with others are no part of the same preflight. Raises: ConfigError.
    """
    places = [(f"tools.{name}.stand_in", said.stand_in) for name, said in settings.tools.items()]
    places.append(("sandbox", settings.sandbox or ""))
    found = code_files(folder, [named(place, key) for key, place in places if ":" in place])
    for name in (settings.simulator, settings.load.arrivals):
        if name and name != BUILT_IN:
            with contextlib.suppress(OSError):  # Who reads it says so better.
                found[name] = fingerprint((folder / name).read_bytes())
    return found


def models_of(agent: Agent, folder: Path, settings: PreflightSettings) -> tuple[Models, str]:
    """What answers for the agent's models, and the word for it: "simulated" or "real"."""
    if settings.simulator is not None:
        rules = None if settings.simulator == BUILT_IN else Rules.load(folder / settings.simulator)
        return SimulatedModels(rules), "simulated"
    own = agent.clients or {}
    upstreams = {
        place_of(rule): own[rule.name] if rule.name in own else upstream_of(rule)
        for rule in agent.policy.models
    }
    return RealModels(upstreams), "real"


@contextlib.asynccontextmanager
async def staged(
    app: App, agent: Agent, settings: PreflightSettings, models: Models, purse: Purse
) -> AsyncIterator[Playhouse]:
    """Raises: ConfigError."""
    credentials: Any = credentials_of(agent, app)
    setting = Setting(
        agent, MIGRATIONS, models, app.clock, settings, purse, StoredAnswers(app.database, app.payloads, agent.name),
        credentials, app.payloads, folder=app.folder or Path(),
    )  # fmt: skip
    async with opened(setting) as stage:
        yield stage
