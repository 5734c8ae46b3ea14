"""Tables of the calls that came over HTTP, what they said, and which models answered under which name."""

from collections.abc import Sequence

from airworthy.store.migrate import Migration, create_all


def _first(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table

    metadata = MetaData()
    calls = Table(
        "calls",
        metadata,
        Column("id", String, primary_key=True),
        Column("task_id", String, nullable=False),
        Column("agent", String, nullable=False),
        Column("key_id", String, nullable=False),
        Column("session", String, nullable=False),
        Column("user", String, nullable=False),
        Column("feature", String, nullable=False),
        Column("operation", String, nullable=False),
        Column("streamed", Integer, nullable=False),
        Column("ended_as", String, nullable=False),
        Column("code", String, nullable=False),
        Column("finish", String, nullable=False),
        Column("status", Integer, nullable=False),
        Column("asked", String, nullable=False),
        Column("model", String, nullable=False),
        Column("place", String, nullable=False),
        Column("answered", String, nullable=False),
        Column("fingerprint", String, nullable=False),
        Column("started_us", BigInteger, nullable=False),
        Column("first_us", BigInteger),
        Column("ended_us", BigInteger, nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("tokens_in", Integer),
        Column("tokens_out", Integer),
        Column("cached", Integer),
        Column("cost_nano", BigInteger),
        Column("estimated", Integer, nullable=False),
        Column("notes", String),
        sqlite_with_rowid=False,
    )
    Index("calls_by_task", calls.c.task_id)
    Index("calls_by_agent", calls.c.agent, calls.c.started_us)
    Table(
        "call_bodies",
        metadata,
        Column("call_id", String, primary_key=True),
        Column("request", LargeBinary, nullable=False),
        Column("reply", LargeBinary, nullable=False),
    )
    Table(
        "sightings",
        metadata,
        Column("place", String, primary_key=True),
        Column("model", String, primary_key=True),
        Column("answered", String, primary_key=True),
        Column("fingerprint", String, primary_key=True),
        Column("first_us", BigInteger, nullable=False),
        Column("last_us", BigInteger, nullable=False),
        Column("calls", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    return create_all(metadata, dialect)


MIGRATIONS = (Migration("gateway-calls", 1, "calls, their bodies, sightings of models", _first),)
