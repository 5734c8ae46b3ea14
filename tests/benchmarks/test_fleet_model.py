"""The fleet's model finds the costs it was given, foresees what it has not seen, and says when it does not."""

import json
import random
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from benchmarks._fleet_arrivals import (
    Recording,
    as_many_apart,
    as_one_crowd,
    bursts,
    busiest,
    by_chance,
    recordings,
)
from benchmarks._fleet_check import calibration_points, checked, costs_of
from benchmarks._fleet_costs import Cost, Costs, Kinds, Loop, Shares, TooFew, calibrated, non_negative
from benchmarks._fleet_inside import House, Work, simulated
from benchmarks._fleet_meter import kind_of, many
from benchmarks._fleet_parts import Burst, Clock, Cores, Python
from benchmarks._fleet_plan import Demand, Pattern, carried, per_task_and_step, planned
from benchmarks._fleet_points import (
    Kind,
    Machine,
    Measured,
    Point,
    Unreadable,
    Waiting,
    parsed,
    read,
    written,
)
from benchmarks._fleet_switch import switch_s

from airworthy.recorder.journal import Journal
from airworthy.runtime import describing
from airworthy.runtime.runner import Runner
from airworthy.runtime.worker import Worker
from benchmarks import _fleet_page, simulate_fleet

PAGE = Path(__file__).parent.parent.parent / "docs" / "explanation" / "capacity.md"

TRUE = Costs(
    loop=Loop(0.0004, 0.0002, 0.0002, 0.0001),
    writer=Kinds(Cost(0.001, 0.0002), Cost(0.0004, 0.00005), Cost(0.0015, 0.0004), Cost(0.002, 0.0003)),
    rest=Kinds(Cost(0.001, 0.0001), Cost(0.0005, 0.00005), Cost(0.0016, 0.0003), Cost(0.002, 0.0002)),
    database_share=0.8,
    commit_s=0.001,
)
CORES = 2
SHAPES = ((1, 1, 2), (1, 1, 8), (1, 20, 2), (1, 20, 8), (1, 20, 16), (2, 20, 8), (4, 20, 8))


def point(workers: int, concurrency: int, steps: int, tasks: int = 300, costs: Costs = TRUE) -> Point:
    """What would be measured of a fleet with these costs."""
    seen = simulated(costs, House(workers, concurrency, CORES), Work(steps, tasks))
    kinds = kinds_of(costs, seen.shares, steps, tasks)
    alone = [each for each in kinds if each.name == "claim"]
    beside = [each for each in kinds if each not in alone]
    batches = sum(each.batches for each in kinds)
    return Point(
        workers=workers, concurrency=concurrency, steps=steps, model_ms=0.0, tasks=tasks,
        seconds=tasks / seen.tasks_per_s, worker_cpu_s=tasks * costs.worker_cpu_s(steps, seen.shares),
        database_cpu_s=tasks * costs.database_s(steps, seen.shares), others_cpu_s=0.0, batches=batches,
        writes=sum(each.writes for each in kinds), writer_cpu_s=sum(each.cpu_s for each in kinds),
        exclusive_s=sum(each.held_s for each in alone), lock_wait_s=0.0,
        beside_batches=sum(each.batches for each in beside), beside_s=sum(each.held_s for each in beside),
        step_p50_ms=seen.step_p50_s * 1000, step_p99_ms=seen.step_p99_s * 1000, connections=5 * workers,
        wal_bytes=tasks * (4000 + 500 * steps), stored_bytes=tasks * (2000 + 300 * steps),
        syncs=batches, sync_s=batches * costs.commit_s, kinds=kinds,
    )  # fmt: skip


