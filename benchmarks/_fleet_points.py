"""What is measured of a fleet, as JSON: the points that benchmarks/scale writes and benchmarks/simulate_fleet reads.

One object: `Measured`, whose lists hold `Point`, `Growth` and `Waiting`. Every field is described where it stands. A
figure that could not be taken is null, with the reason in `notes`; the model then says what it leaves out for it.
"""

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LATEST = Path(__file__).parent / "measured" / "scale.json"
CORES_LEFT_MIN = 0.25
FORM = 2  # Raised when a field changes its meaning; a file of another form is refused.


class Unreadable(Exception):
    """The file is not what this module describes; the message names the place."""


@dataclass(frozen=True)
class Machine:
    """Where all points were taken: workers and database on one machine, so that they share its cores."""

    cores: int
    cpu: str
    file_system: str
    database: str  # "PostgreSQL 16.2", "SQLite 3.40.1"
    python: str
    switch_s: float = 0.0  # Of a core, for each piece of work that had to wait for it; see `_fleet_switch`.


@dataclass(frozen=True)
class Kind:
    """The batches of one kind: `name` is that of the dearest write in them, of `_fleet_meter.KINDS`."""

    name: str
    batches: int
    writes: int  # Of this kind; others may have been in the same batches. Of "describe": the tasks described.
    cpu_s: float  # Of the writers' threads.
    held_s: float  # From having the lock to the end of COMMIT.
    wait_s: float  # Until they had it, the journey to ask for it included.


@dataclass(frozen=True)
class Point:
    """One measurement: `workers` processes that each hold up to `concurrency` tasks, working off what was handed in
    before. Times and counts run from the first claim to the last outcome and are sums over all workers.
    """

    workers: int
    concurrency: int
    steps: int  # Durable steps of one task.
    model_ms: float  # What each step waits for, as it waits for a model; 0: a step that does nothing.
    tasks: int
    seconds: float
    worker_cpu_s: float  # User and system time of the worker processes.
    database_cpu_s: float  # Of all processes of the server; 0 for SQLite, which works inside the workers.
    others_cpu_s: float  # Of everything else on the machine, what a hypervisor took included.
    batches: int  # Transactions of the writers; each is one commit with one wait for the disk.
    writes: int  # Operations in them.
    writer_cpu_s: float  # CPU of the writers' threads in these transactions; a part of worker_cpu_s.
    exclusive_s: (
        float  # Time in which a worker alone held the write lock, from having it to the end of COMMIT.
    )
    lock_wait_s: float  # Time in which writers waited for that lock; a sum over workers.
    beside_batches: int  # Of `batches`: those that held the lock shared, beside one another.
    beside_s: float  # Time in those transactions, a sum over workers; not in exclusive_s.
    step_p50_ms: float | None  # What a step took, its model included, as the agent saw it.
    step_p99_ms: float | None
    connections: int | None  # Open on the server at the busiest moment.
    wal_bytes: int | None  # Written to the write-ahead log.
    stored_bytes: int | None  # By which the database grew, the tasks' inputs included.
    commit_p50_ms: float | None = (
        None  # One small transaction at a time by a plain client, in the same minute.
    )
    commit_p99_ms: float | None = None
    syncs: int | None = None  # Waits for the disk that the server counted, and how long they took together.
    sync_s: float | None = None
    beside_writes: int | None = None  # Of `writes`: those in `beside_batches`; null: the steps alone.
    kinds: tuple[Kind, ...] = ()  # The same batches once more, by what they were for.
    round: int = 1
    nice: int = 0  # Of workers and server; below 0 they go ahead of the others, who get what these leave.

    def kind(self, name: str) -> Kind | None:
        """None where no batch was of this kind."""
        return next((each for each in self.kinds if each.name == name and each.batches), None)

    @property
    def tasks_per_s(self) -> float:
        return self.tasks / self.seconds

    @property
    def others_cores(self) -> float:
        """Cores that the rest of the machine took from the fleet, on average."""
        return 0.0 if self.nice < 0 else self.others_cpu_s / self.seconds

    def sync_each_s(self) -> float | None:
        """What a commit waited for the disk, on average: by the server's count, or else what a plain client saw."""
        if self.syncs and self.sync_s is not None:
            return self.sync_s / self.syncs
        return None if self.commit_p50_ms is None else self.commit_p50_ms / 1000

    def slower(self, cores: int) -> float:
        """How much longer computing takes on what the rest of the machine left."""
        return slowed(max(CORES_LEFT_MIN, cores - self.others_cores))

    def title(self) -> str:
        model = f", model {self.model_ms:g} ms" if self.model_ms else ""
        return f"{self.workers} worker(s) x {self.concurrency} at once, {self.steps} steps{model}"


