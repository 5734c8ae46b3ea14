"""The tables of preflights: runs, cells that came to a result, and what models answered on the way."""

from collections.abc import Sequence

from airworthy.preflight.blind_tables import MIGRATIONS as BLIND
from airworthy.preflight.cases_tables import MIGRATIONS as CASES
from airworthy.preflight.readiness_tables import MIGRATIONS as READINESS
from airworthy.store.migrate import Migration, create_all


def _first(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table

    metadata = MetaData()
    preflights = Table(
        "preflights",
        metadata,
        Column("id", String, primary_key=True),
        Column("agent", String, nullable=False),
        Column("release", String, nullable=False),
        Column("state", String, nullable=False),  # of records.RunState
        Column("verdict", String, nullable=False),  # '' until it has ended
        Column("began_us", BigInteger, nullable=False),
        Column("ended_us", BigInteger),
        Column("seed", Integer, nullable=False),
        Column("same", String, nullable=False),  # digest of all that must be the same to go on with it
        Column("spent_nano", BigInteger, nullable=False),
        Column("worked_us", BigInteger, nullable=False),  # of all its sittings
        Column("report", LargeBinary),
    )
    Index("preflights_by_agent", preflights.c.agent, preflights.c.began_us)
    Table(
        "preflight_cells",
        metadata,
        Column("preflight", String, primary_key=True),
        Column("cell", String, primary_key=True),
        Column("part", String, nullable=False),
        Column("state", String, nullable=False),
        Column("at_us", BigInteger, nullable=False),
        Column("user_id", String, nullable=False),  # in whose name its case is run
        Column("result", LargeBinary, nullable=False),
        Column("trials", LargeBinary, nullable=False),
    )
    return create_all(metadata, dialect)


def _second(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, Index, LargeBinary, MetaData, String, Table

    metadata = MetaData()
    table = Table(
        "model_answers",
        metadata,
        Column("key", LargeBinary, primary_key=True),
        Column("agent", String, nullable=False),
        Column("user", String, nullable=False),
        Column("at_us", BigInteger, nullable=False),
        Column("body", LargeBinary, nullable=False),
    )
    Index("model_answers_by_age", table.c.at_us)
    return create_all(metadata, dialect)


MIGRATIONS = (
    Migration("preflight", 1, "preflights and their cells", _first),
    Migration("preflight", 2, "answers of models", _second),
    *READINESS,
    *BLIND,
    *CASES,
)
