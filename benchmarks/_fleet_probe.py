"""Takes the points of a fleet on this machine: real workers on one database, worked off at full speed.

Run `python -m benchmarks._fleet_probe [--database sqlite] [--quick] [--out FILE]`. It starts a PostgreSQL of its own,
and writes what `benchmarks._fleet_points` describes. The machine should do nothing else; what it does is measured too.
"""

import argparse
import contextlib
import itertools
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from benchmarks import pg_server
from benchmarks._disk import ROW_BYTES, commit_laps
from benchmarks._environment import ROOT, machine
from benchmarks._figures import percentile
from benchmarks._fleet_meter import KINDS, cpu_s, machine_cpu_s, preferred
from benchmarks._fleet_points import LATEST, Kind, Machine, Measured, Point, Waiting, read, written
from benchmarks._fleet_switch import switch_s

TASKS_MIN = 60
COMMITS_S = 0.5
IDLE_S = 8.0


@dataclass(frozen=True)
class Order:
    workers: int
    concurrency: int
    steps: int
    model_ms: float
    tasks: int


# The first four calibrate the model; the others are what it has to foresee.
ORDERS = (
    Order(1, 1, 2, 0, 450),
    Order(1, 1, 8, 0, 300),
    Order(1, 50, 2, 0, 2000),
    Order(1, 50, 8, 0, 1500),
    Order(1, 50, 16, 0, 1000),
    Order(1, 10, 8, 0, 1000),
    Order(2, 50, 8, 0, 2000),
    Order(4, 50, 8, 0, 2400),
    Order(2, 50, 16, 0, 1400),
    Order(1, 100, 8, 100, 1000),
    Order(4, 1, 8, 0, 600),
)


_NUMBERS = itertools.count(1)  # Of the databases of this run.


class Server:
    """What the workers are on. `roots`: of its process tree."""

    name = ""
    roots: tuple[int, ...] = ()

    def fresh(self, name: str) -> str:
        raise NotImplementedError

    def stored(self, where: str) -> tuple[int | None, int | None, int | None]:
        """Bytes of the database, bytes of the log so far, connections open."""
        raise NotImplementedError

    def synced(self, where: str) -> tuple[int, float] | None:
        """Waits for the disk at commits so far, and their seconds; None where nobody counts them."""
        return None

    def commits(self, where: str) -> list[float]:
        """Seconds of small transactions, one at a time."""
        raise NotImplementedError


class Files(Server):
    name = f"SQLite {sqlite3.sqlite_version}"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def fresh(self, name: str) -> str:
        return str(self._folder / f"{name}.db")

    def stored(self, where: str) -> tuple[int | None, int | None, int | None]:
        return Path(where).stat().st_size, None, None

    def commits(self, where: str) -> list[float]:
        return commit_laps(self._folder / "commits.db", COMMITS_S)


class Postgres(Server):
    def __init__(self, server: pg_server.Server) -> None:
        self._url = server.url
        self.roots = (server.postmaster,)
        self.name = "PostgreSQL " + str(self._one(self._url + "postgres", "SHOW server_version")).split()[0]

    def fresh(self, name: str) -> str:
        import psycopg

        with psycopg.connect(self._url + "postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
            connection.execute("ALTER SYSTEM SET track_wal_io_timing = on")
            connection.execute("SELECT pg_reload_conf()")
            # Each measurement begins with a clean slate: no checkpoint of the one before falls into it.
            connection.execute("CHECKPOINT")
        return self._url + name

    def stored(self, where: str) -> tuple[int | None, int | None, int | None]:
        stored = self._one(where, "SELECT pg_database_size(current_database())")
        log = self._one(where, "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint")
        open_ = self._one(
            where, "SELECT count(*) - 1 FROM pg_stat_activity WHERE datname = current_database()"
        )
        return int(stored), int(log), int(open_)

    def synced(self, where: str) -> tuple[int, float] | None:
        number, ms = self._row(
            where,
            "SELECT sum(fsyncs), sum(fsync_time) FROM pg_stat_io WHERE object = 'wal'"
            " AND context = 'normal' AND backend_type = 'client backend'",
        )
        return int(number), float(ms) / 1000

    def commits(self, where: str) -> list[float]:
        import psycopg

        laps: list[float] = []
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS commits (id serial PRIMARY KEY, body bytea NOT NULL)"
            )
            until = time.perf_counter() + COMMITS_S
            while time.perf_counter() < until:
                began = time.perf_counter()
                connection.execute("INSERT INTO commits (body) VALUES (%s)", (b"\x00" * ROW_BYTES,))
                laps.append(time.perf_counter() - began)
            connection.execute("DROP TABLE commits")
        return laps

    @classmethod
    def _one(cls, where: str, sql: str) -> Any:
        return cls._row(where, sql)[0]

    @staticmethod
    def _row(where: str, sql: str) -> tuple[Any, ...]:
        import psycopg

        with psycopg.connect(where, autocommit=True) as connection:
            row = connection.execute(sql).fetchone()
        assert row is not None
        return row


