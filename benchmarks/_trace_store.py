"""A store with as many traces as a million spans make, filled with SQL; shaped to be awkward to search.

Half of the traces are one agent's, and the tools of an agent are its own, so that frequent values exclude each other.
Words follow Zipf's law, as those of a language do.
"""

import functools
import random
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

from airworthy.recorder.tables import MIGRATIONS
from airworthy.recorder.traces import facets
from airworthy.recorder.traces.find import TraceRow
from airworthy.recorder.traces.text import Doc, index_all
from airworthy.store import SQLiteDatabase, Tx, migrate

SPANS_PER_TRACE = 8
DAYS = 7
AGENTS = ("support", "billing", "triage", "search", "refunds", "notes", "mail", "plans")
AGENT_WEIGHTS = (50, 20, 10, 8, 5, 4, 2, 1)
OUTCOMES = ("answered", "declined", "escalated", "dead_lettered", "cancelled")
ERRORS = ("timeout", "rate_limited", "tool_failure", "invalid_output", "rare_error")
MODELS = (*tuple(f"gpt-5-mini-2026-{month:02}-01" for month in range(1, 7)), "sonnet-5-2026-02-01")
WORDS = 30_000
WORDS_PER_TRACE = 90
START_US = 1_763_000_000_000_000
BATCH = 5_000
_NAMES = tuple(TraceRow.__dataclass_fields__)
_INSERT = f"INSERT INTO traces ({', '.join(_NAMES)}) VALUES ({', '.join('?' for _ in _NAMES)})"


def filled(path: Path, spans: int) -> SQLiteDatabase:
    """Takes a minute for a million."""
    database = SQLiteDatabase(path, durable=False)
    migrate(database, MIGRATIONS)
    chance, weights = random.Random(7), list(accumulate(1 / (rank + 8) for rank in range(WORDS)))
    vocabulary = [f"w{rank:05}" for rank in range(WORDS)]
    for made in _batched(_traces(spans // SPANS_PER_TRACE, chance)):
        texts = [" ".join(chance.choices(vocabulary, cum_weights=weights, k=WORDS_PER_TRACE)) for _ in made]
        database.write_now(functools.partial(_insert, made=made, texts=texts))
    database.write_now(lambda tx: tx.execute("ANALYZE"))
    return database


def _batched(
    rows: Iterator[tuple[TraceRow, list[tuple[str, str]]]],
) -> Iterator[list[tuple[TraceRow, list[tuple[str, str]]]]]:
    batch = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _traces(number: int, chance: random.Random) -> Iterator[tuple[TraceRow, list[tuple[str, str]]]]:
    step_us = DAYS * 86_400_000_000 // number
    for place in range(number):
        at_us = START_US + place * step_us + chance.randrange(step_us)
        agent = chance.choices(AGENTS, AGENT_WEIGHTS)[0]
        outcome = chance.choices(OUTCOMES, (90, 4, 4, 1, 1))[0] if place < number - 40 else None
        error = chance.choices(("", *ERRORS), (860, 80, 40, 15, 5, 0.05))[0]
        steps, duration_us = chance.randrange(2, 40), int(chance.lognormvariate(15, 1))
        tools = {f"{agent}_tool_{chance.choices(range(6), (30, 20, 10, 5, 3, 1))[0]}" for _ in range(2)} | {
            f"{agent}_look"
        }
        model = chance.choices(MODELS, (30, 20, 10, 10, 10, 10, 1))[0]
        unpriced = int(chance.random() < 0.01)
        row = TraceRow(
            f"{chance.getrandbits(128):032x}", chance.choices(("otlp", "task", "import"), (70, 29.99, 0.01))[0],
            f"{chance.getrandbits(128):032x}", agent, f"r{place * 20 // number:02}",
            f"s{chance.randrange(number // 3)}", f"u{chance.randrange(number // 6)}", f"f{chance.randrange(12)}",
            f"{agent} handles a request", at_us, at_us, None if outcome is None else at_us + duration_us,
            None if outcome is None else duration_us, outcome, error or None, steps, steps // 2, steps // 3,
            int(bool(error)), 0, 1_000, 100, None if unpriced else chance.randrange(50_000_000), unpriced, None,
        )  # fmt: skip
        labels = [
            ("agent", agent), ("release", row.release), ("session", row.session), ("user", row.user_id),
            ("feature", row.feature), ("outcome", outcome or ""), ("error", error), ("model", model),
            ("origin", row.origin), *(("tool", tool) for tool in tools),
        ]  # fmt: skip
        yield row, labels


def _insert(tx: Tx, made: list[tuple[TraceRow, list[tuple[str, str]]]], texts: list[str]) -> None:
    tx.many(_INSERT, [tuple(getattr(row, name) for name in _NAMES) for row, _ in made])
    for row, labels in made:
        facets.note(tx, row.id, row.at_us, labels)
    index_all(tx, [Doc(row.id, row.at_us, text) for (row, _), text in zip(made, texts, strict=True)])
