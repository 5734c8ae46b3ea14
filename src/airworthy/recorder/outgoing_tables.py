"""The tables of what is sent to a collector."""

from collections.abc import Sequence

from airworthy.store.migrate import create_all


def exports(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table, Text

    metadata = MetaData()
    Table(
        "exports",  # one row while an export is set up
        metadata,
        Column("id", Integer, primary_key=True, autoincrement=False),
        Column("since_us", BigInteger, nullable=False),
        Column("sent", BigInteger, nullable=False),
        Column("rejected", BigInteger, nullable=False),
        Column("dropped", BigInteger, nullable=False),
        Column("failures", Integer, nullable=False),
        Column("next_us", BigInteger, nullable=False),
        Column("last_sent_us", BigInteger),
        Column("error", Text, nullable=False),
    )
    Table(
        "export_due",
        metadata,
        Column("task_id", String, primary_key=True),
        Column("seq", Integer, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    return create_all(metadata, dialect)
