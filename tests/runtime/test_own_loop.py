"""Agents that bring their own loop, async or in threads: every call of theirs is guarded, recorded and replayed."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from airworthy.core.outcome import Outcome, ReasonCode
from airworthy.policy import Limits
from airworthy.runtime import Run, SyncRun
from airworthy.tools import Tool, ToolError, tool
from tests.gateway.kit import FIRST, Script, completion, model, script
from tests.runtime.kit import Bench, bench


def proposes(*calls: tuple[str, str]) -> bytes:
    """A reply in which the model asks for tools; arguments are text, as models send them."""
    return completion(
        choices=[
            {
                "message": {
                    "content": None,
                    "tool_calls": [
                        {
                            "id": f"c{n}",
                            "type": "function",
                            "function": {"name": name, "arguments": arguments},
                        }
                        for n, (name, arguments) in enumerate(calls)
                    ],
                },
                "finish_reason": "tool_calls",
            }
        ]
    )


class World:
    def __init__(self) -> None:
        self.looked: list[str] = []
        self.sent: list[str] = []

    def tools(self) -> tuple[Tool, Tool]:
        @tool
        async def look(order: str) -> str:
            """Looks."""
            self.looked.append(order)
            await asyncio.sleep(1)
            return f"{order} was sent"

        @tool(effect="send")
        async def mail(to: str) -> str:
            """Sends."""
            self.sent.append(to)
            return "ok"

        return look, mail


async def own_loop(run: Run) -> str:
    messages: list[Any] = [{"role": "user", "content": run.text}]
    while True:
        reply = await run.model(messages)
        if not reply.tool_calls:
            return reply.text
        messages.append(reply.message())

        async def called(name: str, arguments: str) -> str:
            try:
                return json.dumps(await run.call(name, arguments.encode()))
            except ToolError as error:
                return str(error)

        results = await asyncio.gather(*(called(call.name, call.arguments) for call in reply.tool_calls))
        messages += [
            {"role": "tool", "tool_call_id": call.id, "content": result}
            for call, result in zip(reply.tool_calls, results, strict=True)
        ]


def own_loop_in_a_thread(run: SyncRun) -> str:
    messages: list[Any] = [{"role": "user", "content": run.text}]
    while True:
        reply = run.model(messages)
        if not reply.tool_calls:
            return reply.text
        messages.append(reply.message())

        def called(call: Any) -> str:
            try:
                return json.dumps(run.call(call.name, call.arguments.encode()))
            except ToolError as error:
                return str(error)

        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(called, reply.tool_calls))
        messages += [
            {"role": "tool", "tool_call_id": call.id, "content": result}
            for call, result in zip(reply.tool_calls, results, strict=True)
        ]


TALK = (
    proposes(("look", '{"order": "7"}'), ("look", '{"order": "8"}')),
    proposes(("mail", '{"to": "ann"}'), ("rm", "{}"), ("look", '{"order": 9}'), ("look", "not json")),
    completion("All done."),
)


def made(handler: Any, world: World, client: Script, **policy: Any) -> Bench:
    return bench(handler, *world.tools(), clients={FIRST: client}, models=(model(),), **policy)


async def talk(handler: Any) -> None:
    world, client = World(), script(*TALK)
    b = made(handler, world, client)
    task = await b.done("What about 7 and 8?")

    assert task.outcome is Outcome.ANSWERED
    assert b.answer(task.id) == "All done."
    assert sorted(world.looked) == ["7", "8"]
    assert world.sent == ["ann"]
    results = [message["content"] for message in client.bodies[2]["messages"] if message["role"] == "tool"]
    assert results[0] == '"7 was sent"'
    assert results[2] == '"ok"'
    assert "outside this agent's scope" in results[3]
    assert "break its schema" in results[4]
    assert "break its schema" in results[5]


async def test_an_async_loop_of_ones_own_is_guarded_like_the_built_in_one() -> None:
    await talk(own_loop)


async def test_a_loop_in_threads_of_its_own_is_guarded_too() -> None:
    await talk(own_loop_in_a_thread)


async def resumed(handler: Any) -> None:
    world, client = World(), script(*TALK)
    b = made(handler, world, client)
    task_id = b.submit("What about 7 and 8?")
    for at in (0.5, 1.5):
        worker = b.worker()
        working = asyncio.create_task(worker.run())
        await asyncio.sleep(at)
        worker.abort()
        await working
    await b.work()

    assert b.task(task_id).outcome is Outcome.ANSWERED
    assert world.sent == ["ann"]
    assert len(client.bodies) == 3


async def test_an_async_loop_goes_on_after_a_crash_where_it_was() -> None:
    await resumed(own_loop)


async def test_a_loop_that_never_ends_is_stopped_with_what_it_did() -> None:
    world = World()
    client = script(proposes(("look", '{"order": "7"}')))
    b = made(own_loop, world, client, limits=Limits(steps=50, tool_calls=50))
    task = await b.done("What about 7?")

    assert (task.outcome, task.reason_code) == (Outcome.ESCALATED, ReasonCode.LOOP_IDENTICAL)
    assert len(world.looked) == 3


async def test_parallel_calls_of_one_turn_cannot_pass_a_limit_together() -> None:
    world = World()
    client = script(proposes(*[("look", json.dumps({"order": f"{n}"})) for n in range(30)]), completion("x"))
    b = made(own_loop, world, client, limits=Limits(steps=10, tool_calls=5))
    task = await b.done("What about all of them?")
    await asyncio.sleep(5)  # Reads that were under way end by themselves; nobody waits for them.

    assert (task.outcome, task.reason_code) == (Outcome.ESCALATED, ReasonCode.LIMIT_TOOL_CALLS)
    assert len(world.looked) <= 5