@contextlib.contextmanager
def server_of(kind: str, folder: Path) -> Iterator[Server]:
    if kind == "sqlite":
        yield Files(folder)
        return
    with pg_server.running(pg_server.DURABLE) as server:
        yield Postgres(server)


def measured(server: Server, order: Order, round_: int, nice: int = 0) -> tuple[Point, dict[str, float]]:
    """The point, and a worker's resident memory before it began and while it was full."""
    where = server.fresh(f"p{next(_NUMBERS)}")
    commits = server.commits(where)
    children = [_child(where, order, "--tasks", str(order.tasks))]
    try:
        ready = [line_of(children[0])]  # It has made the tables, and handed the tasks in.
        children += [_child(where, order) for _ in range(order.workers - 1)]
        ready += [line_of(each) for each in children[1:]]
        size, log, _ = server.stored(where)
        if nice:
            # Each connection of a server has a process and a session of its own.
            preferred(server.roots, nice)
        synced = server.synced(where)
        before = machine_cpu_s(), cpu_s(server.roots)
        for each in children:
            print("go", file=each.stdin, flush=True)
        # Connections open within the first moments, and stay.
        time.sleep(0.3)
        connections = server.stored(where)[2]
        if nice:
            preferred(server.roots, nice)
        found = [line_of(each) for each in children]
        after = machine_cpu_s(), cpu_s(server.roots)
        for each in children:
            # Until now their connections are open: the time of a process that has just gone could be missed.
            print("leave", file=each.stdin, flush=True)
            each.wait()
    finally:
        for each in children:
            if each.poll() is None:
                each.kill()
                each.wait()
    size_end, log_end, _ = server.stored(where)
    synced_end = server.synced(where)
    seconds = max(each["ended_s"] for each in found) - min(each["began_s"] for each in found)
    worker_cpu_s = sum(each["cpu_s"] for each in found)
    database_cpu_s = after[1] - before[1] if server.roots else 0.0
    point = Point(
        workers=order.workers, concurrency=order.concurrency, steps=order.steps, model_ms=float(order.model_ms),
        tasks=int(sum(each["tasks"] for each in found)), seconds=round(seconds, 4),
        worker_cpu_s=round(worker_cpu_s, 4), database_cpu_s=round(database_cpu_s, 4),
        others_cpu_s=round(max(0.0, after[0] - before[0] - worker_cpu_s - database_cpu_s), 4),
        batches=int(sum(each["batches"] for each in found)), writes=int(sum(each["writes"] for each in found)),
        writer_cpu_s=round(sum(each["writer_cpu_s"] for each in found), 4),
        exclusive_s=round(sum(each["exclusive_s"] for each in found), 4),
        lock_wait_s=round(sum(each["lock_wait_s"] for each in found), 4),
        beside_batches=int(sum(each["beside_batches"] for each in found)),
        beside_writes=int(sum(each["beside_writes"] for each in found)),
        beside_s=round(sum(each["beside_s"] for each in found), 4),
        step_p50_ms=_mean([each["step_p50_ms"] for each in found]),
        step_p99_ms=_mean([each["step_p99_ms"] for each in found]),
        connections=connections,
        wal_bytes=None if log is None or log_end is None else log_end - log,
        stored_bytes=None if size is None or size_end is None else size_end - size,
        commit_p50_ms=round(percentile(commits, 50) * 1000, 4),
        commit_p99_ms=round(percentile(commits, 99) * 1000, 4),
        syncs=None if synced is None or synced_end is None else synced_end[0] - synced[0],
        sync_s=None if synced is None or synced_end is None else round(synced_end[1] - synced[1], 4),
        kinds=_kinds([each["kinds"] for each in found]),
        round=round_, nice=nice,
    )  # fmt: skip
    memory = {"mb": max(each["mb"] for each in ready), "busy_mb": max(each["busy_mb"] for each in found)}
    return point, memory


