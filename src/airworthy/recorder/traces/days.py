"""Spans, their payloads and their words by the UTC day their trace began on: on PostgreSQL each day is a partition.

There the ids of chunks begin with the day, as those of `docs` do with the time. A day's partitions are made ahead by a
chore, or when the first row of the day comes, and go as one when all in them may go. On SQLite each is one table, and
the ids of chunks are counted from 1; those that were moved from there lie in the part before all days.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from airworthy.core.clock import US_PER_S
from airworthy.store import Database, Tx

# The id of an entry of `docs` is the unit of time its trace began in, and then its number there.
UNIT: Final = 17  # bits of a time in microseconds
PLACES: Final = 11
US_PER_DAY: Final = 86_400 * US_PER_S
COLUMNS: Final = {"chunks": "id", "spans": "chunk", "docs": "id", "texts": "id"}  # what each is parted by
# What began earlier lies together in one part, so that no clock gone wrong makes parts without end.
FIRST_DAY: Final = 20_454  # 2026-01-01
AHEAD_DAYS: Final = 3
_CHUNK: Final = 46  # bits of a chunk's number, after its day
# The spans of a trace, and chunks, each where it lies. The first mark of a place is for what lies in no day's part.
OF_TRACE: Final = "trace = ? AND (chunk < ? OR (chunk >= ? AND chunk < ?))"
OF_CHUNKS: Final = "(id < ? OR (id >= ? AND id < ?))"
EVERYWHERE: Final = (1 << 62, 0, 0)
Place = tuple[int, int, int]


def first_of(at_us: int) -> int:
    """The least id in `docs` of what begins in the same unit of time."""
    return at_us >> UNIT << PLACES


def day_of(at_us: int) -> int:
    return at_us // US_PER_DAY


def name_of(table: str, day: int) -> str:
    """Of the partition."""
    return f"{table}_{datetime.fromtimestamp(day * 86_400, UTC):%Y_%m_%d}"


def part(tx: Tx, table: str, day: int) -> bool:
    """Whether there is one."""
    row = tx.row("SELECT to_regclass(?)::text", (name_of(table, day),))
    return row is not None and row[0] is not None


def known(tx: Tx, tables: Iterable[str] = COLUMNS) -> list[int]:
    """Days of which any of these tables has a partition, the oldest first."""
    found: set[int] = set()
    for table in tables:
        rows = tx.rows(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = to_regclass(?)",
            (table,),
        )
        names = (str(row[0]).removeprefix(f"{table}_") for row in rows)
        found.update(_day(name) for name in names if name != "before")
    return sorted(found)


def _day(name: str) -> int:
    return round(datetime.strptime(name, "%Y_%m_%d").replace(tzinfo=UTC).timestamp()) // 86_400


def bounds(table: str, day: int) -> tuple[int, int]:
    """Of the ids of a day: [first, end)."""
    if table in ("chunks", "spans"):
        return day << _CHUNK, (day + 1) << _CHUNK
    return first_of(day * US_PER_DAY), first_of((day + 1) * US_PER_DAY)


def chunks_on(dialect: str, *at_us: int) -> Place:
    """Where chunks of a trace that began then may lie, for OF_TRACE and OF_CHUNKS; `at_us`: several where a task of
    ours has its trace id.
    """
    if dialect == "sqlite":
        return EVERYWHERE
    first, last = (max(FIRST_DAY, day_of(each)) for each in (min(at_us), max(at_us)))
    return bounds("chunks", FIRST_DAY)[0], bounds("chunks", first)[0], bounds("chunks", last)[1]


def chunks_of(tx: Tx, trace_id: str) -> Place:
    """The same of a trace; a task of ours is known by its trace id, too."""
    if tx.dialect == "sqlite":
        return EVERYWHERE
    row = tx.row(
        "SELECT MIN(at_us), MAX(at_us) FROM traces WHERE id = ? OR (origin = 'task' AND trace_id = ?)",
        (trace_id, trace_id),
    )
    if row is None or row[0] is None:
        return bounds("chunks", FIRST_DAY)[0], 0, 0
    return chunks_on(tx.dialect, *row)


class ChunkIds:
    """Ids for new chunks, in one transaction. None is given twice, also when its chunk is no more: a span whose
    payload was taken out must not find another's.
    """

    def __init__(self, tx: Tx, about: int) -> None:
        """`about`: so many are wanted, or a few more."""
        self._tx = tx
        self._about = max(1, about)
        self._numbers: list[int] = []
        self._last = -1
        self.days: set[int] = set()

    def next(self, at_us: int) -> int:
        if self._tx.dialect == "sqlite":
            if self._last < 0:
                row = self._tx.row("SELECT MAX(id) FROM chunks")
                self._last = 0 if row is None or row[0] is None else int(row[0])
            self._last += 1
            return self._last
        if not self._numbers:
            rows = self._tx.rows("SELECT nextval('chunk_numbers') FROM generate_series(1, ?)", (self._about,))
            self._numbers = [int(row[0]) for row in reversed(rows)]
        self.days.add(day_of(at_us))
        return (day_of(at_us) << _CHUNK) + self._numbers.pop()


def chunk_on(day: int, id_: int) -> int:
    """The id on PostgreSQL of a chunk that another database calls `id_`, of a trace which began on that day."""
    if id_ >> _CHUNK == day:
        return id_
    # Of one that came from PostgreSQL and was counted on from there.
    number = id_ if id_ < 1 << _CHUNK else 1 << (_CHUNK - 1) | id_ & (1 << (_CHUNK - 1)) - 1
    return day << _CHUNK | number


def day_of_chunk(id_: int) -> int:
    return id_ >> _CHUNK


def count_on(tx: Tx, ids: Iterable[int]) -> None:
    """New chunks get other numbers than these, which came from another database."""
    last = max((id_ & ((1 << _CHUNK) - 1) for id_ in ids), default=0)
    if last and tx.dialect != "sqlite":
        tx.rows(
            "SELECT setval('chunk_numbers', GREATEST(?, (SELECT last_value FROM chunk_numbers)))", (last,)
        )


def first(dialect: str) -> list[str]:
    """DDL of the parts that are there from the beginning."""
    if dialect == "sqlite":
        return []
    return [
        "CREATE SEQUENCE chunk_numbers",
        *(
            f"CREATE TABLE {table}_before PARTITION OF {table}"
            f" FOR VALUES FROM (MINVALUE) TO ({bounds(table, FIRST_DAY)[0]})"
            for table in COLUMNS
        ),
    ]


def ensure(tx: Tx, days: Iterable[int]) -> None:
    """Partitions for what begins on these days; nothing where they are there."""
    if tx.dialect == "sqlite":
        return
    parts = {name_of(table, day): (table, day) for day in days if day >= FIRST_DAY for table in COLUMNS}
    if not parts:
        return
    # All in one question: what comes from outside asks it with each write, and the server may be a journey away.
    lacking = "SELECT name FROM unnest(?::text[]) AS name WHERE to_regclass(name) IS NULL ORDER BY name"
    for (name,) in tx.rows(lacking, (list(parts),)):
        table, day = parts[name]
        begin, end = bounds(table, day)
        # Attached, not made in place: so nobody who reads the other days has to wait.
        tx.execute(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)")
        tx.execute(f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({begin}) TO ({end})")


def ahead(database: Database, now_us: int) -> None:
    """Partitions of today and the days that come, so that no row has to wait for its own."""
    wanted = range(day_of(now_us), day_of(now_us) + AHEAD_DAYS)
    if database.dialect != "sqlite" and not set(wanted) <= set(database.read_now(known)):
        database.write_now(lambda tx: ensure(tx, wanted))


def ensure_docs(tx: Tx, ids: Iterable[int]) -> None:
    """The same for rows of `docs` with these ids."""
    if tx.dialect != "sqlite":
        ensure(tx, {day_of_doc(id_) for id_ in ids})


def day_of_doc(id_: int) -> int:
    """A unit of time on both sides of midnight belongs to the day after it."""
    day = day_of(id_ >> PLACES << UNIT)
    return day + 1 if id_ >= bounds("docs", day + 1)[0] else day
