"""What was begun under a key is left as it stands where to ask again would be another call, or hold up its run."""

import asyncio
from typing import Any

from airworthy.policy import ToolRule
from airworthy.runtime import Run, State
from airworthy.tools import EffectState, Tool, Transient, tool
from tests.runtime.kit import Bench, bench
from tests.runtime.test_begun import POLICY, Service, asks, tools


async def life(b: Bench, seconds: float) -> None:
    working = asyncio.create_task(b.worker().run())
    await asyncio.sleep(seconds)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


def with_tenant(service: Service) -> Tool:
    """The tool as another release has it."""

    @tool(effect="send", keyed=True, resource="{tenant}:{to}")
    async def mail(to: str, tenant: str = "main", *, idempotency_key: str) -> str:
        """Sends under a key."""
        return await service.take(idempotency_key)

    return mail


async def test_a_tool_that_reads_the_same_arguments_otherwise_now_is_not_asked_again() -> None:
    """Its call would be another under the same key; and no fault in it may keep the task from being put down."""
    service = Service()

    async def agent(run: Run) -> None:
        if service.first:
            await run.tool("mail", to="ada")
        await asks(run)

    old = bench(agent, *tools(service), **POLICY)
    task = old.submit("ada")
    await life(old, 1)
    service.first = False
    new = bench(agent, with_tenant(service), database=old.app.database, **POLICY)
    await life(new, 60)

    assert new.task(task).state is State.WAITING
    assert len(service.keys) == 1


async def test_what_an_earlier_version_stored_without_its_secret_is_not_sent() -> None:
    service = Service()

    async def agent(run: Run) -> None:
        if service.first:
            await run.tool("mail", to="ghp_abcdefghijklmnopqrstuvwxyz0123456789")
        run.decline("Not mine.")

    b = bench(agent, *tools(service), **POLICY)
    b.submit("ada")
    await life(b, 1)
    service.first = False
    # It said of every intent that it is exact.
    b.app.database.write_now(lambda tx: tx.execute("UPDATE steps SET exact = 1"))
    await life(b, 30)

    assert len(service.keys) == 1


async def test_an_agent_that_handles_being_on_another_path_is_on_it_all_the_same() -> None:
    service = Service()

    async def agent(run: Run) -> None:
        try:
            await run.tool("mail", to="ada" if service.first else "eve")
        except Exception as error:
            run.escalate(str(error))

    b = bench(agent, *tools(service), **POLICY)
    task = b.submit("ada")
    await life(b, 1)
    service.first = False
    await life(b, 30)

    assert b.task(task).state is State.ESCALATED
    assert len(service.keys) == 1
    assert b.effect(task).state is EffectState.IN_DOUBT


async def _held_by_another(service: Service, works_s: float) -> tuple[Bench, str]:
    """A task whose act was begun, and whose resource is another's by now."""

    @tool(effect="send", keyed=True, resource="to:{to}")
    async def mail(to: str, *, idempotency_key: str) -> str:
        """Sends under a key."""
        return await service.take(idempotency_key)

    async def agent(run: Run) -> None:
        if service.first:
            await run.tool("mail", to="ada")
        await asyncio.sleep(works_s)
        run.decline("Not mine.")

    b = bench(agent, mail, **POLICY)
    task = b.submit("ada")
    await life(b, 1)
    service.first = False
    _holder(b, "tsk_another")
    return b, task


def _holder(b: Bench, holder: str | None) -> None:
    b.app.database.write_now(lambda tx: tx.execute("UPDATE resources SET holder = ?", (holder,)))


def _as_if_cut(b: Bench) -> None:
    """As a power cut leaves it: a worker of these tests lives until its act has timed out."""
    for table in ("steps", "effects"):
        sql = f"UPDATE {table} SET state = 'started', ended_us = NULL WHERE state = 'in_doubt'"
        b.app.database.write_now(lambda tx, sql=sql: tx.execute(sql))  # type: ignore[misc]


async def test_a_worker_that_lets_go_waits_for_no_resource() -> None:
    service = Service()
    b, _task = await _held_by_another(service, works_s=60)
    second = b.worker()
    working = asyncio.create_task(second.run())
    await asyncio.sleep(30)
    assert second.running
    second.abort()
    await asyncio.wait_for(working, 1)

    assert len(service.keys) == 1


async def test_a_worker_that_lets_go_while_what_was_begun_waits_makes_no_call_any_more() -> None:
    service = Service()
    b, task = await _held_by_another(service, works_s=1)
    second = b.worker()
    working = asyncio.create_task(second.run())
    await asyncio.sleep(30)  # The agent has declined, and its act waits for the resource.
    assert second.running
    second.abort()
    _holder(b, None)
    await asyncio.wait_for(working, 1)

    assert len(service.keys) == 1
    assert b.effect(task).state is EffectState.STARTED


async def test_a_run_that_is_tried_again_soon_leaves_what_cannot_be_asked_now_to_the_next() -> None:
    """What is down for the one is often down for the other: a short outage must not make doubt of both."""
    service = Service(Transient("down"))

    @tool
    async def look() -> str:
        """What the task cannot do without."""
        if len(service.keys) < 2:
            raise Transient("down")
        return "well"

    async def agent(run: Run) -> str:
        if service.first:
            return str(await run.tool("mail", to="ada"))
        await run.tool("look")
        return str(await run.tool("mail", to="ada"))

    rules: dict[str, Any] = {
        **POLICY["tools"],
        "mail": ToolRule(attempts=1, timeout_s=90.0, critical=False),
        "look": ToolRule(critical=True, attempts=1),
    }
    b = bench(agent, *tools(service), look, **{**POLICY, "tools": rules})
    task = b.submit("ada")
    await life(b, 1)
    service.first = False
    _as_if_cut(b)
    await life(b, 300)

    assert b.effect(task).state is EffectState.DONE
    assert b.task(task).state is State.ANSWERED
    assert len(set(service.keys)) == 1
