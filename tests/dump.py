"""All that a database holds, for tests that look for what it must not hold, or for what a write changed."""

from collections.abc import Mapping

from airworthy.store import Database
from airworthy.store.database import Row

# A contentless index gives no rows of its own; its words stand in tables beside it, which are read like any other.
TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL TABLE%'"
    " ORDER BY name",
    "postgresql": "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
    " AND relnamespace = current_schema()::regnamespace ORDER BY relname",
}


def everything(database: Database) -> Mapping[str, list[Row]]:
    """The rows of each table, in the order of their text."""
    return database.read_now(
        lambda tx: {
            name: sorted(tx.rows(f"SELECT * FROM {name}"), key=repr)
            for (name,) in tx.rows(TABLES[database.dialect])
        }
    )


def dumped(database: Database) -> str:
    """A line for each row."""
    return "\n".join(repr(row) for rows in everything(database).values() for row in rows)
