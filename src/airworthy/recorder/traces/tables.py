"""The tables of traces. `traces` has a row for each task of ours and for each trace that came from elsewhere.
A later step adds `revision` to it, see `own_text`.

`at_us` is where a trace stands in every list: when it began, as first heard, and never later than it was heard of.
It does not change, so that a page's place stays a place. `facets` holds each value that can be asked for, in that
order; `texts` is found by rowids that are in that order but for an eighth of a second. Names and labels come from
outside. On PostgreSQL spans, chunks, docs and texts are parted by day, see `days`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airworthy.recorder.traces import days
from airworthy.store.migrate import create_all

if TYPE_CHECKING:
    from sqlalchemy import MetaData, Table


def traces(dialect: str) -> Sequence[str]:
    from sqlalchemy import MetaData

    metadata = MetaData()
    _traces(metadata, short=dialect == "postgresql")
    _facets(metadata)
    _spans(metadata, parted=dialect == "postgresql")
    _rollups(metadata, short=dialect == "postgresql")
    return [*create_all(metadata, dialect), *_texts(dialect), *days.first(dialect)]


def _traces(metadata: "MetaData", *, short: bool) -> None:
    from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text, text

    made = Table(
        "traces",
        metadata,
        Column("id", String, primary_key=True),  # the task's id, or the trace's in hex
        Column("origin", String, nullable=False),  # task, otlp, import
        Column(
            "mode", String, nullable=False, server_default="live"
        ),  # live, rehearsal, fork: only live ones are counted
        Column("trace_id", String, nullable=False),
        Column("agent", String, nullable=False),
        Column("release", String, nullable=False),
        Column("session", String, nullable=False),
        Column("user_id", String, nullable=False),
        Column("feature", String, nullable=False),
        Column("name", Text, nullable=False),
        Column("at_us", BigInteger, nullable=False),
        Column("started_us", BigInteger, nullable=False),
        Column("ended_us", BigInteger),  # NULL: still open, or its root was not heard of
        Column("duration_us", BigInteger),
        Column("outcome", String),
        Column("error_type", String),
        Column("steps", Integer, nullable=False),
        Column("model_calls", Integer, nullable=False),
        Column("tool_calls", Integer, nullable=False),
        Column("errors", Integer, nullable=False),
        Column("retries", Integer, nullable=False),
        Column("tokens_in", BigInteger, nullable=False),
        Column("tokens_out", BigInteger, nullable=False),
        Column("cost_nano", BigInteger),  # of what has a price; NULL: nothing has
        Column("unpriced", Integer, nullable=False),  # model calls without one
        Column("sentence", Text),
        # Of a trace from elsewhere: which of its spans said what, see fold.py. NULL: a task.
        Column("heard", LargeBinary),
        sqlite_with_rowid=False,
    )
    _by_time(made, short=short)
    # A trace from elsewhere has its trace id for an id; a task is looked for by it when its own spans come in.
    ours = text("origin = 'task'")
    Index("traces_of_tasks", made.c.trace_id, unique=True, sqlite_where=ours, postgresql_where=ours)


def _facets(metadata: "MetaData") -> None:
    from sqlalchemy import BigInteger, Column, String, Table

    Table(
        "facets",
        metadata,
        Column("field", String, primary_key=True),
        Column("value", String, primary_key=True),
        Column("at_us", BigInteger, primary_key=True, autoincrement=False),
        Column("ref", String, primary_key=True),
        sqlite_with_rowid=False,
    )


def _by_time(made: "Table", *, short: bool) -> None:
    # Holds all that a row is asked for in a list, so that no row is read for it.
    from sqlalchemy import Index

    asked = (
        made.c.duration_us,
        made.c.cost_nano,
        made.c.steps,
        made.c.errors,
        made.c.unpriced,
        made.c.origin,
    )
    # An entry of an index of PostgreSQL has 2,704 bytes at most, so there it holds no text from outside.
    texts = () if short else (made.c.agent, made.c.outcome)
    Index("traces_by_time", made.c.at_us, made.c.id, *asked, *texts)


def _spans(metadata: "MetaData", *, parted: bool) -> None:
    from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, String, Table, Text

    spans = Table(
        "spans",
        metadata,
        Column("trace", LargeBinary, primary_key=True),  # 16 bytes
        Column("span", LargeBinary, primary_key=True),  # 8 bytes
        Column("parent", LargeBinary),
        Column("kind", String, nullable=False),
        Column("name", String, nullable=False),
        Column("started_us", BigInteger, nullable=False),
        Column("ended_us", BigInteger, nullable=False),
        Column("error_type", String),
        Column("model", String),
        Column("tokens_in", Integer),
        Column("tokens_out", Integer),
        Column("cost_nano", BigInteger),
        Column("chunk", BigInteger, primary_key=parted, nullable=False, autoincrement=False),
        Column("part", Integer, nullable=False),  # its place in the chunk; -1: its payload was taken out
        sqlite_with_rowid=False,
        postgresql_partition_by="RANGE (chunk)",
    )
    # A trace is read in order of time and a piece at a time, however many spans it has.
    Index("spans_by_start", spans.c.trace, spans.c.started_us)
    # The payloads of the spans of one trace that came together, packed together: they repeat each other.
    Table(
        "chunks",
        metadata,
        Column(
            "id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=not parted
        ),
        Column("body", LargeBinary, nullable=False),
        postgresql_partition_by="RANGE (id)",
    )
    scores = Table(
        "scores",
        metadata,
        Column("trace", LargeBinary, primary_key=True),
        Column("span", LargeBinary, primary_key=True),  # empty: of the whole trace
        Column("name", String, primary_key=True),
        Column("at_us", BigInteger, primary_key=True, autoincrement=False),
        Column("value", Float),
        Column("label", String, nullable=False),
        Column("explanation", Text, nullable=False),
        sqlite_with_rowid=False,
    )
    Index("scores_by_name", scores.c.name, scores.c.at_us)
    Table(
        "intake",  # what became of what was sent, by UTC day: nothing is lost silently
        metadata,
        Column("day", String, primary_key=True),
        Column("what", String, primary_key=True),
        Column("count", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


def _rollups(metadata: "MetaData", *, short: bool) -> None:
    from sqlalchemy import BigInteger, Column, Index, Integer, String, Table

    series = Table(
        "series",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("agent", String, nullable=False),
        Column("release", String, nullable=False),
        Column("feature", String, nullable=False),
    )
    if short:  # Writers take turns, so one that is looked for and made is made once.
        Index("series_by_name", series.c.agent, postgresql_using="hash")
    else:
        Index("series_by_name", series.c.agent, series.c.release, series.c.feature, unique=True)
    counts = (
        "opened", "answered", "declined", "escalated", "dead_lettered", "cancelled", "failed", "ended", "steps",
        "model_calls", "tool_calls", "errors", "retries", "tokens_in", "tokens_out", "cost_nano", "priced",
        "unpriced", "duration_us",
    )  # fmt: skip
    Table(
        "rollups",
        metadata,
        Column("width_s", Integer, primary_key=True, autoincrement=False),
        Column("bucket_us", BigInteger, primary_key=True, autoincrement=False),
        Column("series_id", Integer, primary_key=True, autoincrement=False),
        *(Column(name, BigInteger, nullable=False, server_default="0") for name in counts),
        sqlite_with_rowid=False,
    )
    Table(
        "rollup_bins",
        metadata,
        Column("width_s", Integer, primary_key=True, autoincrement=False),
        Column("bucket_us", BigInteger, primary_key=True, autoincrement=False),
        Column("series_id", Integer, primary_key=True, autoincrement=False),
        Column("measure", String, primary_key=True),  # duration, steps, cost
        Column("bin", Integer, primary_key=True, autoincrement=False),
        Column("count", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


def _texts(dialect: str) -> Sequence[str]:
    # `chunk`: where the words of a trace from elsewhere come from. NULL: a task of ours, whose journal has them.
    docs = (
        "CREATE TABLE docs (id BIGINT NOT NULL PRIMARY KEY, ref VARCHAR NOT NULL, at_us BIGINT NOT NULL, chunk BIGINT)"
        " PARTITION BY RANGE (id)"
        if dialect == "postgresql"
        else "CREATE TABLE docs (id INTEGER PRIMARY KEY, ref VARCHAR NOT NULL, at_us BIGINT NOT NULL, chunk BIGINT)"
    )
    due = "CREATE TABLE index_due (ref VARCHAR NOT NULL PRIMARY KEY, what VARCHAR NOT NULL)"
    if dialect == "postgresql":
        texts = [
            "CREATE TABLE texts (id BIGINT NOT NULL, words TSVECTOR NOT NULL) PARTITION BY RANGE (id)",
            # In the row as long as they fit: else reading them all looks cheap to the planner, and is not.
            "ALTER TABLE texts ALTER COLUMN words SET STORAGE MAIN",
            "CREATE INDEX texts_by_word ON texts USING GIN (words)",
            # For one entry, and never for a stretch: the planner does not know what it costs to unpack the words of
            # each entry of a stretch, which is a hundred times what the other index takes.
            "CREATE INDEX texts_by_id ON texts USING HASH (id)",
        ]
    else:
        # Without the text itself, which stands in the payloads, and without places: words, not phrases, are found.
        options = "content='', detail=none, columnsize=0, tokenize='unicode61'"
        texts = [f"CREATE VIRTUAL TABLE texts USING fts5(words, {options})"]
    return [docs, due, *texts]
