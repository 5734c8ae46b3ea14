"""The table of gateway keys. Rows are added and changed, never deleted, so that `version` tells what is new."""

from collections.abc import Sequence

from airworthy.store.migrate import Migration, create_all


def _first(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, String, Table

    metadata = MetaData()
    Table(
        "gateway_keys",
        metadata,
        Column("id", String, primary_key=True),
        Column("digest", LargeBinary, nullable=False, unique=True),
        Column("agent", String, nullable=False),
        Column("user_id", String, nullable=False),
        Column("feature", String, nullable=False),
        Column("label", String, nullable=False),
        Column("priority", Integer, nullable=False),
        Column("day_nano", BigInteger),
        Column("month_nano", BigInteger),
        Column("total_nano", BigInteger),
        Column("day_tokens", BigInteger),
        Column("day_calls", BigInteger),
        Column("created_us", BigInteger, nullable=False),
        Column("expires_us", BigInteger),
        Column("revoked_us", BigInteger),
        Column("used_day", String, nullable=False),
        # Unique, so that changes become visible in the order of their versions whatever the engine.
        Column("version", BigInteger, nullable=False, unique=True),
    )
    return create_all(metadata, dialect)


MIGRATIONS = (Migration("gateway-keys", 1, "keys", _first),)
