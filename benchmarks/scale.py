"""Many workers on one PostgreSQL: tasks and durable steps per second, beside DBOS on the same server, and what a
million waiting tasks cost; prints one JSON line last.

Run `python -m benchmarks.scale`, or `make bench NAME=scale`. It starts a PostgreSQL of its own, with every commit on
the disk. What happens when workers and server are killed comes from `benchmarks.chaos`, run at its end.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks._environment import ROOT, NotTaken, Peer, answer, last_json, machine, prepared
from benchmarks._figures import median_of, percentile, ratios, rounded
from benchmarks._fleet_meter import cpu_s, on_cores
from benchmarks._fleet_points import LATEST, Growth, Measured, Point, Waiting, written
from benchmarks._fleet_probe import (
    ORDERS,
    Order,
    Postgres,
    active_of,
    idle,
    line_of,
    machine_of,
    measured,
    server_of,
)
from benchmarks._scale_rows import copies, copy_id

DBOS = Peer("dbos", "benchmarks._peers.dbos_postgres", ("dbos==3.4.0",))
CHILD_S_MAX = 600.0
BESIDE = Order(workers=1, concurrency=100, steps=5, model_ms=0, tasks=4_500)
DBOS_TASKS = 300
MOST = Order(4, 50, 8, 0, 2400)  # One of ORDERS.
WORKERS = (1, 2, 4)
WAKES = 500
WAKES_OVER_S = 10.0
IDLE_S = 10.0
READING = (
    "Workers, PostgreSQL and the benchmark share the cores of this machine.",
    "steps_per_s_ratio_dbos: one worker each, 100 tasks at once of 5 no-op steps, in turns within a round.",
    "Ours also stores each task's claim, two check reports and its outcome, and takes it from a queue.",
    "DBOS is called directly.",
    "tasks_per_s_N: N workers with 50 tasks at once each, 8 no-op steps a task.",
    "tasks_per_s_4_one_core: the same four and the server on one core; speedup_of_cores: all cores over that.",
    "The million are copies of one task that really was suspended, in every table that names it.",
    "Wake latency: from a task's due time to its claim, among all the others.",
)


@dataclass(frozen=True)
class Plan:
    rounds: int
    tasks: float  # Of what the full run takes.
    sizes: tuple[int, ...]


FULL = Plan(rounds=3, tasks=1.0, sizes=(1_000, 10_000, 100_000, 1_000_000))
QUICK = Plan(rounds=1, tasks=0.1, sizes=(1_000, 10_000))


@dataclass
class Findings:
    points: list[Point] = field(default_factory=list)
    one_core: list[float | None] = field(default_factory=list)  # Tasks per second of `MOST` there.
    ours: list[float | None] = field(default_factory=list)
    dbos: list[float | None] = field(default_factory=list)
    growth: list[Growth] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    rss_mb: dict[int, float] = field(default_factory=dict)
    active: Waiting | None = None
    idle: tuple[float, float] | None = None
    worker_mb: float | None = None
    notes: list[str] = field(default_factory=lambda: list(READING))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small and once, to see that everything runs")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--out", type=Path, default=LATEST, help="where benchmarks.simulate_fleet reads")
    parser.add_argument("--no-chaos", action="store_true")
    said = parser.parse_args()
    plan = QUICK if said.quick else FULL
    found = Findings()
    with (
        tempfile.TemporaryDirectory(prefix="scale-", dir="/tmp") as folder,
        server_of("postgresql", Path(folder)) as server,
    ):
        assert isinstance(server, Postgres)
        about = machine(Path(folder))
        rounds: int = said.rounds or plan.rounds
        for number in range(1, rounds + 1):
            _round(server, plan, number, found)
            print(f"round {number} done", file=sys.stderr, flush=True)
        found.idle = idle(server)
        _waiting(server, plan.sizes, found)
        where = machine_of(about, server)
        about["database"] = server.name
    chaos = {} if said.no_chaos else _chaos(found, short=said.quick)
    waiting = [*found.waiting, *([] if found.active is None else [found.active])]
    whole = Measured(
        where, tuple(found.points), tuple(found.growth), tuple(waiting), found.worker_mb,
        *found.idle, tuple(found.notes),
    )  # fmt: skip
    if not said.quick:
        written(whole, said.out)
    print(json.dumps(_figures(found) | chaos | {"machine": about, "notes": found.notes}))


def _round(server: Postgres, plan: Plan, number: int, found: Findings) -> None:
    def tasks(full: int) -> int:
        return max(60, round(full * plan.tasks))

    point, memory = measured(server, replace(BESIDE, tasks=tasks(BESIDE.tasks)), number)
    found.ours.append(point.tasks_per_s * point.steps)
    found.worker_mb = memory["mb"]
    found.points.append(point)
    try:
        arguments = [
            "--url", server.fresh(f"dbos_{number}"), "--steps", str(BESIDE.steps),
            "--concurrency", str(BESIDE.concurrency), "--tasks", str(tasks(DBOS_TASKS)),
        ]  # fmt: skip
        found.dbos.append(float(answer(prepared(DBOS), DBOS.module, arguments, CHILD_S_MAX)["steps_per_s"]))
    except NotTaken as why:
        found.dbos.append(None)
        found.notes.append(f"dbos: {why}")
    # The points from which benchmarks.simulate_fleet learns, and those that it has to foresee.
    for order in ORDERS:
        point, memory = measured(server, replace(order, tasks=tasks(order.tasks)), number)
        found.points.append(point)
        if order.model_ms:
            found.active = active_of(order, memory)
        if order == MOST:
            with on_cores(server.roots, {min(os.sched_getaffinity(0))}):
                point, _ = measured(server, replace(order, tasks=tasks(order.tasks // 2)), number)
            found.one_core.append(point.tasks_per_s)


# --- among many that wait ---


def _waiting(server: Postgres, sizes: tuple[int, ...], found: Findings) -> None:
    import psycopg

    url = server.fresh("waiting")
    task_id = str(_told(url, "suspend")["task"])
    there = 0
    with psycopg.connect(url, autocommit=True) as connection:
        for size in sizes:
            copies(connection, task_id, there + 1, size)
            there = size
            # As it lies once the server has tidied up after so many came at once.
            connection.execute("VACUUM ANALYZE")
            look = _told(url, "look")
            found.growth.append(Growth(size, look["list_ms"], look["claim_ms"], look["sweep_ms"]))
            print(f"{size:,} wait: {look}", file=sys.stderr, flush=True)
        stored = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        assert stored is not None
        found.waiting.append(_woken(server, url, connection, task_id, there, found, int(stored[0])))


def _woken(
    server: Postgres, url: str, connection: Any, task_id: str, there: int, found: Findings, stored: int
) -> Waiting:
    """A worker among all of them: its memory, what it costs while nothing is due, and how late it wakes some."""
    child = _child(url, "work")
    line_of(child)
    time.sleep(3.0)  # Until what a start brings with it is over.
    before = cpu_s([child.pid]), cpu_s(server.roots), time.perf_counter()
    time.sleep(IDLE_S)
    after = cpu_s([child.pid]), cpu_s(server.roots), time.perf_counter()
    print("look", file=child.stdin, flush=True)
    found.rss_mb[there] = line_of(child)["mb"]
    print("leave", file=child.stdin, flush=True)
    child.wait()
    chosen = [copy_id(task_id, number) for number in range(1, min(there, WAKES) + 1)]
    first_us = int((time.time() + 8.0) * 1e6)
    apart_us = int(WAKES_OVER_S * 1e6 / len(chosen))
    with connection.cursor() as cursor:
        for table, column, name in (("tasks", "wake_us", "id"), ("wakes", "due_us", "task_id")):
            rows = [(first_us + number * apart_us, each) for number, each in enumerate(chosen)]
            cursor.executemany(f"UPDATE {table} SET {column} = %s WHERE {name} = %s", rows)
    child = _child(url, "work")
    line_of(child)
    time.sleep(8.0 + WAKES_OVER_S + 5.0)
    print("leave", file=child.stdin, flush=True)
    child.wait()
    began = connection.execute(
        "SELECT id, run_started_us FROM tasks WHERE id = ANY (%s) AND run > 1", (chosen,)
    ).fetchall()
    due = {each: first_us + number * apart_us for number, each in enumerate(chosen)}
    late = [(at_us - due[each]) / 1e6 for each, at_us in began]
    if len(late) < len(chosen):
        found.notes.append(
            f"{len(chosen) - len(late)} of {len(chosen)} due tasks were not woken in time to be counted"
        )
    idle_cores = (after[0] - before[0] + after[1] - before[1]) / (after[2] - before[2])
    return Waiting(
        "suspended", there, None if found.worker_mb is None else (found.rss_mb[there] - found.worker_mb) * 1024 / there,
        stored / there, round(percentile(late, 99), 3) if late else None, round(idle_cores, 4),
    )  # fmt: skip


def _child(url: str, what: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "benchmarks._scale_waiting", what, "--url", url]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def _told(url: str, what: str) -> dict[str, Any]:
    child = _child(url, what)
    said, _ = child.communicate("", timeout=CHILD_S_MAX)
    if child.returncode != 0:
        raise RuntimeError(f"benchmarks._scale_waiting {what} ended with {child.returncode}")
    return last_json(said, "benchmarks._scale_waiting")


# --- figures ---


def _chaos(found: Findings, *, short: bool) -> dict[str, Any]:
    """Taken with the options of the short run when `short`."""
    command = [sys.executable, "-m", "benchmarks.chaos", *(["--short"] if short else [])]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    try:
        said = last_json(done.stdout, "benchmarks.chaos")
    except NotTaken as why:
        found.notes.append(f"chaos: {why}")
        said = {}
    names = ("lost", "duplicate_keyed_effects", "stale_writes_accepted", "takeover_s")
    return {name: said.get(name) for name in names} | {"chaos": said}


def _figures(found: Findings) -> dict[str, Any]:
    def taken(workers: int) -> list[float | None]:
        return [
            each.tasks_per_s
            for each in found.points
            if (each.workers, each.concurrency, each.steps) == (workers, MOST.concurrency, MOST.steps)
        ]

    waiting = found.waiting[0] if found.waiting else None
    idle_cores = None if waiting is None else waiting.idle_cores
    return {
        "steps_per_s_ratio_dbos": rounded(median_of(ratios(found.ours, found.dbos)), 1),
        "steps_per_s": rounded(median_of(found.ours), 0),
        "dbos_steps_per_s": rounded(median_of(found.dbos), 0),
        **{f"tasks_per_s_{workers}": rounded(median_of(taken(workers)), 1) for workers in WORKERS},
        "tasks_per_s_4_one_core": rounded(median_of(found.one_core), 1),
        "speedup_of_cores": rounded(median_of(ratios(taken(MOST.workers), found.one_core)), 2),
        "waiting_tasks": None if waiting is None else waiting.tasks,
        "wake_p99_s_1m": None if waiting is None or waiting.tasks < FULL.sizes[-1] else waiting.wake_p99_s,
        "wake_p99_s": None if waiting is None else waiting.wake_p99_s,
        "idle_cpu_percent": None if idle_cores is None else round(100 * idle_cores, 2),
        "worker_mb_waiting": found.rss_mb.get(waiting.tasks) if waiting is not None else None,
        "growth": [asdict(each) for each in found.growth],
    }


if __name__ == "__main__":
    main()
