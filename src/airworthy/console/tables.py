"""The table of access keys to the API. Only their hashes are stored."""

from collections.abc import Sequence

from airworthy.store.migrate import Migration, create_all


def _first(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, String, Table

    metadata = MetaData()
    Table(
        "access_keys",
        metadata,
        Column("id", String, primary_key=True),
        Column("digest", LargeBinary, nullable=False, unique=True),
        Column("person", String, nullable=False),
        Column("program", String, nullable=False),
        Column("roles", String, nullable=False),
        Column("created_us", BigInteger, nullable=False),
        Column("expires_us", BigInteger),
        Column("revoked_us", BigInteger),
    )
    return create_all(metadata, dialect)


MIGRATIONS = (Migration("console", 1, "access keys", _first),)
