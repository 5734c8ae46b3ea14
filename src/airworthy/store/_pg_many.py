"""How one statement for many rows travels to PostgreSQL: as COPY, as rows of one INSERT, or one after another."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from math import isnan
from typing import TYPE_CHECKING, Any, Final

from airworthy.store._pg_types import NUL_SHOWN

if TYPE_CHECKING:
    import psycopg

COPIED_MIN: Final = 32  # fewer rows are not worth a journey of their own
TOGETHER: Final = 64  # rows of one INSERT
Rows = Sequence[Sequence[Any]]
_INSERT: Final = re.compile(
    r"INSERT INTO (\w+ \(([\w\", ]+)\)) VALUES (\(\?(?:, \?)*\))"
    r"( ON CONFLICT \(([\w\", ]+)\) DO (?:NOTHING|UPDATE SET [^?]+))?"
)


@lru_cache(maxsize=1024)
def copying(sql: str) -> str | None:
    """The COPY that does the same; None where a row may be there already, or more is said than which columns."""
    found = _INSERT.fullmatch(sql)
    return f"COPY {found[1]} FROM STDIN" if found is not None and not found[4] else None


def copy(raw: "psycopg.Connection[Any]", statement: str, rows: Rows) -> None:
    with raw.cursor().copy(statement) as open_:
        for row in rows:
            open_.write_row([_plain(each) for each in row])


def _plain(value: Any) -> Any:
    if type(value) is str:
        return value.replace("\0", NUL_SHOWN) if "\0" in value else value
    if isinstance(value, float) and isnan(value):
        return None
    return int(value) if isinstance(value, bool) else value


def in_order(sql: str, rows: Rows) -> Iterator[tuple[str, Sequence[Any]]]:
    """Statements with their parameters. Rows that are about different rows of the table share one."""
    shape = _shape(sql) if len(rows) >= TOGETHER else None
    start = 0
    while shape is not None and len(rows) - start >= TOGETHER:
        wide, keys = shape
        some = rows[start : start + TOGETHER]
        if len({tuple(row[at] for at in keys) for row in some}) < TOGETHER:
            break  # One statement touches a row of the table once.
        yield wide, [value for row in some for value in row]
        start += TOGETHER
    for row in rows[start:]:
        yield sql, row


@lru_cache(maxsize=1024)
def _shape(sql: str) -> tuple[str, tuple[int, ...]] | None:
    """The same for TOGETHER rows, and where in a row its key stands."""
    found = _INSERT.fullmatch(sql)
    if found is None or not found[4]:
        return None
    columns = found[2].split(", ")
    wide = f"INSERT INTO {found[1]} VALUES {', '.join([found[3]] * TOGETHER)}{found[4]}"
    return wide, tuple(columns.index(key) for key in found[5].split(", "))
