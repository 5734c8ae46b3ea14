"""The table of waivers: who answers for an item of the checklist that is not answered, and until when."""

from collections.abc import Sequence

from airworthy.store.migrate import Migration, create_all


def _waivers(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, MetaData, String, Table, Text

    metadata = MetaData()
    Table(
        "readiness_waivers",
        metadata,
        Column("agent", String, primary_key=True),
        Column("item", String, primary_key=True),
        Column("by_whom", String, nullable=False),
        Column("because", Text, nullable=False),
        Column("until_us", BigInteger, nullable=False),
        Column("at_us", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    return create_all(metadata, dialect)


MIGRATIONS = (Migration("preflight", 3, "waivers of the readiness checklist", _waivers),)
