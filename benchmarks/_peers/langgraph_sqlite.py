"""LangGraph with its SQLite checkpointer in WAL mode with synchronous=FULL; run by the Python of its own environment.

A step is a node, because LangGraph checkpoints between nodes; durability="sync" makes it store each before the next.
"""

import asyncio
import time
import uuid
from typing import Any, TypedDict

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.config import get_config
from langgraph.graph import END, START, StateGraph

from benchmarks._driving import STEPS_PER_TASK, Order, in_slots, measure, measured, noop


class Value(TypedDict):
    """The whole state of a task: as small as it can be."""

    value: int


def _graph(saver: Any, marks: dict[str, list[float]]) -> Any:
    """Five nodes in a row; each notes when it began, so that a lap is a node with its checkpoint."""

    async def node(state: Value) -> Value:
        marks[get_config()["configurable"]["thread_id"]].append(time.perf_counter())
        return {"value": await noop(state["value"] + 1)}

    builder: Any = StateGraph(Value)
    names = [f"step_{number}" for number in range(STEPS_PER_TASK)]
    for name in names:
        builder.add_node(name, node)
    for before, after in zip([START, *names], [*names, END], strict=True):
        builder.add_edge(before, after)
    return builder.compile(checkpointer=saver)


async def _run(order: Order) -> None:
    async with AsyncSqliteSaver.from_conn_string(str(order.folder / "langgraph.db")) as saver:
        await saver.setup()
        for pragma in ("journal_mode = WAL", "synchronous = FULL"):
            await saver.conn.execute(f"PRAGMA {pragma}")
        fsync = (await _pragma(saver, "journal_mode"), int(await _pragma(saver, "synchronous")))
        marks: dict[str, list[float]] = {}
        graph = _graph(saver, marks)

        async def one(name: str) -> list[float]:
            marks[name] = []
            config = {"configurable": {"thread_id": name}}
            await graph.ainvoke({"value": 0}, config, durability="sync")
            began = marks.pop(name)
            ended = [*began[1:], time.perf_counter()]
            return [end - begin for begin, end in zip(began, ended, strict=True)]

        async def batch(tasks: int) -> tuple[float, list[float]]:
            return await in_slots(one, uuid.uuid4().hex, order.concurrency, tasks)

        tasks, seconds, laps = await measure(batch, order)
        measured(order, tasks, seconds, laps, fsync).print()


async def _pragma(saver: Any, name: str) -> Any:
    async with saver.conn.execute(f"PRAGMA {name}") as cursor:
        return (await cursor.fetchone())[0]


if __name__ == "__main__":
    asyncio.run(_run(Order.parse()))
