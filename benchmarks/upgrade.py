"""An upgrade of many machines while they work, on a PostgreSQL of our own: old and new version side by side.

Real processes. The new version is the old one with two migrations more, the second of which breaks. One JSON line.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import LiteralString

from benchmarks import pg_server

TASKS = 8
AGENT = """
import asyncio
from pathlib import Path
from airworthy import Agent, Run

agent = Agent("FOLDER/policy.toml")

@agent.task
async def handle(run: Run) -> str:
    while not Path("FOLDER/go").exists():
        await asyncio.sleep(0.1)
        await run.now()
    return "done"
"""
POLICY = """
agent = "upgrade"
purpose = "Is upgraded."
[escalation]
default = "team"
[limits]
seconds = 600
"""
RUN = "from airworthy.cli.main import run; run()"
# What a newer version is to an older one: steps that it does not know.
NEWER = """
import airworthy.app.build as build
from airworthy.store import Migration
steps = [
    Migration("tomorrow", 1, "more", lambda _: ["ALTER TABLE tasks ADD COLUMN tomorrow VARCHAR NOT NULL DEFAULT ''"]),
    Migration("tomorrow", 2, "gone", lambda _: ["ALTER TABLE tasks DROP COLUMN tomorrow"], breaks=True),
]
build.MIGRATIONS = (*build.MIGRATIONS, *steps[:{count}])
"""
OLD, ADDS, BREAKS = 0, 1, 2
WAIT_S = 120


class Fleet:
    """A working folder and a database; `version`: how many steps more than ours it knows."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder
        self._environment = {**os.environ, "AIRWORTHY_DATABASE": url}
        (folder / "airworthy.toml").write_text('agents = ["upgraded:agent"]\ndrain_s = 1\n')
        (folder / "policy.toml").write_text(POLICY)
        (folder / "upgraded.py").write_text(AGENT.replace("FOLDER", str(folder)))

    def process(self, version: int, *words: str) -> "subprocess.Popen[str]":
        code = RUN if version == OLD else NEWER.format(count=version) + RUN
        return subprocess.Popen(
            [sys.executable, "-c", code, *words],
            cwd=self._folder,
            env=self._environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def let_end(self) -> None:
        (self._folder / "go").touch()

    def said(self, version: int, *words: str) -> tuple[int, str]:
        process = self.process(version, *words)
        out, err = process.communicate(timeout=WAIT_S)
        return process.returncode, out + err

    @contextmanager
    def worker(self, version: int) -> Iterator[tuple["subprocess.Popen[str]", str]]:
        """Ready to work, and where its probes are."""
        with self.process(
            version, "up", "--roles", "worker,monitor", "--listen", "127.0.0.1:0", "--json"
        ) as found:
            try:
                assert found.stdout is not None
                url = json.loads(found.stdout.readline())["url"]
                until(lambda: ready(url), "a worker is ready")
                yield found, url
            finally:
                found.kill()


def ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def until(true: Callable[[], bool], what: str) -> None:
    for _ in range(WAIT_S * 10):
        if true():
            return
        time.sleep(0.1)
    raise TimeoutError(what)


def stopped(process: "subprocess.Popen[str]") -> float:
    began_s = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=WAIT_S)
    assert process.returncode == 0
    return time.monotonic() - began_s


def upgraded(fleet: Fleet, count: Callable[[LiteralString], int]) -> dict[str, object]:
    """`count`: asks the database for one number."""
    for _ in range(TASKS):
        assert fleet.said(OLD, "submit", "--input", "go on")[0] == 0
    with fleet.worker(OLD) as (old, at):
        until(lambda: count("SELECT COUNT(*) FROM tasks WHERE state = 'running'") > 0, "tasks are under way")
        with fleet.worker(ADDS) as (new, _):
            beside = ready(at)
            held = count(
                "SELECT COUNT(*) FROM claims c JOIN tasks t ON t.id = c.name WHERE c.owner IS NOT NULL"
            )
            drain_s = stopped(old)
            fleet.let_end()
            too_early, told = fleet.said(BREAKS, "submit", "--input", "too early")
            until(
                lambda: count("SELECT COUNT(*) FROM tasks WHERE state <> 'answered'") == 0,
                "every task is answered",
            )
            stopped(new)
    alone, _ = fleet.said(BREAKS, "submit", "--input", "after all")
    too_late, _ = fleet.said(OLD, "submit", "--input", "too late")
    return {
        "tasks": TASKS,
        "lost": TASKS - count("SELECT COUNT(*) FROM tasks WHERE state = 'answered'"),
        "under_way_at_stop": held,
        "handed_over": count("SELECT COUNT(*) FROM tasks WHERE run > 1 AND state = 'answered'"),
        "counted_as_crashes": count("SELECT COUNT(*) FROM tasks WHERE attempts > 1"),
        "drain_s": round(drain_s, 2),
        "old_ready_beside_new": beside,
        "breaking_refused_beside_others": too_early != 0 and "others are at work" in told,
        "breaking_applied_alone": alone == 0,
        "old_refused_after_breaking": too_late != 0,
    }


def main() -> None:
    import psycopg

    with tempfile.TemporaryDirectory() as folder, pg_server.running(pg_server.DURABLE) as server:
        with psycopg.connect(f"{server.url}postgres", autocommit=True) as first:
            first.execute("CREATE DATABASE upgrade")
        with psycopg.connect(f"{server.url}upgrade", autocommit=True) as looking:

            def count(sql: LiteralString) -> int:
                row = looking.execute(sql).fetchone()
                assert row is not None
                return int(row[0])

            print(json.dumps(upgraded(Fleet(Path(folder), f"{server.url}upgrade"), count)))


if __name__ == "__main__":
    main()
