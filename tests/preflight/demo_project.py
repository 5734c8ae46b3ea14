"""The demo's agent, sound or broken, as a project with its shop, and a stage to play it on."""

import contextlib
import importlib.util
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from airworthy.app.build import MIGRATIONS
from airworthy.core.clock import SystemClock
from airworthy.demo.cases import cases as demo_cases
from airworthy.demo.variants import variant
from airworthy.demo.variants.variant import sound
from airworthy.evals import Case
from airworthy.gateway.simulator.rules import Rules
from airworthy.preflight.crowd_settings import ConcurrencySettings, LoadSettings
from airworthy.preflight.settings import PreflightSettings, ToolSettings
from airworthy.preflight.stage.models import SimulatedModels
from airworthy.preflight.stage.playhouse import Playhouse, Setting, opened
from airworthy.runtime import Agent

SEED: Final = 7
# A letter of each kind that matters to some variant; the demo has forty.
IDS: Final = ("price", "order-status", "policy", "refund-small", "refund-large", "latest-order")


@dataclass(frozen=True, slots=True)
class Project:
    agent: Agent
    rules: Rules


def written(folder: Path, broken: str = "") -> Project:
    """`broken`: a variant's name; empty: the sound one. Its shop is where `shop.toml` of the working folder says."""
    files = sound() if not broken else variant(broken).applied(sound())
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    name = f"demo_agent_{broken or 'sound'}"
    spec = importlib.util.spec_from_file_location(name, folder / "agent.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return Project(module.agent, Rules.parse(files["rules.toml"]))


def cases() -> tuple[Case, ...]:
    known = {case.id: case for case in demo_cases(SEED)}
    return tuple(known[name] for name in IDS)


SETTINGS: Final = PreflightSettings(
    tools={
        name: ToolSettings(stand_in=f"airworthy.demo.pretending:{name}") for name in ("refund", "send_reply")
    },
    concurrency=ConcurrencySettings(runs=6, same_runs=4),
    load=LoadSettings(per_hour=120, tasks=12, model_s=1.5, tool_s=0.2),
)


@contextlib.asynccontextmanager
async def staged(project: Project) -> AsyncIterator[Playhouse]:
    models = SimulatedModels(project.rules)
    async with opened(Setting(project.agent, MIGRATIONS, models, SystemClock(), SETTINGS)) as stage:
        yield stage
