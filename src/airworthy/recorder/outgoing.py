"""What of our runs has still to be sent to a collector, and what became of what was sent.

A closing is noted in the transaction that closes the task, where an export is set up; so none is forgotten, and without
an export nothing is written. It is taken away in the transaction that counts it as sent or as given up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from airworthy.recorder.traces import ours
from airworthy.store import Tx

WAITING_MAX: Final = 200_000  # closings; beyond, the oldest are given up and counted
ERROR_CHARS_MAX: Final = 500
_NOTE: Final = (
    "INSERT INTO export_due (task_id, seq)"
    " SELECT CAST(? AS VARCHAR), CAST(? AS INTEGER) WHERE EXISTS (SELECT 1 FROM exports)"
    " ON CONFLICT (task_id, seq) DO NOTHING"
)


class Due(NamedTuple):
    """`seq`: of the step with the outcome, as a task that was opened again ends more than once."""

    task_id: str
    seq: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Of the export of this database. Spans since it was set up: `sent`, refused by the collector (`rejected`), and
    `dropped` without a way to send them. `failures`: attempts in a row; none before `next_us`."""

    since_us: int
    sent: int = 0
    rejected: int = 0
    dropped: int = 0
    failures: int = 0
    next_us: int = 0
    last_sent_us: int | None = None
    error: str = ""


_FIELDS: Final = tuple(Standing.__dataclass_fields__)


def note(tx: Tx, task_id: str, seq: int) -> None:
    """The task has ended. Twice is once."""
    tx.put(_NOTE, (task_id, seq))


def standing(tx: Tx) -> Standing | None:
    """None: nothing is exported."""
    row = tx.row(f"SELECT {', '.join(_FIELDS)} FROM exports WHERE id = 1")
    return None if row is None else Standing(*row)


def waiting(tx: Tx) -> int:
    row = tx.row("SELECT COUNT(*) FROM export_due")
    assert row is not None
    return int(row[0])


def mode_of(tx: Tx, task_id: str) -> str:
    """live, rehearsal or fork; of a task from before there was an index, live."""
    row = tx.row("SELECT mode FROM traces WHERE id = ?", (task_id,))
    return ours.LIVE if row is None else str(row[0])


def begin(tx: Tx, now_us: int) -> None:
    """From now on closings are noted. Twice is once."""
    tx.execute(
        "INSERT INTO exports (id, since_us, sent, rejected, dropped, failures, next_us, error)"
        " VALUES (1, ?, 0, 0, 0, 0, 0, '') ON CONFLICT (id) DO NOTHING",
        (now_us,),
    )


def end(tx: Tx) -> None:
    """Nothing is exported any more, and what waited is let go."""
    tx.execute("DELETE FROM exports")
    tx.execute("DELETE FROM export_due")


def due(tx: Tx, limit: int) -> list[Due]:
    """The oldest tasks first."""
    rows = tx.rows("SELECT task_id, seq FROM export_due ORDER BY task_id, seq LIMIT ?", (limit,))
    return [Due(*row) for row in rows]


def settled(
    tx: Tx, done: Sequence[Due], now_us: int, *, sent: int, rejected: int, dropped: int, error: str
) -> None:
    """These are dealt with. `error`: why some were rejected or dropped."""
    tx.many("DELETE FROM export_due WHERE task_id = ? AND seq = ?", done)
    tx.execute(
        "UPDATE exports SET sent = sent + ?, rejected = rejected + ?, dropped = dropped + ?, failures = 0,"
        " next_us = 0, last_sent_us = CASE WHEN ? > 0 THEN ? ELSE last_sent_us END, error = ? WHERE id = 1",
        (sent, rejected, dropped, sent, now_us, error[:ERROR_CHARS_MAX]),
    )


def failed(tx: Tx, next_us: int, error: str) -> None:
    """An attempt that will be made again."""
    tx.execute(
        "UPDATE exports SET failures = failures + 1, next_us = ?, error = ? WHERE id = 1",
        (next_us, error[:ERROR_CHARS_MAX]),
    )


def give_up_oldest(tx: Tx, count: int) -> None:
    """`count`: closings beyond the bound; each is counted as one span at least."""
    tx.execute(
        "DELETE FROM export_due WHERE (task_id, seq) IN"
        " (SELECT task_id, seq FROM export_due ORDER BY task_id, seq LIMIT ?)",
        (count,),
    )
    tx.execute("UPDATE exports SET dropped = dropped + ? WHERE id = 1", (count,))
