"""A store of so many spans over seven days, written by the way that every span takes, and how long questions take.

Run as `python -m benchmarks._recorder_queries FOLDER SPANS RUNS`; says as its last line what it measured. With
`postgresql` in place of a folder it is a server of its own, with its default settings and on its disk.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airworthy.app.otlp import price_by
from airworthy.core.redact import Redactor
from airworthy.gateway.prices import price_list
from airworthy.recorder import overview
from airworthy.recorder.otel import Reading, decode_traces
from airworthy.recorder.tables import MIGRATIONS
from airworthy.recorder.traces.filter import parse
from airworthy.recorder.traces.find import find
from airworthy.recorder.traces.gather import gather
from airworthy.recorder.traces.write import write
from airworthy.store import Database, PostgresDatabase, SQLiteDatabase, Tx, migrate
from airworthy.store.scrub import scrub, size_of
from airworthy.store.tables import MIGRATIONS as STORE
from benchmarks import pg_server
from benchmarks._figures import percentile
from benchmarks._recorder_spans import (
    FREQUENT_WORD,
    NO_WORD,
    RARE_WORD,
    SPANS_PER_REQUEST,
    SPANS_PER_TRACE,
    Writer,
    request,
)

WEEK_US = 7 * 86_400_000_000
RARE_EVERY = 5_000  # traces
PAGE = 50
AT_ONCE = 4  # requests in a commit
# What is asked, by the name of its figure.
QUESTIONS = {
    "list": ("",),
    "filter": ("is:error", "agent:support", "agent:coder error:TimeoutError", "tool:refund"),
    "text": (RARE_WORD, FREQUENT_WORD, NO_WORD),
}


def main() -> None:
    where, spans, runs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    if where == "postgresql":
        with pg_server.running(pg_server.DURABLE) as server:
            database = PostgresDatabase(server.url + "postgres")
            figures = _of(database, lambda: database, spans, runs)
    else:
        path = Path(where) / f"queries-{spans}.db"
        # A process of its own would find the same: what is cached now was written long before, or is asked next.
        figures = _of(SQLiteDatabase(path, durable=False), lambda: SQLiteDatabase(path), spans, runs)
    print(json.dumps(figures))


def _of(database: Database, again: Callable[[], Database], spans: int, runs: int) -> dict[str, Any]:
    migrate(database, (*STORE, *MIGRATIONS))
    now_us = time.time_ns() // 1_000
    began, used, writing = time.perf_counter(), time.process_time(), Lap()
    sent = filled(database, spans, now_us, writing)
    built = {
        "spans": spans, "build_s": round(time.perf_counter() - began, 1), "write_s": round(writing.s, 1),
        "written_spans_per_s": round(spans / writing.s),
        "cpu_us_per_span": round((time.process_time() - used) * 1e6 / spans, 1), "sent_bytes_per_span": sent,
    }  # fmt: skip
    if isinstance(database, SQLiteDatabase):
        database.close()
        database = again()
    else:
        scrub(database)  # Which also tells the planner what is there, as the server does by itself in time.
    built["stored_bytes_per_span"] = round(size_of(database) / spans)
    try:
        return built | measured(database, now_us, runs)
    finally:
        database.close()


@dataclass
class Lap:
    """Time spent in transactions."""

    s: float = 0.0


def filled(database: Database, spans: int, now_us: int, writing: Lap) -> float:
    """Bytes of a span as it was sent."""
    writer = Writer(11)
    reading = Reading(Redactor(), price=price_by(price_list()))
    traces = spans // SPANS_PER_TRACE
    apart_us = WEEK_US // traces
    size, waiting = 0, []
    for first in range(0, traces, SPANS_PER_REQUEST // SPANS_PER_TRACE):
        made = []
        at_us = now_us - WEEK_US + first * apart_us
        for number in range(first, min(traces, first + SPANS_PER_REQUEST // SPANS_PER_TRACE)):
            at_us = now_us - WEEK_US + number * apart_us
            made += writer.trace(at_us, rare=number % RARE_EVERY == 0)
        body = request(made)
        size += len(body)
        received_us = min(now_us, at_us + 60_000_000)
        found = decode_traces(body, "application/x-protobuf", "", reading, received_us)
        waiting.append(gather(found.spans, found.scores, received_us))
        if len(waiting) == AT_ONCE:
            batches, waiting = waiting, []
            began = time.perf_counter()
            database.write_now(lambda tx, batches=batches: write(tx, batches))  # type: ignore[misc]
            writing.s += time.perf_counter() - began
    if waiting:
        database.write_now(lambda tx: write(tx, waiting))
    return round(size / spans, 1)


def measured(database: Database, now_us: int, runs: int) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    by_question: dict[str, float] = {}
    for name, texts in QUESTIONS.items():
        worst = 0.0
        for text in texts:
            query = parse(text, now_us)
            laps, found = _laps(database, lambda tx, query=query: len(find(tx, query, limit=PAGE).rows), runs)  # type: ignore[misc]
            by_question[f"{text or 'all'} ({found})"] = percentile(laps, 95)
            worst = max(worst, percentile(laps, 95))
        figures[f"{name}_p95_ms"] = round(worst, 2)
    window = overview.window_of("7d")
    laps, _ = _laps(database, lambda tx: len(overview.read(tx, window, now_us).lines), max(10, runs // 5))
    figures["dashboard_ms"] = round(percentile(laps, 95), 1)
    return figures | {"by_question_p95_ms": {name: round(value, 2) for name, value in by_question.items()}}


def _laps(database: Database, ask: Callable[[Tx], int], runs: int) -> tuple[list[float], int]:
    laps, found = [], 0
    for _ in range(runs):
        began = time.perf_counter()
        found = database.read_now(ask)
        laps.append((time.perf_counter() - began) * 1e3)
    return laps, found


if __name__ == "__main__":
    main()
