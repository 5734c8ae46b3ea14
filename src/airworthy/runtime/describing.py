"""After the fact: the sentence and the searchable text of tasks that ended, and tasks of before there was an index.

A list of what is still to be done stands in the store, written in the transaction that ends a task, so that nothing is
forgotten and no task waits for it.
"""

from collections.abc import Iterable
from functools import partial
from typing import Final

import orjson

from airworthy.core.errors import told
from airworthy.recorder import Recorded, read_steps
from airworthy.recorder.traces import ours, text
from airworthy.recorder.traces.ours import Closed
from airworthy.runtime import tasks
from airworthy.runtime.claimed import mode_of
from airworthy.runtime.documents import sentence_of
from airworthy.runtime.tasks import TaskRow
from airworthy.store import Database, StoreError, Tx
from airworthy.tools import outbox

BATCH: Final = 20


def due(tx: Tx) -> list[tuple[str, str]]:
    return [
        (ref, what) for ref, what in tx.rows("SELECT ref, what FROM index_due ORDER BY ref LIMIT ?", (BATCH,))
    ]


async def describe(database: Database) -> int:
    """How many were looked at; 0: nothing is left to do."""
    found = await database.read(due)
    for ref, what in found:
        try:
            await database.write(partial(_describe, task_id=ref, what=what))
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001  # one damaged record must not hold up every other task
            await database.write(partial(_unreadable, task_id=ref, why=told(error)))
    return len(found)


def _unreadable(tx: Tx, *, task_id: str, why: str) -> None:
    tx.execute("DELETE FROM index_due WHERE ref = ?", (task_id,))
    sentence = f"What is stored of this task cannot be read: {why}"
    tx.execute("UPDATE traces SET sentence = ? WHERE id = ?", (sentence, task_id))


def _describe(tx: Tx, *, task_id: str, what: str) -> None:
    tx.execute("DELETE FROM index_due WHERE ref = ? AND what = ?", (task_id, what))
    task = tasks.find(tx, task_id)
    if task is None:
        return
    recorded = read_steps(tx, task_id)
    if what == "all":
        _enter(tx, task, recorded)
    if task.outcome is None:
        return
    sentence = sentence_of(task, recorded, outbox.of_task(tx, task_id))
    tx.execute("UPDATE traces SET sentence = ? WHERE id = ?", (sentence, task_id))
    known = text.known(tx, task_id, task.created_us)
    for words in words_of(recorded)[known:]:
        text.index(tx, task_id, task.created_us, words)


def _enter(tx: Tx, task: TaskRow, recorded: list[Recorded]) -> None:
    """A task of before there was an index."""
    ours.opened(tx, task.opening(mode_of(task, recorded)))
    if task.outcome is None:
        return
    error = task.why.error.type if task.why is not None and task.why.error is not None else ""
    ended_us = task.closed_us or task.changed_us
    end = Closed(task.outcome.value, task.reason_code or "", error, ended_us, task.active_us, task.cost_nano)
    ours.closed(tx, task.id, end)
    tx.execute("DELETE FROM index_due WHERE ref = ?", (task.id,))


def words_of(recorded: Iterable[Recorded]) -> list[str]:
    """What can be searched for in a task: what it was handed, what it called and got, what went wrong.

    One text for each time it ended, so that a task which was opened again adds to what is indexed of it. To take a
    text out of the index takes the same text again, so it follows from the journal alone.
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
