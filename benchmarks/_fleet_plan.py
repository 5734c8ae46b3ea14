"""How many workers, and which database, so many agents need: bounds on each resource at the busiest moment, found by
simulating it. One worker more than that, because one may die then.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks._fleet_arrivals import Recording, as_many_apart, as_one_crowd, busiest, by_chance
from benchmarks._fleet_costs import Costs
from benchmarks._fleet_inside import House, Seen, Work, simulated
from benchmarks._fleet_places import Death, waits
from benchmarks._fleet_points import Measured

S_PER_DAY = 86_400
# What is kept free at the busiest moment, so that queues stay short and a checkpoint or a neighbour does no harm.
PYTHON_USED_MAX = 0.6
LOCK_USED_MAX = 0.5
DATABASE_USED_MAX = 0.6
WAIT_P99_S_MAX = 1.0
PEAK_S = 10.0  # What is busier for a shorter time waits that long at the most.
WINDOW_S = 900.0  # Simulated around the busiest moment: two thirds before, one after.
INSIDE_TASKS_MAX = 3000
WORKERS_MAX = 4096
CHANCE_S = 3600.0
# Of a worker: its writer, the connection of its steps, readers, and the one that listens.
CONNECTIONS_PER_WORKER = 7
CONNECTIONS_BESIDE = 20  # Console, gateway, monitor, somebody looking.


@dataclass(frozen=True)
class Demand:
    """`tasks_per_day`: of each agent. `model_s`: what a step waits for, on average, unless a recording says."""

    agents: int
    tasks_per_day: float = 1000.0
    steps: int = 8
    model_s: float = 4.0
    concurrency: int = 200

    @property
    def rate(self) -> float:
        return self.agents * self.tasks_per_day / S_PER_DAY


@dataclass(frozen=True)
class Pattern:
    """How tasks come. `recording` None: by chance, evenly all day. `apart`: each agent at its own times."""

    name: str
    recording: Recording | None = None
    apart: bool = False

    def times(self, demand: Demand, seed: int) -> list[float]:
        rng = random.Random(seed)
        if self.recording is None:
            return by_chance(rng, demand.rate, CHANCE_S)
        if self.apart:
            return as_many_apart(rng, self.recording, demand.rate, demand.agents)
        return as_one_crowd(rng, self.recording, demand.rate)

    def durations(self, demand: Demand, step_s: float, seed: int, count: int = 4096) -> list[float]:
        """Of so many tasks: each step with the model's time of a recorded call, and what the fleet adds to it."""
        rng = random.Random(seed)
        if self.recording is None:
            models: Sequence[float] = [rng.expovariate(1 / demand.model_s) for _ in range(count)]
        else:
            models = self.recording.model_s
        return [sum(rng.choice(models) + step_s for _ in range(demand.steps)) for _ in range(count)]

    def model_mean_s(self, demand: Demand) -> float:
        return demand.model_s if self.recording is None else self.recording.model_mean_s()


@dataclass(frozen=True)
class Plan:
    """`workers`: the one that may die included."""

    demand: Demand
    pattern: str
    peak_rate: float  # Tasks per second in the busiest 10 s.
    active_most: int
    workers: int
    bound_by: str
    python_used: float
    database_cores: float  # With the share kept free.
    lock_used: float
    commits_per_s: float
    step_p99_ms: float
    wait_p99_s: float
    wait_p99_with_death_s: float
    connections: int
    worker_mb: float | None
    gb_per_day: float | None

    @property
    def peak(self) -> float:
        return self.peak_rate / self.demand.rate


def planned(measured: Measured, costs: Costs, demand: Demand, pattern: Pattern, seed: int = 1) -> Plan:
    times = pattern.times(demand, seed)
    at, count = busiest(times, PEAK_S)
    peak_rate = max(demand.rate, count / PEAK_S)
    inside_workers, inside = _inside_needs(costs, demand, pattern, peak_rate, seed)
    near = _around(times, at)
    durations = pattern.durations(demand, inside.step_p50_s, seed)
    place_workers = _place_needs(near, durations, demand.concurrency)
    needed = max(inside_workers, place_workers)
    workers = max(2, needed + 1) if needed < WORKERS_MAX else WORKERS_MAX
    quiet = waits(near, durations, workers, demand.concurrency)
    dying = waits(near, durations, workers, demand.concurrency, Death(0, at - _start(at)))
    bound = "places" if place_workers > inside_workers else "python" if inside_workers > 1 else "one is enough"
    return Plan(
        demand=demand, pattern=pattern.name, peak_rate=peak_rate, active_most=quiet.active_most, workers=workers,
        bound_by=bound, python_used=inside.python_used * inside_workers / max(1, workers - 1),
        database_cores=_database_cores(costs, demand, inside, peak_rate), lock_used=inside.lock_used,
        commits_per_s=inside.batches_per_task * peak_rate, step_p99_ms=inside.step_p99_s * 1000,
        wait_p99_s=quiet.at(0.99), wait_p99_with_death_s=dying.at(0.99),
        connections=workers * CONNECTIONS_PER_WORKER + CONNECTIONS_BESIDE,
        worker_mb=_worker_mb(measured, quiet.active_most, workers), gb_per_day=_gb_per_day(measured, demand),
    )  # fmt: skip


