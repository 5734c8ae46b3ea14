"""Invariant 7: a run's record explains it. Random worlds, with crashes, people and faults, and then each of their tasks
once more where nothing outside may be touched. See one again: `python -m tests.simulation SEED`.
"""

import pytest

from tests.simulation.replays import unlike
from tests.simulation.test_worlds import random_setting
from tests.simulation.world import run_world

pytestmark = pytest.mark.slow  # Twelve worlds a test, each with its replays about 80 ms.

SEEDS = range(1000, 1048)
SEEDS_PER_TEST = 12


@pytest.mark.parametrize("first", SEEDS[::SEEDS_PER_TEST])
def test_invariant_7_replaying_the_record_gives_the_same_outcome_without_any_outside_call(first: int) -> None:
    for seed in range(first, first + SEEDS_PER_TEST):
        found = unlike(run_world(random_setting(seed)))
        assert not found, f"seed {seed}\n" + "\n".join(found)
