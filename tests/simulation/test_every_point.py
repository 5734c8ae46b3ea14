"""Small agents, and a worker that dies, or freezes beyond its lease, at every single commit and act once."""

import asyncio
import contextlib

import pytest

from airworthy.runtime import State
from airworthy.tools import EffectState, TransitionRefused
from tests.simulation.invariants import broken
from tests.simulation.mortal import Blow
from tests.simulation.programs import UNKEYED, Choice, Group, Leaf, Node, Program
from tests.simulation.world import Setting, World, label_of, run_world

pytestmark = pytest.mark.slow  # Some sixty worlds a test.


def leaf(kind: str, number: int, counter: str = "") -> Leaf:
    return Leaf(kind, f"t1.{number}", counter=counter)


def seq(*children: Node) -> Group:
    return Group("seq", children)


AGENTS: dict[str, Node] = {
    "reads, then acts with a key": seq(leaf("look", 1), leaf("send", 2), leaf("look", 3)),
    "acts without a key": seq(leaf("now", 1), leaf("post", 2), leaf("uuid", 3)),
    "acts in parallel": Group("gather", (leaf("send", 1), leaf("post", 2), leaf("model", 3), leaf("send", 4))),
    "hands over to the outbox": seq(leaf("later_send", 1), leaf("later_post", 2)),
    "asks a person": seq(leaf("ask_send", 1), leaf("ask_post", 2)),
    "asks a person, then waits": seq(leaf("ask_later", 1), leaf("sleep", 2), leaf("send", 3)),
    "reads, changes and writes back": seq(leaf("increment", 1, "a"), leaf("increment", 2, "a")),
    "asks a person before a change": seq(leaf("increment", 1, "a"), leaf("ask_add", 2, "a"), leaf("look", 3)),
    "is taken back": seq(leaf("take_send", 1), leaf("take_post", 2), leaf("sleep", 3)),
    "goes either way": seq(
        Choice((leaf("send", 1), leaf("post", 2))),
        Group("group", (leaf("model", 3), seq(leaf("step", 4), leaf("send", 5)))),
    ),
}  # fmt: skip

SEEDS: dict[str, tuple[int, ...]] = {  # In each its branches reach their calls in other orders.
    "acts in parallel": (7, 2, 33),
}


async def yes_to_all(world: World) -> None:
    while True:
        for row in world.operations.outbox((EffectState.HELD,), 100):
            world.operations.decide(row.id, EffectState.APPROVED, "pat")
        with contextlib.suppress(TransitionRefused):
            world.take_back()
        await asyncio.sleep(0.5)


def lived(root: Node, seed: int, blows: dict[int, Blow]) -> World:
    return run_world(Setting(seed=seed, programs=(Program(1, root),), blows=blows, people=yes_to_all))


def well_ended(world: World) -> list[str]:
    """Stricter than the promises: one death alone costs nothing, but for what cannot be known."""
    task_id = world.task_ids[1]
    task, effects = world.operations.task(task_id), world.operations.effects(task_id)
    doubtful = [row for row in effects if row.state is EffectState.IN_DOUBT]
    found = broken(world)
    if any(row.tool not in UNKEYED for row in doubtful):
        found.append("an effect with a key is in doubt")
    at_once = [row for row in doubtful if row.due_us is None]
    if task.state is not (State.ESCALATED if at_once else State.ANSWERED):
        found.append(f"the task is {task.state}: {task.why}")
    if task.state is State.ANSWERED:
        found += [
            f"{label_of(row)} is {row.state} and happened {world.outside.effective[label_of(row)]} times"
            for row in effects
            if row not in doubtful and world.outside.effective[label_of(row)] != 1
        ]
    return found


@pytest.mark.parametrize("blow", ["kill", "freeze"])
@pytest.mark.parametrize(
    ("name", "seed"), [(name, seed) for name in AGENTS for seed in SEEDS.get(name, (7,))]
)
def test_one_death_at_any_point_costs_nothing_but_what_cannot_be_known(
    name: str, seed: int, blow: Blow
) -> None:
    undisturbed = lived(AGENTS[name], seed, {})
    assert not well_ended(undisturbed)

    for point, where in enumerate(undisturbed.plan.reached):
        found = well_ended(lived(AGENTS[name], seed, {point: blow}))

        assert not found, f"{blow} at point {point}, {where}:\n" + "\n".join(found)