def slowed(cores: float) -> float:
    """Of a machine with a fraction of cores: as many whole ones, each slower."""
    return max(1, math.ceil(cores - 1e-9)) / cores


@dataclass(frozen=True)
class Growth:
    """What one look costs with so many tasks in the database: medians in ms, one caller."""

    tasks: int
    list_ms: float | None
    claim_ms: float | None
    sweep_ms: float | None


@dataclass(frozen=True)
class Waiting:
    """Tasks that do nothing but wait, and what they cost. `kind`: "suspended" (a row) or "active" (in a place of a
    worker, waiting for its model).
    """

    kind: str
    tasks: int
    worker_kb_per_task: float | None
    stored_bytes_per_task: float | None
    wake_p99_s: float | None  # From the due time to the first step, with all of them there.
    idle_cores: float | None  # CPU of worker and database while nothing is due.


@dataclass(frozen=True)
class Measured:
    machine: Machine
    points: tuple[Point, ...]
    growth: tuple[Growth, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    worker_mb: float | None = None  # A worker's resident memory without a task.
    idle_worker_cores: float | None = None  # CPU of one worker that finds nothing to do.
    idle_database_cores: float | None = None  # CPU of the server for that worker's looking.
    notes: tuple[str, ...] = ()
    form: int = FORM


def read(path: Path = LATEST) -> Measured:
    """Raises: Unreadable."""
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Unreadable(f"{path}: {error}") from error
    return parsed(given)


def parsed(given: Any) -> Measured:
    """Raises: Unreadable."""
    if isinstance(given, Mapping) and given.get("form") != FORM:
        raise Unreadable(f"form is {given.get('form')!r}, this reads {FORM}")
    found = _value(given, Measured, "measured")
    assert isinstance(found, Measured)
    return found


def written(measured: Measured, path: Path = LATEST) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(dataclasses.asdict(measured), indent=1) + "\n", encoding="utf-8")


def _value(given: Any, kind: Any, where: str) -> Any:
    if typing.get_origin(kind) is tuple:
        if not isinstance(given, list):
            raise Unreadable(f"{where} is not a list")
        inner = typing.get_args(kind)[0]
        return tuple(_value(each, inner, f"{where}[{i}]") for i, each in enumerate(given))
    if isinstance(kind, types.UnionType):
        return None if given is None else _value(given, typing.get_args(kind)[0], where)
    if dataclasses.is_dataclass(kind):
        return _record(given, kind, where)
    if kind is float and isinstance(given, int) and not isinstance(given, bool):
        return float(given)
    if not isinstance(given, kind) or isinstance(given, bool):
        raise Unreadable(f"{where} is {given!r}, wanted: {kind.__name__}")
    return given


def _record(given: Any, kind: Any, where: str) -> Any:
    if not isinstance(given, Mapping):
        raise Unreadable(f"{where} is not an object")
    hints = typing.get_type_hints(kind)
    needed = {each.name for each in dataclasses.fields(kind) if each.default is dataclasses.MISSING}
    if missing := sorted(needed - set(given)):
        raise Unreadable(f"{where} lacks {', '.join(missing)}")
    if unknown := sorted(set(given) - set(hints)):
        raise Unreadable(f"{where} has unknown {', '.join(unknown)}")
    return kind(**{name: _value(value, hints[name], f"{where}.{name}") for name, value in given.items()})
