"""Random agents: a program is a tree of steps; `play` is the agent that carries one out. Deterministic in its run."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from airworthy import Agent, tool
from airworthy.core.money import NANO_PER_USD
from airworthy.gateway import ModelError
from airworthy.policy import Budgets, Limits, ModelRule, Policy, RuntimeRules, ToolRule
from airworthy.policy.review_rule import ReviewRules, WaitRule
from airworthy.policy.sections import ChecksRule
from airworthy.runtime import Run, StepFailed, SyncRun
from airworthy.tools import ToolError
from tests.simulation.mortal import life_here
from tests.simulation.outside import ADDED, INPUT_NANO, OUTPUT_NANO, WINDOW, Outside, OutsideClient

COUNTERS = ("a", "b", "c")
INCREMENT_TRIES = 12
DELAY_S = 2.0
ANSWER_S = 5.0
DECISION_S = 8.0
TIMEOUT_S = 1.0
MODEL = "sim-2025-01-01"


def outside() -> Outside:
    """Of the world in which this is called."""
    found: Outside = life_here().world.outside
    return found


@tool(effect="read")
async def look(label: str) -> str:
    """Reads something."""
    return await outside().read(label)


@tool(effect="send", keyed=True, dependency="send")
async def send(label: str, *, idempotency_key: str) -> str:
    """A keyed effect."""
    return await outside().act(label, idempotency_key, label)


@tool(effect="write", dependency="post")
async def post(label: str) -> str:
    """An effect without a key."""
    return await outside().act(label, None, label)


@tool(effect="send", keyed=True, dependency="later_send")
async def later_send(label: str, *, idempotency_key: str) -> str:
    """A keyed effect that waits in the outbox."""
    return await outside().act(label, idempotency_key, label)


@tool(effect="write", dependency="later_post")
async def later_post(label: str) -> str:
    """An effect without a key that waits in the outbox."""
    return await outside().act(label, None, label)


@tool(effect="send", keyed=True, dependency="ask_send")
async def ask_send(label: str, *, idempotency_key: str) -> str:
    """A keyed effect that a person approves."""
    return await outside().act(label, idempotency_key, label)


@tool(effect="delete", dependency="ask_post")
async def ask_post(label: str) -> str:
    """An effect without a key that a person approves."""
    return await outside().act(label, None, label)


@tool(effect="send", keyed=True, dependency="ask_later")
async def ask_later(label: str, *, idempotency_key: str) -> str:
    """Approved first, then in the outbox."""
    return await outside().act(label, idempotency_key, label)


@tool(effect="read", resource="counter:{name}", dependency="peek")
async def peek(name: str, label: str) -> int:
    """Reads a counter."""
    await outside().read(label)
    return outside().counters[name]


@tool(effect="write", keyed=True, resource="counter:{name}", dependency="put")
async def put(name: str, value: int, label: str, *, idempotency_key: str) -> str:
    """Sets a counter."""
    return await outside().act(label, idempotency_key, value, counter=name)


@tool(effect="write", keyed=True, resource="counter:{name}", dependency="later_add")
async def later_add(name: str, label: str, *, idempotency_key: str) -> str:
    """Adds to a counter, later."""
    return await outside().act(label, idempotency_key, ADDED, counter=name)


@tool(effect="write", keyed=True, resource="counter:{name}", dependency="ask_add")
async def ask_add(name: str, label: str, *, idempotency_key: str) -> str:
    """Adds to a counter when a person says so."""
    return await outside().act(label, idempotency_key, ADDED, counter=name)


TOOLS = (
    look,
    send,
    post,
    later_send,
    later_post,
    ask_send,
    ask_post,
    ask_later,
    peek,
    put,
    later_add,
    ask_add,
)
LEAVES = (
    "look", "look", "send", "send", "post", "later_send", "later_post", "ask_send", "ask_post", "ask_later",
    "now", "random", "uuid", "step",
    "ask", "model", "model", "increment", "increment", "later_add", "ask_add", "nap", "sleep",
)  # fmt: skip
UNKEYED = frozenset({"post", "later_post", "ask_post"})
# Calls without arguments: among parallel branches they are interchangeable, so a replay may swap them.
UNNAMED = frozenset({"now", "random", "uuid", "nap", "sleep"})
COUNTING = frozenset({"increment", "later_add", "ask_add"})
How = Literal["seq", "gather", "group", "collect", "stray"]


@dataclass(frozen=True)
class Leaf:
    kind: str
    label: str
    handled: bool = True
    patience_s: float | None = None
    counter: str = ""


@dataclass(frozen=True)
class Group:
    how: How
    children: "tuple[Node, ...]"


@dataclass(frozen=True)
class Choice:
    children: "tuple[Node, Node]"


@dataclass(frozen=True)
class Whim:
    """What no agent should be: it goes one way in one run and the other way in the next."""

    children: "tuple[Node, Node]"


Node = Leaf | Group | Choice | Whim


@dataclass(frozen=True)
class Program:
    number: int
    root: Node
    ending: Literal["answer", "decline", "escalate", "raise"] = "answer"
    flavour: str = "plain"  # Which agent runs it.


def random_program(chance: random.Random, number: int) -> Program:
    flavour = chance.choices(("plain", "sync", "critical", "tight", "poor"), (60, 3, 15, 10, 12))[0]
    leaves = iter(range(1, 100))
    # A task uses a counter in one place only: what its own branches do to each other is its own business.
    counters = iter(chance.sample(COUNTERS, len(COUNTERS)))

    def leaf() -> Leaf:
        kind = "model" if flavour == "poor" and chance.random() < 0.5 else chance.choice(LEAVES)
        counter = next(counters, "") if kind in COUNTING else ""
        if kind in COUNTING and not counter:
            kind = "send"
        patience_s = chance.choice((0.1, 0.5)) if chance.random() < 0.06 else None
        return Leaf(kind, f"t{number}.{next(leaves)}", chance.random() < 0.7, patience_s, counter)

    def node(depth: int) -> Node:
        drawn = chance.random()
        if depth == 0 or drawn < 0.35:
            return leaf()
        if drawn < 0.42:
            return Choice((node(depth - 1), node(depth - 1)))
        if drawn < 0.45:
            return Whim((node(depth - 1), node(depth - 1)))
        hows: tuple[How, ...] = ("seq", "gather", "group", "collect", "stray")
        how = "seq" if flavour == "sync" else chance.choices(hows, (45, 25, 12, 12, 6))[0]
        return Group(how, tuple(node(depth - 1) for _ in range(chance.randint(1, 4))))

    endings: tuple[Literal["answer", "decline", "escalate", "raise"], ...] = (
        "answer", "decline", "escalate", "raise",
    )  # fmt: skip
    ending = chance.choices(endings, (85, 5, 5, 5))[0]
    root = Group("seq", tuple(node(2) for _ in range(chance.randint(1, 3))))
    return Program(number, root, ending, flavour)


@dataclass
class Script:
    """One run of a program."""

    run: Run
    found: list[Any] = field(default_factory=list)


async def play(run: Run) -> list[Any]:
    """The agent of all programs but the sync ones."""
    world = life_here().world
    world.begun()
    program: Program = world.programs[run.input["program"]]
    script = Script(run)
    await _node(script, program.root)
    return _ended(run, program, script.found)


def play_sync(run: SyncRun) -> list[Any]:
    """The same in a thread, one step after the other."""
    world = life_here().world
    world.begun()
    program: Program = world.programs[run.input["program"]]
    found: list[Any] = []

    def walk(node: Node) -> None:
        match node:
            case Leaf():
                try:
                    value = _called_sync(run, node)
                except (ToolError, ModelError, StepFailed) as error:
                    world.told(node.label, error)
                    if not node.handled:
                        raise
                else:
                    world.told(node.label, value)
                    found.append(value)
            case Group(children=children):
                for child in children:
                    walk(child)
            case Choice(children=children):
                walk(children[0] if run.random() < 0.5 else children[1])
            case Whim(children=children):
                walk(children[world.whim() % 2])

    walk(program.root)
    return _ended(run, program, found)


def _ended(run: Run | SyncRun, program: Program, found: list[Any]) -> list[Any]:
    match program.ending:
        case "decline":
            run.decline("Not mine.")
        case "escalate":
            run.escalate("Ask somebody.")
        case "raise":
            raise RuntimeError("the agent has a bug")
        case "answer":
            pass
    return found


async def _node(script: Script, node: Node) -> None:
    match node:
        case Leaf():
            await _leaf(script, node)
        case Choice(children=children):
            await _node(script, children[0] if await script.run.random() < 0.5 else children[1])
        case Whim(children=children):
            await _node(script, children[life_here().world.whim() % 2])
        case Group(how="seq", children=children):
            for child in children:
                await _node(script, child)
        case Group(how="group", children=children):
            async with asyncio.TaskGroup() as group:
                for child in children:
                    _heard(group.create_task(_node(script, child)))
        case Group(how="stray", children=children):
            for child in children:
                _heard(asyncio.ensure_future(_node(script, child)))
        case Group(how=how, children=children):
            branches = [_heard(asyncio.ensure_future(_node(script, child))) for child in children]
            await asyncio.gather(*branches, return_exceptions=how == "collect")


def _heard(task: "asyncio.Task[None]") -> "asyncio.Task[None]":
    """A branch that fails while nobody waits for it makes no noise of its own."""
    task.add_done_callback(lambda ended: None if ended.cancelled() else (ended.exception(), None)[1])
    return task


async def _leaf(script: Script, leaf: Leaf) -> None:
    world = life_here().world
    if leaf.kind == "increment":
        await _increment(script.run, leaf)
        return
    try:
        async with asyncio.timeout(leaf.patience_s):
            value = await _called(script.run, leaf)
    except TimeoutError:
        return
    except (ToolError, ModelError, StepFailed) as error:
        world.told(leaf.label, error)
        if not leaf.handled:
            raise
        return
    if leaf.kind not in UNNAMED:
        world.told(leaf.label, value)
    script.found.append(value)


async def _increment(run: Run, leaf: Leaf) -> None:
    world = life_here().world
    for attempt in range(INCREMENT_TRIES):
        read, write = f"{leaf.label}r{attempt}", f"{leaf.label}w{attempt}"
        try:
            value = await run.tool(peek, name=leaf.counter, label=read)
            world.told(read, value)
            world.told(write, await run.tool(put, name=leaf.counter, value=value + 1, label=write))
            return
        except ToolError as error:
            world.told(write, error)


async def _called(run: Run, leaf: Leaf) -> Any:
    calls: dict[str, Callable[[], Awaitable[Any]]] = {
        "now": run.now,
        "random": run.random,
        "uuid": run.uuid,
        "step": lambda: run.step(leaf.label, _computed, leaf.label),
        "model": lambda: _modelled(run, leaf.label),
        "ask": lambda: run.ask(leaf.label, deadline_s=ANSWER_S, default=f"{leaf.label} by default"),
        "nap": lambda: run.sleep(0.3),
        "sleep": lambda: run.sleep(3.0),
    }
    if leaf.kind in ("later_add", "ask_add"):
        return await run.tool(leaf.kind, name=leaf.counter, label=leaf.label)
    call = calls.get(leaf.kind)
    return await (call() if call is not None else run.tool(leaf.kind, label=leaf.label))


async def _computed(label: str) -> str:
    life_here().world.check_not_done(label)
    await asyncio.sleep(0.01)
    return f"{label} computed"


async def _modelled(run: Run, label: str) -> str:
    return (await run.model([{"role": "user", "content": label}])).text


def _called_sync(run: SyncRun, leaf: Leaf) -> Any:
    match leaf.kind:
        case "now" | "random" | "uuid":
            return getattr(run, leaf.kind)()
        case "step":
            return run.step(leaf.label, lambda label: f"{label} computed", leaf.label)
        case "model":
            return run.model([{"role": "user", "content": leaf.label}]).text
        case "ask":
            return run.ask(leaf.label, deadline_s=ANSWER_S, default=f"{leaf.label} by default")
        case "nap":
            return run.sleep(0.3)
        case "sleep":
            return run.sleep(3.0)
        case "increment" | "later_add" | "ask_add":
            return run.tool("look", label=leaf.label)
        case kind:
            return run.tool(kind, label=leaf.label)


@lru_cache
def agents() -> dict[str, Agent]:
    """One agent a flavour; they hold no state, so all worlds share them."""
    found = {}
    for flavour in ("plain", "sync", "critical", "tight", "poor"):
        agent = Agent(_policy(flavour), tools=TOOLS, clients={MODEL: OutsideClient()})
        agent.task(play_sync if flavour == "sync" else play)
        found[flavour] = agent
    return found


TIGHT = Limits(
    steps=6, tool_calls=4, seconds=3600.0, cost_usd=0.5, identical_calls=4, cycle_repeats=1000, no_progress=1000,
    off_track=1000,
)  # fmt: skip
WIDE = Limits(
    steps=1000, tool_calls=1000, seconds=3600.0, cost_usd=0.5, identical_calls=1000, cycle_repeats=1000,
    no_progress=1000, off_track=1000, tokens=1_000_000,
)  # fmt: skip
POOR_USD = 0.006


def _policy(flavour: str) -> Policy:
    rule: dict[str, Any] = {
        "retry_wait_s": 0.0,
        "timeout_s": TIMEOUT_S,
        "critical": flavour == "critical",
        "attempts": 2,
    }
    tools = {each.name: ToolRule.model_validate(rule) for each in TOOLS}
    special: dict[str, dict[str, Any]] = {
        "later_send": {"delay_s": DELAY_S},
        "later_post": {"delay_s": DELAY_S},
        "later_add": {"delay_s": DELAY_S},
        "ask_send": {"approval": "always"},
        "ask_post": {"approval": "always"},
        "ask_add": {"approval": "always"},
        "ask_later": {"approval": "always", "delay_s": DELAY_S},
    }
    for name, more in special.items():
        tools[name] = ToolRule.model_validate({**rule, **more})
    limits = TIGHT if flavour == "tight" else WIDE
    return Policy(
        agent=flavour,
        purpose="Goes through whatever the simulation puts it through.",
        limits=limits.model_copy(update={"cost_usd": POOR_USD}) if flavour == "poor" else limits,
        budgets=Budgets(day_usd=2 * POOR_USD) if flavour == "poor" else Budgets(),
        runtime=RuntimeRules(attempts_max=5, retry_delay_s=1.0),
        review=ReviewRules(
            approvals=WaitRule(to="desk", deadline_s=DECISION_S, on_deadline="reject"),
            questions=WaitRule(to="desk"),
            escalations=WaitRule(to="desk"),
            dead_letters=WaitRule(to="desk"),
            in_doubt=WaitRule(to="desk"),
        ),
        models=(
            ModelRule(
                name=MODEL, api_key_env="", window=WINDOW * 8, output_tokens_max=200, attempts=1, timeout_s=5.0,
                input_usd_per_mtok=INPUT_NANO * 1e6 / NANO_PER_USD,
                output_usd_per_mtok=OUTPUT_NANO * 1e6 / NANO_PER_USD,
            ),
        ),
        tools=tools,
        checks=ChecksRule(input=(), output=()),
    )  # fmt: skip
