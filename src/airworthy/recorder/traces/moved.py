"""What of traces is otherwise in another database: the ids of chunks, the parts they lie in, the index of words."""

from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol, TypeVar

from airworthy.recorder.steps import read_steps
from airworthy.recorder.traces import chunk as chunks
from airworthy.recorder.traces import days, own_text, text
from airworthy.store import Row, Tx
from airworthy.store.catalog import Table

T = TypeVar("T")

# Which column of which table says in which chunk something is.
_CHUNK: Final = {"chunks": "id", "spans": "chunk", "docs": "chunk"}
_PAGE: Final = 5_000
_NARROW_MAX: Final = 2**31


class Source(Protocol):
    @property
    def dialect(self) -> str: ...

    def read_now(self, query: Callable[[Tx], T]) -> T: ...


class Renumbered:
    """Rows of one database as another has them. Where chunks are counted, their ids come to begin with the day."""

    def __init__(self, source: Source, goal: str) -> None:
        """`goal`: the dialect of the other. Reads all spans once, where ids change."""
        self._source = source
        self._changes = source.dialect == "sqlite" and goal == "postgresql"
        self._days: dict[int, int] | array[int] | None = None

    def shaped(self, table: Table, rows: list[Row]) -> list[Row]:
        column = _CHUNK.get(table.name)
        if column is None or not self._changes:
            return rows
        at = table.columns.index(column)
        if table.name == "spans":
            trace = table.columns.index("trace")
            known = self._source.read_now(lambda tx: _days_of(tx, {bytes(row[trace]) for row in rows}))
            of = [known.get(bytes(row[trace]), 0) for row in rows]
        elif table.name == "docs":
            at_us = table.columns.index("at_us")
            of = [days.day_of(row[at_us]) for row in rows]
        else:
            of = [self._day(row[at]) for row in rows]
        return [
            row if row[at] is None else (*row[:at], days.chunk_on(day, row[at]), *row[at + 1 :])
            for row, day in zip(rows, of, strict=True)
        ]

    def _day(self, chunk: int) -> int:
        if self._days is None:
            self._days = self._source.read_now(_days_of_chunks)
        if isinstance(self._days, dict):
            return self._days.get(chunk, 0)
        return self._days[chunk]


def ahead(tx: Tx, table: Table, rows: Sequence[Row]) -> None:
    """The parts that these rows belong in."""
    if table.name in ("chunks", "spans"):
        at = table.columns.index(_CHUNK[table.name])
        days.ensure(tx, {days.day_of_chunk(row[at]) for row in rows})
        days.count_on(tx, [row[at] for row in rows])
    elif table.name == "docs":
        at = table.columns.index("id")
        days.ensure_docs(tx, [row[at] for row in rows])


def enter_words(tx: Tx, docs: Iterable[tuple[int, str, int | None]]) -> None:
    """Into the index; `docs`: id, ref and chunk of entries that it does not have. What no longer says anything is left
    out.
    """
    found: list[tuple[int, str]] = []
    own: dict[str, list[str]] = {}
    for id_, ref, chunk in docs:
        if chunk is not None:
            body = tx.row("SELECT body FROM chunks WHERE id = ?", (chunk,))
            if body is not None:
                found.append((id_, chunks.words_in(bytes(body[0]))))
            continue
        if ref not in own:
            own[ref] = own_text.texts_of(read_steps(tx, ref))
        place = _place(tx, ref, id_)
        if place < len(own[ref]):
            found.append((id_, text.words_of([own[ref][place]])))
    text.enter(tx, found)


def _place(tx: Tx, ref: str, id_: int) -> int:
    """Which of the texts of this task the entry is."""
    unit = id_ >> days.PLACES << days.PLACES
    row = tx.row(
        "SELECT COUNT(*) FROM docs WHERE id >= ? AND id < ? AND ref = ? AND chunk IS NULL", (unit, id_, ref)
    )
    return 0 if row is None else int(row[0])


def _days_of(tx: Tx, traces: set[bytes]) -> dict[bytes, int]:
    found: dict[bytes, int] = {}
    for trace in traces:
        row = tx.row("SELECT at_us FROM traces WHERE id = ?", (trace.hex(),)) or tx.row(
            "SELECT at_us FROM traces WHERE origin = 'task' AND trace_id = ?", (trace.hex(),)
        )
        if row is not None:
            found[trace] = days.day_of(row[0])
    return found


def _days_of_chunks(tx: Tx) -> "dict[int, int] | array[int]":
    """Four bytes for each, as long as they are counted from 1."""
    row = tx.row("SELECT MAX(id) FROM chunks")
    last = 0 if row is None or row[0] is None else int(row[0])
    found: dict[int, int] | array[int] = {} if last >= _NARROW_MAX else array("i", bytes(4 * (last + 1)))
    after: Row = (b"", b"")
    while rows := tx.rows(
        "SELECT trace, span, chunk FROM spans WHERE (trace, span) > (?, ?) ORDER BY trace, span LIMIT ?",
        (*after, _PAGE),
    ):
        known = _days_of(tx, {bytes(row[0]) for row in rows})
        for trace, _, chunk in rows:
            if 0 < chunk <= last:
                found[chunk] = known.get(bytes(trace), 0)
        after = rows[-1][:2]
    return found
