"""The tables of the review room: notices, the messages they become, and what waits for people."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airworthy.store.migrate import Migration, create_all

if TYPE_CHECKING:
    from sqlalchemy import MetaData


def _notices(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text

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
        Column("about", String, nullable=False),
        Column("severity", String, nullable=False),
        Column("over", Integer, nullable=False),
        Column("routed_us", BigInteger),
        Column("lanes", Integer, nullable=False),  # to how many it was given; 0 of a routed one: to nobody
        sqlite_with_rowid=False,
    )
    Index("notices_unrouted", notices.c.routed_us, notices.c.at_us)
    Index("notices_about", notices.c.about)
    deliveries = Table(
        "notice_deliveries",
        metadata,
        Column("notice_key", String, primary_key=True),
        Column("channel", String, primary_key=True),
        Column("recipient", String, primary_key=True),  # an address where the channel has several, else ""
        Column("team", String, nullable=False),
        Column("about", String, nullable=False),
        Column("critical", Integer, nullable=False),
        Column("over", Integer, nullable=False),
        Column("at_us", BigInteger, nullable=False),
        Column("state", String, nullable=False),  # waiting, formed or moot
        Column("message_id", String),
        sqlite_with_rowid=False,
    )
    Index("notice_deliveries_waiting", deliveries.c.state, deliveries.c.channel, deliveries.c.recipient)
    Index("notice_deliveries_of_message", deliveries.c.message_id)
    Index("notice_deliveries_about", deliveries.c.about)
    _messages(metadata)
    return create_all(metadata, dialect)


def _messages(metadata: "MetaData") -> None:
    from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

    Table(
        "notice_alerts",  # which alerts were told
        metadata,
        Column("alert_key", String, primary_key=True),
        Column("first_us", BigInteger, nullable=False),
        Column("over", Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    messages = Table(
        "notice_messages",
        metadata,
        Column("id", String, primary_key=True),
        Column("channel", String, nullable=False),
        Column("recipient", String, nullable=False),
        Column("team", String, nullable=False),
        Column("kind", String, nullable=False),  # notice, digest or over
        Column("critical", Integer, nullable=False),
        Column("count", Integer, nullable=False),
        Column("content", Text, nullable=False),
        Column("state", String, nullable=False),  # pending, sent or failed
        Column("attempts", Integer, nullable=False),
        Column("created_us", BigInteger, nullable=False),
        Column("next_us", BigInteger, nullable=False),
        Column("give_up_us", BigInteger, nullable=False),
        Column("ended_us", BigInteger),
        Column("error", Text, nullable=False),
        sqlite_with_rowid=False,
    )
    Index("notice_messages_pending", messages.c.state, messages.c.channel, messages.c.created_us)
    Index("notice_messages_old", messages.c.state, messages.c.created_us)
    Index("notice_messages_recent", messages.c.channel, messages.c.recipient, messages.c.created_us)


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
    Index("review_items_by_task", items.c.task_id)
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
