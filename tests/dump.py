"""All that a database holds, for tests that look for what it must not: rows, and the bytes of the text index."""

import sqlite3

# A contentless index gives no rows of its own; its words stand in tables beside it, which are read like any other.
TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL TABLE%'"


def dumped(connection: sqlite3.Connection) -> str:
    """A line for each row."""
    names = [str(name) for (name,) in connection.execute(TABLES)]
    return "\n".join(repr(row) for name in names for row in connection.execute(f"SELECT * FROM {name}"))
