"""No call past a limit or a budget, however many are made at once, on however many workers."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest

from airworthy import Agent, tool
from airworthy.app.build import App, assembled, worker
from airworthy.core.ids import Ids
from airworthy.core.money import NANO_PER_USD, nano_from_usd
from airworthy.core.outcome import ReasonCode
from airworthy.policy import Budgets, Limits, ModelRule, Policy, ToolRule
from airworthy.policy.sections import ChecksRule
from airworthy.runtime import Run, State, Submission, TaskQuery, Worker
from airworthy.store.lease import Owner
from airworthy.tools import ToolError
from tests.database import migrated
from tests.simulation.outside import INPUT_NANO, OUTPUT_NANO
from tests.virtual import LoopClock

TOKENS_OUT_MAX = 100
CALLS = 200
MODEL = "sim-2025-01-01"


class Dear:
    """Implements `ModelClient`; bills every call at the most it can cost, and counts."""

    def __init__(self) -> None:
        self.calls = 0
        self.billed_nano = 0
        self.tokens = 0
        self.at_once = 0
        self.at_once_max = 0

    async def complete(self, body: bytes, timeout_s: float) -> bytes:
        self.calls += 1
        self.at_once += 1
        self.at_once_max = max(self.at_once_max, self.at_once)
        await asyncio.sleep(0.5)
        self.at_once -= 1
        self.billed_nano += len(body) * INPUT_NANO + TOKENS_OUT_MAX * OUTPUT_NANO
        tokens_in = len(body) // 4
        self.tokens += tokens_in + TOKENS_OUT_MAX
        return orjson.dumps({
            "model": MODEL,
            "choices": [{"message": {"content": "Yes."}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": len(body), "completion_tokens": TOKENS_OUT_MAX},
        })  # fmt: skip

    async def aclose(self) -> None:
        pass


done: Counter[str] = Counter()


@tool(effect="write")
async def touch(name: str) -> str:
    """Counts."""
    done[name] += 1
    await asyncio.sleep(0.3)
    return name


@tool(effect="read")
async def glance(name: str) -> str:
    """Counts too."""
    done[name] += 1
    await asyncio.sleep(0.3)
    return name


def agent_with(
    limits: Limits,
    client: Dear,
    handler: Callable[[Run], Awaitable[Any]],
    budgets: Budgets | None = None,
    tools: dict[str, ToolRule] | None = None,
) -> Agent:
    model = ModelRule(
        name=MODEL, api_key_env="", output_tokens_max=TOKENS_OUT_MAX, timeout_s=2.0, concurrency=CALLS,
        input_usd_per_mtok=INPUT_NANO * 1e6 / NANO_PER_USD, output_usd_per_mtok=OUTPUT_NANO * 1e6 / NANO_PER_USD,
    )  # fmt: skip
    policy = Policy(
        agent="bounded", purpose="Tries to get past its limits.", limits=limits, budgets=budgets or Budgets(),
        models=(model,), checks=ChecksRule(input=(), output=()), tools=tools or {},
    )  # fmt: skip
    agent = Agent(policy, tools=[touch, glance], clients={MODEL: client})
    agent.task(handler)
    return agent


async def all_done(agent: Agent, tasks: int = 1, workers: int = 1) -> App:
    done.clear()
    database = migrated()
    app = assembled(database, [agent], LoopClock(), Ids(random.Random(1)))
    for number in range(tasks):
        app.operations.submit(agent.policy, Submission({"n": number}, key=str(number)))
    running: list[Worker] = [
        worker(app, [agent], concurrency=50, owner=Owner(f"wkr_{number}", "", number, ""))
        for number in range(workers)
    ]
    await asyncio.gather(*(each.run(until_idle=True) for each in running))
    return app


def limits(**bounds: Any) -> Limits:
    wide = {"steps": 1000, "tool_calls": 1000, "seconds": 600.0, "identical_calls": 1000, "cost_usd": 100.0}
    loops = {"cycle_repeats": 1000, "no_progress": 1000, "off_track": 1000, "tokens": 1_000_000}
    return Limits.model_validate({**wide, **loops, **bounds})


def parallel_models(count: int) -> Callable[[Run], Awaitable[Any]]:
    async def handle(run: Run) -> Any:
        asked = [run.model([{"role": "user", "content": f"question {number:03}"}]) for number in range(count)]
        await asyncio.gather(*asked, return_exceptions=True)
        return "done"

    return handle


def reason_of(app: App) -> ReasonCode:
    task = app.operations.tasks(TaskQuery())[0]
    assert task.state is State.ESCALATED
    assert task.why is not None
    return task.why.code


async def test_two_hundred_model_calls_at_once_cannot_pass_the_money_of_a_task() -> None:
    client = Dear()
    agent = agent_with(limits(cost_usd=0.02), client, parallel_models(CALLS))

    app = await all_done(agent)

    assert client.billed_nano <= nano_from_usd(0.02)
    assert client.calls > 10
    assert reason_of(app) is ReasonCode.LIMIT_COST


async def test_many_tasks_on_two_workers_cannot_pass_the_money_of_a_day() -> None:
    client = Dear()
    agent = agent_with(limits(cost_usd=0.05), client, parallel_models(10), Budgets(day_usd=0.1))

    app = await all_done(agent, tasks=30, workers=2)

    assert client.billed_nano <= nano_from_usd(0.1)
    assert client.calls > 50
    assert app.operations.counts()[State.ESCALATED] >= 20


async def test_calls_at_once_cannot_pass_the_calls_of_a_day() -> None:
    client = Dear()
    agent = agent_with(limits(), client, parallel_models(10), Budgets(calls_per_day=37))

    await all_done(agent, tasks=10, workers=2)

    assert client.calls == 37


async def test_model_calls_at_once_cannot_pass_the_tokens_of_a_task() -> None:
    client = Dear()
    agent = agent_with(limits(tokens=3000, tokens_in=1000), client, parallel_models(CALLS))

    app = await all_done(agent)

    assert client.tokens <= 3000
    assert reason_of(app) is ReasonCode.LIMIT_TOKENS


@pytest.mark.parametrize("name", ["touch", "glance"])
async def test_tool_calls_at_once_cannot_pass_their_limit(name: str) -> None:
    async def handle(run: Run) -> Any:
        await asyncio.gather(
            *(run.tool(name, name=f"n{number}") for number in range(CALLS)), return_exceptions=True
        )
        return "done"

    app = await all_done(agent_with(limits(tool_calls=7), Dear(), handle))

    assert done.total() == 7
    assert reason_of(app) is ReasonCode.LIMIT_TOOL_CALLS


async def test_steps_of_all_kinds_at_once_cannot_pass_their_limit() -> None:
    client = Dear()

    async def handle(run: Run) -> Any:
        mixed: list[Awaitable[Any]] = []
        for number in range(CALLS):
            mixed.append(run.tool("touch", name=f"n{number}"))
            mixed.append(run.model([{"role": "user", "content": f"question {number}"}]))
        await asyncio.gather(*mixed, return_exceptions=True)
        return "done"

    app = await all_done(agent_with(limits(steps=9, tool_calls=9, identical_calls=9), client, handle))

    assert done.total() + client.calls == 9
    assert reason_of(app) is ReasonCode.LIMIT_STEPS


async def test_what_was_used_before_a_pause_counts_after_it() -> None:
    client = Dear()

    async def handle(run: Run) -> Any:
        for number in range(3):
            await run.tool("touch", name=f"n{number}")
        await run.sleep(60.0)
        for number in range(3, 10):
            await run.tool("touch", name=f"n{number}")

    app = await all_done(agent_with(limits(tool_calls=5), client, handle))

    assert done.total() == 5
    assert reason_of(app) is ReasonCode.LIMIT_TOOL_CALLS


async def test_tasks_at_once_cannot_pass_what_a_tool_may_do_in_a_day() -> None:
    async def handle(run: Run) -> Any:
        await asyncio.gather(
            *(run.tool("touch", name=f"{run.input['n']}/{number}") for number in range(5)),
            return_exceptions=True,
        )
        return "done"

    agent = agent_with(limits(), Dear(), handle, tools={"touch": ToolRule(per_day=13, critical=False)})

    await all_done(agent, tasks=10, workers=2)

    assert done.total() == 13


async def test_no_work_goes_on_past_the_time_of_a_task() -> None:
    async def handle(run: Run) -> Any:
        for number in range(1000):
            with contextlib.suppress(ToolError):  # The call that the end of the time cuts short.
                await run.tool("glance", name=f"n{number}")

    app = await all_done(agent_with(limits(seconds=3.0), Dear(), handle))

    assert done.total() <= 11
    assert reason_of(app) is ReasonCode.LIMIT_SECONDS
