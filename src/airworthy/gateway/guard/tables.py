"""The table of calls that were withheld beside others, so that later histories can be told whole."""

from collections.abc import Sequence

from airworthy.store.migrate import Migration, create_all


def _first(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table

    metadata = MetaData()
    table = Table(
        "withheld",
        metadata,
        Column("agent", String, primary_key=True),
        Column("scope", String, primary_key=True),
        Column("sibling", String, primary_key=True),
        Column("place", Integer, primary_key=True),
        Column("mark", String, nullable=False),
        Column("dialect", String, nullable=False),
        Column("call_id", String, nullable=False),
        Column("call", String, nullable=False),
        Column("reason", String, nullable=False),
        Column("at_us", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    Index("withheld_by_age", table.c.at_us)
    return create_all(metadata, dialect)


MIGRATIONS = (Migration("gateway-guard", 1, "calls withheld beside others", _first),)
