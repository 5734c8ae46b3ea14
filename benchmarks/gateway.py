"""Our gateway beside LiteLLM's proxy and beside the ceiling of its HTTP stack; prints one JSON line last.

Run `python -m benchmarks.gateway`, or `make bench NAME=gateway`. One worker each, on a processor of its own; load and
upstream share the other. The servers take turns within each round, and those whose turn it is not are paused.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from benchmarks import _gateway_wire as wire
from benchmarks._environment import ENVIRONMENTS, NotTaken, answer, machine
from benchmarks._figures import above, cell, median_of, ratios, rounded
from benchmarks._gateway_load import Order
from benchmarks._gateway_process import LOAD_CPU, SERVER_CPU, Server, on_processor
from benchmarks._gateway_sides import CEILING, LITELLM, OURS, PEER, Side, ceiling, litellm, ours

Kind = Literal["plain", "streamed", "spaced"]
Taken = dict[str, Any]
CONNECTIONS = (8, 64, 200)
MIDDLE = CONNECTIONS[1]
SPACED_CONNECTIONS = 8
DIRECT = "direct"
LOAD_MODULE = "benchmarks._gateway_load"
MARGIN_S = 90.0  # Beyond the time that a measurement is to take.
MEMORY_S_MAX = 300.0
MB = 1024
READING = (
    "plain: a chat completion of about 430 bytes, answered with about 870.",
    "streamed: the same as about 55 events, which the upstream sends at once; spaced: which it sends 10 ms apart.",
    "The upstream replays what the simulator answered once, from memory, and shares a processor with the load.",
    "Ours has a key, budgets of key and policy, prices, pacing, breakers and records in SQLite.",
    "LiteLLM runs without PostgreSQL: its key comes from custom auth, and a record is a line in a file.",
    "LiteLLM's budget for the key is reserved and settled in memory, at its own prices; a database would add work.",
    "LiteLLM runs on uvicorn with uvloop and httptools, with the SDK of OpenTelemetry installed, without retries.",
    "The ceiling is a pass-through proxy on uvicorn, uvloop and httptools that checks, counts and records nothing.",
    "added_*: what {rate} calls a second, arriving at random, take more than the same calls to the upstream.",
    "Figures are medians over the rounds; ratios and differences are taken within a round.",
    "Processor time is user and system time of the server and its children, also for what they do between calls.",
    "A measurement with a single failed call counts as not taken.",
)


@dataclass(frozen=True)
class Plan:
    """`slow`: for LiteLLM, which answers so few calls that a short time would say little."""

    rounds: int
    seconds: float
    warm_s: float
    slow_seconds: float
    slow_warm_s: float
    open_seconds: float
    rate: float
    memory_calls: int


FULL = Plan(3, 2.0, 0.5, 3.0, 1.0, 4.0, 500.0, 200_000)
QUICK = Plan(1, 0.5, 0.3, 1.0, 0.5, 1.0, 500.0, 4_000)


@dataclass
class Findings:
    """What was measured, round by round; None where it could not be."""

    taken: dict[tuple[str, Kind, int], list[Taken | None]] = field(default_factory=dict)
    opened: dict[str, list[Taken | None]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def series(self, side: str, kind: Kind, connections: int, name: str) -> list[float | None]:
        return _named(self.taken.get((side, kind, connections), []), name)

    def missing(self, what: str, why: NotTaken) -> None:
        note = f"{what}: {why}"
        if note not in self.notes:
            self.notes.append(note)


@dataclass(frozen=True)
class Running:
    """A server that answers, but is paused until its turn."""

    server: Server
    side: Side


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round, to see that everything runs")
    parser.add_argument(
        "--rounds", type=int, help=f"default {FULL.rounds}; the quick run takes {QUICK.rounds}"
    )
    parser.add_argument("--folder", type=Path, default=ENVIRONMENTS, help="where our records are written")
    said = parser.parse_args()
    plan = QUICK if said.quick else FULL
    rounds = said.rounds or plan.rounds
    said.folder.mkdir(parents=True, exist_ok=True)
    where = machine(said.folder)
    findings = Findings(notes=[note.format(rate=f"{plan.rate:g}") for note in READING])
    with tempfile.TemporaryDirectory(prefix="gateway-", dir=said.folder) as fresh, ExitStack() as stack:
        upstream = _upstream(Path(fresh), stack)
        running = _started(Path(fresh), upstream["port"], stack, findings)
        for number in range(1, rounds + 1):
            _one_round(plan, upstream["port"], running, findings)
            print(f"round {number} of {rounds} done", file=sys.stderr, flush=True)
        memory = _memory(plan, Path(fresh), upstream["port"], findings)
    figures = _figures(findings) | memory
    where["load_1m_end"] = machine(said.folder)["load_1m"]
    figures |= {
        "rounds": rounds, "litellm": PEER.requirements[0], "upstream": upstream, "machine": where,
        "pinned": len(os.sched_getaffinity(0)) > 1, "notes": findings.notes,
    }  # fmt: skip
    _table(findings, figures)
    print(json.dumps(figures))


def _upstream(folder: Path, stack: ExitStack) -> Taken:
    command = [sys.executable, "-m", "benchmarks._gateway_upstream"]
    server = stack.enter_context(Server("upstream", command, folder, {}, LOAD_CPU))
    return server.said()


def _started(folder: Path, upstream_port: int, stack: ExitStack, findings: Findings) -> dict[str, Running]:
    """All that come up; one that does not is left out, with a note."""
    made: dict[str, Callable[[Path], Side]] = {
        OURS: lambda own: ours(own, upstream_port),
        CEILING: lambda _: ceiling(upstream_port),
        LITELLM: lambda own: litellm(own, upstream_port),
    }
    running: dict[str, Running] = {}
    for name, make in made.items():
        try:
            own = folder / name
            own.mkdir()
            running[name] = _up(make(own), own, stack)
        except NotTaken as why:
            findings.missing(name, why)
    for each in running.values():
        each.server.pause()
    return running


def _up(side: Side, folder: Path, stack: ExitStack) -> Running:
    server = stack.enter_context(Server(side.name, side.command, folder, side.environment, SERVER_CPU))
    server.ready(side.port, wire.request(side.key, wire.question(streamed=False)))
    return Running(server, side)


def _one_round(plan: Plan, upstream_port: int, running: dict[str, Running], findings: Findings) -> None:
    for kind, connections, names in _cells():
        for name in names:
            found = _measured(plan, running.get(name), kind, connections, findings)
            findings.taken.setdefault((name, kind, connections), []).append(found)
    order = Order(upstream_port, "sk-upstream", MIDDLE, plan.open_seconds, plan.warm_s, rate=plan.rate)
    findings.opened.setdefault(DIRECT, []).append(_attempt(DIRECT, order, findings))
    found = None
    if (mine := running.get(OURS)) is not None:
        order = Order(
            mine.side.port,
            mine.side.key,
            MIDDLE,
            plan.open_seconds,
            plan.warm_s,
            rate=plan.rate,
            pid=mine.server.pid,
        )
        found = _attempt(f"{OURS} at {plan.rate:g} calls a second", order, findings, mine.server)
    findings.opened.setdefault(OURS, []).append(found)


def _cells() -> list[tuple[Kind, int, tuple[str, ...]]]:
    """What is measured with how many connections, and of whom, in the order of a round."""
    both, all_ = (OURS, LITELLM), (OURS, CEILING, LITELLM)
    plain: list[tuple[Kind, int, tuple[str, ...]]] = [
        ("plain", n, all_ if n == MIDDLE else both) for n in CONNECTIONS
    ]
    streamed: list[tuple[Kind, int, tuple[str, ...]]] = [
        ("streamed", n, all_ if n == MIDDLE else both) for n in CONNECTIONS
    ]
    return [*plain, *streamed, ("spaced", SPACED_CONNECTIONS, both)]


def _measured(
    plan: Plan, running: Running | None, kind: Kind, connections: int, findings: Findings
) -> Taken | None:
    if running is None:
        return None
    side, slow = running.side, running.side.name == LITELLM
    order = Order(
        side.port, side.key, connections,
        plan.slow_seconds if slow or kind == "spaced" else plan.seconds,
        plan.slow_warm_s if slow else plan.warm_s,
        streamed=kind != "plain", spaced=kind == "spaced", pid=running.server.pid,
    )  # fmt: skip
    return _attempt(f"{side.name} {kind} at {connections}", order, findings, running.server)


def _attempt(what: str, order: Order, findings: Findings, server: Server | None = None) -> Taken | None:
    """`server`: wakes for it."""
    seconds_max = order.warm_s + order.seconds + MARGIN_S
    try:
        with on_processor(LOAD_CPU), server.awake() if server is not None else nullcontext():
            found = answer(Path(sys.executable), LOAD_MODULE, order.arguments(), seconds_max)
        if found["bad"] or found["p50_ms"] is None:
            raise NotTaken(
                f"{found['bad']} of its calls failed: {found['first_trouble'] or 'none was answered'}"
            )
    except NotTaken as why:
        findings.missing(what, why)
        return None
    return found


def _memory(plan: Plan, folder: Path, upstream_port: int, findings: Findings) -> Taken:
    """Of a fresh server of ours, so that the calls are counted from its first."""
    names = ("rss_mb", "rss_start_mb", "rss_growth_mb", "rss_mb_by_part")
    missing: Taken = dict.fromkeys(names) | {"memory_calls": plan.memory_calls}
    own = folder / "memory"
    own.mkdir()
    with ExitStack() as stack:
        try:
            running = _up(ours(own, upstream_port), own, stack)
        except NotTaken as why:
            findings.missing("memory", why)
            return missing
        pid = running.server.pid
        order = Order(
            running.side.port, running.side.key, MIDDLE, MEMORY_S_MAX, calls=plan.memory_calls, pid=pid
        )
        found = _attempt("memory", order, findings, running.server)
    parts = [round(each / MB, 1) for each in found["rss_kb_by_part"]] if found else []
    if not parts or found is None:
        return missing
    if found["calls"] < plan.memory_calls:
        findings.missing("memory", NotTaken(f"only {found['calls']:g} calls within {MEMORY_S_MAX:g} s"))
        return missing
    # From a quarter on, when the pools, the pages of the database and the buffers have been filled.
    growth = round(parts[-1] - parts[len(parts) // 4], 1)
    return missing | dict(zip(names, (parts[-1], parts[0], growth, parts), strict=True))


def _named(taken: Sequence[Taken | None], name: str) -> list[float | None]:
    return [None if each is None or each[name] is None else float(each[name]) for each in taken]


def _figures(findings: Findings) -> Taken:
    def mine(kind: Kind, name: str) -> list[float | None]:
        return findings.series(OURS, kind, MIDDLE, name)

    def beside(side: str, kind: Kind, digits: int) -> float | None:
        return rounded(
            median_of(ratios(mine(kind, "per_s"), findings.series(side, kind, MIDDLE, "per_s"))), digits
        )

    def added(name: str) -> float | None:
        opened = findings.opened
        return rounded(
            median_of(above(_named(opened.get(OURS, []), name), _named(opened.get(DIRECT, []), name))), 3
        )

    def cpu(side: str, kind: Kind, connections: int) -> float | None:
        return rounded(median_of(findings.series(side, kind, connections, "cpu_us")), 0)

    return {
        "rps": rounded(median_of(mine("plain", "per_s")), 0),
        "rps_ratio_litellm": beside(LITELLM, "plain", 1),
        "stream_rps_ratio_litellm": beside(LITELLM, "streamed", 1),
        "added_p50_ms": added("p50_ms"),
        "added_p99_ms": added("p99_ms"),
        "cpu_us_per_request": cpu(OURS, "plain", MIDDLE),
        "cpu_us_per_stream": cpu(OURS, "streamed", MIDDLE),
        "cpu_us_per_spaced_stream": {
            side: cpu(side, "spaced", SPACED_CONNECTIONS) for side in (OURS, LITELLM)
        },
        "share_of_ceiling": beside(CEILING, "plain", 2),
        "stream_share_of_ceiling": beside(CEILING, "streamed", 2),
        "by_connections": {
            str(connections): {
                kind: {side: _cell(findings, side, kind, connections) for side in names}
                for kind, of, names in _cells()
                if of == connections
            }
            for connections in CONNECTIONS
        },
    }


def _cell(findings: Findings, side: str, kind: Kind, connections: int) -> Taken:
    series = {
        name: findings.series(side, kind, connections, name)
        for name in ("per_s", "p50_ms", "p99_ms", "cpu_us", "rss_kb")
    }
    medians = {name: rounded(median_of(values), 2) for name, values in series.items()}
    return medians | {"per_s_by_round": [rounded(value, 1) for value in series["per_s"]]}


def _table(findings: Findings, figures: Taken) -> None:
    print(f"\n{figures['rounds']} rounds, medians; {figures['litellm']}, one worker each\n")
    print(
        f"{'connections':>11}  {'calls':<9} {'of':<8} {'per s':>8} {'p50 ms':>9} {'p99 ms':>9} {'cpu us':>8} {'MB':>6}"
    )
    for kind, connections, names in _cells():
        for side in names:
            row = _cell(findings, side, kind, connections)
            print(
                f"{connections:>11}  {kind:<9} {side:<8} {cell(row['per_s']):>8} {cell(row['p50_ms'], 2):>9}"
                f" {cell(row['p99_ms'], 2):>9} {cell(row['cpu_us']):>8} {cell(_mb(row['rss_kb'])):>6}"
            )
    print()
    for name in (
        "rps_ratio_litellm", "stream_rps_ratio_litellm", "added_p50_ms", "added_p99_ms", "cpu_us_per_request",
        "share_of_ceiling", "rss_mb", "rss_growth_mb",
    ):  # fmt: skip
        print(f"{name:<26} {cell(figures[name], 2):>9}")
    for note in findings.notes[len(READING) :]:
        print(f"not taken: {note}")
    print()


def _mb(kb: float | None) -> float | None:
    return None if kb is None else kb / MB


if __name__ == "__main__":
    main()
