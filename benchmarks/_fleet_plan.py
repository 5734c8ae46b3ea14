"""How many workers, and which database, so many agents need: bounds on each resource at the busiest moment, found by
simulating it. One worker more than that, because one may die then.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks._fleet_arrivals import Recording, as_many_apart, as_one_crowd, busiest, by_chance
from benchmarks._fleet_costs import Costs, Shares
from benchmarks._fleet_inside import House, Seen, Work, simulated
from benchmarks._fleet_places import Death, waits
from benchmarks._fleet_points import Measured, Point

S_PER_DAY = 86_400
# What is kept free at the busiest moment, so that queues stay short and a checkpoint or a neighbour does no harm.
PYTHON_USED_MAX = 0.6
LOCK_USED_MAX = 0.5
DATABASE_USED_MAX = 0.6
DATABASE_CORES_MAX = 32.0  # Of one server; beyond, the agents are shared out over several.
WAIT_P99_S_MAX = 1.0
PEAK_S = 10.0  # What is busier for a shorter time waits that long at the most.
WINDOW_S = 600.0  # Simulated around the busiest moment: two thirds before, one after.
INSIDE_TASKS_MAX = 1200
INSIDE_S = 20.0
WORKERS_MAX = 4096
CHANCE_TASKS = (
    20_000  # So many are drawn where nothing is recorded: at least for a window, at most for a day.
)
SWEEP_S, HEARTBEAT_S = 5.0, 3.0  # Of each worker, under the lock.
# Of a worker: its writer, the one beside it, four readers, and one that listens.
CONNECTIONS_PER_WORKER = 7
CONNECTIONS_BESIDE = 20  # Console, gateway, monitor, somebody looking.


@dataclass(frozen=True)
class Demand:
    """`tasks_per_day`: of each agent. `model_s`: what a step waits for, on average, unless a recording says."""

    agents: int
    tasks_per_day: float = 1000.0
    steps: int = 8
    model_s: float = 4.0
    concurrency: int = 500

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
            seconds = min(S_PER_DAY, max(WINDOW_S, CHANCE_TASKS / demand.rate))
            return by_chance(rng, demand.rate, seconds)
        if self.apart:
            return as_many_apart(rng, self.recording, demand.rate, demand.agents)
        return as_one_crowd(rng, self.recording, demand.rate)

    def durations(self, demand: Demand, step_s: float, seed: int, count: int = 4096) -> list[float]:
        """Of so many tasks: each step with the model's time of a recorded call, and what the fleet adds to it."""
        rng = random.Random(seed)
        models: Sequence[float]
        if self.recording is None:
            models = [rng.expovariate(1 / demand.model_s) for _ in range(count)]
        else:
            models = self.recording.model_s
        return [sum(rng.choice(models) + step_s for _ in range(demand.steps)) for _ in range(count)]


@dataclass(frozen=True)
class Plan:
    """`workers`: the one that may die included. Of several databases: all workers, and each database's figures."""

    demand: Demand
    pattern: str
    peak_rate: float  # Tasks per second in the busiest 10 s.
    active_most: int
    workers: int
    bound_by: str  # What asks for the most workers.
    databases: int
    python_used: float
    database_cores: float  # With the share that is kept free.
    lock_used: float  # By claims and descriptions in full batches, and the workers' upkeep: grows to 1, then all wait.
    commits_per_s: float
    wal_mb_per_s: float | None
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
    databases = _databases(costs, demand, peak_rate)
    each_rate = peak_rate / databases
    by_python, inside = _python_needs(costs, demand, each_rate, seed)
    near, start = _around(times, at)
    durations = pattern.durations(demand, inside.step_p50_s, seed)
    by_places = _place_needs(near, durations, demand.concurrency)
    needed = max(by_python * databases, by_places)
    workers = needed + 1
    quiet = waits(near, durations, workers, demand.concurrency)
    dying = waits(near, durations, workers, demand.concurrency, Death(0, at - start))
    each_workers = math.ceil(workers / databases)
    # Workers are counted by places too: each more takes its turn, and shares its batches with fewer tasks.
    inside = at_rate(costs, demand, each_rate, math.ceil(needed / databases), seed)
    database_s = costs.database_s(demand.steps, inside.shares)
    return Plan(
        demand=demand, pattern=pattern.name, peak_rate=peak_rate, active_most=quiet.active_most, workers=workers,
        bound_by="places" if by_places >= by_python * databases else "python", databases=databases,
        python_used=inside.python_used,
        database_cores=(each_rate * database_s + each_workers * (measured.idle_database_cores or 0.0))
        / DATABASE_USED_MAX,
        lock_used=each_rate * costs.serial_s(demand.steps) + each_workers * _upkeep(measured, costs),
        commits_per_s=inside.shares.all * each_rate,
        wal_mb_per_s=_times(_of_a_task(measured, demand, lambda point: point.wal_bytes), each_rate / 1e6),
        step_p99_ms=inside.step_p99_s * 1000, wait_p99_s=quiet.at(0.99), wait_p99_with_death_s=dying.at(0.99),
        connections=each_workers * CONNECTIONS_PER_WORKER + CONNECTIONS_BESIDE,
        worker_mb=_worker_mb(measured, quiet.active_most / needed),
        gb_per_day=_times(
            _of_a_task(measured, demand, lambda point: point.stored_bytes), demand.rate * S_PER_DAY / 1e9
        ),
    )  # fmt: skip


