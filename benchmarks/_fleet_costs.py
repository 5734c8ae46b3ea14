"""What a task and a step cost, found in measured points: sums that are linear in tasks, steps and batches."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

from benchmarks._fleet_points import Point

ALONE_SHARE_MIN = 0.05  # A claim is never free.


@dataclass(frozen=True)
class Cost:
    """Seconds of one resource: per task, per step, and per transaction however much is in it."""

    task_s: float = 0.0
    step_s: float = 0.0
    batch_s: float = 0.0

    def of(self, steps: float, batches: float = 0.0) -> float:
        """Of one task that took part in so many batches."""
        return self.task_s + steps * self.step_s + batches * self.batch_s


@dataclass(frozen=True)
class Costs:
    """`loop`: CPU of a worker outside of transactions. `writer`: its CPU within. `database`: CPU of the server.
    `wire`: the rest of the time that a transaction takes, its commit left out: no CPU of ours, but the lock is held.
    `commit_s`: the wait for the disk at each commit.
    """

    loop: Cost
    writer: Cost
    database: Cost
    wire: Cost
    commit_s: float  # Mean.
    commit_tail: float  # 99th percentile over median.
    beside: bool  # Steps are written under a shared lock.
    ends_beside: bool = False  # So are ends; claims never are.
    alone_share: float = 1.0  # Of what a task costs, its steps left out: what it costs under the lock alone.

    def worker_cpu_s(self, steps: float, batches: float) -> float:
        return self.loop.of(steps, batches) + self.writer.of(steps, batches)

    def serial_s(self, steps: float, batches: float) -> float:
        """Time of one task in which nobody else can have the lock."""
        alone = 0.0 if self.beside else steps
        parts = (self.writer, self.database, self.wire)
        return (
            sum(
                self.alone_share * each.task_s + alone * each.step_s + batches * each.batch_s
                for each in parts
            )
            + batches * self.commit_s
        )


class TooFew(Exception):
    """The points do not tell the costs apart; the message says which are missing."""


def calibrated(points: Sequence[Point], cores: int) -> Costs:
    """From points of one worker with at least two numbers of steps and two of tasks at once. Raises: TooFew."""
    if len({each.steps for each in points}) < 2 or len({each.concurrency for each in points}) < 2:
        raise TooFew("calibration needs one worker with two numbers of steps and two of tasks at once")
    beside = any(each.beside_batches for each in points)
    ends_beside = beside and all(_beside_per_task(each) > 0.5 for each in points)
    # With one worker nobody else is in the way: its wait for the lock is the journey to ask for it.
    entry_s = min(each.lock_wait_s / each.batches for each in points)
    syncs = [each.sync_each_s() or 0.0 for each in points]
    return Costs(
        loop=_cost(points, lambda each: each.worker_cpu_s - each.writer_cpu_s),
        writer=_cost(points, lambda each: each.writer_cpu_s),
        database=_cost(points, lambda each: each.database_cpu_s),
        wire=_cost(points, lambda each: _wire_s(each, cores, entry_s)),
        commit_s=sum(syncs) / len(syncs),
        commit_tail=max((_tail(each) for each in points), default=1.0),
        beside=beside,
        ends_beside=ends_beside,
        alone_share=_alone_share(points) if ends_beside else 1.0,
    )


def _beside_per_task(point: Point) -> float:
    """Writes of a task under a shared lock, beside those of its steps."""
    steps = point.tasks * point.steps
    return ((point.beside_writes or steps) - steps) / point.tasks


def _alone_share(points: Sequence[Point]) -> float:
    alone = _cost(points, lambda each: each.exclusive_s).task_s
    shared = _cost(points, lambda each: each.beside_s).task_s
    return max(ALONE_SHARE_MIN, alone / (alone + shared)) if alone + shared > 0 else 1.0


def _wire_s(point: Point, cores: int, entry_s: float) -> float:
    """Time of transactions in which nothing of ours computed and nothing waited for the disk."""
    held = point.exclusive_s + point.beside_s + point.batches * entry_s
    computed = (point.writer_cpu_s + min(point.database_cpu_s, held)) * point.slower(cores)
    return max(0.0, held - computed - point.batches * (point.sync_each_s() or 0.0))


def _tail(point: Point) -> float:
    if not point.commit_p50_ms or not point.commit_p99_ms:
        return 1.0
    return point.commit_p99_ms / point.commit_p50_ms


def _cost(points: Sequence[Point], seconds: Callable[[Point], float]) -> Cost:
    """Each point counts alike, however long it ran: what is fitted is the cost of one task of it."""
    rows = [(1.0, float(each.steps), each.batches / each.tasks) for each in points]
    wanted = [seconds(each) / each.tasks for each in points]
    return Cost(*non_negative(rows, wanted))


def non_negative(rows: Sequence[Sequence[float]], wanted: Sequence[float]) -> list[float]:
    """The least squares of relative errors without a negative factor: the best of all sets of factors left at 0.

    Exact, and quick for the few unknowns that there are here. Rows that want nothing are left out.
    """
    scaled = [([x / y for x in row], 1.0) for row, y in zip(rows, wanted, strict=True) if y > 0]
    width = len(rows[0])
    best, least = [0.0] * width, float(len(scaled))
    if not scaled:
        return best
    for size in range(1, width + 1):
        for chosen in combinations(range(width), size):
            found = _least_squares([[row[i] for i in chosen] for row, _ in scaled], [y for _, y in scaled])
            if found is None or min(found) < 0:
                continue
            factors = [0.0] * width
            for i, value in zip(chosen, found, strict=True):
                factors[i] = value
            error = sum((sum(f * x for f, x in zip(factors, row, strict=True)) - y) ** 2 for row, y in scaled)
            if error < least - 1e-12:
                best, least = factors, error
    return best


def _least_squares(rows: Sequence[Sequence[float]], wanted: Sequence[float]) -> list[float] | None:
    """By the normal equations; None when the columns do not differ."""
    width = len(rows[0]) if rows else 0
    table = [
        [sum(row[i] * row[j] for row in rows) for j in range(width)]
        + [sum(row[i] * y for row, y in zip(rows, wanted, strict=True))]
        for i in range(width)
    ]
    for i in range(width):
        pivot = max(range(i, width), key=lambda k: abs(table[k][i]))
        table[i], table[pivot] = table[pivot], table[i]
        if abs(table[i][i]) < 1e-9 * max(1.0, abs(sum(map(abs, table[i])))):
            return None
        for k in range(width):
            if k != i:
                factor = table[k][i] / table[i][i]
                table[k] = [a - factor * b for a, b in zip(table[k], table[i], strict=True)]
    return [table[i][width] / table[i][i] for i in range(width)]
