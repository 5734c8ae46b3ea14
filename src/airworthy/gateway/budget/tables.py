"""The budget's tables: what is spent per scope, what each process has leased of it, and the sums people ask for."""

from collections.abc import Sequence

from airworthy.store.migrate import Migration, create_all

_ADDED = (
    ("lost_nano", "BIGINT"),
    ("reserved_tokens", "BIGINT"),
    ("settled_tokens", "BIGINT"),
    ("lost_tokens", "BIGINT"),
    ("reserved_calls", "BIGINT"),
    ("lost_calls", "BIGINT"),
    ("wanted", "BIGINT"),
)


def _first(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, MetaData, String, Table

    metadata = MetaData()
    Table(
        "ledgers",
        metadata,
        Column("owner", String, primary_key=True),
        Column("seq", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    Table(
        "slices",
        metadata,
        Column("owner", String, primary_key=True),
        Column("scope", String, primary_key=True),
        Column("nano", BigInteger, nullable=False),
        Column("tokens", BigInteger, nullable=False),
        Column("calls", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    Table(
        "spend_rollup",
        metadata,
        *(
            Column(name, String, primary_key=True)
            for name in ("day", "agent", "key_id", "user_id", "feature", "model")
        ),
        *(
            Column(name, BigInteger, nullable=False)
            for name in (
                "calls", "tokens_in", "tokens_out", "cached", "reserved_nano", "settled_nano", "unpriced_calls",
            )
        ),
        sqlite_with_rowid=False,
    )  # fmt: skip
    added = [f"ALTER TABLE spend ADD COLUMN {name} {kind} NOT NULL DEFAULT 0" for name, kind in _ADDED]
    return [*added, *create_all(metadata, dialect)]


MIGRATIONS = (Migration("gateway-budget", 1, "slices, ledgers and the rollup of spend", _first),)
