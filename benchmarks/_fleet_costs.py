"""What batches cost, found in measured points: each kind has a fixed part, and a part of each that is in it.

A batch of steps costs a journey or two however many steps are in it; one with an end or a claim several more.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

from airworthy.runtime.describing import BATCH as DESCRIBED_MAX
from benchmarks._fleet_points import Kind, Point


@dataclass(frozen=True)
class Cost:
    """Seconds of one resource: of a batch however much is in it, and of each that is in it."""

    batch_s: float = 0.0
    each_s: float = 0.0

    def of(self, batches: float, each: float) -> float:
        return batches * self.batch_s + each * self.each_s


@dataclass(frozen=True)
class Kinds:
    """Of each kind of batch. `claim`: each is a task that is taken up; one batch takes as many as there are places.
    `describe`: each is a task that ended, whose sentence and words are made afterwards.
    """

    claim: Cost = Cost()
    step: Cost = Cost()
    end: Cost = Cost()
    describe: Cost = Cost()


@dataclass(frozen=True)
class Loop:
    """Python of a worker outside of batches. `turn_s`: around each batch that is alone, the looks before it included;
    `beside_s`: around each of the others.
    """

    task_s: float = 0.0
    step_s: float = 0.0
    turn_s: float = 0.0
    beside_s: float = 0.0


@dataclass(frozen=True)
class Shares:
    """Batches that one task makes; those which it shares with others in part. By itself: where all are full."""

    claim: float = 0.0
    step: float = 0.0
    end: float = 0.0
    describe: float = 1 / DESCRIBED_MAX

    @property
    def alone(self) -> float:
        return self.claim

    @property
    def beside(self) -> float:
        return self.step + self.end + self.describe

    @property
    def all(self) -> float:
        return self.alone + self.beside


FULL = Shares()


@dataclass(frozen=True)
class Costs:
    """`writer`: CPU of a worker within its batches. `rest`: the rest of the time that they take, the wait for the disk
    left out; of it the server computes `database_share`. `commit_s`: the wait for the disk at each commit.
    """

    loop: Loop
    writer: Kinds
    rest: Kinds
    database_share: float = 1.0
    journey_s: float = 0.0  # There and back, for a question that needs no time.
    commit_s: float = 0.0  # Mean.
    commit_tail: float = 1.0  # 99th percentile over median.
    beside: bool = True  # All but claims is written under a shared lock, and by a writer of its own.
    look_s: float = 0.0  # CPU of the server for what is read outside of batches, by how many are alone.
    switch_s: float = 0.0  # What computing costs more after a wait for a core.

    def worker_cpu_s(self, steps: float, shares: Shares = FULL) -> float:
        loop = self.loop
        outside = (
            loop.task_s + steps * loop.step_s + shares.alone * loop.turn_s + shares.beside * loop.beside_s
        )
        return outside + _alone(self.writer, shares) + _beside(self.writer, steps, shares)

    def database_s(self, steps: float, shares: Shares = FULL) -> float:
        inside = self.database_share * (_alone(self.rest, shares) + _beside(self.rest, steps, shares))
        return inside + shares.alone * self.look_s

    def serial_s(self, steps: float, shares: Shares = FULL) -> float:
        """Time of one task in which nobody else can have the lock."""
        alone = sum(_alone(each, shares) for each in (self.writer, self.rest)) + shares.alone * self.commit_s
        if self.beside:
            return alone
        others = sum(_beside(each, steps, shares) for each in (self.writer, self.rest))
        return alone + others + shares.beside * self.commit_s

    @property
    def empty_s(self) -> float:
        """Time of a batch in its turn in which hardly anything is done."""
        return self.writer.claim.batch_s + self.rest.claim.batch_s + self.commit_s


def _alone(kinds: Kinds, shares: Shares) -> float:
    return kinds.claim.of(shares.claim, 1.0)


def _beside(kinds: Kinds, steps: float, shares: Shares) -> float:
    return (
        kinds.step.of(shares.step, steps)
        + kinds.end.of(shares.end, 1.0)
        + kinds.describe.of(shares.describe, 1.0)
    )


class TooFew(Exception):
    """The points do not tell the costs apart; the message says which are missing."""


def calibrated(points: Sequence[Point], cores: int, switch_s: float = 0.0) -> Costs:
    """From points of one worker with at least two numbers of steps and two of tasks at once. `switch_s`: of the
    machine, which one worker does not tell. Raises: TooFew.
    """
    if len({each.steps for each in points}) < 2 or len({each.concurrency for each in points}) < 2:
        raise TooFew("calibration needs one worker with two numbers of steps and two of tasks at once")
    if missing := [name for name in ("claim", "step", "end") if not all(each.kind(name) for each in points)]:
        raise TooFew(f"no batches of {', '.join(missing)} are told apart in some of its points")
    # With one worker hardly anybody is in the way: its shortest wait for the lock is the journey to ask for it.
    entries = _entries(points)

    def rest_s(point: Point, kind: Kind) -> float:
        """Nothing of ours computed then, and nothing waited for the disk."""
        waited_s = kind.batches * ((point.sync_each_s() or 0.0) - entries[kind.name])
        return max(0.0, kind.held_s - kind.cpu_s * point.slower(cores) - waited_s)

    journey_s = min(entries.values())
    syncs = [each.sync_each_s() or 0.0 for each in points]
    in_batches = [sum(rest_s(each, kind) for kind in each.kinds) for each in points]
    shares = [_database_share(each, cores, rest) for each, rest in zip(points, in_batches, strict=True)]
    return Costs(
        loop=_loop(points),
        writer=_kinds(points, lambda _, kind: kind.cpu_s),
        rest=_kinds(points, rest_s),
        database_share=min(1.0, sum(shares) / len(shares)),
        journey_s=journey_s,
        look_s=_look_s(points, cores, in_batches),
        switch_s=switch_s,
        commit_s=sum(syncs) / len(syncs),
        commit_tail=max((_tail(each) for each in points), default=1.0),
        beside=any(each.beside_batches for each in points),
    )


def _entries(points: Sequence[Point]) -> dict[str, float]:
    known: dict[str, float] = {}
    for kind in (each for point in points for each in point.kinds if each.batches):
        known[kind.name] = min(kind.wait_s / kind.batches, known.get(kind.name, kind.wait_s / kind.batches))
    return known


def _look_s(points: Sequence[Point], cores: int, in_batches: Sequence[float]) -> float:
    """What the server computes beyond the time that batches take; their looks before them, others' reads."""
    each_s = []
    for point, rest_s in zip(points, in_batches, strict=True):
        alone = point.batches - point.beside_batches
        if alone:
            each_s.append((point.database_cpu_s * point.slower(cores) - rest_s) / alone)
    return max(0.0, sum(each_s) / len(each_s)) if each_s else 0.0


