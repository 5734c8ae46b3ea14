"""Fills a PostgreSQL with tasks that wait: one that really was suspended, copied with all it stored."""

from collections.abc import Iterator
from typing import Any

COPIED_AT_ONCE = 50_000
# Not of one task: who is alive, and what a writer confirmed.
LEFT_OUT = ("owners", "commits", "migrations", "sweeps")


def copies(connection: Any, task_id: str, first: int, last: int) -> None:
    """Copies numbered `first` to `last` of the task, in every table that names it."""
    places = list(_places(connection, task_id))
    for begin in range(first, last + 1, COPIED_AT_ONCE):
        end = min(begin + COPIED_AT_ONCE - 1, last)
        with connection.transaction():
            for table, columns, named in places:
                connection.execute(
                    _copying(table, columns, named), {"id": task_id, "first": begin, "last": end}
                )


def copy_id(task_id: str, number: int) -> str:
    return f"{task_id[:-8]}{number:08d}"


def _copying(table: str, columns: list[str], named: str) -> str:
    copied = [_copied(table, each, named) for each in columns]
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(copied)}"
        f" FROM {table} t, generate_series(%(first)s::int, %(last)s::int) n WHERE t.{named} = %(id)s"
    )


def _copied(table: str, column: str, named: str) -> str:
    if column == named:
        return f"left(t.{column}, -8) || lpad(n::text, 8, '0')"
    # Each trace has an id of its own.
    return "md5(n::text)" if column == "trace_id" and table in ("tasks", "traces") else f"t.{column}"


def _places(connection: Any, task_id: str) -> Iterator[tuple[str, list[str], str]]:
    """Tables with rows of the task: name, columns, and the column that names it."""
    rows = connection.execute(
        "SELECT table_name, column_name, data_type FROM information_schema.columns"
        " WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position"
    ).fetchall()
    tables: dict[str, list[tuple[str, str]]] = {}
    for table, column, kind in rows:
        tables.setdefault(table, []).append((column, kind))
    for table, columns in tables.items():
        if table in LEFT_OUT:
            continue
        for column, kind in columns:
            if kind in ("character varying", "text") and _has(connection, table, column, task_id):
                yield table, [name for name, _ in columns], column
                break


def _has(connection: Any, table: str, column: str, task_id: str) -> bool:
    sql = f"SELECT 1 FROM {table} WHERE {column} = %s LIMIT 1"
    return connection.execute(sql, (task_id,)).fetchone() is not None
