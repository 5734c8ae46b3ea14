"""A task lives through a machine whose clock is set while it runs."""

import asyncio

import pytest

from airworthy.core import clock as clocks
from airworthy.core.clock import SystemClock
from airworthy.core.outcome import Outcome
from airworthy.policy import ToolRule
from airworthy.runtime import Run
from airworthy.tools import EffectState, tool
from tests.runtime.kit import bench

S = 1_000_000_000


class Machine:
    """Stands in for the `time` module: follows the loop's virtual time; `ahead_s` is what somebody set."""

    def __init__(self) -> None:
        self.ahead_s = 0.0
        self._loop = asyncio.get_running_loop()

    def time_ns(self) -> int:
        return round((1_764_000_000 + self._loop.time() + self.ahead_s) * S)

    def monotonic_ns(self) -> int:
        return round(self._loop.time() * S)


@pytest.mark.parametrize("jump_s", [-3600.0, -30.0, 30.0, 3600.0])
async def test_a_clock_that_is_set_while_a_task_runs_costs_it_nothing_but_time(
    monkeypatch: pytest.MonkeyPatch, jump_s: float
) -> None:
    machine = Machine()
    monkeypatch.setattr(clocks, "time", machine)
    sent: list[str] = []

    @tool(effect="send", keyed=True)
    async def mail(to: str, *, idempotency_key: str) -> str:
        """Sends."""
        sent.append(idempotency_key)
        return "sent"

    async def handle(run: Run) -> str:
        await run.tool(mail, to="a")
        await run.sleep(10)
        await run.now()
        return "done"

    b = bench(handle, mail, clock=SystemClock(), tools={"mail": ToolRule(delay_s=5)})
    worker = b.worker()
    task_id = b.submit()
    working = asyncio.create_task(worker.run())
    await asyncio.sleep(2)
    machine.ahead_s = jump_s
    await asyncio.sleep(30)
    worker.stop()
    await working

    task = b.task(task_id)
    times = [step.started_us for step in b.steps(task_id)]
    assert task.outcome is Outcome.ANSWERED
    assert task.active_us >= 0
    assert times == sorted(times)
    assert b.effect(task_id).state is EffectState.DONE
    assert len(sent) == 1
