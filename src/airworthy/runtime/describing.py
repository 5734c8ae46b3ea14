"""After the fact: the sentence and the searchable text of tasks that ended, and tasks of before there was an index.

A list of what is still to be done stands in the store, written in the transaction that ends a task, so that nothing is
forgotten and no task waits for it. All is read and made before the write, because nobody else writes in a turn; the
write leaves alone what has changed since: see `own_text`.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from airworthy.core.errors import told
from airworthy.core.outcome import Reason, ReasonCode
from airworthy.recorder.steps import INPUT_SEQ, read_step, recorded_of, step_rows
from airworthy.recorder.traces import ours, own_text
from airworthy.recorder.traces.own_text import Standing, Told
from airworthy.runtime import tasks
from airworthy.runtime.claimed import closing, mode_of
from airworthy.runtime.documents import sentence_of
from airworthy.runtime.tasks import TaskRow
from airworthy.store import Database, Row, StoreError, Tx
from airworthy.tools import EffectRow, outbox

BATCH: Final = 20
# As stored: those who write beside this, in this process, wait while it is stored.
BATCH_BYTES: Final = 128_000
T = TypeVar("T")
Due = tuple[str, str]  # The task, and what of it.


@dataclass(frozen=True, slots=True)
class _Read:
    """Rows of one moment, of which nothing is made yet. `task` None: it was not over. `damage`: why there are none."""

    ref: str
    standing: Standing | None
    task: TaskRow | None = None
    steps: Sequence[Row] = ()
    effects: Sequence[EffectRow] = ()
    damage: str = ""


def due(tx: Tx) -> list[Due]:
    """A few, and fewer where they are large."""
    rows = tx.rows(
        "SELECT ref, what, (SELECT SUM(LENGTH(body)) FROM payloads WHERE task_id = ref) FROM index_due"
        " ORDER BY ref LIMIT ?",
        (BATCH,),
    )
    found: list[Due] = []
    left = BATCH_BYTES
    for ref, what, size in rows:
        left -= size or 0
        if found and left < 0:
            break
        found.append((ref, what))
    return found


async def describe(database: Database) -> int:
    """How many were looked at; 0: nothing is left to do. One that changed meanwhile is looked at again."""
    old, read = await database.read(_look)
    if old:
        await _all_or_each(database, _enter_all, old, _left_out)
    if read:
        found = await asyncio.to_thread(_all_made, read, database.dialect)
        await _all_or_each(database, _describe, found, _damaged, beside=True)
    return len(old) + len(read)


async def _all_or_each(
    database: Database,
    op: Callable[..., None],
    found: Sequence[T],
    instead: Callable[[T, Exception], Callable[[Tx], None]],
    *,
    beside: bool = False,
) -> None:
    """All in one write, or each in one of its own: a damaged record must not hold up every other task. `instead`: what
    is written of it.
    """
    try:
        await database.write(partial(op, found=found), beside=beside)
    except StoreError:
        raise
    except Exception:  # noqa: BLE001  # as above
        for each in found:
            try:
                await database.write(partial(op, found=[each]), beside=beside)
            except StoreError:
                raise
            except Exception as error:  # noqa: BLE001  # as above
                await database.write(instead(each, error), beside=beside)


def _describe(tx: Tx, *, found: Sequence[Told]) -> None:
    own_text.keep(tx, found)


def _look(tx: Tx) -> tuple[list[str], list[_Read]]:
    """Tasks of before there was an index, and what is read of the others: of one moment all."""
    found = due(tx)
    read: list[_Read] = []
    tx.each(lambda ref: read.append(_read(tx, ref)), [ref for ref, what in found if what != "all"])
    # In one order, whoever describes them: so no two wait for each other.
    return [ref for ref, what in found if what == "all"], sorted(read, key=lambda each: each.ref)


def _read(tx: Tx, ref: str) -> _Read:
    """Rows alone: who reads is needed by others."""
    standing = own_text.standing(tx, ref)
    try:
        task = tasks.find(tx, ref)
        if standing is None or task is None or task.outcome is None:
            return _Read(ref, standing)
        return _Read(ref, standing, task, step_rows(tx, ref), outbox.of_task(tx, ref))
    except StoreError:
        raise
    except Exception as error:  # noqa: BLE001  # as above
        return _Read(ref, standing, damage=told(error))


def _all_made(read: Sequence[_Read], dialect: str) -> list[Told]:
    return [_made(each, dialect) for each in read]


def _made(read: _Read, dialect: str) -> Told:
    if read.damage:
        return _unreadable(read.ref, read.standing, read.damage)
    if read.task is None or read.standing is None:
        return Told(read.ref, read.standing)
    try:
        recorded = recorded_of(read.steps)
        sentence = sentence_of(read.task, recorded, read.effects)
        docs = own_text.missing(read.ref, read.task.created_us, recorded, read.standing.docs, dialect)
    except Exception as error:  # noqa: BLE001  # as above
        return _unreadable(read.ref, read.standing, told(error))
    return Told(read.ref, read.standing, sentence, tuple(docs))


def _damaged(what: Told, error: Exception) -> Callable[[Tx], None]:
    return partial(_describe, found=[_unreadable(what.ref, what.standing, told(error))])


def _unreadable(ref: str, standing: Standing | None, why: str) -> Told:
    return Told(ref, standing, f"What is stored of this task cannot be read: {why}")


def _enter_all(tx: Tx, *, found: Sequence[str]) -> None:
    tx.each(partial(_enter, tx), found)


def _enter(tx: Tx, ref: str) -> None:
    """A task of before there was an index. In a turn, since it takes part in sums; one that is over is due then like
    any other.
    """
    if not tx.execute("DELETE FROM index_due WHERE ref = ? AND what = 'all'", (ref,)):
        return  # Another process was quicker.
    task = tasks.find(tx, ref)
    if task is None:
        return
    first = read_step(tx, ref, INPUT_SEQ)
    ours.opened(tx, task.opening(mode_of(task, [first] if first is not None else [])))
    if task.outcome is None:
        return
    why = task.why if task.why is not None else Reason(code=ReasonCode.CRASHED, text="")
    end = closing(task.outcome, why, task.closed_us or task.changed_us, task.active_us, task.cost_nano)
    ours.closed(tx, task.id, end)


def _left_out(ref: str, _: Exception) -> Callable[[Tx], None]:
    """Not even what it began with can be read."""
    return lambda tx: tx.put("DELETE FROM index_due WHERE ref = ?", (ref,))
