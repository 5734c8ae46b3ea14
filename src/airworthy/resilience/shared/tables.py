"""The tables of what processes share: breakers, calls lent of a rate, holds."""

from collections.abc import Sequence

from airworthy.store.migrate import Migration, create_all


def _first(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, String, Table

    metadata = MetaData()
    Table(
        "breakers",
        metadata,
        Column("name", String, primary_key=True),
        Column("policy", LargeBinary, nullable=False),
        Column("state", LargeBinary, nullable=False),
        Column("mode", String, nullable=False),
        Column("reason", String, nullable=False),
        Column("by_whom", String, nullable=False),
        Column("changed_us", BigInteger, nullable=False),
        Column("version", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    return create_all(metadata, dialect)


def _paces(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, MetaData, String, Table

    metadata = MetaData()
    Table(
        "paces",
        metadata,
        Column("name", String, primary_key=True),
        Column("slot", BigInteger, primary_key=True, autoincrement=False),
        Column("used", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    Table(
        "pace_holds",
        metadata,
        Column("name", String, primary_key=True),
        Column("until_us", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    return create_all(metadata, dialect)


MIGRATIONS = (
    Migration("breakers", 1, "breakers", _first),
    Migration("breakers", 2, "calls lent of shared rates, and holds", _paces),
)
