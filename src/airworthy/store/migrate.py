"""Numbered steps that bring a database to this version's shape; each is applied once, all or nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Protocol, TypeVar

from airworthy.store.database import Database, StoreError, Tx

if TYPE_CHECKING:
    from sqlalchemy import MetaData, Table

_LEDGER = (
    "CREATE TABLE IF NOT EXISTS migrations ("
    "room VARCHAR NOT NULL, number INTEGER NOT NULL, name VARCHAR NOT NULL, PRIMARY KEY (room, number))"
)
# Beside the table, because ledgers from before have none.
_BREAKS = "ALTER TABLE migrations ADD COLUMN breaks INTEGER NOT NULL DEFAULT 0"
_COLUMNS = {
    "sqlite": "SELECT name FROM pragma_table_info('migrations')",
    "postgresql": "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass('migrations')"
    " AND attnum > 0 AND NOT attisdropped",
}


T = TypeVar("T")

# A row of the ledger that keeps every version out, those from before this one too, while a database is moved into.
UNDER_WAY = "moving"


class StoreNewer(StoreError):
    """The database has a step that this version does not know, and that it would misread."""

    code = "store_newer"


class StoreInUse(StoreError):
    """A step that other versions would misread cannot be applied under processes that are at work."""

    code = "store_in_use"


@dataclass(frozen=True, slots=True)
class Migration:
    """`statements` is called with the dialect's name, late, so that reading a database needs no DDL library.

    A step only adds: tables, columns that may be left out of an insert, indexes, rows. A version from before it then
    goes on beside the new one, which is what an upgrade without a pause needs. `breaks`: it does more, so a version
    without it must not touch the database any more, and nobody may be at work while it is applied.
    """

    room: str
    number: int
    name: str
    statements: Callable[[str], Sequence[str]]
    breaks: bool = False

    def __str__(self) -> str:
        return f"{self.room} {self.number}: {self.name}"


def migrate(
    database: Database, migrations: Sequence[Migration], busy: Callable[[Tx], Sequence[str]] = lambda _: ()
) -> tuple[str, ...]:
    """Applies what is missing, in the given order; answers with the names applied.

    Many processes may do so at once: one applies it, the others find it done. Steps that this version does not know are
    left alone, unless they break it. `busy`: who is at work on the database, asked before a step that breaks.

    Raises: StoreNewer, StoreInUse, StoreError.
    """
    dialect = database.dialect
    done = database.read_now(lambda tx: _readable(tx, dialect, migrations))
    if all((each.room, each.number) in done for each in migrations):
        return ()

    def apply(tx: Tx) -> tuple[str, ...]:
        # Another process may have migrated between our read and this transaction.
        present = _readable(tx, dialect, migrations)
        tx.execute(_LEDGER)
        if "breaks" not in _columns(tx, dialect):
            tx.execute(_BREAKS)
        missing = [each for each in migrations if (each.room, each.number) not in present]
        if dialect == "postgresql":  # An index on a large table takes longer than anything else may.
            tx.execute("SET LOCAL statement_timeout = 0")
        if present:  # A database that is only being made disturbs nobody.
            _check_unused(tx, missing, busy)
        for migration in missing:
            for statement in _statements(migration, dialect):
                tx.execute(statement)
            tx.execute(
                "INSERT INTO migrations (room, number, name, breaks) VALUES (?, ?, ?, ?)",
                (migration.room, migration.number, migration.name, int(migration.breaks)),
            )
        return tuple(str(each) for each in missing)

    return database.write_now(apply)


class Readable(Protocol):
    """As much of a database as it takes to see which steps it has."""

    @property
    def dialect(self) -> str: ...

    def read_now(self, query: Callable[[Tx], T]) -> T: ...


def missing(database: Readable, migrations: Sequence[Migration]) -> tuple[Migration, ...]:
    """What `migrate` would apply. Raises: StoreNewer."""
    done = database.read_now(lambda tx: _readable(tx, database.dialect, migrations))
    return tuple(each for each in migrations if (each.room, each.number) not in done)


def check_readable(tx: Tx, dialect: str, migrations: Sequence[Migration]) -> None:
    """For who is at work already, while others may upgrade. Raises: StoreNewer."""
    _readable(tx, dialect, migrations)


def _readable(tx: Tx, dialect: str, migrations: Sequence[Migration]) -> set[tuple[str, int]]:
    """What the database has; nothing where it is empty. Raises: StoreNewer."""
    columns = _columns(tx, dialect)
    if not columns:
        return set()
    known = {(each.room, each.number) for each in migrations}
    breaks = "breaks" if "breaks" in columns else "0"
    rows = tx.rows(f"SELECT room, number, {breaks} FROM migrations ORDER BY room, number")
    if any(room == UNDER_WAY for room, _, _ in rows):
        raise StoreInUse(
            "A move into this database has not ended.", mend="Go on with it: airworthy move, as it was begun."
        )
    for room, number, broken in rows:
        if broken and (room, number) not in known:
            raise StoreNewer(
                f"The database was made by a newer airworthy (it has {room} step {number}).",
                mend="Install that version or a newer one; this one would misread it.",
            )
    return {(room, number) for room, number, _ in rows}


def _check_unused(tx: Tx, steps: Sequence[Migration], busy: Callable[[Tx], Sequence[str]]) -> None:
    breaking = [each for each in steps if each.breaks]
    at_work = busy(tx) if breaking else ()
    if at_work:
        raise StoreInUse(
            f"The step {str(breaking[0])!r} cannot be applied while others are at work: {', '.join(at_work[:5])}.",
            mend="Stop every process of the older version, then start this one.",
        )


def _columns(tx: Tx, dialect: str) -> set[str]:
    """Of the ledger; none where there is no ledger."""
    return {row[0] for row in tx.rows(_COLUMNS[dialect])}


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
