"""What a failure matrix costs when each cell begins at its fault, against running each from the start.

Run `python -m benchmarks.preflight`: 500 cells of the demo's agent with the simulator in place of the model, in rounds
that take turns with the peer, which is the same cells without prefix and without recorded answers. Prints one JSON
line last.
"""

import argparse
import asyncio
import contextlib
import importlib.util
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from airworthy.app.build import MIGRATIONS
from airworthy.core.clock import SystemClock
from airworthy.demo import pretending
from airworthy.demo.inquiries import inquiries
from airworthy.demo.variants.variant import sound
from airworthy.evals import Case
from airworthy.gateway.simulator.rules import Rules
from airworthy.preflight import failures
from airworthy.preflight.cell import State
from airworthy.preflight.plan import Cell, Context, Golden
from airworthy.preflight.settings import StageSettings, ToolSettings
from airworthy.preflight.stage import Script
from airworthy.preflight.stage.models import SimulatedModels
from airworthy.preflight.stage.playhouse import Playhouse, Setting, opened
from airworthy.runtime import Agent
from benchmarks._figures import median_of, ratios, rounded

SEED: Final = 7
JOBS: Final = 16  # As `airworthy preflight` runs them.
ACTS: Final = ("refund", "send_reply")
SETTINGS: Final = StageSettings(
    tools={name: ToolSettings(stand_in=f"airworthy.demo.pretending:{name}") for name in ACTS}
)


class Remembered:
    """Implements `Answers` in memory: what is measured is calls, not the disk."""

    def __init__(self) -> None:
        self._kept: dict[bytes, bytes] = {}

    def find(self, key: bytes) -> bytes | None:
        return self._kept.get(key)

    def keep(self, key: bytes, body: bytes, user: str, now_us: int) -> None:
        self._kept[key] = body


class KeptModels(SimulatedModels):
    """The simulator, whose answers are kept as those of a model that costs money are."""

    kept = True


@dataclass(frozen=True, slots=True)
class Round:
    wall_s: float
    model_calls: int
    states: dict[str, int]


@dataclass(frozen=True, slots=True)
class Project:
    agent: Agent
    rules: Rules


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--letters", type=int, default=12, help="golden cases, each of another kind")
    options = parser.parse_args()
    with project() as found:
        print(json.dumps(asyncio.run(measured(found, options.cells, options.rounds, options.letters))))


@contextlib.contextmanager
def project() -> Iterator[Project]:
    """The demo's agent in a folder of its own, with its shop open."""
    with tempfile.TemporaryDirectory(prefix="airworthy-bench-") as name:
        folder = Path(name)
        files = sound()
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
        (folder / "shop.toml").write_text('url = "http://127.0.0.1:0"\n', encoding="utf-8")
        with pretending.shop_open(folder) as url:
            (folder / "shop.toml").write_text(f'url = "{url}"\n', encoding="utf-8")
            yield Project(_loaded(folder / "agent.py"), Rules.parse(files["rules.toml"]))


