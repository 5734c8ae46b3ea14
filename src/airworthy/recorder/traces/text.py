"""The index of words: finds traces by what was said in them. The one place where engines differ.

SQLite keeps it as an FTS5 table, PostgreSQL as a row of lexemes for each entry; both are told the same words.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from airworthy.recorder.traces import chunk as chunks
from airworthy.recorder.traces import days
from airworthy.recorder.traces.cjk import spread
from airworthy.recorder.traces.days import PLACES, UNIT, first_of
from airworthy.recorder.traces.tokens import lexemes
from airworthy.store import Tx

# An entry's rowid is the unit of time its trace began in, and then its number there; `docs` says the exact time. FTS5
# writes each entry of a word as its distance from the one before, in as few bytes as that takes: a unit of an eighth
# of a second instead of a microsecond saves two bytes of five.
DOCS_MAX: Final = 1 << PLACES  # entries of one unit
_PLACES_LOCK: Final = 0x646F6373
_UNITS_AT_ONCE: Final = 128
SPAN_CHARS_MAX: Final = 32_768  # What stands further back in a span is not found by its words.
DOC_CHARS_MAX: Final = 262_144


class Doc(NamedTuple):
    """What is to be found as one. `chunk`: where its words are; None where the words are told when it is forgotten.
    `entry`: see `entry_of`; None: it is made in the transaction.
    """

    ref: str
    at_us: int
    words: str
    chunk: int | None = None
    entry: str | None = None


def words_of(texts: Iterable[str]) -> str:
    """What is indexed of these texts. To forget takes the very same words: what is indexed of a task of ours must never
    change with a release, unless the index is made anew.
    """
    # Each line once, because the calls of one trace repeat a conversation as it grows. Each word once would cost more
    # than the index takes for it.
    lines: dict[str, None] = {}
    for text in texts:
        lines.update(dict.fromkeys(text[:SPAN_CHARS_MAX].split("\n")))
    return spread("\n".join(lines)[:DOC_CHARS_MAX].replace("\x00", " ").strip())


def index_all(tx: Tx, docs: Iterable[Doc]) -> int:
    """How many found no place, because too many began in the same microsecond. A doc without words is none."""
    docs = [doc for doc in docs if doc.words]
    free = _free(tx, sorted({doc.at_us >> UNIT for doc in docs}))
    placed = []
    left_out = 0
    for doc in docs:
        unit = doc.at_us >> UNIT
        place = free[unit]
        free[unit] = place + 1
        if place >= DOCS_MAX:
            left_out += 1
        else:
            placed.append(((unit << PLACES) | place, doc))
    placed.sort()
    days.ensure_docs(tx, (id_ for id_, _ in placed))
    tx.many(
        "INSERT INTO docs (id, ref, at_us, chunk) VALUES (?, ?, ?, ?)",
        [(id_, doc.ref, doc.at_us, doc.chunk) for id_, doc in placed],
    )
    entries = [(doc.words, doc.entry) for _, doc in placed]
    made = [entry_of(words, tx.dialect) if entry is None else entry for words, entry in entries]
    _enter(tx, [(id_, entry) for (id_, _), entry in zip(placed, made, strict=True)])
    return left_out


def enter(tx: Tx, words: Sequence[tuple[int, str]]) -> None:
    """The words of each entry, by its id in `docs`."""
    _enter(tx, [(id_, entry_of(each, tx.dialect)) for id_, each in words])


def entry_of(words: str, dialect: str) -> str:
    """As the engine's index takes them. On PostgreSQL it takes longer to make than to store."""
    return words if dialect == "sqlite" else lexemes(words)


def _enter(tx: Tx, entries: Sequence[tuple[int, str]]) -> None:
    key = "rowid" if tx.dialect == "sqlite" else "id"
    tx.many(f"INSERT INTO texts ({key}, words) VALUES (?, ?)", entries)


def take_turns(tx: Tx) -> None:
    """First in a write that passes beside others and calls `index_all`: two at once would find the same places free,
    and lack the same part for a day. Whoever takes the turn of all writers is alone already.
    """
    if tx.dialect != "sqlite":
        tx.put("SELECT pg_advisory_xact_lock(?)", (_PLACES_LOCK,))


def forget(tx: Tx, ref: str, texts: Sequence[str] = (), *, spans: bool = True) -> int:
    """Takes what is indexed of it out of the index; how many entries that were.

    `texts`: for a task of ours, what `index` was told, in that order. Of a trace from elsewhere the chunks tell. So
    forget the words first, before the chunks and the row of `traces`, which says where in the index they are.
    `spans`: those of chunks, too.
    """
    row = tx.row("SELECT at_us FROM traces WHERE id = ?", (ref,))
    first = first_of(0 if row is None else row[0])
    here = (first, first + DOCS_MAX, ref)
    which = "id >= ? AND id < ? AND ref = ?" + ("" if spans else " AND chunk IS NULL")
    if tx.dialect != "sqlite":
        tx.execute(f"DELETE FROM texts WHERE id IN (SELECT id FROM docs WHERE {which}) AND id >= ? AND id < ?",
                   (*here, *here[:2]))  # fmt: skip
        return tx.execute(f"DELETE FROM docs WHERE {which}", here)
    rows = tx.rows(f"SELECT id, chunk FROM docs WHERE {which} ORDER BY id", here)
    told = iter(texts)
    gone = []
    for id_, chunk in rows:
        if chunk is None:
            text = next(told, None)
            words = None if text is None else words_of([text])
        else:
            body = tx.row("SELECT body FROM chunks WHERE id = ?", (chunk,))
            words = None if body is None else chunks.words_in(bytes(body[0]))
        if words is not None:
            gone.append((id_, words))
    tx.many("INSERT INTO texts (texts, rowid, words) VALUES ('delete', ?, ?)", gone)
    tx.execute(f"DELETE FROM docs WHERE {which}", here)
    return len(rows)


def own_docs(tx: Tx, ref: str, at_us: int) -> int:
    """How many texts of a task of ours are indexed; spans that its own process sent have others."""
    first = first_of(at_us)
    row = tx.row(
        "SELECT COUNT(*) FROM docs WHERE id >= ? AND id < ? AND ref = ? AND chunk IS NULL",
        (first, first + DOCS_MAX, ref),
    )
    return 0 if row is None else int(row[0])


def _free(tx: Tx, units: Sequence[int]) -> dict[int, int]:
    """The first place that is free in each; asked for many at once, because an engine may be far away."""
    free: dict[int, int] = {}
    for start in range(0, len(units), _UNITS_AT_ONCE):
        some = units[start : start + _UNITS_AT_ONCE]
        more = ", (?)" * (len(some) - 1)
        rows = tx.rows(
            f"WITH asked (unit) AS (VALUES (CAST(? AS BIGINT)){more}) SELECT unit, (SELECT MAX(id) FROM docs"
            f" WHERE id >= asked.unit << {PLACES} AND id < (asked.unit + 1) << {PLACES}) FROM asked",
            some,
        )
        free.update((unit, 0 if last is None else last - (unit << PLACES) + 1) for unit, last in rows)
    return free