def _database_share(point: Point, cores: int, rest_s: float) -> float:
    return point.database_cpu_s * point.slower(cores) / rest_s if rest_s else 0.0


def _tail(point: Point) -> float:
    if not point.commit_p50_ms or not point.commit_p99_ms:
        return 1.0
    return point.commit_p99_ms / point.commit_p50_ms


def _loop(points: Sequence[Point]) -> Loop:
    """Each point counts alike, however long it ran: what is fitted is the cost of one task of it."""
    rows = [
        (
            1.0,
            float(each.steps),
            (each.batches - each.beside_batches) / each.tasks,
            each.beside_batches / each.tasks,
        )
        for each in points
    ]
    wanted = [(each.worker_cpu_s - each.writer_cpu_s) / each.tasks for each in points]
    return Loop(*non_negative(rows, wanted))


def _kinds(points: Sequence[Point], seconds: Callable[[Point, Kind], float]) -> Kinds:
    def cost(name: str) -> Cost:
        rows, wanted = [], []
        for point in points:
            kind = point.kind(name)
            if kind is not None:
                each = point.tasks if name == "claim" else kind.writes
                rows.append((kind.batches / each, 1.0))
                wanted.append(seconds(point, kind) / each)
        return Cost(*non_negative(rows, wanted)) if rows else Cost()

    return Kinds(cost("claim"), cost("step"), cost("end"), cost("describe"))


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
