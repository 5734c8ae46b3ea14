"""Whether the model foresees what was measured: calibrated on some points, it has to predict the others."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmarks._fleet_costs import Costs, calibrated
from benchmarks._fleet_inside import House, Seen, Work, simulated
from benchmarks._fleet_points import CORES_LEFT_MIN, Measured, Point

ERROR_MAX = 0.25
STEPS_OF_CALIBRATION = (2, 8)
TASKS_MAX = 1500  # So many are simulated of each point: more change nothing.


@dataclass(frozen=True)
class Checked:
    """One kind of point: its fastest round beside the model's word. `foreseen`: it had no part in calibration."""

    point: Point
    measured: float
    model: float
    seen: Seen
    foreseen: bool

    @property
    def error(self) -> float:
        return self.model / self.measured - 1

    @property
    def holds(self) -> bool:
        return abs(self.error) <= ERROR_MAX


def calibration_points(points: Sequence[Point]) -> list[Point]:
    """One worker, steps that do nothing, few steps: the fewest tasks at once and the most."""
    alone = [
        each
        for each in points
        if each.workers == 1 and each.model_ms == 0 and each.steps in STEPS_OF_CALIBRATION
    ]
    kinds = {_kind(each) for each in alone}
    alone = [undisturbed([each for each in alone if _kind(each) == kind]) for kind in sorted(kinds)]
    ends = (
        {min(each.concurrency for each in alone), max(each.concurrency for each in alone)} if alone else set()
    )
    return [each for each in alone if each.concurrency in ends]


def costs_of(measured: Measured) -> Costs:
    """Raises: TooFew."""
    machine = measured.machine
    return calibrated(calibration_points(measured.points), machine.cores, machine.switch_s)


def checked(measured: Measured, costs: Costs, seed: int = 1) -> list[Checked]:
    """In the order of the points; rounds of one kind are one."""
    used = calibration_points(measured.points)
    found = []
    for kind in dict.fromkeys(_kind(each) for each in measured.points):
        rounds = [each for each in measured.points if _kind(each) == kind]
        point = undisturbed(rounds)
        seen = of_point(measured.machine.cores, costs, point, seed)
        found.append(Checked(point, point.tasks_per_s, seen.tasks_per_s, seen, point not in used))
    return found


def of_point(cores: float, costs: Costs, point: Point, seed: int) -> Seen:
    """The point as the model sees it, on the cores that the rest of the machine left."""
    left = max(CORES_LEFT_MIN, cores - point.others_cores)
    tasks = min(point.tasks, max(TASKS_MAX, 4 * point.workers * point.concurrency))
    here = costs
    sync_s = point.sync_each_s()
    if sync_s is not None:
        # The disk has moods: what it was like in this minute is measured with the point.
        here = replace(costs, commit_s=sync_s)
    house = House(point.workers, point.concurrency, left)
    return simulated(here, house, Work(point.steps, tasks, point.model_ms / 1000), seed)


def _kind(point: Point) -> tuple[int, int, int, float]:
    return point.workers, point.concurrency, point.steps, point.model_ms


def undisturbed(rounds: Sequence[Point]) -> Point:
    """The fastest round: whatever else a machine does only makes it slower."""
    return max(rounds, key=lambda each: each.tasks_per_s)
