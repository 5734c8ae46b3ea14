"""Which tasks changed in a way that people may have to know of: noted with the change, read by whoever lists them.

A room that changes what waits for a person knows nothing of the list, and a crash between the two loses nothing:
the note is in the transaction of the change, and it is taken away in the transaction that brings the list in step.
"""

from collections.abc import Sequence

from airworthy.store import Tx


def touch(tx: Tx, task_id: str) -> None:
    """Twice is once."""
    tx.put("INSERT INTO touched (task_id) VALUES (?) ON CONFLICT (task_id) DO NOTHING", (task_id,))


def any_touched(tx: Tx) -> bool:
    return tx.row("SELECT 1 FROM touched LIMIT 1") is not None


def first(tx: Tx, limit: int) -> list[str]:
    """The oldest first, because ids of tasks begin with their time."""
    return [row[0] for row in tx.rows("SELECT task_id FROM touched ORDER BY task_id LIMIT ?", (limit,))]


def settled(tx: Tx, task_ids: Sequence[str]) -> None:
    for task_id in task_ids:
        tx.execute("DELETE FROM touched WHERE task_id = ?", (task_id,))
