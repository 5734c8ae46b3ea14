"""Crowds under random bounds, with workers that die: no bound is passed, nothing is lost, nobody is forgotten."""

import pytest

from tests.simulation.crowd import run_crowd

pytestmark = pytest.mark.slow  # Five crowds a test, each about half a second.

SEEDS = range(40)
SEEDS_PER_TEST = 5


@pytest.mark.parametrize("first", SEEDS[::SEEDS_PER_TEST])
def test_random_crowds_keep_every_bound_and_every_accepted_task_ends_once(first: int) -> None:
    for seed in range(first, first + SEEDS_PER_TEST):
        crowd = run_crowd(seed)
        assert not crowd.violations, f"seed {seed}\n" + "\n".join(crowd.violations[:20])


def test_the_crowds_are_crowds() -> None:
    """What is never full, never refused and never killed proves nothing."""
    crowds = [run_crowd(seed) for seed in SEEDS[:20]]

    assert sum(crowd.deaths for crowd in crowds) > 10
    assert sum(crowd.refused for crowd in crowds) > 50
    assert sum(bool(crowd.reached) for crowd in crowds) > 10
