"""Values that traces can be asked for by: an ordered list of each, so that any is found from the newest on."""

from collections.abc import Iterable
from typing import Final

from airworthy.store import Tx

FIELDS: Final = (
    "agent", "release", "session", "user", "feature", "outcome", "error", "tool", "model", "origin", "check",
    "mode", "reason",
)  # fmt: skip
VALUE_CHARS_MAX: Final = 200
_INSERT: Final = (
    "INSERT INTO facets (field, value, at_us, ref) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (field, value, at_us, ref) DO NOTHING"
)


def note(tx: Tx, ref: str, at_us: int, values: Iterable[tuple[str, str]]) -> None:
    """`values`: field and value; an empty value is none. Twice is once."""
    note_all(tx, ((field, value, at_us, ref) for field, value in values))


def note_all(tx: Tx, rows: Iterable[tuple[str, str, int, str]]) -> None:
    """The same of many at once: field, value, at_us, ref."""
    clipped = {(field, value[:VALUE_CHARS_MAX], at_us, ref) for field, value, at_us, ref in rows if value}
    tx.many(_INSERT, sorted(clipped))


def forget(tx: Tx, ref: str, at_us: int, field: str, value: str) -> None:
    """The value is not true of it any more: a task that was opened again."""
    tx.execute(
        "DELETE FROM facets WHERE field = ? AND value = ? AND at_us = ? AND ref = ?",
        (field, value[:VALUE_CHARS_MAX], at_us, ref),
    )


def values(tx: Tx, field: str, at_most: int) -> list[str]:
    """In order; found from one to the next by the index, however many traces have each."""
    found: list[str] = []
    after = ""
    while len(found) < at_most:
        row = tx.row("SELECT MIN(value) FROM facets WHERE field = ? AND value > ?", (field, after))
        if row is None or row[0] is None:
            break
        after = str(row[0])
        found.append(after)
    return found
