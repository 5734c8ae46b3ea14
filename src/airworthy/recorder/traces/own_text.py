"""The words of our own tasks in the index: follow from the journal alone, because to take them out takes them again.

Whatever changes a payload that may be indexed says so here first, with the payload still as it was.

A task is described from what was read before the write, so the write has to know whether it is still so. Its row of
`traces` counts: `revision` grows in each transaction that ends it, opens it again, or changes a payload of what ended.
So a description is kept where the number is as it was read, and grows with it: of two that describe it, one is late.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import orjson

from airworthy.recorder.steps import Recorded, read_steps
from airworthy.recorder.traces import text
from airworthy.recorder.traces.text import Doc
from airworthy.store import Tx

_OPEN: Final = -1  # For NULL, which equals nothing.
# PostgreSQL knows no type of what stands in VALUES alone.
_COLUMNS: Final = ("VARCHAR", "BIGINT", "BIGINT", "TEXT")
# Takes hold of the row: an end beside this write, of a task that was open, has written it before it says that the task
# is due. Either that end came first, and the number is another; or it waits for this write, and is due after it.
# The rest is for a version from before this number: an end of its own shows in `ended_us`, and what it described or
# erased is no longer due.
_KEEP: Final = (
    "WITH told (ref, as_read, end_us, said) AS (VALUES {rows}) UPDATE traces SET sentence = told.said,"
    " revision = traces.revision + 1 FROM told WHERE traces.id = told.ref AND traces.revision = told.as_read"
    f" AND COALESCE(traces.ended_us, {_OPEN}) = told.end_us"
    " AND EXISTS (SELECT 1 FROM index_due WHERE index_due.ref = told.ref AND index_due.what = 'text') RETURNING id"
)


class Standing(NamedTuple):
    """How a task stood in the index. `docs`: how many of its texts were in it. The others are for the write."""

    revision: int
    ended_us: int
    docs: int


class Told(NamedTuple):
    """What is told of a task, from what was read while it stood so. `sentence` None: it was open; its next end makes it
    due again. `standing` None: it was in no list.
    """

    ref: str
    standing: Standing | None
    sentence: str | None = None
    docs: tuple[Doc, ...] = ()


def texts_of(recorded: Iterable[Recorded]) -> list[str]:
    """What can be searched for in a task: what it was handed, what it called and got, what went wrong.

    One text for each time it ended, so that a task which was opened again adds to what is indexed of it.
    """
    found, parts = list[str](), list[str]()
    for step in recorded:
        parts.append(step.name)
        parts += [
            orjson.dumps(value).decode() for value in (step.arguments, step.result) if value is not None
        ]
        if step.error is not None:
            parts.append(step.error.message)
        if step.kind == "outcome":
            found.append("\n".join(parts))
            parts = []
    return found


def standing(tx: Tx, task_id: str) -> Standing | None:
    """To be read in one transaction with the record that something is made of."""
    row = tx.row(f"SELECT at_us, revision, COALESCE(ended_us, {_OPEN}) FROM traces WHERE id = ?", (task_id,))
    return None if row is None else Standing(row[1], row[2], text.own_docs(tx, task_id, row[0]))


def missing(task_id: str, at_us: int, recorded: Sequence[Recorded], docs: int, dialect: str) -> list[Doc]:
    """What of it is not in the index yet. `at_us`: the task's place in every list. `docs`: see `Standing`."""
    found = [text.words_of([each]) for each in texts_of(recorded)[docs:]]
    return [Doc(task_id, at_us, words, entry=text.entry_of(words, dialect)) for words in found]


def keep(tx: Tx, told: Sequence[Told]) -> None:
    """Stores what still holds, in a few statements. What changed since it was read is as due as before."""
    text.take_turns(tx)
    rows = [(each.ref, each.standing.revision, each.standing.ended_us, each.sentence)
            for each in told if each.standing is not None]  # fmt: skip
    nowhere = [each.ref for each in told if each.standing is None]
    if nowhere:
        gone = "AND NOT EXISTS (SELECT 1 FROM traces WHERE traces.id = index_due.ref)"
        tx.put(f"DELETE FROM index_due WHERE ref IN ({_marks(nowhere)}) {gone}", nowhere)
    if not rows:
        return
    first = ", ".join(f"CAST(? AS {column})" for column in _COLUMNS)
    asked = _KEEP.format(rows=f"({first})" + ", (?, ?, ?, ?)" * (len(rows) - 1))
    kept = {row[0] for row in tx.rows(asked, [value for row in rows for value in row])}
    if kept:
        tx.put(f"DELETE FROM index_due WHERE ref IN ({_marks(kept)}) AND what = 'text'", sorted(kept))
        text.index_all(tx, [doc for each in told if each.ref in kept for doc in each.docs])


def forget(tx: Tx, task_id: str, *, spans: bool = True) -> None:
    """`spans`: also what its own process sent of it by OTLP."""
    _revised(tx, task_id)
    text.forget(tx, task_id, texts_of(read_steps(tx, task_id)), spans=spans)


def due(tx: Tx, task_id: str) -> None:
    """A chore makes its sentence and its words, once it has ended."""
    tx.put("INSERT INTO index_due (ref, what) VALUES (?, 'text') ON CONFLICT (ref) DO NOTHING", (task_id,))


def changes(tx: Tx, task_id: str) -> None:
    """A step that an earlier run left is about to be written over: what is indexed of it goes, and comes anew."""
    row = tx.row("SELECT at_us FROM traces WHERE id = ?", (task_id,))
    if row is None:
        return
    if text.own_docs(tx, task_id, row[0]):
        forget(tx, task_id, spans=False)
        due(tx, task_id)
    else:  # What is about to be indexed of it may have been read.
        _revised(tx, task_id)


def _revised(tx: Tx, task_id: str) -> None:
    tx.put("UPDATE traces SET revision = revision + 1 WHERE id = ?", (task_id,))


def _marks(values: Iterable[str]) -> str:
    return ", ".join("?" for _ in values)
