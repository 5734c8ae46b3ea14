"""What an end user said of a task: a thumb, a correction, a text. Rows that are only ever added."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from airworthy.core.errors import InputError
from airworthy.store import Tx

Thumb = Literal["up", "down"]
Via = Literal["link", "api", "command"]
THUMBS: tuple[Thumb, ...] = get_args(Thumb)
TEXT_CHARS_MAX = 10_000
PER_TASK_MAX = 100


class FeedbackRefused(InputError):
    """It says nothing, or too much; nothing was stored."""

    code = "feedback_refused"


@dataclass(frozen=True, slots=True)
class Feedback:
    """`correction` is what the answer should have been; `text` is anything else. Both are plain text from outside.

    `by`: whoever said it, as they call themselves. The latest of a task counts; earlier ones are kept.
    """

    id: str
    task_id: str
    agent: str
    at_us: int
    via: Via
    thumb: Thumb | None = None
    correction: str = ""
    text: str = ""
    by: str = ""


_COLUMNS = "id, task_id, agent, at_us, via, thumb, correction, text, by_whom"


def checked(said: Feedback) -> Feedback:
    """Raises: FeedbackRefused."""
    if said.thumb is None and not said.correction.strip() and not said.text.strip():
        raise FeedbackRefused("The feedback is empty.", mend="Give a thumb, a correction or a text.")
    for name, value in (("correction", said.correction), ("text", said.text), ("name", said.by)):
        if len(value) > TEXT_CHARS_MAX:
            raise FeedbackRefused(
                f"The {name} has {len(value)} characters.", mend=f"Keep it to {TEXT_CHARS_MAX}."
            )
    return said


def add(tx: Tx, said: Feedback) -> None:
    """Raises: FeedbackRefused when the task has as much as one task can get."""
    row = tx.row("SELECT COUNT(*) FROM feedback WHERE task_id = ?", (said.task_id,))
    if row is not None and row[0] >= PER_TASK_MAX:
        raise FeedbackRefused(
            f"Task {said.task_id} has {row[0]} pieces of feedback, and takes no more.",
            mend="Whoever sends them should stop; those there are stay.",
        )
    tx.execute(
        f"INSERT INTO feedback ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            said.id, said.task_id, said.agent, said.at_us, said.via, said.thumb, said.correction, said.text,
            said.by,
        ),
    )  # fmt: skip


def of_task(tx: Tx, task_id: str) -> list[Feedback]:
    """The oldest first."""
    rows = tx.rows(f"SELECT {_COLUMNS} FROM feedback WHERE task_id = ? ORDER BY id", (task_id,))
    return [Feedback(*row) for row in rows]


def listing(
    tx: Tx, agent: str, thumb: Thumb | None, before: str, limit: int, agents: Sequence[str] = ()
) -> list[Feedback]:
    """The newest first. `agent`, `thumb`, `before` (an id), `agents`: empty for all."""
    clauses, params = ["1 = 1"], list[str]()
    for clause, value in (("agent = ?", agent), ("thumb = ?", thumb), ("id < ?", before)):
        if value:
            clauses.append(clause)
            params.append(value)
    if agents:
        clauses.append(f"agent IN ({', '.join('?' for _ in agents)})")
        params += agents
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM feedback WHERE {' AND '.join(clauses)} ORDER BY id DESC LIMIT ?",
        (*params, limit),
    )
    return [Feedback(*row) for row in rows]