def _start(at: float) -> float:
    return max(0.0, at - WINDOW_S * 2 / 3)


def _around(times: Sequence[float], at: float) -> list[float]:
    start = _start(at)
    return [each - start for each in times if start <= each < start + WINDOW_S]


def _inside_needs(
    costs: Costs, demand: Demand, pattern: Pattern, peak_rate: float, seed: int
) -> tuple[int, Seen]:
    """The fewest workers whose Python is not too busy at the peak, and what is seen of them then."""
    workers = max(1, math.ceil(peak_rate * costs.worker_cpu_s(demand.steps, 0.0) / PYTHON_USED_MAX))
    while True:
        seen = at_rate(costs, demand, pattern.model_mean_s(demand), peak_rate, workers, seed)
        if seen.python_used <= PYTHON_USED_MAX or workers >= WORKERS_MAX:
            return workers, seen
        workers = math.ceil(workers * max(1.1, seen.python_used / PYTHON_USED_MAX))


def at_rate(costs: Costs, demand: Demand, model_s: float, rate: float, workers: int, seed: int) -> Seen:
    """A fleet with machines of its own at a steady rate by chance, the database with as many cores as it wants."""
    rng = random.Random(seed)
    tasks = min(INSIDE_TASKS_MAX, max(200, math.ceil(rate * 20)))
    times = by_chance(rng, rate, tasks / rate)
    # A short wait stands for a long one: enough that a task's steps do not fall into one batch.
    short_s = min(model_s, 20 / demand.steps / 4)
    wanted = max(1.0, rate * costs.database.of(demand.steps, demand.steps) / DATABASE_USED_MAX)
    house = House(workers, 1_000_000, workers, float(math.ceil(wanted)))
    return simulated(costs, house, Work(demand.steps, len(times), short_s, times), seed)


def _place_needs(times: Sequence[float], durations: Sequence[float], concurrency: int) -> int:
    """The fewest workers at which 99 of 100 tasks wait for a place no longer than the bound."""
    low, high = 1, 1
    while not _short(times, durations, high, concurrency):
        low, high = high + 1, high * 2
        if high >= WORKERS_MAX:
            return WORKERS_MAX
    while low < high:
        middle = (low + high) // 2
        if _short(times, durations, middle, concurrency):
            high = middle
        else:
            low = middle + 1
    return high


def _short(times: Sequence[float], durations: Sequence[float], workers: int, concurrency: int) -> bool:
    return waits(times, durations, workers, concurrency).at(0.99) <= WAIT_P99_S_MAX


def _database_cores(costs: Costs, demand: Demand, inside: Seen, rate: float) -> float:
    return rate * costs.database.of(demand.steps, inside.batches_per_task) / DATABASE_USED_MAX


def _worker_mb(measured: Measured, active: int, workers: int) -> float | None:
    per_task = next((each.worker_kb_per_task for each in measured.waiting if each.kind == "active"), None)
    if measured.worker_mb is None or per_task is None:
        return None
    return measured.worker_mb + active / max(1, workers - 1) * per_task / 1024


def _gb_per_day(measured: Measured, demand: Demand) -> float | None:
    """What a day adds to the database, by the points' bytes per task, which are linear in steps."""
    task, step = stored_bytes(measured)
    if task is None or step is None:
        return None
    return demand.rate * S_PER_DAY * (task + demand.steps * step) / 1e9


def stored_bytes(measured: Measured) -> tuple[float | None, float | None]:
    """Of a task, and of each step: a line through the points of one worker, the smallest steps here."""
    known = [
        (each.steps, each.stored_bytes / each.tasks)
        for each in measured.points
        if each.stored_bytes is not None and each.concurrency > 1
    ]
    steps = {steps for steps, _ in known}
    if len(steps) < 2:
        return None, None
    mean_x = sum(x for x, _ in known) / len(known)
    mean_y = sum(y for _, y in known) / len(known)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in known) / sum((x - mean_x) ** 2 for x, _ in known)
    return max(0.0, mean_y - slope * mean_x), max(0.0, slope)


def most_of_one(costs: Costs, demand: Demand, workers: int, seed: int = 1) -> dict[str, float]:
    """What one worker carries, and one database under full batches, by each resource alone: tasks per second."""
    full = at_rate(costs, demand, 0.0, 0.8 / max(1e-9, costs.worker_cpu_s(demand.steps, 0.0)), 1, seed)
    batches = full.batches_per_task
    held = costs.held_s(demand.steps, batches / max(1, workers))
    return {
        "worker_by_python": PYTHON_USED_MAX / costs.worker_cpu_s(demand.steps, batches),
        "worker_by_places": demand.concurrency * 0.8 / (demand.steps * demand.model_s),
        "database_by_lock": LOCK_USED_MAX / held if held else math.inf,
        "database_core": DATABASE_USED_MAX / max(1e-12, costs.database.of(demand.steps, batches / max(1, workers))),
    }

