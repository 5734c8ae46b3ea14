"""Results as other systems export them: rows of a CSV file. One that cannot be read is told; the rest is kept."""

import csv
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from airworthy.core.clock import US_PER_S
from airworthy.core.errors import InputError
from airworthy.runtime.afterwards import Refused, Told

COLUMNS = ("task", "agent", "key", "name", "value", "at", "by")
LINE_CHARS_MAX = 100_000
_WORDS = {"": 1.0, "yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}


def told_in(lines: Iterable[str]) -> Iterator[Told | Refused]:
    """`lines` of a file with a header; rows that cannot be read are refused, with their line.

    Columns: name, and task or agent and key; value (a number, yes, no; left out: yes), at (ISO 8601; without a zone:
    UTC; left out: now), by. Raises: InputError for a header that cannot be used.
    """
    reader = csv.reader(_bounded(lines), strict=True)
    try:
        header = [name.strip().lower().removeprefix("\ufeff") for name in next(reader, [])]
    except csv.Error as error:
        raise InputError(f"The first line is no CSV header: {error}.", mend=_HEADER) from error
    _check(header)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Refused(reader.line_num, f"It cannot be read: {error}.")
            continue
        if not row:
            continue
        if len(row) != len(header):
            yield Refused(reader.line_num, f"It has {len(row)} values, and the header {len(header)}.")
            continue
        try:
            yield _told(dict(zip(header, (value.strip() for value in row), strict=True)), reader.line_num)
        except ValueError as error:
            yield Refused(reader.line_num, str(error))


_HEADER = f"Begin the file with a line of column names, of: {', '.join(COLUMNS)}."


def _check(header: list[str]) -> None:
    unknown = [name for name in header if name not in COLUMNS]
    if unknown or len(set(header)) != len(header):
        raise InputError(f"The first line names {', '.join(unknown) or 'a column twice'}.", mend=_HEADER)
    if "name" not in header or not ("task" in header or {"agent", "key"} <= set(header)):
        raise InputError("The first line lacks name, and task or agent and key.", mend=_HEADER)


def _told(row: dict[str, str], line: int) -> Told:
    """Raises: ValueError, with what is wrong."""
    return Told(
        row["name"], _value(row.get("value", "")), row.get("task", ""), row.get("agent", ""), row.get("key", ""),
        at_us(row.get("at", "")), row.get("by", ""), line,
    )  # fmt: skip


def _value(text: str) -> float:
    word = _WORDS.get(text.lower())
    if word is not None:
        return word
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"The value {text[:100]!r} is no number, and neither yes nor no.") from None


def at_us(text: str) -> int | None:
    """None for an empty text. Raises: ValueError, with what is wrong."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"The time {text[:100]!r} is not as 2026-11-26T08:00:00Z.") from None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return round(at.timestamp() * US_PER_S)


def _bounded(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        if len(line) > LINE_CHARS_MAX:
            raise InputError(f"A line has {len(line)} characters.", mend="Is it a CSV file of results?")
        if "\0" in line:
            line = line.replace("\0", "\ufffd")
        yield line
