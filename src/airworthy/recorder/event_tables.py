"""The tables of what other programs are told."""

from collections.abc import Sequence

from airworthy.store.migrate import create_all


def events(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text

    metadata = MetaData()
    # What is asked for, multiplied out, so that writing an event down is one statement. "" stands for all.
    Table(
        "event_wishes",
        metadata,
        Column("kind", String, primary_key=True),
        Column("agent", String, primary_key=True),
        Column("outcome", String, primary_key=True),
        Column("subscription", String, primary_key=True),
        sqlite_with_rowid=False,
    )
    Table(
        "event_subscriptions",
        metadata,
        Column("name", String, primary_key=True),
        Column("since_us", BigInteger, nullable=False),
        Column("sent", BigInteger, nullable=False),
        Column("dropped", BigInteger, nullable=False),
        Column("failures", Integer, nullable=False),
        Column("next_us", BigInteger, nullable=False),
        Column("stopped_us", BigInteger),
        Column("last_sent_us", BigInteger),
        Column("error", Text, nullable=False),
        sqlite_with_rowid=False,
    )
    due = Table(
        "event_due",
        metadata,
        # In the order in which they were written: two of one task may have the same time.
        Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
        Column("subscription", String, nullable=False),
        Column("id", String, nullable=False),
        Column("kind", String, nullable=False),
        Column("task_id", String, nullable=False),
        Column("agent", String, nullable=False),
        Column("ref", String, nullable=False),
        Column("facts", Text, nullable=False),
        Column("at_us", BigInteger, nullable=False),
        Column("since_us", BigInteger, nullable=False),
        Column("state", String, nullable=False),  # pending or failed
        Column("attempts", Integer, nullable=False),
        Column("next_us", BigInteger, nullable=False),
        Column("ended_us", BigInteger),
        Column("error", Text, nullable=False),
    )
    Index("event_due_once", due.c.subscription, due.c.id, unique=True)
    Index("event_due_in_order", due.c.subscription, due.c.state, due.c.number)
    Index("event_due_of_task", due.c.task_id, due.c.subscription)
    return create_all(metadata, dialect)