def kinds_of(costs: Costs, shares: Shares, steps: int, tasks: int) -> tuple[Kind, ...]:
    def kind(name: str, each: int, writes: int | None = None) -> Kind:
        batches = round(getattr(shares, name) * tasks)
        writer: Cost = getattr(costs.writer, name)
        rest: Cost = getattr(costs.rest, name)
        cpu_s = writer.of(batches, each)
        held_s = cpu_s + rest.of(batches, each) + batches * costs.commit_s
        return Kind(name, batches, batches if writes is None else writes, cpu_s, held_s, 0.0)

    steps_all = steps * tasks
    return (
        kind("claim", tasks),
        kind("end", tasks, tasks),
        kind("step", steps_all, steps_all),
        kind("describe", tasks, tasks),
    )


@pytest.fixture(scope="module")
def measured() -> Measured:
    points = tuple(point(*shape) for shape in SHAPES)
    active = Waiting("active", 100, 64.0, None, None, None)
    return Measured(Machine(CORES, "cpu", "ext4", "PostgreSQL", "3.11"), points, (), (active,), 60.0)


def test_points_come_back_as_they_were_written(measured: Measured, tmp_path: Path) -> None:
    written(measured, tmp_path / "scale.json")

    assert read(tmp_path / "scale.json") == measured


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda given: given.pop("machine"), "machine"),
        (lambda given: given["points"][2].pop("batches"), r"points\[2\] lacks batches"),
        (lambda given: given["points"][1].update(speed=3), r"points\[1\] has unknown speed"),
        (lambda given: given["points"][0].update(tasks="many"), r"points\[0\]\.tasks is 'many', wanted: int"),
        (lambda given: given["points"][0].update(seconds=True), r"points\[0\]\.seconds is True"),
        (lambda given: given.update(points=4), "points is not a list"),
        (lambda given: given.update(form=99), "form is 99"),
    ],
)
def test_a_file_that_is_something_else_is_refused_by_its_place(
    measured: Measured, change: object, named: str
) -> None:
    given = json.loads(json.dumps(asdict(measured)))
    change(given)  # type: ignore[operator]

    with pytest.raises(Unreadable, match=named):
        parsed(given)


def test_a_figure_that_could_not_be_taken_may_be_null(measured: Measured) -> None:
    given = json.loads(json.dumps(asdict(measured)))
    given["points"][0]["wal_bytes"] = None

    assert parsed(given).points[0].wal_bytes is None


def test_who_goes_ahead_of_others_loses_no_cores_to_them(measured: Measured) -> None:
    seen = replace(measured.points[0], others_cpu_s=measured.points[0].seconds)

    assert (seen.others_cores, replace(seen, nice=-10).others_cores) == (1.0, 0.0)


def test_no_cost_is_negative_and_one_that_is_not_there_is_nothing() -> None:
    rows = [(1.0, 2.0, 1.0), (1.0, 8.0, 1.0), (1.0, 2.0, 0.1), (1.0, 8.0, 0.2)]

    assert non_negative(rows, [7.0, 19.0, 7.0, 19.0]) == pytest.approx([3.0, 2.0, 0.0], abs=1e-6)
    assert min(non_negative(rows, [1.0, 9.0, 0.5, 2.0])) >= 0
    assert non_negative(rows, [0.0, 0.0, 0.0, 0.0]) == [0.0, 0.0, 0.0]


def test_calibration_finds_the_costs_behind_the_points(measured: Measured) -> None:
    found = costs_of(measured)

    for steps, shares in ((4, Shares(1, 4, 1)), (30, Shares(0.1, 3, 0.1, 0.5))):
        assert found.worker_cpu_s(steps, shares) == pytest.approx(TRUE.worker_cpu_s(steps, shares), rel=0.02)
        assert found.database_s(steps, shares) == pytest.approx(TRUE.database_s(steps, shares), rel=0.05)
        assert found.serial_s(steps, shares) == pytest.approx(TRUE.serial_s(steps, shares), rel=0.05)
    assert found.commit_s == pytest.approx(0.001)
    assert found.beside


