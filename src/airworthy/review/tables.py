"""The tables of the review room: notices, what waits for people, and what is said of a task afterwards."""

from collections.abc import Sequence

from airworthy.store.migrate import Migration, create_all


def _notices(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, Index, MetaData, String, Table, Text

    metadata = MetaData()
    notices = Table(
        "notices",
        metadata,
        Column("key", String, primary_key=True),
        Column("kind", String, nullable=False),
        Column("agent", String, nullable=False),
        Column("to_team", String, nullable=False),
        Column("title", Text, nullable=False),
        Column("text", Text, nullable=False),
        Column("link", Text, nullable=False),
        Column("at_us", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    Index("notices_by_time", notices.c.at_us)
    return create_all(metadata, dialect)


def _afterwards(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, Float, Index, MetaData, String, Table, Text

    metadata = MetaData()
    feedback = Table(
        "feedback",
        metadata,
        Column("id", String, primary_key=True),
        Column("task_id", String, nullable=False),
        Column("agent", String, nullable=False),
        Column("at_us", BigInteger, nullable=False),
        Column("via", String, nullable=False),
        Column("thumb", String),
        Column("correction", Text, nullable=False),
        Column("text", Text, nullable=False),
        Column("by_whom", Text, nullable=False),
    )
    Index("feedback_by_task", feedback.c.task_id)
    results = Table(
        "results",
        metadata,
        Column("task_id", String, primary_key=True),
        Column("name", String, primary_key=True),
        Column("agent", String, nullable=False),
        Column("value", Float, nullable=False),
        Column("at_us", BigInteger, nullable=False),
        Column("told_us", BigInteger, nullable=False),
        Column("by_whom", Text, nullable=False),
        sqlite_with_rowid=False,
    )
    Index("results_by_agent", results.c.agent, results.c.name)
    # Drawn once, so that links hold whichever process made them.
    Table(
        "link_secret",
        metadata,
        Column("one", String, primary_key=True),
        Column("secret", String, nullable=False),
    )
    return create_all(metadata, dialect)


MIGRATIONS = (
    Migration("review", 1, "notices", _notices),
    Migration("review", 3, "feedback and results", _afterwards),
)
