"""The recorder's tables: thin typed rows for steps, their payloads beside them, alerts, and the audit log."""

from collections.abc import Sequence

from airworthy.recorder.event_tables import events
from airworthy.recorder.outgoing_tables import exports
from airworthy.recorder.privacy_tables import privacy
from airworthy.recorder.traces.tables import traces
from airworthy.store.migrate import Migration, create_all


def _first(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, String, Table

    metadata = MetaData()
    Table(
        "steps",
        metadata,
        Column("task_id", String, primary_key=True),
        Column("seq", Integer, primary_key=True, autoincrement=False),
        Column("run", Integer, nullable=False),
        Column("kind", String, nullable=False),
        Column("name", String, nullable=False),
        # NULL once superseded: the row stays as history and no longer answers a replay.
        Column("key", LargeBinary),
        Column("state", String, nullable=False),
        Column("effect", String),
        Column("exact", Integer, nullable=False),
        Column("started_us", BigInteger, nullable=False),
        Column("ended_us", BigInteger),
        Column("attempts", Integer, nullable=False),
        Column("error_type", String),
        Column("model", String),
        Column("tokens_in", Integer),
        Column("tokens_out", Integer),
        Column("cost_nano", BigInteger),
        Column("resource", String),
        Column("resource_version", Integer),
        sqlite_with_rowid=False,
    )
    Table(
        "payloads",
        metadata,
        Column("task_id", String, primary_key=True),
        Column("seq", Integer, primary_key=True, autoincrement=False),
        Column("body", LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    return create_all(metadata, dialect)


def _alerts(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text

    metadata = MetaData()
    alerts = Table(
        "alerts",
        metadata,
        Column("key", String, primary_key=True),
        Column("kind", String, nullable=False),
        Column("agent", String, nullable=False),
        Column("severity", String, nullable=False),
        Column("title", Text, nullable=False),
        Column("text", Text, nullable=False),
        Column("task_id", String, nullable=False),
        Column("count", Integer, nullable=False),
        Column("first_us", BigInteger, nullable=False),
        Column("last_us", BigInteger, nullable=False),
        Column("ended_us", BigInteger),
        Column("ended_by", String, nullable=False),
    )
    Index("alerts_by_time", alerts.c.last_us)
    return create_all(metadata, dialect)


def _touched(dialect: str) -> Sequence[str]:
    from sqlalchemy import Column, MetaData, String, Table

    metadata = MetaData()
    Table("touched", metadata, Column("task_id", String, primary_key=True), sqlite_with_rowid=False)
    return create_all(metadata, dialect)


def _audit(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text

    metadata = MetaData()
    audit = Table(
        "audit",
        metadata,
        Column("n", BigInteger, primary_key=True, autoincrement=False),
        Column("at_us", BigInteger, nullable=False),
        Column("who", String, nullable=False),
        Column("what", String, nullable=False),
        Column("about", String, nullable=False),
        Column("outcome", String, nullable=False),
        Column("door", String, nullable=False),
        Column("address", String, nullable=False),
        Column("through", String, nullable=False),
        Column("detail", Text, nullable=False),
        Column("digest", LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    Index("audit_by_about", audit.c.about)
    # One row: whoever adds to the chain takes hold of it first.
    Table(
        "audit_head",
        metadata,
        Column("one", Integer, primary_key=True, autoincrement=False),
        Column("n", BigInteger, nullable=False),
        Column("digest", LargeBinary, nullable=False),
    )
    zeros = "X'" + "00" * 32 + "'" if dialect == "sqlite" else "'\\x" + "00" * 32 + "'"
    return [*create_all(metadata, dialect), f"INSERT INTO audit_head (one, n, digest) VALUES (1, 0, {zeros})"]


def _revisions(_: str) -> Sequence[str]:
    return ("ALTER TABLE traces ADD COLUMN revision BIGINT NOT NULL DEFAULT 0",)


MIGRATIONS = (
    Migration("recorder", 1, "steps and payloads", _first),
    Migration("recorder", 2, "alerts", _alerts),
    Migration("recorder", 4, "tasks that people may have to know of", _touched),
    Migration("recorder", 5, "traces, spans, facets, rollups and texts", traces),
    Migration("recorder", 6, "retention, erasure and sealed days", privacy),
    Migration("recorder", 7, "the audit log", _audit),
    Migration("recorder", 8, "what is sent to a collector", exports),
    Migration("recorder", 9, "what other programs are told", events),
    Migration("recorder", 10, "how often what a task is described by has changed", _revisions),
)
