"""Invariant 5: a shadow run can never act. Tasks of random worlds are forked anywhere, and people send forks back."""

import asyncio
import random
from contextlib import suppress

import pytest

from airworthy.app.build import assembled, worker
from airworthy.core.errors import AirworthyError
from airworthy.core.ids import Ids
from airworthy.runtime import State
from airworthy.runtime.forking import CannotFork, Changes, Forks
from airworthy.store.lease import Owner
from airworthy.tools import EffectState
from tests.simulation.mortal import LIFE, Life, note_births
from tests.simulation.programs import agents
from tests.simulation.test_worlds import random_setting
from tests.simulation.world import World, run_world
from tests.virtual import LoopClock, VirtualLoop, run_virtual

pytestmark = pytest.mark.slow  # Four worlds a test, and in each some forks that are worked on, about 300 ms.

SEEDS = range(2000, 2012)
SEEDS_PER_TEST = 4
FORKS_MAX = 4


async def _forked(world: World, seed: int) -> list[str]:
    """The forks, each worked on, then sent back and worked on again."""
    chance, loop = random.Random(seed), asyncio.get_running_loop()
    note_births(loop)
    life = Life(world, world.plan, 98)
    LIFE.set(life)
    clock = LoopClock(
        loop, max(task.changed_us for task in map(world.operations.task, world.task_ids.values())) + 1
    )
    app = assembled(world.database, list(agents().values()), clock, Ids(chance))
    forks = Forks(app.database, clock, app.ids, app.payloads, agents())
    made: list[str] = []
    for _ in range(FORKS_MAX):
        origin = chance.choice([*world.task_ids.values(), *made])
        with suppress(CannotFork):
            made.append(forks.fork(origin, chance.choice(app.operations.steps(origin)).seq, Changes()).id)
            world.task_ids[-len(made)] = made[-1]
    for _ in range(2):
        working = worker(app, list(agents().values()), concurrency=8, owner=Owner("wkr_98", "", 98, ""))
        running = asyncio.create_task(working.run())
        await asyncio.sleep(8)
        working.stop()
        await running
        for fork in made:
            for row in app.operations.effects(fork):
                for to in (EffectState.APPROVED, EffectState.DONE):
                    with suppress(AirworthyError):
                        app.operations.decide(row.id, to, "eve")
                with suppress(AirworthyError):
                    app.operations.undo(row.id, "eve")
            with suppress(AirworthyError):
                again = app.operations.task(fork).state is State.DEAD_LETTERED
                app.operations.requeue(fork) if again else app.operations.resume_task(fork)
    life.tasks[:] = [task for task in life.tasks if task is not asyncio.current_task()]
    await life.reap()
    return made


@pytest.mark.parametrize("first", SEEDS[::SEEDS_PER_TEST])
def test_invariant_5_no_fork_acts_wherever_it_begins_and_whatever_people_do(first: int) -> None:
    forks = 0
    for seed in range(first, first + SEEDS_PER_TEST):
        world = run_world(random_setting(seed))
        acts = world.outside.effective.copy()
        world.outside.fault_share = 0.0
        made = run_virtual(_forked(world, seed), loop=VirtualLoop(seconds_max=1e7))
        forks += len(made)

        assert world.outside.effective == acts, f"seed {seed}"
        states = {row.state for fork in made for row in world.operations.effects(fork)}
        assert states <= {EffectState.REHEARSED}, f"seed {seed}"
    assert forks > 0
