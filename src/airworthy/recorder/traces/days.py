"""Spans, their payloads and their words by the UTC day their trace began on: on PostgreSQL each day is a partition.

There the ids of chunks begin with the day, as those of `docs` do with the time. A day's partitions are made ahead by a
chore, or when the first row of the day comes, and go as one when all in them may go. On SQLite each is one table, and
the ids of chunks are counted from 1.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from airworthy.core.clock import US_PER_S
from airworthy.store import Tx

# The id of an entry of `docs` is the unit of time its trace began in, and then its number there.
UNIT: Final = 17  # bits of a time in microseconds
PLACES: Final = 11
US_PER_DAY: Final = 86_400 * US_PER_S
COLUMNS: Final = {"chunks": "id", "spans": "chunk", "docs": "id", "texts": "id"}  # what each is parted by
# What began earlier lies together in one part, so that no clock gone wrong makes parts without end.
FIRST_DAY: Final = 20_454  # 2026-01-01
_CHUNK: Final = 40  # bits of a chunk's number within its day
_ALL: Final = (0, 1 << 62)


def first_of(at_us: int) -> int:
    """The least id in `docs` of what begins in the same unit of time."""
    return at_us >> UNIT << PLACES


def day_of(at_us: int) -> int:
    return at_us // US_PER_DAY


def name_of(day: int) -> str:
    return datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y_%m_%d")


def bounds(table: str, day: int) -> tuple[int, int]:
    """Of the ids of a day: [first, end)."""
    if table in ("chunks", "spans"):
        return day << _CHUNK, (day + 1) << _CHUNK
    return first_of(day * US_PER_DAY), first_of((day + 1) * US_PER_DAY)


def chunks_on(dialect: str, at_us: int) -> tuple[int, int]:
    """The ids that chunks of a trace which began then may have: [first, end)."""
    return _ALL if dialect == "sqlite" else bounds("chunks", day_of(at_us))


def chunks_of(tx: Tx, trace_id: str) -> tuple[int, int]:
    """The same of a trace; a task of ours is known by its trace id, too. Nothing of one that is not known."""
    if tx.dialect == "sqlite":
        return _ALL
    row = tx.row(
        "SELECT MIN(at_us), MAX(at_us) FROM traces WHERE id = ? OR (origin = 'task' AND trace_id = ?)",
        (trace_id, trace_id),
    )
    if row is None or row[0] is None:
        return 0, 0
    return chunks_on(tx.dialect, row[0])[0], chunks_on(tx.dialect, row[1])[1]


class ChunkIds:
    """The next id for a chunk, in one transaction."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self._last: dict[int, int] = {}
        self.days: set[int] = set()

    def next(self, at_us: int) -> int:
        first, end = chunks_on(self._tx.dialect, at_us)
        last = self._last.get(first)
        if last is None:
            row = self._tx.row("SELECT MAX(id) FROM chunks WHERE id >= ? AND id < ?", (first, end))
            last = first if row is None or row[0] is None else int(row[0])
            self.days.add(day_of(at_us))
        self._last[first] = last + 1
        return last + 1


def chunk_on(day: int, id_: int) -> int:
    """The id on PostgreSQL of a chunk that another database calls `id_`, of a trace which began on that day."""
    if id_ >> _CHUNK == day:
        return id_
    # Of one that came from PostgreSQL and was counted on from there.
    number = id_ if id_ < 1 << _CHUNK else 1 << (_CHUNK - 1) | id_ & (1 << (_CHUNK - 1)) - 1
    return day << _CHUNK | number


def day_of_chunk(id_: int) -> int:
    return id_ >> _CHUNK


def first(dialect: str) -> list[str]:
    """DDL of the parts that are there from the beginning."""
    if dialect == "sqlite":
        return []
    return [
        f"CREATE TABLE {table}_before PARTITION OF {table}"
        f" FOR VALUES FROM (MINVALUE) TO ({bounds(table, FIRST_DAY)[0]})"
        for table in COLUMNS
    ]


def ensure(tx: Tx, days: Iterable[int]) -> None:
    """Partitions for what begins on these days; nothing where they are there."""
    if tx.dialect == "sqlite":
        return
    for day in sorted(day for day in days if day >= FIRST_DAY):
        known = tx.row("SELECT to_regclass(?)::text", (f"texts_{name_of(day)}",))
        if known is not None and known[0] is not None:
            continue
        for table in COLUMNS:
            first, end = bounds(table, day)
            # Attached, not made in place: so nobody who reads the other days has to wait.
            tx.execute(f"CREATE TABLE {table}_{name_of(day)} (LIKE {table} INCLUDING ALL)")
            tx.execute(
                f"ALTER TABLE {table} ATTACH PARTITION {table}_{name_of(day)} FOR VALUES FROM ({first}) TO ({end})"
            )


def ensure_docs(tx: Tx, ids: Iterable[int]) -> None:
    """The same for rows of `docs` with these ids."""
    if tx.dialect != "sqlite":
        ensure(tx, {day_of_doc(id_) for id_ in ids})


def day_of_doc(id_: int) -> int:
    """A unit of time on both sides of midnight belongs to the day after it."""
    day = day_of(id_ >> PLACES << UNIT)
    return day + 1 if id_ >= bounds("docs", day + 1)[0] else day
