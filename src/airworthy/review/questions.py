"""Questions that a running task asks, and their answers, as rows; the run that waits costs nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from airworthy.recorder.touched import touch
from airworthy.store import Tx

ID_PREFIX = "que_"
TEXT_CHARS_MAX = 20_000
CHOICES_MAX = 100


@dataclass(frozen=True, slots=True)
class Question:
    """`schema`: of the answer, as JSON Schema. `default`: JSON, for the deadline; None: there is none.

    `problem`: what was wrong with an answer that was given before, in words.
    """

    id: str
    task_id: str
    seq: int
    agent: str
    text: str
    to: str
    choices: tuple[str, ...]
    schema: dict[str, Any] | None
    deadline_s: float | None
    default: str | None
    created_us: int
    answer: str | None = None
    answered_by: str = ""
    role: str = ""
    answered_us: int | None = None
    note: str = ""
    problem: str = ""
    declined: bool = False

    @property
    def open(self) -> bool:
        return self.answered_us is None


_COLUMNS = (
    "id, task_id, seq, agent, text, to_team, choices, schema, deadline_s, fallback, created_us, answer, answered_by,"
    " role, answered_us, note, problem, declined"
)


def insert(tx: Tx, question: Question) -> None:
    tx.execute(
        f"INSERT INTO questions ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, '', '', NULL, '', '', 0)",
        (
            question.id, question.task_id, question.seq, question.agent, question.text, question.to,
            orjson.dumps(question.choices).decode(),
            None if question.schema is None else orjson.dumps(question.schema).decode(),
            question.deadline_s, question.default, question.created_us,
        ),
    )  # fmt: skip
    touch(tx, question.task_id)


def find(tx: Tx, question_id: str) -> Question | None:
    row = tx.row(f"SELECT {_COLUMNS} FROM questions WHERE id = ?", (question_id,))
    return None if row is None else _question(row)


def of_task(tx: Tx, task_id: str) -> list[Question]:
    rows = tx.rows(f"SELECT {_COLUMNS} FROM questions WHERE task_id = ? ORDER BY seq", (task_id,))
    return [_question(row) for row in rows]


def answer(tx: Tx, question: Question, value: str | None, said: tuple[str, str, str], now_us: int) -> bool:
    """`value`: JSON; None: nobody answered, and the task is to be declined. `said`: by whom, in which role, a note.

    False when it was answered before.
    """
    changed = tx.execute(
        "UPDATE questions SET answer = ?, answered_by = ?, role = ?, note = ?, answered_us = ?, declined = ?,"
        " problem = '' WHERE id = ? AND answered_us IS NULL",
        (value, *said, now_us, int(value is None), question.id),
    )
    touch(tx, question.task_id)
    return changed == 1


def ask_again(tx: Tx, question: Question, problem: str) -> None:
    """The answer that was given cannot be used; it waits anew, and says why."""
    tx.execute(
        "UPDATE questions SET answer = NULL, answered_us = NULL, problem = ? WHERE id = ?",
        (problem, question.id),
    )
    touch(tx, question.task_id)


def unfit(question: Question, value: Any) -> str | None:
    """Why a value is no answer, as far as that can be seen without the agent's code. The run looks again."""
    if question.choices and value not in question.choices:
        return f"is none of the choices: {', '.join(question.choices)}"
    schema = question.schema or {}
    if "enum" in schema and value not in schema["enum"]:
        return f"is none of: {', '.join(map(str, schema['enum']))}"
    kind = schema.get("type")
    if isinstance(kind, str) and not _is(kind, value):
        return f"is no {kind}"
    missing = [key for key in schema.get("required", ()) if isinstance(value, dict) and key not in value]
    return f"lacks {', '.join(missing)}" if missing else None


def _is(kind: str, value: Any) -> bool:
    kinds: dict[str, tuple[type, ...]] = {
        "string": (str,), "boolean": (bool,), "integer": (int,), "number": (int, float), "array": (list,),
        "object": (dict,), "null": (type(None),),
    }  # fmt: skip
    if isinstance(value, bool) and kind in ("integer", "number"):
        return False
    return isinstance(value, kinds.get(kind, (object,)))


def _question(row: Sequence[Any]) -> Question:
    values = list(row)
    values[6] = tuple(orjson.loads(row[6]))
    values[7] = None if row[7] is None else orjson.loads(row[7])
    values[17] = bool(row[17])
    return Question(*values)
