"""The tables of blind tests. Of a link only its digest is stored; of an answer nothing, it stands in the journal."""

from collections.abc import Sequence
from typing import Final

from airworthy.store.migrate import Migration, create_all


def _blind(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text

    metadata = MetaData()
    Table(
        "blind_tests",
        metadata,
        Column("id", String, primary_key=True),
        Column("agent", String, nullable=False),
        Column("title", String, nullable=False),
        Column("shape", Text, nullable=False),
        Column("created_us", BigInteger, nullable=False),
        Column("expires_us", BigInteger, nullable=False),
        Column("people", Integer, nullable=False),
        Column("tries_max", Integer, nullable=False),
        Column("cap_nano", BigInteger, nullable=False),
        Column("by", String, nullable=False),
        Column("stopped_us", BigInteger),
    )
    guests = Table(
        "blind_guests",
        metadata,
        Column("digest", LargeBinary, primary_key=True),
        Column("test", String, nullable=False),
        Column("number", Integer, nullable=False),
        Column("tries", Integer, nullable=False),
    )
    Index("blind_guests_of_test", guests.c.test)
    tries = Table(
        "blind_tries",
        metadata,
        Column("task", String, primary_key=True),
        Column("test", String, nullable=False),
        Column("number", Integer, nullable=False),
        Column("at_us", BigInteger, nullable=False),
        # NULL: not rated yet.
        Column("stars", Integer),
        Column("words", String, nullable=False),
        Column("note", Text, nullable=False),
        Column("rated_us", BigInteger),
    )
    Index("blind_tries_of_test", tries.c.test, tries.c.at_us)
    return create_all(metadata, dialect)


MIGRATIONS: Final = (Migration("preflight", 5, "blind tests: guests, what they tried, and ratings", _blind),)
