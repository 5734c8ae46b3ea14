"""What can be seen of a queue from outside: how many wait and for how long, who is under way, when the next begins."""

from dataclasses import dataclass

from airworthy.core.canonical import decode
from airworthy.policy import Rate
from airworthy.runtime.admission.queue import RETURNING
from airworthy.store import Tx


@dataclass(frozen=True, slots=True)
class QueueView:
    """The bounds are what the workers last went by. `next_us`: None when a place must come free, or nothing waits."""

    agent: str
    concurrency: int | None
    rate: Rate | None
    queue_max: int
    waiting: int
    returning: int
    oldest_us: int | None
    under_way: int
    next_us: int | None


def queues(tx: Tx) -> list[QueueView]:
    """Of the agents whose policy has an `[admission]`, by name."""
    rows = tx.rows("SELECT agent, rule, waiting, next_us FROM queues WHERE rule <> '{}' ORDER BY agent")
    return [_view(tx, *row) for row in rows]


def _view(tx: Tx, agent: str, rule: str, waiting: int, next_us: int | None) -> QueueView:
    oldest = tx.row("SELECT MIN(head_us) FROM lanes WHERE agent = ? AND rank > ?", (agent, RETURNING))
    returning = tx.row("SELECT SUM(waiting) FROM lanes WHERE agent = ? AND rank = ?", (agent, RETURNING))
    under_way = tx.row(
        "SELECT COUNT(*) FROM under_way u JOIN claims c ON c.name = u.task_id AND c.epoch = u.epoch"
        " WHERE u.agent = ? AND c.owner IS NOT NULL",
        (agent,),
    )
    bounds = decode(rule.encode())
    assert oldest is not None
    assert returning is not None
    assert under_way is not None
    return QueueView(
        agent=agent,
        concurrency=bounds["concurrency"],
        rate=None if bounds["rate"] is None else Rate.model_validate(bounds["rate"]),
        queue_max=bounds["queue_max"],
        waiting=waiting,
        returning=returning[0] or 0,
        oldest_us=oldest[0],
        under_way=under_way[0],
        next_us=next_us if oldest[0] is not None else None,
    )
