"""What a wake-up costs with each engine on PostgreSQL, near and with a million far ones; prints one JSON line last.

Run `python -m benchmarks.engines`, or `make bench NAME=engines`. The server is one of our own, with fsync. `native` is
procrastinate's own way, each far wake-up a job scheduled for later, and is there to be compared with.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airworthy.app.build import App, assembled
from airworthy.policy import Policy
from airworthy.runtime import Submission
from airworthy.runtime.engine import Engine
from airworthy.runtime.engines import EngineName, engine_of
from airworthy.runtime.lifecycle import Lifecycle
from airworthy.runtime.sweeping import mend, missed
from airworthy.store import PostgresDatabase, Tx
from benchmarks import pg_server
from benchmarks._environment import machine
from benchmarks._figures import percentile
from benchmarks._fleet_meter import cpu_s

AGENT = "support"
AT_ONCE = 16
FAR_US = 10**16
COPIED = 200


@dataclass
class Server:
    """`cpu_s`: of all its processes."""

    url: str
    postmaster: int

    def cpu_s(self) -> float:
        return cpu_s([self.postmaster])


@contextmanager
def new(server: Server, name: str) -> Iterator[PostgresDatabase]:
    import psycopg

    with psycopg.connect(server.url + "postgres", autocommit=True) as raw:
        raw.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        raw.execute(f"CREATE DATABASE {name}")
    database = PostgresDatabase(server.url + name)
    try:
        yield database
    finally:
        database.close()


def milliseconds(op: Callable[[], object], times: int) -> list[float]:
    found = []
    for _ in range(times):
        began = time.perf_counter()
        op()
        found.append((time.perf_counter() - began) * 1000)
    return found


def both(figures: list[float]) -> dict[str, float]:
    return {"p50_ms": round(statistics.median(figures), 2), "p99_ms": round(percentile(figures, 99), 2)}


def rate(server: Server, database: PostgresDatabase, engine: Engine, rounds: int) -> dict[str, float]:
    """Wake-ups asked for and given out, AT_ONCE in each of two writes."""

    def schedule(tx: Tx) -> None:
        for number in range(AT_ONCE):
            engine.schedule(tx, f"tsk_{number}", agent=AGENT, priority=0, due_us=1, now_us=1)

    def once() -> None:
        database.write_now(schedule)
        assert len(database.write_now(lambda tx: engine.take(tx, [AGENT], 1, AT_ONCE))) == AT_ONCE

    once()
    began, own, its = time.perf_counter(), time.process_time(), server.cpu_s()
    for _ in range(rounds):
        once()
    took_s, count = time.perf_counter() - began, rounds * AT_ONCE
    return {
        "wakes_per_s": round(count / took_s),
        "cpu_us_per_wake": round((time.process_time() - own) / count * 1e6),
        "server_cpu_us_per_wake": round((server.cpu_s() - its) / count * 1e6),
    }


def far(database: PostgresDatabase, engine: Engine, count: int) -> dict[str, Any]:
    """`count` wake-ups are far off: what a look costs, and one that is due."""
    database.write_now(
        lambda tx: tx.execute(
            "INSERT INTO wakes (task_id, agent, priority, due_us) SELECT 'far_' || n, ?, n % 3, ?::bigint + n"
            " FROM generate_series((SELECT COUNT(*) FROM wakes) + 1, ?) AS n",
            (AGENT, FAR_US, count),
        )
    )
    database.write_now(lambda tx: tx.execute("ANALYZE wakes"))

    def due() -> None:
        database.write_now(lambda tx: engine.schedule(tx, "due", agent=AGENT, priority=0, due_us=2, now_us=1))
        assert database.write_now(lambda tx: engine.take(tx, [AGENT], 2, AT_ONCE)) == ["due"]

    look = milliseconds(lambda: database.read_now(lambda tx: engine.next_us(tx, [AGENT])), COPIED)
    return {"far": count, "look": both(look), "schedule_and_take": both(milliseconds(due, COPIED))}


def native(database: PostgresDatabase, count: int) -> dict[str, Any]:
    """procrastinate's fetch, where the far ones are jobs of its own and one behind them is due."""
    row = "ROW(?, 'wake', 0, NULL, {0}, '{{}}'::jsonb, {1})::procrastinate_job_to_defer_v1"
    defer = "SELECT COUNT(procrastinate_defer_jobs_v1(ARRAY[{0}]))"
    later, at_once = row.format("n::text", "'2100-01-01'"), row.format("NULL", "NULL")
    numbers = " FROM generate_series((SELECT COUNT(*) FROM procrastinate_jobs) + 1, ?) AS n"
    database.write_now(lambda tx: tx.rows(defer.format(later) + numbers, (AGENT, count)))
    database.write_now(lambda tx: tx.execute("ANALYZE procrastinate_jobs"))
    fetch = "SELECT id FROM procrastinate_fetch_job_v2(ARRAY[?]::varchar[], NULL)"

    def due() -> None:
        database.write_now(lambda tx: tx.rows(defer.format(at_once), (AGENT,)))
        job = database.write_now(lambda tx: tx.row(fetch, (AGENT,)))
        assert job is not None
        database.write_now(
            lambda tx: tx.rows("SELECT procrastinate_finish_job_v1(?, 'succeeded', true)", (job[0],))
        )

    times = 5 if count > 100_000 else 20
    empty = milliseconds(lambda: database.write_now(lambda tx: tx.row(fetch, (AGENT,))), times)
    return {"far": count, "look": both(empty), "schedule_and_take": both(milliseconds(due, times))}