def test_the_journey_to_ask_for_the_lock_is_a_part_of_each_batch(measured: Measured) -> None:
    """A wait that is the same in all batches is nobody else's turn."""
    used = calibration_points(measured.points)
    far = [
        replace(each, kinds=tuple(replace(kind, wait_s=0.001 * kind.batches) for kind in each.kinds))
        for each in used
    ]

    near_costs, far_costs = calibrated(used, CORES), calibrated(far, CORES)

    assert far_costs.journey_s == pytest.approx(0.001)
    for name in ("claim", "step", "end", "describe"):
        longer_s = getattr(far_costs.rest, name).batch_s - getattr(near_costs.rest, name).batch_s
        assert longer_s == pytest.approx(0.001, rel=0.1)


def test_what_the_server_reads_between_batches_counts_by_those_that_are_alone(measured: Measured) -> None:
    used = calibration_points(measured.points)

    def alone(each: Point) -> int:
        return each.batches - each.beside_batches

    more = [replace(each, database_cpu_s=each.database_cpu_s / 0.8 + 0.002 * alone(each)) for each in used]

    assert calibrated(more, CORES).look_s == pytest.approx(0.002, rel=0.15)
    assert calibrated(used, CORES).look_s == 0


def test_what_waits_for_a_core_finds_it_cold() -> None:
    clock = Clock()
    cores = Cores(clock, 1, switch_s=0.25)
    ended: list[float] = []

    for _ in range(2):
        cores.use(Burst(1.0, lambda: ended.append(clock.now)))
    clock.run()

    assert ended == [1.0, 2.25]
    assert cores.busy_s == 2.25


def test_a_process_keeps_its_core_while_it_has_something_to_do_but_not_for_ever() -> None:
    clock = Clock()
    cores = Cores(clock, 1, switch_s=0.5)
    first, second = Python(cores), Python(cores)
    ended: list[tuple[str, float]] = []

    def noted(name: str) -> None:
        ended.append((name, round(clock.now, 6)))

    for process, name, seconds in (
        (first, "a", 0.001),
        (second, "b", 1.0),
        (first, "a", 0.002),
        (first, "a", 1.0),
    ):
        process.run(seconds, partial(noted, name))
    clock.run()

    assert ended == [("a", 0.001), ("a", 0.003), ("b", 1.503), ("a", 3.003)]


@pytest.mark.slow  # Starts processes that compute.
def test_a_machine_can_be_asked_what_it_loses_when_it_is_crowded() -> None:
    assert 0 <= switch_s(1, seconds=0.05) < 0.05


def test_a_batch_of_steps_is_told_apart_from_one_with_an_end(measured: Measured) -> None:
    found = costs_of(measured)

    for name in ("claim", "step", "end"):
        assert getattr(found.writer, name).batch_s == pytest.approx(
            getattr(TRUE.writer, name).batch_s, rel=0.1
        )
        assert getattr(found.rest, name).batch_s == pytest.approx(getattr(TRUE.rest, name).batch_s, rel=0.1)


def test_all_but_claims_pass_beside_one_another_and_leave_the_lock_to_the_others() -> None:
    taking_turns = replace(TRUE, beside=False)

    assert TRUE.serial_s(50) == TRUE.serial_s(0)
    assert taking_turns.serial_s(50) == pytest.approx(TRUE.serial_s(0) + 0.0007 + 50 * 0.0001 + 0.00075)


def test_the_meter_knows_every_kind_of_write_by_the_function_that_carries_it_out() -> None:
    """By what they are called in the product, so that a new name there is noticed here."""

    def inside(method: Any) -> Any:
        def op() -> None: ...

        op.__qualname__ = f"{method.__qualname__}.<locals>.op"
        return op

    made = (Worker._claim, Runner._write, Journal.record, describing._describe, Worker.run)
    assert [kind_of(inside(each)) for each in made] == ["claim", "end", "step", "describe", "other"]
    assert {"describe"} == {kind_of(each) for each in (describing._describe, partial(describing._describe))}


