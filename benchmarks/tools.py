"""What a tool call costs beside its journal write, what the shape watch adds, and what a waiting approval takes in
memory; prints one JSON line last.

Run `python -m benchmarks.tools`, or `make bench NAME=tools`. `chain_us` is a whole call through the real toolbox:
scope, argument schema, limits and loop detection, place, breaker, retry, timeout, the act, result schema, watch. Its
journal and redactor are real, but on a database whose writes do nothing; what finding and packing the same step costs
is measured alone in the same seconds, as is the bare function, and both are taken off. So the figure is what the chain
adds to a program that would call the function and record it. All times are the best of many short rounds, because the
machine may be shared and nothing makes code faster than it is.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
import timeit
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import orjson

from airworthy.core.canonical import encode
from airworthy.core.clock import Clock, SystemClock
from airworthy.core.redact import Redactor
from airworthy.core.task import TaskRef
from airworthy.policy import Limits, Policy
from airworthy.recorder import Journal, Payloads, StepState
from airworthy.recorder.tables import MIGRATIONS as RECORDER
from airworthy.runtime.gate import RunGate
from airworthy.store import Fence, MemoryDatabase, Tx, migrate
from airworthy.store.tables import MIGRATIONS as STORE
from airworthy.tools import RunTools, Tool, Toolbox, tool
from airworthy.tools.guard import Tried
from airworthy.tools.shape import Matcher, Shape, added, settled
from airworthy.tools.tables import MIGRATIONS as TOOLS
from benchmarks import shapes
from benchmarks._environment import ENVIRONMENTS, NotTaken, Peer, answer, machine, prepared
from benchmarks._figures import cell
from benchmarks._ours_suspended import WARM_TASKS

T = TypeVar("T")

PEER = Peer("jsonschema", "benchmarks._peers.jsonschema_validation", ("jsonschema==4.26.0",))
CALLS_A_RUN = (
    5  # Few, so that some rounds pass without a turn of another process; a new run begins after them.
)
RECORDED_BYTES = (1_800, 2_300)
# The calls of a run differ in their arguments alone, and all bring the same.
LIMITS = Limits(tool_calls=20, steps=20, no_progress=20, off_track=20)
CHILD_S_MAX = 300.0
READING = (
    "chain_us: a read that returns an object of four fields; chain_act_us: a tool that acts, with intent and result.",
    "chain_2kb_us: the same read with the 2 KB result, whose size the chain reads, writes and watches.",
    "schema_watch_us includes reading the result's JSON, which a tool is spared that returns plain data.",
    "schema_watch_recorded_us: results of 1.8 to 2.3 KB recorded from a real tool, each held against all of them.",
    "jsonschema checks types, required and unknown fields; it reads the JSON with the standard library.",
    "approval_kb: what each of 10,000 more adds to a worker's process in which 10,000 wait already. The first ones",
    "fill the page cache, which has a bound (32 MB) however many wait: approval_with_cache_kb.",
)


@dataclass(frozen=True)
class Plan:
    rounds: int
    approvals: int


FULL, QUICK = Plan(rounds=500, approvals=10_000), Plan(rounds=20, approvals=500)


class Quiet:
    """A database whose writes are over at once and store nothing."""

    dialect = "sqlite"
    where = "nowhere"

    def clock(self, own: Clock) -> Clock:
        return own

    async def write(self, op: Callable[[Tx], T], *, fence: Fence | None = None, beside: bool = False) -> T:
        return None  # type: ignore[return-value]  # no caller here looks at it

    async def read(self, query: Callable[[Tx], T]) -> T:
        raise AssertionError("a measured call reads nothing")

    def write_now(self, op: Callable[[Tx], T]) -> T:
        raise AssertionError

    def read_now(self, query: Callable[[Tx], T]) -> T:
        raise AssertionError

    def listen(self, topics: Iterable[str], heard: Callable[[str], None]) -> None:
        return None

    def close(self) -> None:
        return


def order_of_2kb() -> dict[str, Any]:
    """An order as a shop's service gives it; some 2,000 bytes of JSON."""
    line = {
        "sku": "A-1042",
        "title": "Water bottle, steel, 750 ml",
        "quantity": 2,
        "usd": 24.5,
        "options": {"colour": "blue"},
    }
    return {
        "id": "6f1c1f8e-9a0b-4d6e-8c1a-5f0e9d8c7b6a", "status": "delivered", "created": "2026-11-02T09:14:00Z",
        "customer": {"id": "cus_8812", "name": "Ada Lovelace", "mail": "ada@example.com", "phone": None, "orders": 12},
        "address": {"street": "12 St James's Square", "city": "London", "zip": "SW1Y 4JH", "country": "GB"},
        "lines": [{**line, "sku": f"A-{number}"} for number in range(1042, 1056)],
        "payments": [{"method": "card", "usd": 245.0, "captured": True, "at": "2026-11-02T09:14:07Z"}],
        "notes": ["Leave it at the door.", "Rang twice, nobody in."], "total_usd": 245.0, "gift": False,
    }  # fmt: skip


