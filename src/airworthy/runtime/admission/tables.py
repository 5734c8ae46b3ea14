"""The tables of admission: who waits for a beginning, who is under way, and what began of late."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import MetaData


def tables(dialect: str) -> Sequence[str]:
    from sqlalchemy import MetaData

    from airworthy.store.migrate import create_all

    metadata = MetaData()
    _queues(metadata)
    _counted(metadata)
    return create_all(metadata, dialect)


def _queues(metadata: "MetaData") -> None:
    from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

    # One row an agent.
    Table(
        "queues",
        metadata,
        Column("agent", String, primary_key=True),
        Column("waiting", Integer, nullable=False),
        Column("turn", BigInteger, nullable=False),
        Column("begun", BigInteger, nullable=False),
        Column("spared", Integer, nullable=False),
        Column("minute_us", BigInteger, nullable=False),
        Column("minute_begun", Integer, nullable=False),
        Column("minute_before", Integer, nullable=False),
        Column("next_us", BigInteger),
        Column("rule", Text, nullable=False),
        sqlite_with_rowid=False,
    )
    # One row for whatever waits of a user in a feature at a rank, so that choosing reads no task.
    lanes = Table(
        "lanes",
        metadata,
        Column("agent", String, primary_key=True),
        Column("user_id", String, primary_key=True),
        Column("rank", Integer, primary_key=True),
        Column("feature", String, primary_key=True),
        Column("waiting", Integer, nullable=False),
        Column("turn", BigInteger, nullable=False),
        Column("head_us", BigInteger, nullable=False),
        Column("held", Integer, nullable=False),
        Column("ready_us", BigInteger, nullable=False),
    )
    order = (lanes.c.rank, lanes.c.turn, lanes.c.head_us)
    Index("lanes_in_order", lanes.c.agent, lanes.c.held, *order)
    Index("lanes_by_feature", lanes.c.agent, lanes.c.held, lanes.c.feature, *order)
    Index("lanes_by_time", lanes.c.agent, lanes.c.held, lanes.c.ready_us)
    waiting = Table(
        "waiting",
        metadata,
        Column("task_id", String, primary_key=True),
        Column("agent", String, nullable=False),
        Column("user_id", String, nullable=False),
        Column("rank", Integer, nullable=False),
        Column("feature", String, nullable=False),
        Column("since_us", BigInteger, nullable=False),
    )
    w = waiting.c
    Index("waiting_in_order", w.agent, w.user_id, w.rank, w.feature, w.since_us, w.task_id)


def _counted(metadata: "MetaData") -> None:
    from sqlalchemy import BigInteger, Column, Index, String, Table

    under_way = Table(
        "under_way",
        metadata,
        Column("task_id", String, primary_key=True),
        Column("agent", String, nullable=False),
        Column("user_id", String, nullable=False),
        Column("feature", String, nullable=False),
        Column("epoch", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    Index("under_way_by_user", under_way.c.agent, under_way.c.user_id)
    Index("under_way_by_feature", under_way.c.agent, under_way.c.feature)
    starts = Table(
        "starts",
        metadata,
        Column("scope", String, primary_key=True),
        Column("number", BigInteger, primary_key=True),
        Column("at_us", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    Index("starts_by_time", starts.c.at_us)
