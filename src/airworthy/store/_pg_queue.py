"""What waits to be sent to PostgreSQL: what may pass it, and how many rows share one INSERT. Sends nothing itself."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

Statement = tuple[str, Sequence[Any]]
Rows = Sequence[Sequence[Any]]
QUEUED_MAX: Final = 2_000
SIZES: Final = (64, 32, 16, 8, 4, 2)  # Rows of one INSERT: few, so that few statements are prepared.
MANY: Final = ","
_CHANGES: Final = ("INSERT INTO ", "UPDATE ", "DELETE FROM ")
_NAMED: Final = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE)\s+(\w+)")
_LISTED: Final = re.compile(
    r"\bFROM\s+\w+(?:\s+(?:AS\s+)?\w+)?\s*,|\bUSING\b|\b(?:FROM|JOIN|INTO|UPDATE)\s+\""
)
_INSERT: Final = re.compile(
    r"INSERT INTO (?P<into>\w+ \((?P<columns>[\w\", ]+)\)) VALUES (?P<row>\(\?(?:, \?)*\))"
    r"(?P<conflict> ON CONFLICT(?: \((?P<keys>[\w\", ]+)\))? DO (?:NOTHING|(?P<update>UPDATE SET [^?]+)))?"
)
_GIVEN: Final = re.compile(r"INSERT INTO \w+ \([^()?]*\) VALUES (?:\([^()]*\)(?:, )?)+(?: [^?]*)?")


class Queue:
    """Of one transaction, in order."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []
        self._tables: set[str] | None = set()  # None: something nothing may pass.

    def __bool__(self) -> bool:
        return bool(self.statements)

    def add(self, sql: str, params: Sequence[Any]) -> None:
        self.statements.append((sql, params))
        if self._tables is not None:
            named = tables(sql) if sql.startswith(_CHANGES) else {MANY}
            self._tables = None if MANY in named else self._tables | named

    def lets_pass(self, sql: str) -> bool:
        """Whether `sql` says the same before and after what waits: no table of one is a table of the other."""
        return (
            self._tables is not None
            and len(self.statements) < QUEUED_MAX
            and sql.startswith(("SELECT ", *_CHANGES))
            and self._tables.isdisjoint(named := tables(sql))
            and MANY not in named
        )

    def whole(self) -> list[Statement]:
        """All of it, rows for one table together."""
        return together(self.statements)

    def cut(self, mark: Statement) -> bool:
        """Takes back all from `mark` on, if that waits here."""
        if mark not in self.statements:
            return False
        del self.statements[self.statements.index(mark) :]
        self._tables = None if self.statements else set()
        return True

    def clear(self) -> None:
        self.statements, self._tables = [], set()


@lru_cache(maxsize=4096)
def tables(sql: str) -> frozenset[str]:
    """Those that it names; with `MANY` where it may name more."""
    return frozenset(_NAMED.findall(sql)) | ({MANY} if _LISTED.search(sql) else set())


class Insert(NamedTuple):
    """Of one row of parameters. `conflict`: what is done where it lies there already; empty: that is an error.

    `keys`: where in a row its key stands, if the row that lies there is changed; one statement may do so only once.
    """

    into: str
    row: str
    conflict: str
    keys: tuple[int, ...]

    def of(self, size: int) -> str:
        """The same for so many rows."""
        return f"INSERT INTO {self.into} VALUES {', '.join([self.row] * size)}{self.conflict}"

    def may_share(self, rows: Rows) -> bool:
        return not self.keys or len({tuple(row[at] for at in self.keys) for row in rows}) == len(rows)


@lru_cache(maxsize=4096)
def insert_of(sql: str) -> Insert | None:
    """None where more is said than which columns, or it is another statement."""
    found = _INSERT.fullmatch(sql)
    if found is None:
        return None
    columns, keys = found["columns"].split(", "), (found["keys"] or "").split(", ")
    if found["update"] is None:
        return Insert(found["into"], found["row"], found["conflict"] or "", ())
    if not set(keys) <= set(columns):
        return None
    return Insert(found["into"], found["row"], found["conflict"], tuple(map(columns.index, keys)))


@lru_cache(maxsize=4096)
def told_by_columns(sql: str) -> bool:
    """Whether every parameter is the value of a column, which says of what type it is."""
    return _GIVEN.fullmatch(sql) is not None


def together(statements: Sequence[Statement]) -> list[Statement]:
    """The same work: INSERTs that follow one another, whatever their tables, by kind; all else where it stood."""
    made: list[Statement] = []
    rows: dict[str, list[Sequence[Any]]] = {}
    changing = False
    for sql, params in statements:
        insert = insert_of(sql)
        if insert is None:
            made += _poured(rows)
            made.append((sql, params))
            continue
        if sql not in rows and (insert.keys or changing):
            made += _poured(rows)
        changing = bool(insert.keys)  # What changes a row that lies there shares with its like alone.
        rows.setdefault(sql, []).append(params)
    return made + _poured(rows)


def _poured(rows: dict[str, list[Sequence[Any]]]) -> list[Statement]:
    made: list[Statement] = []
    for sql, given in rows.items():
        insert = insert_of(sql)
        assert insert is not None
        start = 0
        for size in SIZES:
            while len(given) - start >= size and insert.may_share(part := given[start : start + size]):
                made.append((_widened(sql, size), [value for row in part for value in row]))
                start += size
        made += [(sql, row) for row in given[start:]]
    rows.clear()
    return made


@lru_cache(maxsize=4096)
def _widened(sql: str, size: int) -> str:
    insert = insert_of(sql)
    assert insert is not None
    return insert.of(size)