SMALL = {"id": "8812", "status": "delivered", "usd": 129.5, "late": False}


@dataclass
class Findings:
    figures: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=lambda: list(READING))

    def take(self, name: str, take: Callable[[], float], digits: int) -> None:
        try:
            self.figures[name] = round(take(), digits)
        except NotTaken as why:
            self.figures[name] = None
            self.notes.append(f"{name}: {why}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short rounds, to see that everything runs")
    parser.add_argument("--data", type=Path, default=shapes.DATA)
    parser.add_argument("--folder", type=Path, default=ENVIRONMENTS, help="on the disk to use")
    said = parser.parse_args()
    plan = QUICK if said.quick else FULL
    said.folder.mkdir(parents=True, exist_ok=True)
    where = machine(said.folder)
    found = Findings()
    for name, of_tool, result in (
        ("chain", reading, SMALL), ("chain_2kb", reading, order_of_2kb()), ("chain_act", acting, SMALL),
    ):  # fmt: skip
        parts = asyncio.run(chain(of_tool(result), result, plan.rounds))
        found.figures |= {f"{name}_us": round(parts.chain, 1), f"{name}_parts_us": parts.document()}
    result = order_of_2kb()
    found.figures["schema_watch_bytes"] = len(encode(result))
    found.take("schema_watch_us", lambda: asyncio.run(watch_us(result, plan.rounds, typed=True)), 1)
    found.take("schema_watch_untyped_us", lambda: asyncio.run(watch_us(result, plan.rounds, typed=False)), 1)
    found.take("schema_watch_recorded_us", lambda: recorded_us(said.data, plan.rounds), 1)
    found.take("jsonschema_us", lambda: jsonschema_us(result, plan.rounds), 1)
    theirs, ours = found.figures["jsonschema_us"], found.figures["schema_watch_us"]
    found.figures["schema_watch_ratio_jsonschema"] = None if theirs is None else round(theirs / ours, 1)
    found.take("approval_kb", lambda: approval_kb(plan.approvals, plan.approvals, said.folder), 2)
    found.take("approval_with_cache_kb", lambda: approval_kb(plan.approvals, WARM_TASKS, said.folder), 2)
    found.figures |= {"approvals": plan.approvals, "machine": where, "notes": found.notes}
    for key, value in found.figures.items():
        print(f"{key:<30} {cell(value, 2) if isinstance(value, int | float) else json.dumps(value)}")
    print(json.dumps(found.figures))


def reading(result: Any) -> Tool:
    @tool
    async def look(order: str) -> dict[str, Any]:
        """Looks an order up."""
        return result  # type: ignore[no-any-return]

    return look


def untyped(result: Any) -> Tool:
    @tool
    async def look(order: str) -> Any:
        """Looks an order up."""
        return result

    return look


def acting(result: Any) -> Tool:
    @tool(effect="write", keyed=True)
    async def change(order: str, *, idempotency_key: str) -> dict[str, Any]:
        """Changes an order."""
        return result  # type: ignore[no-any-return]

    return change


@dataclass(frozen=True)
class Parts:
    """In microseconds: a whole call, and the two parts of it that are not the chain's."""

    call: float
    record: float
    function: float

    @property
    def chain(self) -> float:
        return self.call - self.record - self.function

    def document(self) -> dict[str, float]:
        return {
            "call": round(self.call, 1),
            "record": round(self.record, 1),
            "function": round(self.function, 1),
        }


async def chain(of: Tool, result: Any, rounds: int) -> Parts:
    """The three take turns, so that a change of the machine's pace falls on all of them."""
    policy = Policy(agent="bench", purpose="Measure the chain.", limits=LIMITS)
    box = Toolbox(policy, [of], SystemClock())
    await _pinned(box, of, result)
    database, data = Quiet(), encode(result)
    best = [float("inf")] * 3
    for number in range(rounds):
        for at, take in enumerate((_calls, _records, _functions)):
            journal = Journal(
                database,
                box.clock,
                Payloads(Redactor()),
                TaskRef(f"tsk_{number}", "bench", "0" * 32),
                Fence("bench", 1),
                1,
            )
            run = RunTools(journal, RunGate(policy, box.clock, b'"the input"', 0))
            best[at] = min(best[at], await take(box, run, of, data))
    return Parts(*best)


async def _calls(box: Toolbox, run: RunTools, of: Tool, _: bytes) -> float:
    arguments = [encode({"order": f"order {number}"}) for number in range(CALLS_A_RUN)]
    began = time.perf_counter()
    for each in arguments:
        run.journal.enter()
        await box.call(run, of.name, each)
        run.journal.leave()
    return (time.perf_counter() - began) / CALLS_A_RUN * 1e6


