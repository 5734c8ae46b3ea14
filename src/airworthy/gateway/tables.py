"""The gateway's tables, those of its parts included; the first was money and calls per budget."""

from collections.abc import Sequence

from airworthy.gateway.budget.tables import MIGRATIONS as BUDGET
from airworthy.gateway.cache import MIGRATIONS as CACHE
from airworthy.gateway.guard.tables import MIGRATIONS as GUARD
from airworthy.gateway.keys.tables import MIGRATIONS as KEYS
from airworthy.gateway.probes.tables import MIGRATIONS as PROBES
from airworthy.gateway.record_tables import MIGRATIONS as RECORDS
from airworthy.resilience.shared.tables import MIGRATIONS as BREAKERS
from airworthy.store.migrate import Migration, create_all


def _first(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table

    metadata = MetaData()
    Table(
        "spend",
        metadata,
        Column("scope", String, primary_key=True),
        Column("reserved_nano", BigInteger, nullable=False),
        Column("settled_nano", BigInteger, nullable=False),
        Column("calls", Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    return create_all(metadata, dialect)


MIGRATIONS = (
    Migration("gateway", 1, "spend", _first),
    *BUDGET,
    *KEYS,
    *RECORDS,
    *CACHE,
    *GUARD,
    *BREAKERS,
    *PROBES,
)