def _loaded(file: Path) -> Agent:
    spec = importlib.util.spec_from_file_location("benchmarked_demo_agent", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    agent = module.agent
    assert isinstance(agent, Agent)
    return agent


@contextlib.asynccontextmanager
async def staged(project: Project, answers: Remembered | None = None) -> AsyncIterator[Playhouse]:
    models = (SimulatedModels if answers is None else KeptModels)(project.rules)
    async with opened(
        Setting(project.agent, MIGRATIONS, models, SystemClock(), SETTINGS, answers=answers)
    ) as stage:
        yield stage


def cases(number: int) -> list[Case]:
    """The first letter of each kind."""
    kinds: dict[str, Case] = {}
    for letter in inquiries(SEED):
        if letter.kind not in kinds:
            name = letter.kind.replace("_", "-")
            kinds[letter.kind] = Case(
                id=name, input=letter.message, session=letter.key, user=letter.sender, source="email"
            )
    return list(kinds.values())[:number]


async def recorded(project: Project, stage: Playhouse, number: int) -> Context:
    """The golden runs; those that came to no outcome are left out, as the preflight leaves them out."""
    golden = []
    for case in cases(number):
        played = await stage.play(Script(case))
        if played.trial.outcome is not None and not played.trial.crash:
            golden.append(Golden(case, played))
            stage.learn(case, played.recording)
    agent = project.agent
    return Context(agent, agent.policy, tuple(each.case for each in golden), tuple(golden), SEED)


def from_the_start(cell: Cell) -> Cell:
    """The same cell without a prefix: its fault waits for its call."""
    _, target = cell.about
    later = target.call - 1
    scripts = tuple(
        replace(
            script, prefix=None, at=0,
            faults=tuple(replace(placed, nth=placed.nth + later) for placed in script.faults),
        )
        for script in cell.scripts
    )  # fmt: skip
    return replace(cell, scripts=scripts)


async def once(stage: Playhouse, ctx: Context, cells: Sequence[Cell]) -> Round:
    room = asyncio.Semaphore(JOBS)
    states = dict.fromkeys(State, 0)
    calls = 0

    async def one(cell: Cell) -> None:
        nonlocal calls
        async with room:
            played = [await stage.play(script) for script in cell.scripts]
        result = await failures.judge(ctx, cell, played)
        states[result.state] += 1
        calls += result.model_calls_made

    began = time.perf_counter()
    await asyncio.gather(*(one(cell) for cell in cells))
    wall_s = time.perf_counter() - began
    return Round(wall_s, calls, {state.value: count for state, count in states.items() if count})


async def measured(project: Project, cells_max: int, rounds: int, letters: int) -> dict[str, Any]:
    ours: list[Round] = []
    peer: list[Round] = []
    prefix_only: Round | None = None
    cells: list[Cell] = []
    golden_calls = planned = 0
    for number in range(rounds):
        answers = Remembered()
        async with staged(project, answers) as stage, staged(project) as bare:
            ctx = await recorded(project, stage, letters)
            for each in ctx.golden:
                bare.learn(each.case, each.played.recording)
            golden_calls = sum(each.played.trial.model_calls_made for each in ctx.golden)
            plan = failures.plan(ctx)
            planned, cells = len(plan), plan[:cells_max]
            started = [from_the_start(cell) for cell in cells]
            turns = [("ours", stage, cells), ("peer", bare, started)]
            for name, place, wanted in turns if number % 2 == 0 else reversed(turns):
                found = await once(place, ctx, wanted)
                (ours if name == "ours" else peer).append(found)
                print(f"{name}: {found.wall_s:.1f} s, {found.model_calls} model calls, {found.states}")
            if prefix_only is None:
                prefix_only = await once(bare, ctx, cells)
    fewer = median_of(
        ratios([float(each.model_calls) for each in peer], [float(each.model_calls) for each in ours])
    )
    assert prefix_only is not None
    return {
        "cells": len(cells),
        "wall_s": rounded(median_of([each.wall_s for each in ours]), 2),
        "model_calls": round(median_of([float(each.model_calls) for each in ours]) or 0),
        "fewer_model_calls_ratio": rounded(fewer, 2),
        "peer_wall_s": rounded(median_of([each.wall_s for each in peer]), 2),
        "peer_model_calls": round(median_of([float(each.model_calls) for each in peer]) or 0),
        "prefix_only_model_calls": prefix_only.model_calls,
        "golden_model_calls": golden_calls,
        "states": ours[-1].states,
        "rounds": rounds,
        "notes": [
            f"the first {len(cells)} of {planned} cells; peer: each from the start, without recorded answers",
            "prefix_only_model_calls: with the prefix, but each later request asked anew",
        ],
    }  # fmt: skip


if __name__ == "__main__":
    main()
