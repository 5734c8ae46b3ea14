"""Which tables a database has, and what their columns are; asked of the engine itself. Knows no table by name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from airworthy.store._connection import Connection
from airworthy.store.address import is_address
from airworthy.store.database import Tx
from airworthy.store.grouped import ReadConnection

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Table:
    """`key`: the columns of the primary key. `fractions`: places of the columns that hold no whole numbers."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    fractions: frozenset[int]


# Table, column, type, place in the primary key or 0. Without what an engine makes for itself.
_COLUMNS: Final = {
    "sqlite": "SELECT t.name, c.name, lower(c.type), c.pk FROM pragma_table_list t, pragma_table_info(t.name) c"
    " WHERE t.schema = 'main' AND t.type = 'table' AND substr(t.name, 1, 7) <> 'sqlite_' ORDER BY t.name, c.cid",
    "postgresql": "SELECT t.relname::text, c.attname::text, format_type(c.atttypid, NULL),"
    " COALESCE(array_position(i.indkey::smallint[], c.attnum) + 1, 0)"
    " FROM pg_class t JOIN pg_attribute c ON c.attrelid = t.oid"
    " LEFT JOIN pg_index i ON i.indrelid = t.oid AND i.indisprimary"
    " WHERE t.relnamespace = current_schema()::regnamespace AND t.relkind IN ('r', 'p') AND NOT t.relispartition"
    " AND c.attnum > 0 AND NOT c.attisdropped ORDER BY t.relname, c.attnum",
}
_FRACTIONS: Final = ("float", "real", "double precision")


def tables(tx: Tx, dialect: str) -> dict[str, Table]:
    """By name. Partitions are not named, only what they are parts of."""
    found: dict[str, list[tuple[str, str, int]]] = {}
    for table, column, kind, place in tx.rows(_COLUMNS[dialect]):
        found.setdefault(table, []).append((column, kind, place))
    return {
        name: Table(
            name,
            tuple(column for column, _, _ in columns),
            tuple(column for column, _, place in sorted(columns, key=lambda each: each[2]) if place),
            frozenset(at for at, (_, kind, _) in enumerate(columns) if kind in _FRACTIONS),
        )
        for name, columns in found.items()
    }


class Snapshot:
    """A database as it is at one moment, read for as long as that takes; nothing can be changed. For one thread."""

    def __init__(self, where: str) -> None:
        """`where`: a file's path, or the address of a PostgreSQL. Raises: StoreError and its children; ConfigError."""
        self.dialect = "postgresql" if is_address(where) else "sqlite"
        self._connection = _server(where) if is_address(where) else Connection(where, untouched=True)
        self._connection.begin_read()

    def read_now(self, query: Callable[[Tx], T]) -> T:
        return query(self._connection)

    def close(self) -> None:
        self._connection.rollback()
        self._connection.close()


def _server(url: str) -> ReadConnection:
    # Late: who has only a file needs no driver.
    from airworthy.store import _pg
    from airworthy.store._pg_errors import Server, check_understood

    _pg.imported()
    check_understood(url)
    # However long a count takes, and however long the other side takes between two looks.
    made = _pg.Connection(Server(url), name="move", settings="SET statement_timeout = 0")
    made.connect_once()
    return made
