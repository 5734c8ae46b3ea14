"""Five hundred random worlds. One that fails says how to see it again: `python -m tests.simulation SEED`."""

import random

import pytest

from tests.simulation.invariants import broken
from tests.simulation.mortal import Blow
from tests.simulation.programs import random_program
from tests.simulation.world import Setting, run_world

pytestmark = pytest.mark.slow  # Twenty worlds a test, each about 40 ms.

SEEDS = range(500)
SEEDS_PER_TEST = 20


def random_setting(seed: int) -> Setting:
    chance = random.Random(seed)
    programs = tuple(
        random_program(chance, number) for number in range(1, chance.choice((1, 1, 2, 2, 3)) + 1)
    )
    blows: dict[int, Blow] = {}
    at = 0
    kinds: tuple[Blow, ...] = chance.choice((("kill",), ("kill",), ("kill", "freeze"), ("freeze",)))
    for _ in range(chance.choice((0, 1, 1, 2, 3, 5))):
        at += 1 + int(chance.expovariate(1 / 40))
        blows[at] = chance.choice(kinds)
    return Setting(
        seed=seed,
        programs=programs,
        blows=blows,
        fault_share=chance.choice((0.0, 0.15, 0.5)),
        workers=chance.choice((1, 1, 1, 2)),
        acts_of_people_s=chance.choice((0.0, 0.0, 4.0, 8.0)),
        second_chance=chance.random() < 0.5,
        restart_s=chance.choice(((11.0,), (0.5,), (0.0, 4.0, 11.0))),
    )


@pytest.mark.parametrize("first", SEEDS[::SEEDS_PER_TEST])
def test_random_worlds_keep_every_promise(first: int) -> None:
    for seed in range(first, first + SEEDS_PER_TEST):
        found = broken(run_world(random_setting(seed)))
        assert not found, f"seed {seed}; see it with: python -m tests.simulation {seed}\n" + "\n".join(found)
