"""The store's own tables: who holds which name, and who is alive."""

from collections.abc import Sequence

from airworthy.store.migrate import Migration, create_all


def _first(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table

    metadata = MetaData()
    Table(
        "owners",
        metadata,
        Column("id", String, primary_key=True),
        Column("host", String, nullable=False),
        Column("pid", Integer, nullable=False),
        Column("born", String, nullable=False),
        Column("started_us", BigInteger, nullable=False),
        Column("expires_us", BigInteger, nullable=False),
    )
    claims = Table(
        "claims",
        metadata,
        Column("name", String, primary_key=True),
        Column("epoch", BigInteger, nullable=False),
        Column("owner", String),
        sqlite_with_rowid=False,
    )
    Index("claims_by_owner", claims.c.owner)
    return create_all(metadata, dialect)


def _duties(_dialect: str) -> Sequence[str]:
    """Versions from before leave them out of what they write."""
    return [
        f"ALTER TABLE owners ADD COLUMN {column} VARCHAR NOT NULL DEFAULT ''"
        for column in ("roles", "machine", "version", "agents")
    ]


def _third(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, MetaData, String, Table

    metadata = MetaData()
    Table(
        "commits",
        metadata,
        Column("writer", String, primary_key=True),
        Column("batch", BigInteger, nullable=False),
        Column("at_us", BigInteger, nullable=False),
    )
    # On SQLite nothing is written there: a commit in the same process is never in doubt.
    room = " WITH (fillfactor = 20)" if dialect == "postgresql" else ""
    return [f"{statement.rstrip()}{room}" for statement in create_all(metadata, dialect)]


MIGRATIONS = (
    Migration("store", 1, "owners and claims", _first),
    Migration("store", 2, "what owners do, where, and in which version", _duties),
    Migration("store", 3, "the newest commit of each writer", _third),
)
