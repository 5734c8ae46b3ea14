"""Durable steps per second and what a step costs, beside DBOS and LangGraph on SQLite; prints one JSON line last.

Run `python -m benchmarks.durable`, or `make bench NAME=durable`. Every measurement is a process of its own on a fresh
file; the systems take turns within each round, so that a change of the disk's pace falls on all of them.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import _startup
from benchmarks._driving import STEPS_PER_TASK, Order
from benchmarks._environment import ENVIRONMENTS, NotTaken, Peer, answer, machine, prepared
from benchmarks._figures import above, cell, median_of, ratios, rounded

OURS, JOURNAL, DBOS, LANGGRAPH = "ours", "journal", "dbos", "langgraph"
SYSTEMS = (OURS, JOURNAL, DBOS, LANGGRAPH)
CONCURRENCIES = (1, 10, 100)
MOST = CONCURRENCIES[-1]
WAL_FULL = ("wal", 2)
CHILD_S_MAX = 180.0
PEERS = (
    Peer(DBOS, "benchmarks._peers.dbos_sqlite", ("dbos==3.4.0",)),
    Peer(
        LANGGRAPH,
        "benchmarks._peers.langgraph_sqlite",
        ("langgraph==1.2.24", "langgraph-checkpoint-sqlite==3.1.2", "aiosqlite==0.22.1"),
    ),
)
FSYNC = "SQLite WAL with synchronous=FULL for all, read back from the connections of each"
READING = (
    f"A task is {STEPS_PER_TASK} no-op async steps, and only these are counted.",
    "Ours also stores each task's claim, two check reports and its outcome; the peers a task's start and end.",
    "Ours is timed from the first claim to the last outcome, with only the two checks that always run.",
    "The peers are called directly, without a queue, and timed from the first start to the last result.",
    "DBOS keeps its own engine and pool, with WAL in place of its rollback journal, which is in its favour.",
    'A step of LangGraph is a node, with durability="sync".',
    "journal is Journal.record alone, without agent, checks or queue.",
    "The overhead is a step's time at one task, less the median commit of plain SQLite in the same seconds.",
    "Figures are medians over the rounds; ratios and differences are taken within a round.",
    "Suspended memory is all that the worker's process gained, its bounded page cache (32 MB) included.",
)


@dataclass(frozen=True)
class Plan:
    rounds: int
    seconds: float
    rounds_min: int  # Each measurement takes at least this many tasks per slot.
    suspended: int


FULL = Plan(rounds=3, seconds=2.0, rounds_min=3, suspended=10_000)
QUICK = Plan(rounds=1, seconds=0.5, rounds_min=1, suspended=500)


@dataclass
class Findings:
    """What was measured, round by round; None where it could not be."""

    steps: dict[tuple[str, int], list[dict[str, Any] | None]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def series(self, system: str, concurrency: int, name: str) -> list[float | None]:
        return [None if each is None else float(each[name]) for each in self.steps[system, concurrency]]

    def missing(self, what: str, why: NotTaken) -> None:
        note = f"{what}: {why}"
        if note not in self.notes:
            self.notes.append(note)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round, to see that everything runs")
    parser.add_argument(
        "--rounds", type=int, help=f"default {FULL.rounds}; the quick run takes {QUICK.rounds}"
    )
    parser.add_argument("--folder", type=Path, default=ENVIRONMENTS, help="on the disk to measure")
    said = parser.parse_args()
    plan = QUICK if said.quick else FULL
    rounds = said.rounds or plan.rounds
    said.folder.mkdir(parents=True, exist_ok=True)
    where = machine(said.folder)
    findings = Findings(notes=list(READING))
    pythons = _pythons(findings)
    for number in range(1, rounds + 1):
        _one_round(plan, said.folder, pythons, findings)
        print(f"round {number} of {rounds} done", file=sys.stderr, flush=True)
    figures = _figures(findings) | _alone(plan, said.folder, findings)
    where["load_1m_end"] = machine(said.folder)["load_1m"]
    figures |= {"rounds": rounds, "fsync": FSYNC, "machine": where, "notes": findings.notes}
    _table(findings, figures)
    print(json.dumps(figures))


def _pythons(findings: Findings) -> dict[str, tuple[Path, str]]:
    """Which Python runs which module for each system; a peer without an environment is left out, with a note."""
    here = Path(sys.executable)
    pythons = {OURS: (here, "benchmarks._ours"), JOURNAL: (here, "benchmarks._journal")}
    for peer in PEERS:
        try:
            pythons[peer.name] = (prepared(peer), peer.module)
        except NotTaken as why:
            findings.missing(peer.name, why)
    return pythons


def _one_round(plan: Plan, folder: Path, pythons: dict[str, tuple[Path, str]], findings: Findings) -> None:
    for concurrency in CONCURRENCIES:
        for system in SYSTEMS:
            taken = None
            if system in pythons:
                try:
                    taken = _measured(plan, folder, concurrency, *pythons[system])
                except NotTaken as why:
                    findings.missing(f"{system} at {concurrency}", why)
            findings.steps.setdefault((system, concurrency), []).append(taken)


def _measured(plan: Plan, folder: Path, concurrency: int, python: Path, module: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="durable-", dir=folder) as fresh:
        order = Order(Path(fresh), concurrency, plan.seconds, plan.rounds_min)
        taken = answer(python, module, order.arguments(), CHILD_S_MAX)
    if (taken["journal_mode"], taken["synchronous"]) != WAL_FULL:
        raise NotTaken(
            f"it ran with {taken['journal_mode']} and synchronous={taken['synchronous']}, so it is no peer"
        )
    return taken


def _figures(findings: Findings) -> dict[str, Any]:
    ours = findings.series(OURS, MOST, "steps_per_s")
    disk = findings.series(OURS, 1, "commit_p50_ms")

    def beside(peer: str) -> float | None:
        return rounded(median_of(ratios(ours, findings.series(peer, MOST, "steps_per_s"))), 1)

    def overhead(name: str) -> float | None:
        return rounded(median_of(above(findings.series(OURS, 1, name), disk)), 3)

    return {
        "steps_per_s": rounded(median_of(ours), 0),
        "steps_per_s_ratio_dbos": beside(DBOS),
        "steps_per_s_ratio_langgraph": beside(LANGGRAPH),
        "step_overhead_p50_ms": overhead("step_p50_ms"),
        "step_overhead_p99_ms": overhead("step_p99_ms"),
        "disk_commit_p50_ms": rounded(median_of(disk), 3),
        "disk_commit_p99_ms": rounded(median_of(findings.series(OURS, 1, "commit_p99_ms")), 3),
        "by_concurrency": {
            str(concurrency): {system: _cell(findings, system, concurrency) for system in SYSTEMS}
            for concurrency in CONCURRENCIES
        },
    }


def _cell(findings: Findings, system: str, concurrency: int) -> dict[str, Any]:
    names = ("steps_per_s", "step_p50_ms", "step_p99_ms")
    series = {name: findings.series(system, concurrency, name) for name in names}
    medians = {name: rounded(median_of(values), 3) for name, values in series.items()}
    return medians | {"steps_per_s_by_round": series["steps_per_s"]}


def _alone(plan: Plan, folder: Path, findings: Findings) -> dict[str, float | None]:
    """Figures without a peer, each taken once; a missing one is null with its reason in the notes."""

    def taken(name: str, take: Callable[[], float], digits: int) -> float | None:
        try:
            return round(take(), digits)
        except NotTaken as why:
            findings.missing(name, why)
            return None

    return {
        "suspended_kb_per_task": taken("suspended_kb_per_task", lambda: _suspended_kb(plan, folder), 2),
        "suspended_tasks": plan.suspended,
        "import_ms": taken("import_ms", _startup.import_ms, 1),
        "cli_help_ms": taken("cli_help_ms", _startup.cli_help_ms, 0),
    }


def _suspended_kb(plan: Plan, folder: Path) -> float:
    with tempfile.TemporaryDirectory(prefix="durable-", dir=folder) as fresh:
        arguments = ["--database", f"{fresh}/suspended.db", "--tasks", str(plan.suspended)]
        found = answer(Path(sys.executable), "benchmarks._ours_suspended", arguments, CHILD_S_MAX)
    return float((found["after_kb"] - found["before_kb"]) / found["tasks"])


def _table(findings: Findings, figures: dict[str, Any]) -> None:
    print(f"\n{FSYNC}; {figures['rounds']} rounds, medians")
    print(f"the disk's own commit: {cell(figures['disk_commit_p50_ms'], 2)} ms median\n")
    print(f"{'at once':>7}  {'system':<10} {'steps/s':>9} {'p50 ms':>9} {'p99 ms':>9}")
    for concurrency in CONCURRENCIES:
        for system in SYSTEMS:
            row = figures["by_concurrency"][str(concurrency)][system]
            print(
                f"{concurrency:>7}  {system:<10} {cell(row['steps_per_s']):>9} {cell(row['step_p50_ms'], 2):>9}"
                f" {cell(row['step_p99_ms'], 2):>9}"
            )
    print()
    for name in ("suspended_kb_per_task", "import_ms", "cli_help_ms"):
        print(f"{name:<24} {cell(figures[name], 1):>9}")
    for note in findings.notes[len(READING) :]:
        print(f"not taken: {note}")
    print()


if __name__ == "__main__":
    main()
