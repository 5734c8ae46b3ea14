"""The tables of the review room: notices, and what waits for people."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airworthy.store.migrate import Migration, create_all

if TYPE_CHECKING:
    from sqlalchemy import MetaData


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


def _items(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text

    metadata = MetaData()
    items = Table(
        "review_items",
        metadata,
        Column("id", String, primary_key=True),
        Column("kind", String, nullable=False),
        Column("status", String, nullable=False),
        Column("subject", String, nullable=False),
        Column("task_id", String, nullable=False),
        Column("agent", String, nullable=False),
        Column("to_team", String, nullable=False),
        Column("created_us", BigInteger, nullable=False),
        Column("placed", Integer, nullable=False),
        Column("assigned", String, nullable=False),
        Column("deadline_us", BigInteger),
        Column("on_deadline", String, nullable=False),
        Column("escalate_to", String, nullable=False),
        Column("wake_us", BigInteger),
        Column("reminders", Integer, nullable=False),
        Column("edited_by", String, nullable=False),
        Column("decided_us", BigInteger),
        Column("decision", String, nullable=False),
        Column("decided_by", String, nullable=False),
        Column("role", String, nullable=False),
        Column("note", Text, nullable=False),
        sqlite_with_rowid=False,
    )
    Index("review_items_in_order", items.c.status, items.c.created_us, items.c.id)
    Index("review_items_by_team", items.c.status, items.c.to_team, items.c.created_us)
    Index("review_items_by_wake", items.c.status, items.c.wake_us)
    Index("review_items_unplaced", items.c.status, items.c.placed, items.c.agent)
    Index("review_items_by_subject", items.c.subject, items.c.kind)
    Index("review_items_by_task", items.c.task_id, items.c.status)
    Table(
        "review_records",
        metadata,
        Column("item_id", String, primary_key=True),
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("at_us", BigInteger, nullable=False),
        Column("act", String, nullable=False),
        Column("by_whom", String, nullable=False),
        Column("role", String, nullable=False),
        Column("note", Text, nullable=False),
        Column("seen", String, nullable=False),
        Column("detail", Text, nullable=False),
        sqlite_with_rowid=False,
    )
    _questions(metadata)
    return create_all(metadata, dialect)


def _questions(metadata: "MetaData") -> None:
    from sqlalchemy import BigInteger, Column, Float, Index, Integer, String, Table, Text

    questions = Table(
        "questions",
        metadata,
        Column("id", String, primary_key=True),
        Column("task_id", String, nullable=False),
        Column("seq", Integer, nullable=False),
        Column("agent", String, nullable=False),
        Column("text", Text, nullable=False),
        Column("to_team", String, nullable=False),
        Column("choices", Text, nullable=False),
        Column("schema", Text),
        Column("deadline_s", Float),
        Column("fallback", Text),
        Column("created_us", BigInteger, nullable=False),
        Column("answer", Text),
        Column("answered_by", String, nullable=False),
        Column("role", String, nullable=False),
        Column("answered_us", BigInteger),
        Column("note", Text, nullable=False),
        Column("problem", Text, nullable=False),
        Column("declined", Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    Index("questions_by_task", questions.c.task_id)


MIGRATIONS = (
    Migration("review", 1, "notices", _notices),
    Migration("review", 2, "items, records and questions", _items),
)