def test_the_meter_counts_the_tasks_that_one_write_describes() -> None:
    assert many(partial(print, found=["one", "two"])) == 2
    assert many(partial(print, task_id="one")) == many(print) == 1


def test_calibration_takes_no_point_that_it_has_to_foresee(measured: Measured) -> None:
    used = calibration_points(measured.points)

    assert {(each.workers, each.steps) for each in used} == {(1, 2), (1, 8)}
    with pytest.raises(TooFew, match="two numbers of steps"):
        calibrated([each for each in used if each.steps == 2], CORES)
    with pytest.raises(TooFew, match="no batches of claim, step, end"):
        calibrated([replace(each, kinds=()) for each in used], CORES)


@pytest.mark.slow  # Fleets are simulated, event by event.
def test_a_fleet_like_the_model_is_foreseen(measured: Measured) -> None:
    found = checked(measured, costs_of(measured))

    assert [each.foreseen for each in found] == [False] * 4 + [True] * 3
    assert [abs(each.error) < 0.1 for each in found] == [True] * 7


@pytest.mark.slow  # Fleets are simulated, event by event.
def test_of_several_rounds_the_one_least_disturbed_counts(measured: Measured) -> None:
    noisy = [replace(each, round=2, seconds=3 * each.seconds, others_cpu_s=2.0) for each in measured.points]

    found = checked(replace(measured, points=(*noisy, *measured.points)), costs_of(measured))

    assert len(found) == len(measured.points)
    assert {each.point.round for each in found} == {1}


@pytest.mark.slow  # Fleets are simulated, event by event.
def test_the_committed_points_are_foreseen_and_the_page_says_how_well() -> None:
    """When others are measured: `python -m benchmarks.simulate_fleet --page docs/explanation/capacity.md`."""
    committed = read()

    found = checked(committed, costs_of(committed))

    assert {each.point.title(): each.error for each in found if each.foreseen and not each.holds} == {}
    assert _fleet_page.predictions(found) in PAGE.read_text(encoding="utf-8")


