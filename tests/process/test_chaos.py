"""Two workers on one PostgreSQL while one is killed and connections are cut: a small piece of `benchmarks.chaos`.

Marked slow: five processes are started, and a lease is really waited for. The whole, with outages of the server,
frozen processes and parted networks, is a command of its own.
"""

from pathlib import Path

import pytest
from benchmarks.chaos import Plan, run

from tests.database import fresh

pytestmark = [pytest.mark.process, pytest.mark.slow]

PLAN = Plan(
    tasks=30, workers=2, seconds=3.0, step_s=0.15, seed=20_26, gap_s=(0.3, 0.6), concurrency=16, least=4,
    kinds=("kill", "cut", "unanswered", "terminate"),
)  # fmt: skip


def test_a_worker_killed_and_connections_cut_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    verdict, details = run(PLAN, fresh(), tmp_path)

    assert verdict.faults == []
    assert verdict.holds
    assert all(details["happened"].values()), details["happened"]
    assert details["exits"] == []
