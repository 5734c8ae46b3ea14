"""A stage for tests: an agent with a read and two acts, whose own functions fail the test if they are ever called."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

from airworthy.app.build import MIGRATIONS
from airworthy.core.clock import ManualClock
from airworthy.evals import Case
from airworthy.gateway.simulator.faults import FaultPlan
from airworthy.gateway.simulator.rules import Rules
from airworthy.policy import Policy
from airworthy.preflight.settings import StageSettings
from airworthy.preflight.stage.models import Models, SimulatedModels
from airworthy.preflight.stage.playhouse import Playhouse, Setting, opened
from airworthy.runtime import Agent, Run
from airworthy.tools import Tool, tool

T = TypeVar("T")
PIN = "sim-large-2026-11-01"

RULES = """
[[rule]]
name = "after-refund"
when = { after_tool = "refund" }
reply = "Refunded order {order}."

[[rule]]
name = "place-order"
when = { user = 'order (?P<order>[0-9]+)', has_tool = "none" }
reply = ""

[[rule]]
name = "refund"
when = { after_tool = "find_order", user = "refund" }
call = [{ tool = "refund", arguments = { order_id = "{order}", cents = "1200" } }]

[[rule]]
name = "found"
when = { after_tool = "find_order" }
reply = "It is {find_order.status}."

[[rule]]
name = "look"
when = { user = "order" }
call = [{ tool = "find_order", arguments = { order_id = "{order}" } }]
"""


LEFT: list[str] = []


class LeftTheHouse(AssertionError):
    """An act's real function was called. Noted, because a guard makes an answer of what a tool raises."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        LEFT.append(what)


@tool
async def find_order(order_id: int) -> dict[str, Any]:
    """Finds an order by its number."""
    return {"id": order_id, "status": "shipped", "paid_cents": 1200}


@tool(effect="write", keyed=True, resource="order:{order_id}")
async def refund(order_id: int, cents: int, *, idempotency_key: str) -> dict[str, Any]:
    """Pays back."""
    raise LeftTheHouse("refund")


@tool(effect="send")
async def send_mail(to: str, body: str) -> str:
    """Sends a mail; the service honours no key."""
    raise LeftTheHouse("send_mail")


TOOLS = (find_order, refund, send_mail)


def policy_of(**said: Any) -> Policy:
    models = [{"name": PIN, "base_url": "http://127.0.0.1:1/v1", "api_key_env": "", "input_usd_per_mtok": 1.0,
               "output_usd_per_mtok": 4.0}]  # fmt: skip
    return Policy.model_validate(
        {"agent": "support", "purpose": "tests of the stage", "models": models, **said}
    )


def agent_of(handler: Callable[[Any], Any] | None = None, *tools: Tool, **said: Any) -> Agent:
    """Left out: the built-in loop with the tools of this file."""
    made = Agent(policy_of(**said), tools=tools or TOOLS)
    made.task(handler if handler is not None else looping)
    return made


async def looping(run: Run) -> Any:
    return await run.loop(instructions="Help.")


def simulated(rules: str = RULES, faults: str = "") -> SimulatedModels:
    return SimulatedModels(Rules.parse(rules), FaultPlan.parse(faults) if faults else None)


@contextlib.asynccontextmanager
async def stage_of(
    agent: Agent | None = None,
    models: Models | None = None,
    settings: StageSettings | None = None,
    **more: Any,
) -> AsyncIterator[Playhouse]:
    """`more`: as `Setting` takes it."""
    clock = more.pop("clock", None) or ManualClock()
    setting = Setting(
        agent if agent is not None else agent_of(), MIGRATIONS,
        models if models is not None else simulated(), clock, settings or StageSettings(), **more,
    )  # fmt: skip
    LEFT.clear()
    async with opened(setting) as stage:
        yield stage
        assert not LEFT


def case(value: Any = "Where is order 1001?", **said: Any) -> Case:
    return Case(id=said.pop("id", "case"), input=value, **said)


def played(work: Coroutine[Any, Any, T]) -> T:
    """Runs a test's coroutine on a real loop: the stage has its own time."""
    return asyncio.run(work)