def _databases(costs: Costs, demand: Demand, rate: float) -> int:
    """So many that none is asked too much of its lock, or for more cores than a server has."""
    by_lock = rate * costs.serial_s(demand.steps) / LOCK_USED_MAX
    by_cores = rate * costs.database_s(demand.steps) / DATABASE_USED_MAX / DATABASE_CORES_MAX
    return max(1, math.ceil(by_lock), math.ceil(by_cores))


def _upkeep(measured: Measured, costs: Costs) -> float:
    """Share of the lock's time that one worker takes for being there: its sweep and its heartbeat."""
    sweeps = [each.sweep_ms / 1000 for each in measured.growth if each.sweep_ms is not None]
    batch_s = costs.empty_s
    return max([batch_s, *sweeps]) / SWEEP_S + batch_s / HEARTBEAT_S


def _around(times: Sequence[float], at: float) -> tuple[list[float], float]:
    """The window around the busiest moment, from its start on, and where that is."""
    start = max(0.0, at - WINDOW_S * 2 / 3)
    return [each - start for each in times if start <= each < start + WINDOW_S], start


def _python_needs(costs: Costs, demand: Demand, rate: float, seed: int) -> tuple[int, Seen]:
    """The fewest workers whose Python is not too busy at the peak, and what is seen of them then."""
    workers = max(1, math.ceil(rate * costs.worker_cpu_s(demand.steps) / PYTHON_USED_MAX))
    while True:
        seen = at_rate(costs, demand, rate, workers, seed)
        if seen.python_used <= PYTHON_USED_MAX or workers >= WORKERS_MAX:
            return workers, seen
        workers = math.ceil(workers * max(1.1, seen.python_used / PYTHON_USED_MAX))


def at_rate(costs: Costs, demand: Demand, rate: float, workers: int, seed: int) -> Seen:
    """A fleet at a steady rate by chance, on machines of its own, the database with as many cores as it wants."""
    rng = random.Random(seed)
    tasks = min(INSIDE_TASKS_MAX, max(100, math.ceil(rate * INSIDE_S)))
    times = by_chance(rng, rate, tasks / rate)
    # A short wait stands for a model's: enough that the steps of one task do not fall into one batch, and that the
    # run is steady for most of its time.
    short_s = min(demand.model_s, tasks / rate / demand.steps / 8)
    wanted = math.ceil(rate * costs.database_s(demand.steps, Shares(1, demand.steps, 1)) / DATABASE_USED_MAX)
    house = House(workers, 1_000_000, workers, float(max(1, wanted)))
    return simulated(costs, house, Work(demand.steps, len(times), short_s, times), seed)


def _place_needs(times: Sequence[float], durations: Sequence[float], concurrency: int) -> int:
    """The fewest workers at which 99 of 100 tasks wait for a place no longer than the bound."""
    busy = len(times) / WINDOW_S * sum(durations) / len(durations)
    low = max(1, math.floor(0.9 * busy / concurrency))
    high = low
    while high < WORKERS_MAX and waits(times, durations, high, concurrency).at(0.99) > WAIT_P99_S_MAX:
        low, high = high + 1, math.ceil(1.3 * high)
    while low < high:
        middle = (low + high) // 2
        if waits(times, durations, middle, concurrency).at(0.99) <= WAIT_P99_S_MAX:
            high = middle
        else:
            low = middle + 1
    return high


def _worker_mb(measured: Measured, active: float) -> float | None:
    per_task = next((each.worker_kb_per_task for each in measured.waiting if each.kind == "active"), None)
    if measured.worker_mb is None or per_task is None:
        return None
    return measured.worker_mb + active * per_task / 1024


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _of_a_task(measured: Measured, demand: Demand, of: Callable[[Point], int | None]) -> float | None:
    task, step = per_task_and_step(measured, of)
    return None if task is None or step is None else task + demand.steps * step


def per_task_and_step(
    measured: Measured, of: Callable[[Point], int | None]
) -> tuple[float | None, float | None]:
    """Bytes of a task, and of each step: a straight line through the points with many tasks at once."""
    known = [
        (each.steps, value / each.tasks)
        for each in measured.points
        if each.concurrency > 1 and (value := of(each)) is not None
    ]
    if len({steps for steps, _ in known}) < 2:
        return None, None
    mean_x = sum(x for x, _ in known) / len(known)
    mean_y = sum(y for _, y in known) / len(known)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in known) / sum((x - mean_x) ** 2 for x, _ in known)
    return max(0.0, mean_y - slope * mean_x), max(0.0, slope)


def carried(costs: Costs, demand: Demand, seed: int = 1) -> dict[str, float]:
    """Tasks per second that one worker, one database, and one of its cores carry, by each resource alone."""
    alone_s = costs.worker_cpu_s(demand.steps)
    shares = at_rate(costs, demand, PYTHON_USED_MAX / alone_s, 1, seed).shares
    serial_s = costs.serial_s(demand.steps)
    return {
        "worker_by_python": PYTHON_USED_MAX / costs.worker_cpu_s(demand.steps, shares),
        "worker_by_places": demand.concurrency / (demand.steps * demand.model_s),
        "database_by_lock": LOCK_USED_MAX / serial_s if serial_s else math.inf,
        "database_core": DATABASE_USED_MAX / max(1e-12, costs.database_s(demand.steps, shares)),
    }
