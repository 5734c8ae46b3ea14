"""The tables of the review room: notices, the messages they become, and what waits for people."""

from collections.abc import Sequence

from airworthy.store.migrate import Migration, create_all


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
    return create_all(metadata, dialect)


def _messages(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text

    metadata = MetaData()
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
    return create_all(metadata, dialect)


MIGRATIONS = (
    Migration("review", 1, "notices", _notices),
    Migration("review", 3, "messages", _messages),
)
