"""The whole demo, small: real processes, a real kill, and a report that holds."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from airworthy.app.build import opened
from airworthy.demo.evidence import EVERYTHING
from airworthy.demo.folder import Folder

COMMAND = "import sys; from airworthy.cli.main import execute; sys.exit(execute(sys.argv[1:]))"
PROMISED = {
    "tasks", "outcomes", "without_outcome", "duplicate_effects", "in_doubt", "kills", "cost_usd", "model", "seconds",
}  # fmt: skip


def _demo(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    arguments = [sys.executable, "-c", COMMAND, "demo", "--folder", str(folder), "--headless", *options]
    return subprocess.run(
        [*arguments, "--model", "simulated"], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.process
@pytest.mark.slow
def test_a_headless_demo_survives_a_kill_and_says_so(tmp_path: Path) -> None:
    """Slow: four processes start, one of them twice."""
    done = _demo(tmp_path, "--count", "30")

    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "demo-report.json").read_text())
    assert report.keys() >= PROMISED
    assert (report["kills"], report["without_outcome"], report["duplicate_effects"]) == (1, 0, 0)
    assert report["tasks"] == 29 == sum(report["outcomes"].values())
    assert [claim["name"] for claim in report["claims"] if not claim["held"]] == []
    assert "All claims held." in done.stdout
    with opened(Folder(tmp_path).config) as app:
        tasks = app.operations.tasks(EVERYTHING)
    assert any(task.run > 1 for task in tasks), "no task was taken over from the worker that was killed"
    _replayed(tmp_path, [task.id for task in tasks])


def _replayed(folder: Path, tasks: list[str]) -> None:
    """Invariant 7, with a real agent: shop and model are gone by now, so that nobody could be asked."""
    arguments = [sys.executable, "-c", COMMAND, "replay", "-C", str(folder), "--json", *tasks]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    reports = [json.loads(line) for line in done.stdout.splitlines()]

    assert done.returncode == 0, done.stdout + done.stderr
    assert [report["verdict"] for report in reports] == ["same"] * len(tasks)


@pytest.mark.process
@pytest.mark.slow
def test_without_kill_and_faults_every_letter_ends_as_it_should(tmp_path: Path) -> None:
    """Slow: three processes start."""
    done = _demo(tmp_path, "--count", "20", "--no-kill", "--no-faults")

    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "demo-report.json").read_text())
    assert (report["kills"], report["mismatches"]) == (0, [])


@pytest.mark.process
@pytest.mark.slow
def test_a_folder_that_is_not_the_demos_ends_it_at_once(tmp_path: Path) -> None:
    """Slow: a process starts."""
    (tmp_path / "mine.txt").write_text("mine")

    done = _demo(tmp_path)

    assert done.returncode not in (0, 1)
    assert "no demo made" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