def _kinds(found: Sequence[Mapping[str, Mapping[str, float]]]) -> tuple[Kind, ...]:
    """Sums over all workers."""

    def total(name: str, of: str) -> float:
        return sum(each[name][of] for each in found if name in each)

    return tuple(
        Kind(
            name, int(total(name, "batches")), int(total(name, "writes")),
            *(round(total(name, of), 4) for of in ("cpu_s", "held_s", "wait_s")),
        )
        for name in KINDS
    )  # fmt: skip


def idle(server: Server, nice: int = 0) -> tuple[float, float]:
    """CPU of a worker that finds nothing to do, and of the server for it, in cores."""
    where = server.fresh("idle")
    child = _child(where, Order(1, 16, 1, 0, 0), "--idle-s", str(IDLE_S))
    try:
        line_of(child)
        if nice:
            preferred([*server.roots, child.pid], nice)
        before = cpu_s(server.roots)
        print("go", file=child.stdin, flush=True)
        found = line_of(child)
        database_s = cpu_s(server.roots) - before if server.roots else 0.0
        print("leave", file=child.stdin, flush=True)
        child.wait()
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
    return round(found["cpu_s"] / found["seconds"], 4), round(database_s / found["seconds"], 4)


def machine_of(about: Mapping[str, object], server: Server) -> Machine:
    cores = int(str(about["cores"]))
    return Machine(
        cores,
        str(about["cpu"]),
        str(about["file_system"]),
        server.name,
        str(about["python"]),
        round(switch_s(cores), 7),
    )


def active_of(order: Order, memory: Mapping[str, float]) -> Waiting:
    """What a task costs a worker that holds as many as it may, all of them waiting for their model."""
    each_kb = (memory["busy_mb"] - memory["mb"]) * 1024 / order.concurrency
    return Waiting("active", order.concurrency, round(each_kb, 2), None, None, None)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [each for each in values if each is not None]
    return round(sum(known) / len(known), 4) if known else None


def _child(where: str, order: Order, *more: str) -> "subprocess.Popen[str]":
    arguments = [
        "--database", where, "--steps", str(order.steps), "--concurrency", str(order.concurrency),
        "--model-ms", str(order.model_ms), *more,
    ]  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks._fleet_child", *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
    )  # fmt: skip


def line_of(child: "subprocess.Popen[str]") -> dict[str, Any]:
    """What a child process says next."""
    out: IO[str] | None = child.stdout
    assert out is not None
    line = out.readline()
    if not line:
        raise RuntimeError(f"a worker ended with {child.wait()} before it answered")
    answer: dict[str, Any] = json.loads(line)
    return answer


def _prefer(nice: int) -> None:
    """Of this process and all that it starts."""
    if nice:
        with contextlib.suppress(OSError):
            os.setsid()  # The kernel may group processes by session, and weigh whole groups.
        preferred([os.getpid()], nice)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument(
        "--quick", action="store_true", help="a fifth of the tasks, to see that everything runs"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=LATEST)
    parser.add_argument("--append", action="store_true", help="to the rounds that stand in that file")
    parser.add_argument(
        "--nice", type=int, default=0, help="below 0: ahead of others, where the machine is shared"
    )
    said = parser.parse_args()
    _prefer(said.nice)
    before = read(said.out) if said.append and said.out.exists() else None
    points = list(before.points) if before is not None else []
    first = 1 + max((each.round for each in points), default=0)
    memory = dict[str, float]()
    with (
        tempfile.TemporaryDirectory(prefix="fleet-", dir="/tmp") as folder,
        server_of(said.database, Path(folder)) as server,
    ):
        Path(folder).chmod(0o755)
        for round_ in range(first, first + said.rounds):
            for order in ORDERS:
                tasks = max(TASKS_MIN, order.tasks // 5) if said.quick else order.tasks
                point, mb = measured(server, replace(order, tasks=tasks), round_, said.nice)
                points.append(point)
                print(f"{point.title()}: {point.tasks_per_s:.0f} tasks/s", file=sys.stderr, flush=True)
                if order.model_ms:
                    memory = mb
        idle_worker, idle_database = idle(server, said.nice)
        where = machine_of(machine(Path(folder)), server)
    active = active_of(next(each for each in ORDERS if each.model_ms), memory)
    written(
        Measured(
            where,
            tuple(points),
            waiting=(active,),
            worker_mb=round(memory["mb"], 1),
            idle_worker_cores=idle_worker,
            idle_database_cores=idle_database,
        ),
        said.out,
    )


if __name__ == "__main__":
    main()
