"""The words of our own tasks in the index: follow from the journal alone, because to take them out takes them again.

Whatever changes a payload that may be indexed says so here first, with the payload still as it was.
"""

from collections.abc import Iterable, Sequence

import orjson

from airworthy.recorder.steps import Recorded, read_steps
from airworthy.recorder.traces import text
from airworthy.recorder.traces.text import Doc
from airworthy.store import Tx


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


def missing(tx: Tx, task_id: str, at_us: int, recorded: Sequence[Recorded]) -> list[Doc]:
    """What of it is not in the index yet. `at_us`: the task's place in every list."""
    texts = texts_of(recorded)[text.own_docs(tx, task_id, at_us) :]
    return [Doc(task_id, at_us, text.words_of([each])) for each in texts]


def forget(tx: Tx, task_id: str, *, spans: bool = True) -> None:
    """`spans`: also what its own process sent of it by OTLP."""
    text.forget(tx, task_id, texts_of(read_steps(tx, task_id)), spans=spans)


def due(tx: Tx, task_id: str) -> None:
    """A chore makes its sentence and its words, once it has ended."""
    tx.put("INSERT INTO index_due (ref, what) VALUES (?, 'text') ON CONFLICT (ref) DO NOTHING", (task_id,))


def changes(tx: Tx, task_id: str) -> None:
    """A step that an earlier run left is about to be written over: what is indexed of it goes, and comes anew."""
    row = tx.row("SELECT at_us FROM traces WHERE id = ?", (task_id,))
    if row is not None and text.own_docs(tx, task_id, row[0]):
        forget(tx, task_id, spans=False)
        due(tx, task_id)
