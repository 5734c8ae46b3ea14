"""Traces of agents sent by OTLP to us, to Arize Phoenix and to MLflow; prints one JSON line last.

Run `python -m benchmarks.recorder`, or `make bench NAME=recorder`. The servers take turns within each round, and those
whose turn it is not are paused. What counts is what can be read back, not what was answered.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks._environment import ENVIRONMENTS, NotTaken, answer, machine
from benchmarks._figures import cell, median_of, ratios, rounded
from benchmarks._gateway_process import Server, cpu_s, rss_kb
from benchmarks._recorder_load import store
from benchmarks._recorder_sides import (
    MLFLOW,
    MLFLOW_PEER,
    OURS,
    PHOENIX,
    PHOENIX_PEER,
    Side,
    headers_of,
    mlflow,
    ours,
    phoenix,
)
from benchmarks._recorder_spans import SPANS_PER_REQUEST, Writer, requests

Taken = dict[str, Any]
CONNECTIONS = 4
LOAD_MODULE, QUERIES_MODULE = "benchmarks._recorder_load", "benchmarks._recorder_queries"
ANYWHERE = -1  # No processor of its own: each server may use all, as it would.
READY_S_MAX = 300.0  # The others import for half a minute where nothing else runs.
LOAD_S_MAX, READABLE_S_MAX, QUERIES_S_MAX = 600.0, 600.0, 3_600.0
POLL_S = 0.1
APART_US = 20_000
READING = (
    "The load: OTLP/HTTP protobuf, 8 spans a trace, 512 spans a request, 4 connections, text from invented words.",
    "readable_spans_per_s: from the first byte sent until every span can be read from the store by another process.",
    "Each has its SQLite as it comes and no processor of its own; MLflow starts several workers, which all count.",
    "Ours checks a key, drops duplicates, prices, redacts, keeps words, facets and sums, and commits with fsync.",
    "cpu_us_per_span: user and system time of the server and its children until all was readable.",
    "bytes_per_span: what the files grew by, once checkpointed; of ours with words, facets and sums.",
    "lost_after_ack: spans answered with 200 that were not there after kill -9 right after the last answer.",
    "Each side gets as many requests as keep it busy for some seconds; ratios are taken within a round.",
    "Questions are pages of 50, the worst of their kind; the dashboard is that of all agents over seven days.",
)


@dataclass(frozen=True)
class Plan:
    """`requests`: of one round, by side. `runs`: of each question."""

    rounds: int
    requests: dict[str, int]
    kill_requests: int
    sizes: tuple[int, ...]
    runs: int


FULL = Plan(3, {OURS: 60, PHOENIX: 5, MLFLOW: 10}, 10, (100_000, 1_000_000), 60)
QUICK = Plan(1, {OURS: 8, PHOENIX: 1, MLFLOW: 2}, 2, (8_000,), 10)


@dataclass
class Findings:
    taken: dict[str, list[Taken | None]] = field(default_factory=dict)
    lost: dict[str, int | None] = field(default_factory=dict)
    size: dict[str, float | None] = field(default_factory=dict)
    queries: dict[int, Taken] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def series(self, side: str, name: str) -> list[float | None]:
        return [None if each is None else each[name] for each in self.taken.get(side, [])]

    def missing(self, what: str, why: NotTaken) -> None:
        note = f"{what}: {why}"
        if note not in self.notes:
            self.notes.append(note)


@dataclass
class Running:
    side: Side
    server: Server
    folder: Path
    empty_bytes: int
    spans: int = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round, to see that everything runs")
    parser.add_argument(
        "--rounds", type=int, help=f"default {FULL.rounds}; the quick run takes {QUICK.rounds}"
    )
    parser.add_argument("--no-peers", action="store_true", help="ours alone, to look at it closely")
    parser.add_argument("--no-queries", action="store_true", help="without the large stores")
    parser.add_argument("--folder", type=Path, default=ENVIRONMENTS, help="where the stores are written")
    said = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # So that whoever ends it ends the servers, too.
    plan = QUICK if said.quick else FULL
    rounds = said.rounds or plan.rounds
    said.folder.mkdir(parents=True, exist_ok=True)
    where = machine(said.folder)
    findings = Findings(notes=list(READING))
    with tempfile.TemporaryDirectory(prefix="recorder-", dir=said.folder) as fresh, ExitStack() as stack:
        folder = Path(fresh)
        running = _started(folder, [OURS] if said.no_peers else [OURS, PHOENIX, MLFLOW], stack, findings)
        writer = Writer(os.getpid())  # Spans that no earlier run has sent either.
        for number in range(1, rounds + 1):
            for name, each in running.items():
                findings.taken.setdefault(name, []).append(_round(each, plan, writer, findings))
            print(f"round {number} of {rounds} done", file=sys.stderr, flush=True)
        for name, each in running.items():
            findings.lost[name] = _killed(each, plan, writer, findings)
            findings.size[name] = _size(each, findings)
        if not said.no_queries:
            for spans in plan.sizes:
                _ask(folder, spans, plan.runs, findings)
    figures = _figures(findings, plan)
    where["load_1m_end"] = machine(said.folder)["load_1m"]
    figures |= {
        "rounds": rounds, "phoenix": PHOENIX_PEER.requirements[0], "mlflow": MLFLOW_PEER.requirements[0],
        "machine": where, "notes": findings.notes,
    }  # fmt: skip
    _table(findings, figures)
    print(json.dumps(figures))


def _started(folder: Path, names: list[str], stack: ExitStack, findings: Findings) -> dict[str, Running]:
    """All that come up; one that does not is left out, with a note."""
    make: dict[str, Callable[[Path], Side]] = {OURS: ours, PHOENIX: phoenix, MLFLOW: mlflow}
    running: dict[str, Running] = {}
    for name in names:
        own = folder / name
        own.mkdir()
        try:
            side = make[name](own)
            server = stack.enter_context(Server(name, side.command, own, side.environment, ANYWHERE))
            server.ready(
                side.port,
                f"GET {side.ready} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode(),
                READY_S_MAX,
            )
            server.settle()
            running[name] = Running(side, server, own, side.bytes())
        except NotTaken as why:
            findings.missing(name, why)
            continue
        server.pause()
    return running


def _round(each: Running, plan: Plan, writer: Writer, findings: Findings) -> Taken | None:
    side, count = each.side, plan.requests[each.side.name]
    path = each.folder / "requests"
    now_us = time.time_ns() // 1_000
    store(path, list(requests(writer, count, now_us - count * 64 * APART_US, APART_US)))
    each.spans = side.readable()  # Also what a round that could not be taken has left.
    wanted = each.spans + count * SPANS_PER_REQUEST
    try:
        with each.server.awake():
            used, began = cpu_s(each.server.pid), time.perf_counter()
            sent = _send(side, path)
            answered_s = time.perf_counter() - began
            while (readable := side.readable()) < wanted:
                if time.perf_counter() - began > READABLE_S_MAX:
                    raise NotTaken(f"{wanted - readable} of {wanted} spans could not be read in time")
                time.sleep(POLL_S)
            # The sender's own start is no part of it; what was readable only later is.
            seconds = sent["seconds"] + max(0.0, time.perf_counter() - began - answered_s)
            cpu = cpu_s(each.server.pid) - used
            rss = rss_kb(each.server.pid)
    except NotTaken as why:
        findings.missing(side.name, why)
        return None
    spans = wanted - each.spans
    each.spans = wanted
    return {
        "readable_per_s": spans / seconds, "answered_per_s": spans / sent["seconds"], "p50_ms": sent["p50_ms"],
        "cpu_us": cpu * 1e6 / spans, "rss_mb": rss / 1_024,
    }  # fmt: skip


def _send(side: Side, path: Path) -> Taken:
    found = answer(
        Path(sys.executable),
        LOAD_MODULE,
        [str(side.port), str(path), str(CONNECTIONS), headers_of(side)],
        LOAD_S_MAX,
    )
    bad = {
        status: count for status, count in found["answered"].items() if status not in {"200", "429", "503"}
    }
    if bad or "200" not in found["answered"]:
        raise NotTaken(f"it answered {found['answered']}")
    return found


def _killed(each: Running, plan: Plan, writer: Writer, findings: Findings) -> int | None:
    """Spans that were answered and are not there after kill -9."""
    path = each.folder / "requests"
    now_us = time.time_ns() // 1_000
    count = plan.kill_requests
    store(path, list(requests(writer, count, now_us - count * 64 * APART_US, APART_US)))
    try:
        os.killpg(each.server.pid, signal.SIGCONT)
        acknowledged = _send(each.side, path)["answered"]["200"] * SPANS_PER_REQUEST
        os.killpg(each.server.pid, signal.SIGKILL)
        time.sleep(1.0)
        there = each.side.readable() - each.spans
    except (NotTaken, ProcessLookupError) as why:
        findings.missing(f"{each.side.name} at kill -9", NotTaken(str(why)))
        return None
    each.spans += there
    return int(acknowledged) - there


def _size(each: Running, findings: Findings) -> float | None:
    if not each.spans:
        findings.missing(f"bytes of {each.side.name}", NotTaken("it stored nothing"))
        return None
    return (each.side.bytes() - each.empty_bytes) / each.spans


def _ask(folder: Path, spans: int, runs: int, findings: Findings) -> None:
    arguments = [str(folder), str(spans), str(runs)]
    try:
        findings.queries[spans] = answer(Path(sys.executable), QUERIES_MODULE, arguments, QUERIES_S_MAX)
    except NotTaken as why:
        findings.missing(f"questions at {spans:,} spans", why)
    print(f"questions at {spans:,} spans done", file=sys.stderr, flush=True)


def _figures(findings: Findings, plan: Plan) -> Taken:
    def beside(peer: str) -> float | None:
        if peer not in findings.taken or OURS not in findings.taken:
            return None
        of = findings.series
        return rounded(median_of(ratios(of(OURS, "readable_per_s"), of(peer, "readable_per_s"))), 1)

    def mine(name: str, digits: int) -> float | None:
        return rounded(median_of(findings.series(OURS, name)), digits)

    large = findings.queries.get(1_000_000, {})
    return {
        "readable_spans_per_s": mine("readable_per_s", 0),
        "ingest_ratio_phoenix": beside(PHOENIX),
        "ingest_ratio_mlflow": beside(MLFLOW),
        "cpu_us_per_span": mine("cpu_us", 0),
        "bytes_per_span": rounded(findings.size.get(OURS), 0),
        "lost_after_ack": findings.lost.get(OURS),
        "list_p95_ms_1m": large.get("list_p95_ms"),
        "filter_p95_ms_1m": large.get("filter_p95_ms"),
        "text_p95_ms_1m": large.get("text_p95_ms"),
        "dashboard_ms_1m": large.get("dashboard_ms"),
        "rss_mb": mine("rss_mb", 0),
        "by_side": {
            name: {
                **{what: rounded(median_of(findings.series(name, what)), 1)
                   for what in ("readable_per_s", "answered_per_s", "p50_ms", "cpu_us", "rss_mb")},
                "readable_per_s_by_round": [rounded(each, 1) for each in findings.series(name, "readable_per_s")],
                "bytes_per_span": rounded(findings.size.get(name), 0),
                "lost_after_ack": findings.lost.get(name),
                "sent_at_kill": plan.kill_requests * SPANS_PER_REQUEST,
            }
            for name in findings.taken
        },
        "questions": {str(spans): found for spans, found in findings.queries.items()},
    }  # fmt: skip


def _table(findings: Findings, figures: Taken) -> None:
    print(f"\n{figures['rounds']} rounds, medians\n")
    heads = ("readable/s", "answered/s", "p50 ms", "cpu us", "MB", "bytes", "lost")
    print(f"{'of':<8} " + " ".join(f"{head:>10}" for head in heads))
    names = (
        "readable_per_s",
        "answered_per_s",
        "p50_ms",
        "cpu_us",
        "rss_mb",
        "bytes_per_span",
        "lost_after_ack",
    )
    for name, row in figures["by_side"].items():
        print(f"{name:<8} " + " ".join(f"{cell(row[what]):>10}" for what in names))
    for spans, found in findings.queries.items():
        print(f"\nat {spans:,} spans, p95 in ms")
        for question, value in found["by_question_p95_ms"].items():
            print(f"  {question:<36} {value:>9}")
        print(f"  {'dashboard of seven days':<36} {found['dashboard_ms']:>9}")
    for note in findings.notes[len(READING) :]:
        print(f"not taken: {note}")
    print()


if __name__ == "__main__":
    main()