def told(database: PostgresDatabase, engine: Engine, times: int) -> dict[str, float]:
    """From the moment a wake-up is stored by one process to the moment another has heard of it."""
    other = PostgresDatabase(database.url)
    found: list[float] = []
    stored = [0.0]
    hearing = other.listen([f"wakes {AGENT}"], lambda _: found.append(time.perf_counter() - stored[0]))
    while not hearing.alive:
        time.sleep(0.01)
    time.sleep(0.1)
    found.clear()
    for number in range(times):
        database.write_now(
            lambda tx: engine.schedule(tx, "heard", agent=AGENT, priority=0, due_us=1, now_us=1)
        )
        stored[0] = time.perf_counter()
        while len(found) <= number:
            time.sleep(0.0005)
    other.close()
    database.write_now(lambda tx: engine.forget(tx, "heard"))
    return both([max(0.0, each) * 1000 for each in found])


def sweeps(app: App, engine: Engine, count: int) -> dict[str, Any]:
    """`count` open tasks wait for a time: what the search for lost wake-ups costs, and for what the dead left."""
    database = app.database
    columns = [
        row[0]
        for row in database.read_now(
            lambda tx: tx.rows(
                "SELECT column_name FROM information_schema.columns WHERE table_name = 'tasks'"
                " ORDER BY ordinal_position"
            )
        )
    ]
    changed = {
        "id": "'copy_' || n",
        "idempotency_key": "NULL",
        "state": "'waiting'",
        "wake_us": f"{FAR_US} + n",
    }
    chosen = ", ".join(changed.get(name, name) for name in columns)
    database.write_now(
        lambda tx: tx.execute(
            f"INSERT INTO tasks ({', '.join(columns)}) SELECT {chosen} FROM tasks,"
            " generate_series((SELECT COUNT(*) FROM tasks), ?) AS n WHERE id NOT LIKE 'copy_%'",
            (count,),
        )
    )
    database.write_now(lambda tx: tx.execute("ANALYZE tasks"))
    lifecycle = Lifecycle(engine, app.payloads)
    look = milliseconds(lambda: database.read_now(lambda tx: missed(tx, engine, 2)), 20)
    dead = milliseconds(lambda: database.write_now(lambda tx: mend(tx, lifecycle, 2)), 20)
    return {"open": count, "missed": both(look), "mend": both(dead)}


def measured(server: Server, counts: list[int], rounds: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in EngineName:
        with new(server, f"engine_{name.value}") as database:
            app = assembled(database)
            engine = engine_of(database, name)
            engine.prepare(database)
            part: dict[str, Any] = {
                "near": rate(server, database, engine, rounds),
                "told": told(database, engine, 200),
            }
            part["far"] = [far(database, engine, count) for count in counts]
            app.operations.submit(Policy(agent=AGENT, purpose="Wait."), Submission("x"))
            part["sweeps"] = [sweeps(app, engine, count) for count in counts]
            found[name.value] = part
            print(name.value, json.dumps(part, indent=1), file=sys.stderr, flush=True)
    with new(server, "native") as database:
        engine_of(database, EngineName.PROCRASTINATE).prepare(database)
        found["native"] = {"far": [native(database, count) for count in counts]}
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--far", type=int, nargs="+", default=[10**3, 10**4, 10**5, 10**6])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--server", help="the address of one that runs here, and the id of its first process")
    parser.add_argument("--postmaster", type=int, default=0)
    asked = parser.parse_args()
    if asked.server:
        found = measured(Server(asked.server, asked.postmaster), asked.far, asked.rounds)
        print(json.dumps({**found, "machine": machine(Path())}))
        return
    with pg_server.running({**pg_server.DURABLE, "shared_buffers": "512MB"}) as server:
        found = measured(Server(server.url, server.postmaster), asked.far, asked.rounds)
    found["machine"] = machine(Path())
    print(json.dumps(found))


if __name__ == "__main__":
    main()
