"""Numbered steps that bring a database to this version's shape; each is applied once, all or nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from airworthy.store.database import Database, StoreError, Tx

if TYPE_CHECKING:
    from sqlalchemy import MetaData, Table

_LEDGER = (
    "CREATE TABLE IF NOT EXISTS migrations ("
    "room VARCHAR NOT NULL, number INTEGER NOT NULL, name VARCHAR NOT NULL, PRIMARY KEY (room, number))"
)

_ANY = {
    "sqlite": "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'migrations'",
    "postgresql": "SELECT 1 WHERE to_regclass('migrations') IS NOT NULL",
}


@dataclass(frozen=True, slots=True)
class Migration:
    """`statements` is called with the dialect's name, late, so that reading a database needs no DDL library."""

    room: str
    number: int
    name: str
    statements: Callable[[str], Sequence[str]]


def migrate(database: Database, migrations: Sequence[Migration]) -> tuple[str, ...]:
    """Applies what is missing, in the given order; answers with the names applied.

    Raises: StoreError when the database has steps this version does not know.
    """
    known = {(m.room, m.number) for m in migrations}

    def current(tx: Tx) -> set[tuple[str, int]]:
        if not tx.row(_ANY[database.dialect]):
            return set()
        return {(room, number) for room, number in tx.rows("SELECT room, number FROM migrations")}

    done = database.read_now(current)
    strangers = sorted(done - known)
    if strangers:
        raise StoreError(
            f"The database was made by a newer airworthy (it has {strangers[0][0]} step {strangers[0][1]}).",
            mend="Install that version or a newer one; this one would misread it.",
        )
    if done == known:
        return ()

    def apply(tx: Tx) -> tuple[str, ...]:
        tx.execute(_LEDGER)
        # Another process may have migrated between our read and this transaction.
        present = {(room, number) for room, number in tx.rows("SELECT room, number FROM migrations")}
        applied = []
        for migration in migrations:
            if (migration.room, migration.number) in present:
                continue
            for statement in _statements(migration, database.dialect):
                tx.execute(statement)
            tx.execute(
                "INSERT INTO migrations (room, number, name) VALUES (?, ?, ?)",
                (migration.room, migration.number, migration.name),
            )
            applied.append(f"{migration.room} {migration.number}: {migration.name}")
        return tuple(applied)

    return database.write_now(apply)


@cache
def _statements(migration: Migration, dialect: str) -> tuple[str, ...]:
    """Compiling DDL takes a tenth of a second, and a process may make many databases: each test has its own."""
    return tuple(migration.statements(dialect))


def create_all(metadata: "MetaData", dialect: str) -> list[str]:
    """The DDL of every table and index of `metadata`, in an order that can be run."""
    from sqlalchemy.dialects import postgresql, sqlite
    from sqlalchemy.schema import CreateIndex, CreateTable

    speaker = {"sqlite": sqlite.dialect, "postgresql": postgresql.dialect}[dialect]()
    statements = []
    for table in metadata.sorted_tables:
        if dialect == "postgresql":
            _as_on_sqlite(table)
        statements.append(str(CreateTable(table).compile(dialect=speaker)))
        statements.extend(
            str(CreateIndex(index).compile(dialect=speaker))
            for index in sorted(table.indexes, key=lambda index: str(index.name))
        )
    return statements


def _as_on_sqlite(table: "Table") -> None:
    """Whole numbers have 64 bits, and text is ordered by its bytes, whatever the server's language is."""
    from sqlalchemy import BigInteger, Integer, String

    for column in table.columns:
        if isinstance(column.type, Integer):
            column.type = BigInteger()
        elif isinstance(column.type, String):
            column.type = type(column.type)(collation="C")
