"""The table of what models answered to the probes."""

from collections.abc import Sequence

from airworthy.store.migrate import Migration, create_all


def _first(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table

    metadata = MetaData()
    probes = Table(
        "probes",
        metadata,
        Column("id", String, primary_key=True),
        Column("batch", String, nullable=False),
        Column("place", String, nullable=False),
        Column("model", String, nullable=False),
        Column("probe", String, nullable=False),
        Column("prompt_digest", String, nullable=False),
        Column("asked_us", BigInteger, nullable=False),
        Column("answered", String, nullable=False),
        Column("fingerprint", String, nullable=False),
        Column("versions", String, nullable=False),
        Column("text_digest", String, nullable=False),
        Column("text", LargeBinary, nullable=False),
        Column("tokens_in", Integer),
        Column("tokens_out", Integer),
        Column("finish", String, nullable=False),
    )
    Index("probes_by_place", probes.c.place, probes.c.batch)
    return create_all(metadata, dialect)


MIGRATIONS = (Migration("gateway-probes", 1, "answers to the probes", _first),)
