"""Meters of a fleet: what writers do in their transactions, and the CPU of process trees. Knows no benchmark.

`Writers` is put into a worker's process before its database is opened. `cpu_s` and `machine_cpu_s` read /proc, so this
is for Linux.
"""

import contextlib
import os
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
PARENT, TIME_FIRST, TIME_LAST = 1, 11, 12  # In /proc/PID/stat after the name: parent, user and system ticks.
CHILDREN_FIRST, CHILDREN_LAST = 13, 14  # The same of children that have ended.
# Of writes, by the function that carries them out; the first of these that is in a batch gives it its name.
KINDS = ("claim", "describe", "end", "step", "other")
NAMES = {"Worker._claim.": "claim", "Runner._write.": "end", "Journal.": "step", "_describe": "describe"}
IDLE, IO_WAIT, GUEST = 3, 4, 8  # In the first line of /proc/stat; from GUEST on all is counted before.


def kind_of(op: Any) -> str:
    name = getattr(getattr(op, "func", op), "__qualname__", "")
    return next((kind for begin, kind in NAMES.items() if name.startswith(begin)), "other")


def many(op: Any) -> int:
    """How many tasks a write describes; any other is one."""
    return len(getattr(op, "keywords", {}).get("found", "1"))


@dataclass
class OfKind:
    """Sums over the batches of one kind, as `_fleet_points.Kind` describes them."""

    batches: int = 0
    writes: int = 0
    cpu_s: float = 0.0
    held_s: float = 0.0
    wait_s: float = 0.0


@dataclass
class Writers:
    """Sums over all writers of this process since `clear`."""

    batches: int = 0
    writes: int = 0
    cpu_s: float = 0.0
    exclusive_s: float = 0.0
    lock_wait_s: float = 0.0
    beside_batches: int = 0
    beside_writes: int = 0
    beside_s: float = 0.0
    kinds: dict[str, OfKind] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _begun: dict[int, float] = field(default_factory=dict)

    def install(self) -> None:
        """Every batch of this process is metered from now on."""
        from airworthy.store import writer

        work = writer.run_batch

        def metered(connection: Any, batch: list[Any]) -> None:
            self._watch(type(connection))
            ops = [each.op for each in batch]
            began, cpu = time.perf_counter(), time.thread_time()
            try:
                work(connection, batch)
            finally:
                now = time.perf_counter()
                self._add(connection, ops, began, now, time.thread_time() - cpu)

        writer.run_batch = metered

    def clear(self) -> None:
        with self._lock:
            self.batches = self.writes = self.beside_batches = self.beside_writes = 0
            self.cpu_s = self.exclusive_s = self.lock_wait_s = self.beside_s = 0.0
            self.kinds = {}

    def said(self) -> dict[str, Any]:
        with self._lock:
            return {
                "batches": self.batches, "writes": self.writes, "writer_cpu_s": self.cpu_s,
                "exclusive_s": self.exclusive_s, "lock_wait_s": self.lock_wait_s,
                "beside_batches": self.beside_batches, "beside_writes": self.beside_writes, "beside_s": self.beside_s,
                "kinds": {name: asdict(each) for name, each in self.kinds.items()},
            }  # fmt: skip

    def _add(self, connection: Any, ops: list[Any], began: float, now: float, cpu_s: float) -> None:
        writes, name = len(ops), min((kind_of(each) for each in ops), key=KINDS.index)
        has_lock = self._begun.pop(id(connection), began)
        shared = "shared" in getattr(connection, "_turn", "")
        with self._lock:
            self.batches += 1
            self.writes += writes
            self.cpu_s += cpu_s
            self.lock_wait_s += has_lock - began
            of_kind = self.kinds.setdefault(name, OfKind())
            of_kind.batches += 1
            of_kind.writes += sum(many(each) for each in ops if kind_of(each) == name)
            of_kind.cpu_s += cpu_s
            of_kind.held_s += now - has_lock
            of_kind.wait_s += has_lock - began
            if shared:
                self.beside_batches += 1
                self.beside_writes += writes
                self.beside_s += now - has_lock
            else:
                self.exclusive_s += now - has_lock

    def _watch(self, kind: Any) -> None:
        """`begin` returns when the lock is held: until then a batch waits for it."""
        if getattr(kind.begin, "metered", False):
            return
        begin = kind.begin

        def metered(connection: Any, *given: Any, **named: Any) -> Any:
            answer = begin(connection, *given, **named)
            self._begun[id(connection)] = time.perf_counter()
            return answer

        metered.metered = True  # type: ignore[attr-defined]
        kind.begin = metered


def cpu_s(roots: Iterable[int]) -> float:
    """User and system seconds of these processes, of all below them, and of their children that have ended."""
    ticks = 0
    for stat in _tree(roots).values():
        ticks += sum(int(stat[i]) for i in (TIME_FIRST, TIME_LAST, CHILDREN_FIRST, CHILDREN_LAST))
    return ticks * TICK_S


def preferred(roots: Iterable[int], nice: int) -> None:
    """These processes and all below them; where the kernel groups sessions, their sessions too."""
    for pid in _tree(roots):
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, pid, nice)
            Path(f"/proc/{pid}/autogroup").write_text(str(nice))


@contextlib.contextmanager
def on_cores(roots: Iterable[int], cores: set[int]) -> Iterator[None]:
    """These processes, this one, and all that they start meanwhile have no others."""
    before = os.sched_getaffinity(0)
    whole = [*roots, os.getpid()]
    _keep_to(whole, cores)
    try:
        yield
    finally:
        _keep_to(whole, before)


def _keep_to(roots: Iterable[int], cores: set[int]) -> None:
    for pid in _tree(roots):
        with contextlib.suppress(ProcessLookupError):  # It ended just now.
            os.sched_setaffinity(pid, cores)


def _tree(roots: Iterable[int]) -> dict[int, list[str]]:
    stats = _stats()
    wanted, grown = set(roots), True
    while grown:
        more = {pid for pid, stat in stats.items() if int(stat[PARENT]) in wanted} - wanted
        wanted |= more
        grown = bool(more)
    return {pid: stats[pid] for pid in wanted & set(stats)}


def _stats() -> dict[int, list[str]]:
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                text = (folder / "stat").read_text()
            except OSError:
                continue  # It ended just now.
            found[int(folder.name)] = text[text.rindex(")") + 2 :].split()
    return found


def machine_cpu_s() -> float:
    """Seconds in which the machine's cores were not idle, those that a hypervisor took included."""
    ticks = [int(each) for each in Path("/proc/stat").read_text().splitlines()[0].split()[1:]][:GUEST]
    return (sum(ticks) - ticks[IDLE] - ticks[IO_WAIT]) * TICK_S


def resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
