"""After the fact: the sentence and the searchable text of tasks that ended, and tasks of before there was an index.

A list of what is still to be done stands in the store, written in the transaction that ends a task, so that nothing is
forgotten and no task waits for it.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final

from airworthy.core.errors import told
from airworthy.core.outcome import Reason, ReasonCode
from airworthy.recorder import Recorded, read_steps
from airworthy.recorder.traces import ours, own_text
from airworthy.recorder.traces.text import Doc, index_all
from airworthy.runtime import tasks
from airworthy.runtime.claimed import closing, mode_of
from airworthy.runtime.documents import sentence_of
from airworthy.runtime.tasks import TaskRow
from airworthy.store import Database, StoreError, Tx
from airworthy.tools import outbox

BATCH: Final = 20
BATCH_BYTES: Final = 128_000  # As stored: nobody else writes while words are made of them.
Due = tuple[str, str]  # The task, and what of it.


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
    """How many were looked at; 0: nothing is left to do."""
    found = await database.read(due)
    if not found:
        return 0
    try:
        await database.write(partial(_describe, found=found))
    except StoreError:
        raise
    except Exception:  # noqa: BLE001  # one damaged record must not hold up every other task
        await _one_by_one(database, found)
    return len(found)


async def _one_by_one(database: Database, found: Sequence[Due]) -> None:
    for each in found:
        try:
            await database.write(partial(_describe, found=[each]))
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001  # as above
            await database.write(partial(_unreadable, task_id=each[0], why=told(error)))


def _unreadable(tx: Tx, *, task_id: str, why: str) -> None:
    tx.execute("DELETE FROM index_due WHERE ref = ?", (task_id,))
    sentence = f"What is stored of this task cannot be read: {why}"
    tx.execute("UPDATE traces SET sentence = ? WHERE id = ?", (sentence, task_id))


def _describe(tx: Tx, *, found: Sequence[Due]) -> None:
    docs: list[Doc] = []
    tx.each(lambda each: docs.extend(_described(tx, *each)), found)
    index_all(tx, docs)  # All at once: tasks of one moment share the places that are free there.


def _described(tx: Tx, task_id: str, what: str) -> list[Doc]:
    """What of its words is not in the index yet; all else is done."""
    if not tx.execute("DELETE FROM index_due WHERE ref = ? AND what = ?", (task_id, what)):
        return []  # Another process was quicker.
    task = tasks.find(tx, task_id)
    if task is None:
        return []
    recorded = read_steps(tx, task_id)
    if what == "all":
        _enter(tx, task, recorded)
    if task.outcome is None:
        return []
    sentence = sentence_of(task, recorded, outbox.of_task(tx, task_id))
    tx.put("UPDATE traces SET sentence = ? WHERE id = ?", (sentence, task_id))
    return own_text.missing(tx, task_id, task.created_us, recorded)


def _enter(tx: Tx, task: TaskRow, recorded: list[Recorded]) -> None:
    """A task of before there was an index."""
    ours.opened(tx, task.opening(mode_of(task, recorded)))
    if task.outcome is None:
        return
    why = task.why if task.why is not None else Reason(code=ReasonCode.CRASHED, text="")
    end = closing(task.outcome, why, task.closed_us or task.changed_us, task.active_us, task.cost_nano)
    ours.closed(tx, task.id, end)
    tx.execute("DELETE FROM index_due WHERE ref = ?", (task.id,))
