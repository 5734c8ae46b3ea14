"""The arithmetic and the plumbing of the durable benchmark; no peer is installed and nothing is timed."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from benchmarks._disk import commit_laps
from benchmarks._driving import PARTS, STEPS_PER_TASK, WARM_TASKS_MIN, Order, batch_size, in_slots, measure
from benchmarks._environment import NotTaken, Peer, answer, file_system, last_json, prepared
from benchmarks._figures import above, cell, median_of, percentile, ratios

from benchmarks import _environment, durable


def order(concurrency: int = 1, seconds: float = 2.0, rounds_min: int = 3) -> Order:
    return Order(Path(), concurrency, seconds, rounds_min)


def counted() -> tuple[list[int], Callable[[int], Awaitable[tuple[float, list[float]]]]]:
    """A batch that takes a tenth of a second a task, and the sizes it was asked for."""
    asked: list[int] = []

    async def batch(tasks: int) -> tuple[float, list[float]]:
        asked.append(tasks)
        return tasks / 10, [0.02] * (tasks * STEPS_PER_TASK)

    return asked, batch


def steps(per_s: float, p50_ms: float = 1.0, commit_ms: float | None = None) -> dict[str, Any]:
    return {
        "steps_per_s": per_s, "step_p50_ms": p50_ms, "step_p99_ms": 2 * p50_ms,
        "commit_p50_ms": commit_ms, "commit_p99_ms": commit_ms,
    }  # fmt: skip


def findings(dbos: list[dict[str, Any] | None]) -> durable.Findings:
    found = durable.Findings()
    for concurrency in durable.CONCURRENCIES:
        for system in durable.SYSTEMS:
            found.steps[system, concurrency] = [steps(1000.0), steps(1000.0), steps(1000.0)]
    found.steps[durable.OURS, durable.MOST] = [steps(1000.0), steps(2000.0), steps(9000.0)]
    found.steps[durable.DBOS, durable.MOST] = dbos
    found.steps[durable.OURS, 1] = [steps(1.0, 3.0, 2.5), steps(1.0, 9.0, 8.0), steps(1.0, 5.0, 3.0)]
    return found


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([3.0], 99, 3.0),
        ([4.0, 1.0, 3.0, 2.0], 50, 2.0),
        ([float(n) for n in range(1, 101)], 99, 99.0),
        ([float(n) for n in range(1, 101)], 100, 100.0),
        ([1.0, 2.0], 0, 1.0),
    ],
)
def test_a_percentile_is_a_value_that_was_measured(
    values: list[float], percent: float, expected: float
) -> None:
    assert percentile(values, percent) == expected


def test_a_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        percentile([], 50)


def test_a_figure_that_no_round_could_take_stays_missing() -> None:
    assert median_of([None, None]) is None
    assert median_of([None, 4.0, 2.0]) == 3.0
    assert cell(None) == "-"
    assert cell(1234.5, 1) == "1,234.5"


def test_ratios_compare_within_a_round() -> None:
    assert ratios([10.0, None, 30.0, 4.0], [5.0, 5.0, None, 0.0]) == [2.0, None, None, None]


def test_a_floor_measured_in_a_worse_moment_shows_as_negative() -> None:
    assert above([3.0, 1.0, None], [2.0, 2.0, 2.0]) == [1.0, -1.0, None]


def test_a_batch_fills_its_time_at_the_pace_of_the_warm_up() -> None:
    assert batch_size(20, 0.5, order(seconds=2.0)) == 80


def test_a_slow_system_still_gets_enough_tasks_for_every_slot() -> None:
    assert batch_size(100, 50.0, order(concurrency=100, rounds_min=3)) == 300


async def test_the_warm_up_is_not_counted() -> None:
    asked, batch = counted()

    tasks, seconds, laps = await measure(batch, order(seconds=10.0))

    assert asked == [WARM_TASKS_MIN, 100]
    assert (tasks, seconds, len(laps)) == (100, 10.0, 500)


async def test_what_runs_between_comes_before_between_and_after_the_parts() -> None:
    asked, batch = counted()
    seen: list[int] = []

    tasks, _, laps = await measure(batch, order(seconds=10.0), lambda: seen.append(len(asked)))

    assert seen == list(range(1, PARTS + 2))
    assert tasks == sum(asked[1:]) == 100
    assert len(laps) == 500


async def test_no_more_tasks_run_at_once_than_there_are_slots() -> None:
    at_once, most, names = 0, 0, list[str]()

    async def one(name: str) -> list[float]:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        names.append(name)
        await asyncio.sleep(1)
        at_once -= 1
        return [0.0] * STEPS_PER_TASK

    _, laps = await in_slots(one, "t", 3, 7)

    assert most == 3
    assert names == [f"t-{n}" for n in range(7)]
    assert len(laps) == 7 * STEPS_PER_TASK


def test_an_order_reaches_the_child_as_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    given = Order(Path("/somewhere"), 10, 0.5, 2)
    monkeypatch.setattr(sys, "argv", ["child", *given.arguments()])

    assert Order.parse() == given


def test_a_ratio_is_the_median_of_the_rounds_ratios() -> None:
    figures = durable._figures(findings([steps(100.0), steps(100.0), steps(100.0)]))

    assert figures["steps_per_s"] == 2000.0
    assert figures["steps_per_s_ratio_dbos"] == 20.0
    assert figures["step_overhead_p50_ms"] == 1.0
    assert figures["by_concurrency"]["100"]["ours"]["steps_per_s_by_round"] == [1000.0, 2000.0, 9000.0]


def test_a_peer_that_never_ran_has_null_and_not_a_number() -> None:
    figures = durable._figures(findings([None, None, None]))

    assert figures["steps_per_s_ratio_dbos"] is None
    assert figures["by_concurrency"]["100"]["dbos"]["steps_per_s"] is None
    assert figures["steps_per_s_ratio_langgraph"] == 2.0


def test_a_peer_with_another_fsync_mode_is_no_peer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(durable, "answer", lambda *_: {**steps(1.0), "journal_mode": "wal", "synchronous": 1})

    with pytest.raises(NotTaken, match="synchronous=1"):
        durable._measured(durable.QUICK, tmp_path, 1, Path(sys.executable), "x")

    assert list(tmp_path.iterdir()) == []


def test_the_same_reason_is_noted_once() -> None:
    found = durable.Findings()
    found.missing("dbos", NotTaken("no room"))
    found.missing("dbos", NotTaken("no room"))

    assert found.notes == ["dbos: no room"]


@pytest.mark.parametrize("text", ["", "done\n", '{"a": 1}\nbye\n', "[1]\n"])
def test_an_answer_that_is_not_one_json_object_is_no_figure(text: str) -> None:
    with pytest.raises(NotTaken, match="one JSON object"):
        last_json(text, "child")


def test_an_answer_may_follow_other_lines() -> None:
    assert last_json('warning\n{"a": 1}\n', "child") == {"a": 1}


def test_an_environment_that_is_there_is_used_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_environment, "ENVIRONMENTS", tmp_path)
    made: list[list[str]] = []

    def install(command: list[str]) -> None:
        made.append(command)
        (peer.folder / "bin").mkdir(parents=True, exist_ok=True)
        (peer.folder / "bin" / "python").touch()

    monkeypatch.setattr(_environment, "_installed", install)
    peer = Peer("somebody", "benchmarks._peers.somebody", ("somebody==1",))

    first, second = prepared(peer), prepared(peer)
    prepared(Peer("somebody", peer.module, ("somebody==2",)))

    assert first == second
    assert [command[-1] for command in made] == [
        str(peer.folder),
        "somebody==1",
        str(peer.folder),
        "somebody==2",
    ]


def test_a_python_that_is_not_there_is_a_reason_and_no_crash(tmp_path: Path) -> None:
    with pytest.raises(NotTaken, match="could not be started"):
        answer(tmp_path / "python", "child", [], 1.0)


def test_the_nearest_mount_names_the_file_system(tmp_path: Path) -> None:
    mounts = {"/": "ext4", str(tmp_path.resolve()): "tmpfs"}

    assert file_system(tmp_path / "below", mounts) == "tmpfs"
    assert file_system(Path("/"), mounts) == "ext4"
    assert file_system(tmp_path, {}) == "unknown"


def test_the_disks_own_commit_is_taken_with_full_sync(tmp_path: Path) -> None:
    laps = commit_laps(tmp_path / "commits.db", 0.005)

    assert laps
    assert min(laps) > 0
