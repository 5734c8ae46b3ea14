"""The demo's agent, sound or broken, as a project with its shop, and a stage to play it on."""

import contextlib
import importlib.util
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from airworthy.app.build import MIGRATIONS
from airworthy.app.preflight_settings import PreflightSettings
from airworthy.core.clock import SystemClock
from airworthy.demo.inquiries import Inquiry, inquiries
from airworthy.demo.shop import BUYERS
from airworthy.demo.variants import variant
from airworthy.demo.variants.variant import sound
from airworthy.evals import Case
from airworthy.evals.case import Expect, Number, ToolExpect
from airworthy.gateway.simulator.rules import Rules
from airworthy.preflight.crowd_settings import ConcurrencySettings, LoadSettings
from airworthy.preflight.settings import ToolSettings
from airworthy.preflight.stage.models import SimulatedModels
from airworthy.preflight.stage.playhouse import Playhouse, Setting, opened
from airworthy.runtime import Agent

SEED: Final = 7
_REPLY: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["status", "summary", "prices_quoted"],
    "properties": {
        "status": {"enum": ["answered", "declined", "escalated"]},
        "summary": {"type": "string"},
        "prices_quoted": {"type": "array", "items": {"type": "string"}},
    },
}


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
    """A letter of each kind that matters here, with what must come of it."""
    chosen = {
        "price": ("answered",), "order_status": ("answered",), "policy": ("answered",),
        "refund_small": ("answered",), "refund_large": ("answered",), "latest_order": ("answered",),
    }  # fmt: skip
    known = {
        buyer.email for buyer in BUYERS
    }  # They write letters with a twist; those of the others are plain.
    letters = [letter for letter in inquiries(SEED) if letter.sender not in known]
    return tuple(_case(kind, next(each for each in letters if each.kind == kind)) for kind in chosen)


def _case(kind: str, letter: Inquiry) -> Case:
    refund = (ToolExpect(name="refund"),) if kind.startswith("refund") else ()
    expect = Expect(
        outcome=("answered",),
        json_schema=_REPLY,
        acts=(*refund, ToolExpect(name="send_reply", arguments={"to": letter.sender})),
        approval=("refund",) if kind == "refund_large" else (),
        steps=Number(max=12),
    )
    return Case(
        id=kind.replace("_", "-"), input=letter.message, session=letter.key, user=letter.sender,
        source="email", expect=expect,
    )  # fmt: skip


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
