"""The tables of the review room: notices, and what waits for people."""

from collections.abc import Sequence

from airworthy.store.migrate import Migration, create_all


def _notices(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, Index, MetaData, String, Table, Text

    metadata = MetaData()
    notices = Table(
        "notices",
        metadata,
        Column("key", String, primary_key=True),
        Column("kind", String, nullable=False),
        Column("agent", String, nullable=False),
        Column("to_team", String, nullable=False),
        Column("title", Text, nullable=False),
        Column("text", Text, nullable=False),
        Column("link", Text, nullable=False),
        Column("at_us", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    Index("notices_by_time", notices.c.at_us)
    return create_all(metadata, dialect)


MIGRATIONS = (Migration("review", 1, "notices", _notices),)
