"""The demo's agent, sound or broken, as a project with its shop, and a stage to play it on."""

import asyncio
import contextlib
import importlib.util
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from airworthy.app.build import MIGRATIONS
from airworthy.core.clock import SystemClock
from airworthy.demo import shop
from airworthy.demo.faults import NO_FAULTS
from airworthy.demo.inquiries import Inquiry, inquiries
from airworthy.demo.service import ShopService
from airworthy.demo.variants import variant
from airworthy.demo.variants.variant import sound
from airworthy.evals import Case
from airworthy.evals.case import Expect, Number, ToolExpect
from airworthy.gateway.simulator import serving
from airworthy.gateway.simulator.rules import Rules
from airworthy.preflight.plan import Context, Golden
from airworthy.preflight.settings import StageSettings
from airworthy.preflight.stage.models import SimulatedModels
from airworthy.preflight.stage.playhouse import Playhouse, Setting, opened
from airworthy.preflight.stage.script import Script
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


def written(folder: Path, shop_url: str, broken: str = "") -> Project:
    """`broken`: a variant's name; empty: the sound one."""
    files = sound() if not broken else variant(broken).applied(sound())
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "shop.toml").write_text(f'url = "{shop_url}"\n', encoding="utf-8")
    name = f"demo_agent_{broken or 'sound'}"
    spec = importlib.util.spec_from_file_location(name, folder / "agent.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return Project(module.agent, Rules.parse(files["rules.toml"]))


@contextlib.contextmanager
def shop_open(folder: Path) -> Iterator[str]:
    path = folder / "shop.db"
    with contextlib.closing(shop.connect(str(path))) as connection:
        shop.build(connection, SEED)
    with contextlib.closing(ShopService(path, NO_FAULTS)) as service, serving(service) as url:
        yield url


def cases() -> tuple[Case, ...]:
    """A letter of each kind that matters here, with what must come of it."""
    chosen = {
        "price": ("answered",), "order_status": ("answered",), "policy": ("answered",),
        "refund_small": ("answered",), "refund_large": ("answered",), "latest_order": ("answered",),
    }  # fmt: skip
    letters = inquiries(SEED)
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


@contextlib.asynccontextmanager
async def staged(project: Project) -> AsyncIterator[Playhouse]:
    settings = StageSettings()
    async with opened(
        Setting(project.agent, MIGRATIONS, SimulatedModels(project.rules, None), SystemClock(), settings)
    ) as stage:
        yield stage


async def golden(stage: Playhouse) -> tuple[Golden, ...]:
    """Each case once, whatever comes of it."""
    found = []
    for case in cases():
        played = await stage.play(Script(case, "golden", seed=SEED))
        stage.learn(case, played.recording)
        found.append(Golden(case, played))
    return tuple(found)


def context(project: Project, found: tuple[Golden, ...], settings: Any = None) -> Context:
    return Context(
        project.agent, project.agent.policy, tuple(each.case for each in found), found, SEED, settings
    )


def run(work: Any) -> Any:
    return asyncio.run(work)


