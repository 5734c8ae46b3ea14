"""A store with the tables of traces, spans to write into it, and everything that was written, to be compared."""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from airworthy.core.clock import US_PER_S
from airworthy.recorder.tables import MIGRATIONS
from airworthy.recorder.traces.gather import gather
from airworthy.recorder.traces.span import Score, Span, SpanKind
from airworthy.recorder.traces.words import INDEXES
from airworthy.recorder.traces.write import Written, write
from airworthy.store import Database, Tx, migrate
from tests.database import lasting, memory

NOON_US = 1_764_072_000 * US_PER_S
TRACE = "a" * 32


@cache
def _shared() -> Database:
    with lasting():
        return another()


def store() -> Database:
    """An empty one; the same again at each call, because to make the tables takes long."""
    emptied(_shared())
    return _shared()


def another() -> Database:
    made = memory()
    migrate(made, MIGRATIONS)
    return made


def emptied(database: Database) -> None:
    def empty(tx: Tx) -> None:
        for table in (
            "traces", "facets", "spans", "chunks", "scores", "intake", "series", "rollups", "rollup_bins", "docs",
        ):  # fmt: skip
            tx.execute(f"DELETE FROM {table}")
        tx.execute(
            "DELETE FROM texts"
            if tx.dialect == "postgresql"
            else "INSERT INTO texts (texts) VALUES ('delete-all')"
        )

    database.write_now(empty)


def span(number: int = 1, **said: Any) -> Span:
    """The first one is the root of the others."""
    given: dict[str, Any] = {
        "trace_id": TRACE,
        "span_id": f"{number:016x}",
        "parent_id": "" if number == 1 else f"{1:016x}",
        "kind": SpanKind.STEP,
        "name": f"step {number}",
        "started_us": NOON_US + number,
        "ended_us": NOON_US + number + 1_000,
        "payload": b'{"attributes":{}}',
    }
    return Span(**{**given, **said})


def put(
    database: Database,
    spans: Iterable[Span],
    received_us: int = NOON_US + 60 * US_PER_S,
    scores: Iterable[Score] = (),
) -> Written:
    batch = gather(spans, scores, received_us)
    return database.write_now(lambda tx: write(tx, [batch]))[0]


def row(database: Database, trace_id: str = TRACE) -> dict[str, Any]:
    """The trace's row, by column."""
    names = [
        "id", "origin", "trace_id", "agent", "release", "session", "user_id", "feature", "name", "at_us", "started_us",
        "ended_us", "duration_us", "outcome", "error_type", "steps", "model_calls", "tool_calls", "errors", "retries",
        "tokens_in", "tokens_out", "cost_nano", "unpriced", "heard",
    ]  # fmt: skip
    found = database.read_now(
        lambda tx: tx.row(f"SELECT {', '.join(names)} FROM traces WHERE id = ?", (trace_id,))
    )
    assert found is not None
    return dict(zip(names, found, strict=True))


def facets(database: Database, ref: str = TRACE) -> set[tuple[str, str]]:
    return {
        (field, value)
        for field, value in database.read_now(
            lambda tx: tx.rows("SELECT field, value FROM facets WHERE ref = ?", (ref,))
        )
    }


def sums(database: Database, width_s: int = 300) -> Counter[tuple[str, ...]]:
    """Totals over all periods: by agent, release, feature and what is counted."""
    from airworthy.recorder.rollups import COUNTS

    totals: Counter[tuple[str, ...]] = Counter()
    for agent, release, feature, *counts in database.read_now(
        lambda tx: tx.rows(
            f"SELECT agent, release, feature, {', '.join(f'SUM({name})' for name in COUNTS)} FROM rollups"
            " JOIN series ON series.id = series_id WHERE width_s = ? GROUP BY agent, release, feature",
            (width_s,),
        )
    ):
        for name, count in zip(COUNTS, counts, strict=True):
            totals[agent, release, feature, name] += count
    for agent, release, feature, measure, bin_, count in database.read_now(
        lambda tx: tx.rows(
            "SELECT agent, release, feature, measure, bin, SUM(count) FROM rollup_bins"
            " JOIN series ON series.id = series_id WHERE width_s = ? GROUP BY agent, release, feature, measure, bin",
            (width_s,),
        )
    ):
        totals[agent, release, feature, measure, str(bin_)] += count
    return Counter({key: count for key, count in totals.items() if count})


def entries(database: Database, word: str) -> list[int]:
    """The numbers of the entries in the index that a word is found in."""

    def look(tx: Tx) -> list[int]:
        index = INDEXES[tx.dialect]
        asked = (index.word.format(word),)
        return [
            row[0] for row in tx.rows(f"SELECT {index.id} FROM texts WHERE {index.holds} ORDER BY 1", asked)
        ]

    return database.read_now(look)


def words(database: Database, word: str) -> list[str]:
    """The traces that a word is found in, the newest first."""
    found = set(entries(database, word))
    rows = database.read_now(lambda tx: tx.rows("SELECT id, ref FROM docs ORDER BY at_us DESC, id DESC"))
    return [ref for id_, ref in rows if id_ in found]


def counts(database: Database, table: str) -> int:
    found: Sequence[Any] | None = database.read_now(lambda tx: tx.row(f"SELECT COUNT(*) FROM {table}"))
    assert found is not None
    return int(found[0])
