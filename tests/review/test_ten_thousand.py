"""Ten thousand approvals wait: the first page comes at once, and none of them costs a worker memory."""

import asyncio
import gc
import time
import tracemalloc
from dataclasses import replace
from typing import Any

import pytest

from airworthy import Run, tool
from airworthy.policy import ToolRule
from airworthy.review import ItemQuery
from airworthy.runtime import State, tasks
from airworthy.store import Tx
from airworthy.tools import outbox
from tests.runtime.kit import Bench, bench

MANY = 10_000
WAITING = 1_000
PAGE_S_MAX = 0.1
WAITING_BYTES_MAX = 1024


@tool(effect="send")
async def pay(to: str, amount: float) -> str:
    """Pays."""
    return f"{amount} to {to}"


async def pays(run: Run) -> Any:
    return await run.tool(pay, to=f"customer {run.input}", amount=80.0)


def desk() -> Bench:
    return bench(pays, pay, tools={"pay": ToolRule(approval="always")}, escalation={"default": "desk"})


@pytest.mark.slow
async def test_the_first_page_of_ten_thousand_comes_at_once() -> None:
    """One task is really run until it waits; its rows, under other ids, are the others."""
    made = desk()
    first = await made.done(0)
    assert first.state is State.WAITING
    effect = made.effect(first.id)

    def copied(tx: Tx) -> None:
        for number in range(1, MANY):
            task_id = f"tsk_{number:032d}"
            tasks.insert(
                tx,
                replace(first, id=task_id, trace_id=f"{number:032x}", created_us=first.created_us + number),
            )
            outbox.insert(tx, replace(effect, id=f"eff_{number:032d}", task_id=task_id, created_us=number))

    made.app.database.write_now(copied)
    queue = made.app.reviews
    queue.keep_up()
    took = []
    for _ in range(5):
        begun = time.perf_counter()
        page = queue.listing(ItemQuery())
        took.append(time.perf_counter() - begun)

    after = queue.listing(ItemQuery(after=page[-1].item.id, limit=1000))
    team = queue.listing(ItemQuery(to="desk"))

    print(f"first page of {MANY}: {min(took) * 1000:.1f} ms")
    assert min(took) < PAGE_S_MAX
    assert len({line.item.id for line in (*page, *after)}) == 1050
    assert [line.item.id for line in team] == [line.item.id for line in page]


@pytest.mark.slow
async def test_a_waiting_approval_costs_a_worker_next_to_no_memory() -> None:
    """What Python holds for WAITING tasks more, once the worker has taken each of them to where it waits."""
    made = desk()
    working = made.worker()
    running = asyncio.create_task(working.run())
    made.submit("loads what is loaded late")
    await asyncio.sleep(10)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(WAITING):
        made.submit(number)
    await asyncio.sleep(30)
    gc.collect()
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    working.stop()
    await running

    print(f"{held / WAITING:.0f} bytes of memory per waiting approval")
    assert made.app.operations.counts()[State.WAITING] == WAITING + 1
    assert held / WAITING < WAITING_BYTES_MAX
