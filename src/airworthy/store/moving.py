"""Copies all tables of one database into another, so that it can be broken off at any moment and gone on with.

What was copied of a table, and up to where, is stored in the target with the very rows; so nothing is copied twice and
nothing is left out, however it ended. Until the end no version of ours opens the target. Knows no table by name.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from airworthy.store._pg_types import NUL_SHOWN
from airworthy.store.catalog import Snapshot, Table, tables
from airworthy.store.database import Database, Row, StoreError, Tx
from airworthy.store.migrate import UNDER_WAY, Readable

LEDGER: Final = "moving"
ROWS_MIN, ROWS_MAX = 50, 2_000  # of a batch: the first of a table, and any
BATCH_BYTES: Final = 4 * 2**20
REMADE_MAX: Final = 200  # rows looked at in one transaction
SEEDS_MAX: Final = 100  # rows that making a table may leave in it
_SUM_MAX: Final = 1 << 128

Phase = Literal["copying", "checking"]


class TargetTaken(StoreError):
    """There is something else in the database that is to be moved into."""

    code = "move_target_taken"


class ShapesDiffer(StoreError):
    """The two databases do not have the same tables."""

    code = "move_shapes_differ"


class MoveOutrun(StoreError):
    """Another process moves into the same database."""

    code = "move_outrun"


@dataclass(frozen=True, slots=True)
class Rules:
    """What is particular to some tables.

    `skipped`: neither copied nor looked at. `shaped`: rows of the source as the target has them. `ahead`: called in the
    transaction of a batch, before its rows come. `pristine`: a new database, whose rows the target may have.
    """

    skipped: Callable[[str], bool]
    shaped: Callable[[Table, list[Row]], list[Row]] = lambda _, rows: rows
    ahead: Callable[[Tx, Table, list[Row]], None] = lambda *_: None
    pristine: Database | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """`rows` of `rows_all`, of all tables; `table`: the one at hand."""

    phase: Phase
    table: str
    rows: int
    rows_all: int


@dataclass(frozen=True, slots=True)
class Compared:
    """One table on both sides. `digest`: of all its rows, in whatever order."""

    table: str
    rows: int
    rows_there: int
    digest: str
    digest_there: str

    @property
    def same(self) -> bool:
        return (self.rows, self.digest) == (self.rows_there, self.digest_there)


class Move:
    """One way from a source to a target; `begin`, then `copy`, then `compare`, then `end`."""

    def __init__(
        self, source: Snapshot, origin: str, target: Database, rules: Rules, told: Callable[[Progress], None]
    ) -> None:
        """`origin`: names the source, so that a move is only gone on with from there. Raises: ShapesDiffer."""
        self._source = source
        self._origin = origin
        self._target = target
        self._rules = rules
        self._told = told
        here = source.read_now(lambda tx: tables(tx, source.dialect))
        there = target.read_now(lambda tx: tables(tx, target.dialect))
        here, there = (
            {name: table for name, table in found.items() if name != LEDGER and not rules.skipped(name)}
            for found in (here, there)
        )
        _check_alike(here, there)
        self.tables = here
        self._there = there
        self._count = {
            name: int(source.read_now(lambda tx, name=name: tx.rows(f"SELECT COUNT(*) FROM {name}"))[0][0])  # type: ignore[misc]
            for name in here
        }
        self._done: dict[str, tuple[str, int]] = {}

    @property
    def rows(self) -> int:
        return sum(self._count.values())

    def begin(self) -> bool:
        """False: an earlier move from the same source is gone on with. Raises: TargetTaken."""
        return self._target.write_now(self._begin)

    def _begin(self, tx: Tx) -> bool:
        if LEDGER in tables(tx, self._target.dialect):
            rows = tx.rows(f"SELECT name, after, copied FROM {LEDGER}")
            origin = next((after for name, after, _ in rows if not name), "")
            if origin != self._origin:
                raise TargetTaken(
                    f"A move from {origin} into this database has not ended.",
                    mend="End that one first, or drop the database and make it anew.",
                )
            self._done = {name: (after, copied) for name, after, copied in rows if name}
            return False
        taken = sorted(name for name, table in self._there.items() if self._has_more(tx, table))
        if taken:
            raise TargetTaken(
                f"The database {self._target.where} has data already, in {', '.join(taken[:5])}.",
                mend="Name another with --to, one that is new and empty.",
            )
        tx.execute(
            f"CREATE TABLE {LEDGER} (name VARCHAR PRIMARY KEY, after TEXT NOT NULL, copied BIGINT NOT NULL)"
        )
        tx.execute(f"INSERT INTO {LEDGER} (name, after, copied) VALUES ('', ?, 0)", (self._origin,))
        # No version knows this step, and it breaks them all: see migrate.
        tx.execute(
            "INSERT INTO migrations (room, number, name, breaks) VALUES (?, 1, 'under way', 1)", (UNDER_WAY,)
        )
        for name in self._there:
            tx.execute(f"DELETE FROM {name}")
        self._done = {}
        return True

    def _has_more(self, tx: Tx, table: Table) -> bool:
        asked = f"SELECT {', '.join(table.columns)} FROM {table.name} LIMIT {SEEDS_MAX}"
        rows, pristine = tx.rows(asked), self._rules.pristine
        if not rows or pristine is None:
            return bool(rows)
        seeds = {_said(table, row) for row in pristine.read_now(lambda new: new.rows(asked))}
        return any(_said(table, row) not in seeds for row in rows)

    def copy(self) -> None:
        """All that is not there yet. Raises: StoreError and its children; it can be called again then."""
        before = sum(copied for _, copied in self._done.values())
        for name, table in self.tables.items():
            after, copied = self._done.get(name, ("", 0))
            for rows in _pages(self._source, table, after):
                last = _place(table, rows[-1])
                shaped = self._rules.shaped(table, rows)
                self._target.write_now(lambda tx, a=(table, shaped, after, last): self._put(tx, *a))  # type: ignore[misc]
                after, copied, before = last, copied + len(rows), before + len(rows)
                self._told(Progress("copying", name, before, self.rows))
            self._done[name] = (after, copied)

    def _put(self, tx: Tx, table: Table, rows: list[Row], before: str, after: str) -> None:
        self._note(tx, table.name, len(rows), before, after)
        self._rules.ahead(tx, table, rows)
        marks = ", ".join("?" * len(table.columns))
        tx.many(f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES ({marks})", rows)

    def _note(self, tx: Tx, name: str, rows: int, before: str, after: str) -> None:
        if before:
            changed = tx.execute(
                f"UPDATE {LEDGER} SET after = ?, copied = copied + ? WHERE name = ? AND after = ?",
                (after, rows, name, before),
            )
        else:
            changed = tx.execute(
                f"INSERT INTO {LEDGER} (name, after, copied) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING",
                (name, after, rows),
            )
        if not changed:
            raise MoveOutrun(
                f"Another process moves into {self._target.where}.",
                mend="Let it end, or end it, and go on with one.",
            )

    def again(self, name: str) -> None:
        """Forgets what was copied of this table, whose rows have changed since."""

        def op(tx: Tx) -> None:
            tx.execute(f"DELETE FROM {name}")
            tx.execute(f"DELETE FROM {LEDGER} WHERE name = ?", (name,))

        self._target.write_now(op)
        self._done.pop(name, None)

    def compare(self) -> list[Compared]:
        found, seen = [], 0
        for name, table in self.tables.items():
            here, there = _Sum(table), _Sum(table)
            for rows in _pages(self._source, table):
                here.add(self._rules.shaped(table, rows))
                seen += len(rows)
                self._told(Progress("checking", name, seen, self.rows))
            on_target = self._there[name]
            # With the columns in the order that they have here.
            asked = Table(name, table.columns, on_target.key, table.fractions)
            for rows in _pages(self._target, asked):
                there.add(rows)
            found.append(Compared(name, here.rows, there.rows, here.digest, there.digest))
        return found

    def remake(self, name: str, table: str, make: Callable[[Tx, list[Row]], None]) -> None:
        """What follows from the rows of `table` in the target, a page of them at a time; `name` is for the ledger."""
        there = self._there[table]
        after = self._done.get(name, ("", 0))[0]
        while rows := self._target.read_now(lambda tx, a=after: _page(tx, there, a, REMADE_MAX)):  # type: ignore[misc]
            last = _place(there, rows[-1])

            def op(tx: Tx, rows: list[Row] = rows, before: str = after, last: str = last) -> None:
                self._note(tx, name, len(rows), before, last)
                make(tx, rows)

            self._target.write_now(op)
            after = last

    def end(self, last: Callable[[Tx], None]) -> None:
        """Numbers that are given out go on behind those that were moved; versions of ours may open the target.

        `last`: what else is written with that.
        """

        def op(tx: Tx) -> None:
            if self._target.dialect == "postgresql":
                for table in self.tables.values():
                    _number_on(tx, table)
            tx.execute(f"DROP TABLE {LEDGER}")
            tx.execute("DELETE FROM migrations WHERE room = ?", (UNDER_WAY,))
            last(tx)

        self._target.write_now(op)


def _check_alike(here: Mapping[str, Table], there: Mapping[str, Table]) -> None:
    for name in sorted({*here, *there}):
        if name not in there or name not in here:
            raise ShapesDiffer(
                f"Only one of the two databases has a table {name}.",
                mend="Bring both to this version: airworthy migrate",
            )
        if sorted(here[name].columns) != sorted(there[name].columns):
            raise ShapesDiffer(
                f"The columns of the table {name} differ.",
                mend="Bring both to this version: airworthy migrate",
            )
        if not here[name].key or not there[name].key:
            raise ShapesDiffer(f"The table {name} has no primary key, so it cannot be gone through in order.")


def _pages(database: Readable, table: Table, after: str = "") -> Iterator[list[Row]]:
    """Its rows behind that place, in the order of their keys."""
    rows_max = ROWS_MIN
    while rows := database.read_now(lambda tx, a=(after, rows_max): _page(tx, table, *a)):  # type: ignore[misc]
        yield rows
        after, rows_max = _place(table, rows[-1]), _next_size(rows)


def _page(tx: Tx, table: Table, after: str, rows_max: int) -> list[Row]:
    columns, order = ", ".join(table.columns), ", ".join(table.key)
    if not after:
        return tx.rows(f"SELECT {columns} FROM {table.name} ORDER BY {order} LIMIT ?", (rows_max,))
    marks = ", ".join("?" * len(table.key))
    return tx.rows(
        f"SELECT {columns} FROM {table.name} WHERE ({order}) > ({marks}) ORDER BY {order} LIMIT ?",
        (*_values(after), rows_max),
    )


def _place(table: Table, row: Row) -> str:
    """The key of a row, as text."""
    at = [table.columns.index(column) for column in table.key]
    return json.dumps([["b", bytes(row[i]).hex()] if _is_bytes(row[i]) else row[i] for i in at])


def _values(place: str) -> list[Any]:
    return [bytes.fromhex(each[1]) if isinstance(each, list) else each for each in json.loads(place)]


def _is_bytes(value: object) -> bool:
    return isinstance(value, bytes | bytearray | memoryview)


def _next_size(rows: Sequence[Row]) -> int:
    """So that a batch stays near its bytes, if the next rows are like these."""
    size = sum(len(value) for row in rows for value in row if isinstance(value, str | bytes)) + 64 * len(rows)
    return max(1, min(ROWS_MAX, BATCH_BYTES * len(rows) // size))


class _Sum:
    """Of rows, each counted, in whatever order they come."""

    def __init__(self, table: Table) -> None:
        self.rows = 0
        self._table = table
        self._sum = 0

    def add(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self.rows += 1
            digest = hashlib.blake2b(
                _said(self._table, row).encode("utf-8", "surrogatepass"), digest_size=16
            ).digest()
            self._sum = (self._sum + int.from_bytes(digest)) % _SUM_MAX

    @property
    def digest(self) -> str:
        return f"{self._sum:032x}"


def _said(table: Table, row: Row) -> str:
    """The same for the same row on every engine: PostgreSQL has no NUL in texts, SQLite no fraction that is whole."""
    said = []
    for at, value in enumerate(row):
        if isinstance(value, int):
            said.append(repr(float(value) if at in table.fractions else int(value)))
        elif isinstance(value, str):
            said.append(repr(value.replace("\0", NUL_SHOWN)))
        else:
            said.append(repr(bytes(value)) if _is_bytes(value) else repr(value))
    return "\x1f".join(said)


def _number_on(tx: Tx, table: Table) -> None:
    for column in table.key:
        row = tx.row("SELECT pg_get_serial_sequence(?, ?)", (table.name, column))
        if row is not None and row[0] is not None:
            tx.rows(
                f"SELECT setval(?, COALESCE(MAX({column}), 1), COUNT(*) > 0) FROM {table.name}", (row[0],)
            )


class Pace:
    """Rows a second since a phase began."""

    def __init__(self) -> None:
        self._phase = ""
        self._began = (0.0, 0)
        self._line_s: float | None = None

    def heard(self, phase: str, rows: int) -> float:
        """Rows a second; 0 until there is something to say."""
        now_s = time.monotonic()
        if phase != self._phase:
            self._phase, self._began = phase, (now_s, rows)
        began_s, before = self._began
        return (rows - before) / (now_s - began_s) if now_s > began_s else 0.0

    def due(self, every_s: float) -> bool:
        """Whether so long has gone by since it last was."""
        now_s = time.monotonic()
        if self._line_s is None:
            self._line_s = now_s
        if now_s - self._line_s < every_s:
            return False
        self._line_s = now_s
        return True
