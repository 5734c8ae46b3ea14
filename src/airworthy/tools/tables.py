"""The tools' tables: effects, resources, tokens, health, shapes and last good results, tools of MCP servers."""

from collections.abc import Sequence

from airworthy.store.migrate import Migration, create_all


def _first(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text

    metadata = MetaData()
    effects = Table(
        "effects",
        metadata,
        Column("id", String, primary_key=True),
        Column("task_id", String, nullable=False),
        Column("seq", Integer, nullable=False),
        Column("agent", String, nullable=False),
        Column("tool", String, nullable=False),
        Column("effect", String, nullable=False),
        Column("state", String, nullable=False),
        Column("keyed", Integer, nullable=False),
        Column("arguments", Text, nullable=False),
        Column("recipient", String),
        Column("day", String, nullable=False),
        Column("created_us", BigInteger, nullable=False),
        Column("due_us", BigInteger),
        Column("started_us", BigInteger),
        Column("ended_us", BigInteger),
        Column("decided_by", String),
        Column("decided_us", BigInteger),
        Column("note", Text),
        Column("result", Text),
        sqlite_with_rowid=False,
    )
    Index("effects_by_task", effects.c.task_id)
    Index("effects_by_day", effects.c.tool, effects.c.day)
    Index("effects_by_state", effects.c.state, effects.c.due_us)
    resources = Table(
        "resources",
        metadata,
        Column("name", String, primary_key=True),
        Column("version", Integer, nullable=False),
        Column("holder", String),
        sqlite_with_rowid=False,
    )
    Index("resources_by_holder", resources.c.holder)
    return create_all(metadata, dialect)


def _acts(_dialect: str) -> Sequence[str]:
    """Why an effect was held, which effect another takes back, and who has been reached before."""
    return (
        "ALTER TABLE effects ADD COLUMN evidence TEXT",
        "ALTER TABLE effects ADD COLUMN undo_of VARCHAR",
        "ALTER TABLE effects ADD COLUMN undoable INTEGER NOT NULL DEFAULT 0",
        "CREATE INDEX effects_by_recipient ON effects (agent, tool, recipient) WHERE recipient IS NOT NULL",
        "CREATE INDEX effects_by_undo ON effects (undo_of) WHERE undo_of IS NOT NULL",
    )


def _mcp(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, MetaData, String, Table, Text

    metadata = MetaData()
    Table(
        "mcp_tools",
        metadata,
        Column("agent", String, primary_key=True),
        Column("server", String, primary_key=True),
        Column("tool", String, primary_key=True),
        Column("digest", String),
        Column("definition", Text),
        Column("policy_hash", String, nullable=False),
        Column("seen_digest", String),
        Column("seen_definition", Text),
        Column("first_us", BigInteger, nullable=False),
        Column("changed_us", BigInteger, nullable=False),
        Column("accepted_by", String, nullable=False),
        sqlite_with_rowid=False,
    )
    return (
        "ALTER TABLE effects ADD COLUMN server VARCHAR NOT NULL DEFAULT ''",
        *create_all(metadata, dialect),
    )


def _tokens(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, String, Table, Text

    metadata = MetaData()
    Table(
        "tokens",
        metadata,
        Column("name", String, primary_key=True),
        Column("dependency", String, nullable=False),
        Column("kind", String, nullable=False),
        # Access and refresh token, under a key that is not in the database.
        Column("sealed", LargeBinary),
        Column("made_us", BigInteger, nullable=False),
        Column("until_us", BigInteger, nullable=False),
        Column("generation", Integer, nullable=False),
        Column("failures", Integer, nullable=False),
        Column("retry_us", BigInteger, nullable=False),
        Column("why", Text, nullable=False),
        Column("mend", Text, nullable=False),
        Column("broken", Integer, nullable=False),
        Column("changed_us", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    return create_all(metadata, dialect)


def _health(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table, Text

    metadata = MetaData()
    Table(
        "health",
        metadata,
        Column("dependency", String, primary_key=True),
        Column("ok", Integer, nullable=False),
        Column("at_us", BigInteger, nullable=False),
        Column("since_us", BigInteger, nullable=False),
        Column("streak", Integer, nullable=False),
        Column("took_us", BigInteger, nullable=False),
        Column("reason", Text, nullable=False),
        sqlite_with_rowid=False,
    )
    Table(
        "health_hours",
        metadata,
        Column("dependency", String, primary_key=True),
        Column("source", String, primary_key=True),
        Column("hour_us", BigInteger, primary_key=True, autoincrement=False),
        Column("ok", Integer, nullable=False),
        Column("failed", Integer, nullable=False),
        # Twelve bits each, one for every five minutes.
        Column("seen", Integer, nullable=False),
        Column("bad", Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    Table(
        "health_counted",
        metadata,
        Column("source", String, primary_key=True),
        Column("until_us", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    return create_all(metadata, dialect)


def _last_good(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, Index, LargeBinary, MetaData, String, Table

    metadata = MetaData()
    last_good = Table(
        "last_good",
        metadata,
        Column("agent", String, primary_key=True),
        Column("tool", String, primary_key=True),
        Column("whom", String, primary_key=True),
        Column("arguments", LargeBinary, primary_key=True),
        Column("body", LargeBinary, nullable=False),
        Column("at_us", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    Index("last_good_by_age", last_good.c.agent, last_good.c.tool, last_good.c.at_us)
    return create_all(metadata, dialect)


def _shapes(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text

    metadata = MetaData()
    shapes = Table(
        "tool_shapes",
        metadata,
        Column("agent", String, primary_key=True),
        Column("tool", String, primary_key=True),
        Column("release_hash", String, primary_key=True),
        Column("first_us", BigInteger, nullable=False),
        Column("state", String, nullable=False),
        Column("source", String, nullable=False),
        Column("shape", Text, nullable=False),
        Column("since", Text),
        Column("changes", Text, nullable=False),
        Column("pinned_us", BigInteger),
        Column("pinned_by", String, nullable=False),
        Column("updated_us", BigInteger, nullable=False),
        Column("version", Integer, nullable=False),
    )
    Index("tool_shapes_by_time", shapes.c.agent, shapes.c.tool, shapes.c.updated_us)
    return create_all(metadata, dialect)


MIGRATIONS = (
    Migration("tools", 1, "effects and resources", _first),
    Migration("tools", 2, "tokens", _tokens),
    Migration("tools", 3, "shapes of results", _shapes),
    Migration("tools", 4, "health of dependencies", _health),
    Migration("tools", 5, "evidence, undo and recipients of effects", _acts),
    Migration("tools", 6, "MCP servers: whose effect it is, and their tools as they were accepted", _mcp),
    Migration("tools", 7, "last good results", _last_good),
)
