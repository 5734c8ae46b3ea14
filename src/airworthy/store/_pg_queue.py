"""What waits to be sent to PostgreSQL: what may pass it, and how many rows share one INSERT. Sends nothing itself."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

Statement = tuple[str, Sequence[Any]]
QUEUED_MAX: Final = 2_000
_CHANGES: Final = ("INSERT INTO ", "UPDATE ", "DELETE FROM ")
_NAMED: Final = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE)\s+(\w+)")
_PLAIN: Final = re.compile(
    r"INSERT INTO (\w+ \([\w\", ]+\)) VALUES (\(\?(?:, \?)*\))( ON CONFLICT(?: \([\w, ]+\))? DO NOTHING)?"
)
_GIVEN: Final = re.compile(r"INSERT INTO \w+ \([^()?]*\) VALUES (?:\([^()]*\)(?:, )?)+(?: [^?]*)?")
SIZES: Final = (64, 32, 16, 8, 4, 2)  # Rows of one INSERT: few, so that few statements are prepared.


MANY: Final = ","
_LISTED: Final = re.compile(
    r"\bFROM\s+\w+(?:\s+(?:AS\s+)?\w+)?\s*,|\bUSING\b|\b(?:FROM|JOIN|INTO|UPDATE)\s+\""
)


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


@lru_cache(maxsize=4096)
def plain(sql: str) -> "re.Match[str] | None":
    """An INSERT of one row of parameters, which may lie there already where that is let be."""
    return _PLAIN.fullmatch(sql)


@lru_cache(maxsize=4096)
def told_by_columns(sql: str) -> bool:
    """Whether every parameter is the value of a column, which says of what type it is."""
    return _GIVEN.fullmatch(sql) is not None


def together(statements: Sequence[Statement]) -> list[Statement]:
    """The same work: plain INSERTs that follow one another, whatever their tables, by kind; all else where it stood."""
    made: list[Statement] = []
    rows: dict[str, list[Sequence[Any]]] = {}
    for sql, params in statements:
        if plain(sql) is not None:
            rows.setdefault(sql, []).append(params)
            continue
        made += _poured(rows)
        made.append((sql, params))
    return made + _poured(rows)


def _poured(rows: dict[str, list[Sequence[Any]]]) -> list[Statement]:
    made: list[Statement] = []
    for sql, given in rows.items():
        start = 0
        for size in SIZES:
            while len(given) - start >= size:
                part = given[start : start + size]
                made.append((widened(sql, size), [value for row in part for value in row]))
                start += size
        made += [(sql, row) for row in given[start:]]
    rows.clear()
    return made


@lru_cache(maxsize=4096)
def widened(sql: str, size: int) -> str:
    found = plain(sql)
    assert found is not None
    return f"INSERT INTO {found[1]} VALUES {', '.join([found[2]] * size)}{found[3] or ''}"
