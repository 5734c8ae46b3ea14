"""The tools' tables: effects with their state, and resources with their holder and version."""

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


MIGRATIONS = (
    Migration("tools", 1, "effects and resources", _first),
    Migration("tools", 5, "evidence, undo and recipients of effects", _acts),
)
