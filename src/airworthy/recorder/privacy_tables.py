"""Tables of retention, erasure and sealed days. They name no user: an erased one stands here as a keyed digest."""

from collections.abc import Sequence

from airworthy.store.migrate import create_all


def privacy(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text

    metadata = MetaData()
    Table(
        "retention_marks",
        metadata,
        Column("what", String, primary_key=True),
        Column("at_us", BigInteger, nullable=False),
        Column("ref", String, nullable=False),
        Column("begun_us", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    Table(
        "removed",
        metadata,
        Column("day", String, primary_key=True),
        Column("what", String, primary_key=True),
        Column("count", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    erasures = Table(
        "erasures",
        metadata,
        Column("id", String, primary_key=True),
        Column("digest", String, nullable=False),
        Column("by_whom", String, nullable=False),
        Column("begun_us", BigInteger, nullable=False),
        Column("ended_us", BigInteger),
        Column("counts", Text, nullable=False),
        sqlite_with_rowid=False,
    )
    Index("erasures_by_digest", erasures.c.digest)
    # Drawn once, so that a digest or a pseudonym is the same whichever process makes it.
    Table(
        "privacy_keys",
        metadata,
        Column("name", String, primary_key=True),
        Column("secret", LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    sealed = Table(
        "sealed",
        metadata,
        Column("ref", String, primary_key=True),
        Column("part", String, nullable=False),  # day and number: 2026-11-25/0001
        Column("pieces", Integer, nullable=False),  # steps or spans it had then
        sqlite_with_rowid=False,
    )
    Index("sealed_by_part", sealed.c.part)
    Table(
        "sealed_parts",
        metadata,
        Column("part", String, primary_key=True),
        Column("folder", Text, nullable=False),
        Column("manifest", String, nullable=False),  # its SHA-256
        Column("at_us", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    return create_all(metadata, dialect)
