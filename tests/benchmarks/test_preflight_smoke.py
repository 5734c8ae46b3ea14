"""The benchmark of the failure matrix on a few cells: its keys, and that both sides play the same; nothing is timed."""

import asyncio

import pytest

from benchmarks import preflight


@pytest.mark.slow
def test_both_sides_play_the_same_cells_and_ours_makes_fewer_calls() -> None:
    """Slow: a shop, two stages, and 3 times 8 cells."""
    with preflight.project() as project:
        found = asyncio.run(preflight.measured(project, cells_max=8, rounds=1, letters=4))

    assert {"cells", "wall_s", "model_calls", "fewer_model_calls_ratio"} <= set(found)
    assert found["cells"] == 8
    assert found["states"] == {"passed": 8}
    assert found["model_calls"] <= found["prefix_only_model_calls"] <= found["peer_model_calls"]
    assert found["peer_model_calls"] > 0


def test_each_golden_case_is_of_another_kind() -> None:
    found = preflight.cases(6)

    assert len({case.id for case in found}) == 6
    assert found == preflight.cases(6)
