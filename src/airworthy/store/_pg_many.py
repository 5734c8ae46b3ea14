"""How one statement for many rows travels to PostgreSQL: as COPY, as rows of one INSERT, or one after another."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from airworthy.store._pg_types import NUL_SHOWN

if TYPE_CHECKING:
    import psycopg

COPIED_MIN: Final = 32  # fewer rows are not worth a journey of their own
TOGETHER: Final = 64  # rows of one INSERT
Rows = Sequence[Sequence[Any]]
_INSERT: Final = re.compile(
    r"INSERT INTO (\w+ \([\w\", ]+\)) VALUES (\(\?(?:, \?)*\))( ON CONFLICT(?: \([\w, ]+\))? DO NOTHING)?"
)


@lru_cache(maxsize=1024)
def copying(sql: str) -> str | None:
    """The COPY that does the same; None where a row may be there already, or more is said than which columns."""
    found = _INSERT.fullmatch(sql)
    return f"COPY {found[1]} FROM STDIN" if found is not None and not found[3] else None


def copy(raw: "psycopg.Connection[Any]", statement: str, rows: Rows) -> None:
    with raw.cursor().copy(statement) as open_:
        for row in rows:
            open_.write_row([_plain(each) for each in row])


def _plain(value: Any) -> Any:
    if type(value) is str:
        return value.replace("\0", NUL_SHOWN) if "\0" in value else value
    return int(value) if isinstance(value, bool) else value


def in_order(sql: str, rows: Rows) -> Iterator[tuple[str, Sequence[Any]]]:
    """Statements with their parameters. Where a row that is there stays as it is, many rows share one."""
    found = _INSERT.fullmatch(sql)
    start = 0
    if found is not None and found[3]:
        wide = f"INSERT INTO {found[1]} VALUES {', '.join([found[2]] * TOGETHER)}{found[3]}"
        while len(rows) - start >= TOGETHER:
            yield wide, [value for row in rows[start : start + TOGETHER] for value in row]
            start += TOGETHER
    for row in rows[start:]:
        yield sql, row