def test_tables_go_where_the_page_has_marks_for_them_and_nothing_else_changes(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    mark = _fleet_page.BEGIN.format("one")
    page.write_text(f"before\n\n{mark}\n\nold\n\n{_fleet_page.END}\n\nafter\n")

    _fleet_page.rewritten(page, {"one": "new"})

    assert page.read_text() == f"before\n\n{mark}\n\nnew\n\n{_fleet_page.END}\n\nafter\n"
    with pytest.raises(ValueError, match="two"):
        _fleet_page.rewritten(page, {"two": "new"})


def run(monkeypatch: pytest.MonkeyPatch, points: Path, data: Path) -> int:
    monkeypatch.setattr("sys.argv", ["simulate_fleet", "--points", str(points), "--data", str(data)])
    monkeypatch.setattr(simulate_fleet, "AGENTS", (1, 20))
    with pytest.raises(SystemExit) as left:
        simulate_fleet.main()
    assert isinstance(left.value.code, int)
    return left.value.code


def last_line(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    found: dict[str, object] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


@pytest.mark.slow  # Fleets are simulated, event by event.
def test_it_ends_well_when_it_foresees_and_plans_by_chance_without_recordings(
    measured: Measured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written(measured, tmp_path / "scale.json")

    code = run(monkeypatch, tmp_path / "scale.json", tmp_path)

    found = last_line(capsys)
    assert code == 0
    assert [each["pattern"] for each in found["plans"]] == ["by chance"] * 2  # type: ignore[attr-defined]
    assert any("no recorded arrivals" in note for note in found["notes"])  # type: ignore[attr-defined]


@pytest.mark.slow  # Fleets are simulated, event by event.
def test_it_fails_when_a_point_is_further_off_than_a_quarter(
    measured: Measured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    last = measured.points[-1]
    written(
        replace(measured, points=(*measured.points[:-1], replace(last, seconds=last.seconds * 1.5))),
        tmp_path / "scale.json",
    )

    assert run(monkeypatch, tmp_path / "scale.json", tmp_path) == 1
    assert last_line(capsys)["worst_error_pct"] > 25  # type: ignore[operator]


def test_without_points_its_figures_are_null(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, tmp_path / "none.json", tmp_path) == 1
    assert last_line(capsys)["worst_error_pct"] is None


def burst() -> Recording:
    """A hundred at once in every tenth minute of an hour."""
    times = tuple(600.0 * n + 0.01 * k for n in range(6) for k in range(100))
    return Recording("burst", times, (1.0,), 0.01)


def test_a_crowd_of_the_recorded_size_is_the_recording() -> None:
    assert as_one_crowd(random.Random(1), burst(), burst().rate) == list(burst().times_s)


@pytest.mark.parametrize("factor", [0.1, 7.0])
def test_a_crowd_has_the_rate_that_is_asked_for_and_the_recordings_peaks(factor: float) -> None:
    asked = burst().rate * factor
    times = as_one_crowd(random.Random(1), burst(), asked)

    assert len(times) / burst().seconds == pytest.approx(asked, rel=0.15)
    assert bursts(times, burst().seconds, 60).peak == pytest.approx(8.5, rel=0.3)


def test_agents_apart_are_smoother_than_a_crowd() -> None:
    asked = 20 * burst().rate
    crowd = as_one_crowd(random.Random(1), burst(), asked)
    apart = as_many_apart(random.Random(1), burst(), asked, 1000)

    assert bursts(apart, burst().seconds, 60).peak < bursts(crowd, burst().seconds, 60).peak / 2


def test_chance_has_a_dispersion_of_one() -> None:
    times = by_chance(random.Random(1), 10.0, 3600.0)

    assert bursts(times, 3600.0, 10.0).dispersion == pytest.approx(1.0, abs=0.2)
    assert busiest([0.0, 5.0, 5.1, 5.2, 9.0], 1.0) == (5.0, 3)


def test_a_folder_without_recordings_is_said(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="azure"):
        recordings(tmp_path)


@pytest.mark.slow  # Fleets are simulated, event by event.
def test_more_agents_never_need_less_and_more_places_need_fewer_workers(measured: Measured) -> None:
    costs = costs_of(measured)
    few, many = (
        planned(measured, costs, Demand(agents, concurrency=20), Pattern("by chance")) for agents in (10, 200)
    )
    wide = planned(measured, costs, Demand(200, concurrency=80), Pattern("by chance"))

    assert few.workers == 2
    assert few.workers < wide.workers < many.workers
    assert many.bound_by == "places"
    assert max(many.wait_p99_s, many.wait_p99_with_death_s) <= 1.0
    assert many.gb_per_day == pytest.approx(200_000 * (2000 + 8 * 300) / 1e9)


def test_a_database_that_is_asked_too_much_is_shared_out(measured: Measured) -> None:
    """Each task has the lock for a fifth of a second, and ten come in each."""
    costs = replace(TRUE, rest=Kinds(claim=Cost(each_s=0.2)), writer=Kinds(), commit_s=0.0)

    plan = planned(measured, costs, Demand(1, tasks_per_day=10 * 86_400, steps=1), Pattern("by chance"))

    assert carried(costs, Demand(1, steps=1))["database_by_lock"] == pytest.approx(2.5, rel=0.01)
    assert plan.databases >= 4
    assert plan.lock_used <= 0.55


def test_bytes_are_told_apart_by_task_and_step(measured: Measured) -> None:
    assert per_task_and_step(measured, lambda each: each.stored_bytes) == pytest.approx((2000.0, 300.0))
    assert per_task_and_step(measured, lambda each: None) == (None, None)
