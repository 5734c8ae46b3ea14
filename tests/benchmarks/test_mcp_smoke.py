"""The benchmark of the MCP proxy runs, and says what it found; no figure is looked at."""

from pathlib import Path

import pytest

from benchmarks import mcp


@pytest.mark.process
@pytest.mark.slow
def test_both_sides_answer_every_kind_of_call(tmp_path: Path) -> None:
    """Slow: three processes."""
    figures = mcp.measured(1, 5, tmp_path)

    assert {name.split("_")[0] for name in figures} == set(mcp.KINDS)
    assert all(value is not None for value in figures.values())
