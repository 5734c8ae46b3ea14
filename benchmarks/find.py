"""How long a page of traces takes at a million spans, by what is asked; prints one JSON line last.

Run `python -m benchmarks.find`, or `make bench NAME=find`. Each question is asked on a connection as a command or the
console has it, from places all over the week, so that what the newest trace happens to hold decides nothing.
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from airworthy.recorder.traces.filter import parse
from airworthy.recorder.traces.find import Cursor, Page, find
from airworthy.recorder.traces.query import Query
from airworthy.store import SQLiteDatabase
from benchmarks._environment import machine
from benchmarks._figures import percentile
from benchmarks._trace_store import DAYS, START_US, filled

SPANS = 1_000_000
ROUNDS = 15
LIMIT = 50
NOW_US = START_US + DAYS * 86_400_000_000
# What is asked, and for whom (agents); the words are ranks of frequency.
QUESTIONS: tuple[tuple[str, str, tuple[str, ...] | None], ...] = (
    ("list", "", None),
    ("frequent value", "agent:support", None),
    ("rare value", "error:rare_error", None),
    ("absent value", "agent:nobody", None),
    ("user", "user:u7", None),
    ("session", "session:s70", None),
    ("error of an agent", "agent:support error:timeout", None),
    ("frequent values that exclude each other", "agent:support tool:billing_look", None),
    ("three of them", "agent:support tool:billing_look model:gpt-5-mini-2026-01-01", None),
    ("any of several, twice", "agent:support,billing tool:triage_look,search_look", None),
    ("a beginning", "model:gpt-5* agent:plans", None),
    ("a beginning of very many", "user:u1* error:rate_limited", None),
    ("none of a frequent value", "-agent:support", None),
    ("none of nearly all", "-origin:otlp,task", None),
    ("none of a tool", "-tool:support_look -tool:billing_look -tool:triage_look", None),
    ("none of several beginnings", "-user:u* agent:support", None),
    ("rare cost", "cost>0.04999", None),
    ("cost that never was", "cost>10", None),
    ("cost that never was, of an agent", "cost>10 agent:support", None),
    ("duration and steps", "duration>2m steps>=38", None),
    ("open", "is:open", None),
    ("unpriced errors", "is:unpriced is:error", None),
    ("a day", "since:3d until:2d agent:billing", None),
    ("frequent word", "w00000", None),
    ("seldom word", "w05000", None),
    ("rare word", "w29000", None),
    ("absent word", "zebra", None),
    ("frequent words", "w00000 w00001 w00002", None),
    ("rare and frequent word", "w29000 w00000", None),
    ("seldom and frequent word", "w01500 w00000", None),
    ("beginning of a word", "w290*", None),
    ("none of a frequent word", "-w00000", None),
    ("word and value", "w00100 agent:billing", None),
    ("frequent word and rare value", "w00000 error:invalid_output", None),
    ("frequent word, value that never has it", "w00000 agent:nobody", None),
    ("seldom word and frequent value", "w02000 agent:support", None),
    ("word, value and cost", "w00010 agent:support cost>0.045", None),
    ("word and cost that never was", "w00000 cost>10", None),
    ("rights to few", "", ("plans", "mail")),
    ("rights and a tool they do not have", "tool:support_look", ("plans", "mail", "billing")),
    ("rights, error and word", "error:timeout w00003", ("support", "billing", "triage")),
)  # fmt: skip


def page(
    database: SQLiteDatabase, query: Query, before: Cursor | None, clock: Callable[[], float]
) -> tuple[float, Page]:
    began = clock()
    found = database.read_now(lambda tx: find(tx, query, before=before, limit=LIMIT))
    return (clock() - began) * 1_000, found


def measured(database: SQLiteDatabase, clock: Callable[[], float], only: str = "") -> dict[str, list[float]]:
    chance = random.Random(3)
    places = [Cursor(NOW_US - chance.randrange(DAYS * 86_400_000_000), "") for _ in range(ROUNDS // 3)]
    # Mostly the first page, which has most to look through; at times one that somebody paged to.
    befores = [None] * (ROUNDS - len(places)) + places
    figures: dict[str, list[float]] = {}
    for name, text, agents in QUESTIONS:
        if only and only not in name:
            continue
        query = parse(text, NOW_US).only(agents)
        taken, rows, stopped = [], 0, False
        for before in befores:
            ms, found = page(database, query, before, clock)
            taken.append(ms)
            rows, stopped = max(rows, len(found.rows)), stopped or found.stopped_us is not None
        figures[name] = taken
        told = "stopped" if stopped else ""
        print(
            f"{name:42} p50 {percentile(taken, 50):8.2f}  p95 {percentile(taken, 95):8.2f} ms  {rows:3} rows {told}"
        )
    return figures


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--spans", type=int, default=SPANS)
    reader.add_argument("--store", type=Path, help="one that was filled before")
    reader.add_argument("--only", default="", help="questions whose name has this in it")
    reader.add_argument(
        "--cpu", action="store_true", help="CPU time instead, where the machine has other work"
    )
    given = reader.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = given.store or Path(folder) / "traces.db"
        database = SQLiteDatabase(path) if path.exists() else filled(path, given.spans)
        figures = measured(database, time.thread_time if given.cpu else time.perf_counter, given.only)
        database.close()
    every = [ms for taken in figures.values() for ms in taken]
    worst = max(figures, key=lambda name: percentile(figures[name], 95))
    print(
        json.dumps(
            {
                "find_p50_ms": round(percentile(every, 50), 2),
                "find_p95_ms": round(percentile(every, 95), 2),
                "find_worst_p95_ms": round(percentile(figures[worst], 95), 2),
                "find_worst": worst,
                "clock": "cpu" if given.cpu else "wall",
                "machine": machine(path.parent),
            }
        )
    )


if __name__ == "__main__":
    main()
