"""Many rows for one table of PostgreSQL, by COPY."""

from functools import lru_cache
from math import isnan
from typing import TYPE_CHECKING, Any, Final

from airworthy.store._pg_queue import Rows, insert_of
from airworthy.store._pg_types import NUL_SHOWN

if TYPE_CHECKING:
    import psycopg

COPIED_MIN: Final = 32  # fewer rows are not worth a journey of their own


@lru_cache(maxsize=1024)
def copying(sql: str) -> str | None:
    """The COPY that does the same; None where a row may be there already, or more is said than which columns."""
    insert = insert_of(sql)
    return f"COPY {insert.into} FROM STDIN" if insert is not None and not insert.conflict else None


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