async def _records(_: Toolbox, run: RunTools, of: Tool, data: bytes) -> float:
    """What the journal itself does for these calls: a slot, and one record; for a tool that acts, intent and end."""
    arguments = [encode({"order": f"order {number}"}) for number in range(CALLS_A_RUN)]
    began = time.perf_counter()
    for each in arguments:
        slot = run.journal.slot("tool", of.name, each, effect=of.effect.value)
        if of.effect.acts:
            await run.journal.open(slot, StepState.STARTED)
            await run.journal.close(slot, StepState.DONE, result=data)
        else:
            await run.journal.record(slot, StepState.DONE, result=data)
    return (time.perf_counter() - began) / CALLS_A_RUN * 1e6


async def _functions(_: Toolbox, __: RunTools, of: Tool, ___: bytes) -> float:
    key = {"idempotency_key": "eff_1"} if of.takes_key else {}
    began = time.perf_counter()
    for number in range(CALLS_A_RUN):
        await of.function(order=f"order {number}", **key)
    return (time.perf_counter() - began) / CALLS_A_RUN * 1e6


async def _pinned(box: Toolbox, of: Tool, result: Any) -> None:
    """The watch knows the tool, as it does after its first results."""
    database = MemoryDatabase()
    migrate(database, (*STORE, *RECORDER, *TOOLS))
    await box.shapes.sync(database)
    data = encode(result)
    for number in range(box.rule(of.name).schema_learn):
        box.shapes.saw(of, f"tsk_{number}", Tried(result=data, value=orjson.loads(data), returned=True))
    await box.shapes.sync(database)


async def watch_us(result: Any, rounds: int, *, typed: bool) -> float:
    """One result that fits, from the tool's return to the next line. Without a declared type it is not read again."""
    of = reading(result) if typed else untyped(result)
    box = Toolbox(Policy(agent="bench", purpose="Measure the watch."), [of], SystemClock())
    await _pinned(box, of, result)
    data = encode(result)
    tried = Tried(result=data, value=orjson.loads(data), returned=True)
    best = min(timeit.repeat(lambda: box.shapes.saw(of, "tsk_1", tried), number=50, repeat=rounds))
    return best / 50 * 1e6


def recorded_us(data: Path, rounds: int) -> float:
    """The mean over one tool's results of about 2 KB, JSON reading included."""
    best: list[Any] = []
    for results in shapes.recorded(data).values():
        chosen = [value for value in results if RECORDED_BYTES[0] <= len(encode(value)) <= RECORDED_BYTES[1]]
        best = max(best, chosen, key=len)
    if not best:
        raise NotTaken(f"there are no recorded results in {data}")
    raw = [encode(value) for value in best]
    shape = Shape()
    for value, each in zip(best, raw, strict=True):
        added(shape, value, len(each))
    matcher = Matcher(settled(shape))
    if not all(matcher.fits(orjson.loads(each), len(each)) for each in raw):
        raise AssertionError("a result does not fit the shape that learnt it")

    def once() -> None:
        for each in raw:
            matcher.fits(orjson.loads(each), len(each))

    return min(timeit.repeat(once, number=1, repeat=rounds)) / len(raw) * 1e6


def jsonschema_us(result: Any, rounds: int) -> float:
    """The same value by a validator that is made once."""
    python = prepared(PEER)
    given = {"schema": schema_of(result), "result": encode(result).decode()}
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(given, file)
        file.flush()
        arguments = ["--number", "20", "--repeat", str(rounds), "--input", file.name]
        return float(answer(python, PEER.module, arguments, CHILD_S_MAX)["us"])


def schema_of(value: Any) -> dict[str, Any]:
    """As a person would write it down for this value: types, fields that must be there, and no others."""
    if isinstance(value, dict):
        fields = {name: schema_of(each) for name, each in value.items()}
        return {
            "type": "object",
            "properties": fields,
            "required": list(fields),
            "additionalProperties": False,
        }
    if isinstance(value, list):
        return {"type": "array", "items": schema_of(value[0]) if value else {}}
    if isinstance(value, str) and len(value) == 36 and value.count("-") == 4:
        return {"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}
    names = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
    return {"type": names[type(value)]}


def approval_kb(approvals: int, waiting: int, folder: Path) -> float:
    """What each of so many more adds to a worker's process in which `waiting` wait already."""
    with tempfile.TemporaryDirectory(prefix="tools-", dir=folder) as fresh:
        arguments = ["--database", f"{fresh}/waiting.db", "--tasks", str(approvals), "--for", "approval"]
        arguments += ["--warm", str(waiting)]
        taken = answer(Path(sys.executable), "benchmarks._ours_suspended", arguments, CHILD_S_MAX)
    return float((taken["after_kb"] - taken["before_kb"]) / taken["tasks"])


if __name__ == "__main__":
    main()
