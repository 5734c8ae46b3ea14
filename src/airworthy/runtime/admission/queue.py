"""The queue of an agent: tasks that have not begun, in lanes by user, rank and feature; does not know whose turn it is.

Rank is the priority turned round, so that the least goes first. A task that had begun before and found no place when
it wanted to go on stands at `RETURNING`, before every new one.
"""

from dataclasses import dataclass
from typing import Final

from airworthy.runtime.admission import bounds
from airworthy.runtime.tasks import TaskRow
from airworthy.store import Tx

RETURNING: Final = -1_000_000
RANK_MAX: Final = 1_000_000
USERS_COUNTED_MAX: Final = 1000
_WAKE: Final = "queue:"


def wake_id(agent: str) -> str:
    """What the engine knows the queue by: it wakes a queue as it wakes a task."""
    return _WAKE + agent


def agent_of(wake: str) -> str | None:
    return wake.removeprefix(_WAKE) if wake.startswith(_WAKE) else None


@dataclass(frozen=True, slots=True)
class Lane:
    """What waits of one user in one feature at one rank, the longest waiting first."""

    agent: str
    user_id: str
    rank: int
    feature: str

    @property
    def key(self) -> tuple[str, str, int, str]:
        return self.agent, self.user_id, self.rank, self.feature

    @property
    def returning(self) -> bool:
        return self.rank == RETURNING


_LANE = "agent = ? AND user_id = ? AND rank = ? AND feature = ?"


def enter(tx: Tx, task: TaskRow) -> bool:
    """True when its lane is new: then, and only then, the queue has to be looked at. Twice is once."""
    lane = Lane(task.agent, task.user_id, RETURNING if task.run else -task.priority, task.feature)
    entered = tx.execute(
        "INSERT INTO waiting (task_id, agent, user_id, rank, feature, since_us) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (task_id) DO NOTHING",
        (task.id, *lane.key, task.created_us),
    )
    if not entered:
        return False
    _known(tx, task.agent)
    if not lane.returning:
        tx.execute("UPDATE queues SET waiting = waiting + 1 WHERE agent = ?", (task.agent,))
    joined = tx.execute(
        "UPDATE lanes SET waiting = waiting + 1, head_us = CASE WHEN head_us < ? THEN head_us ELSE ? END"
        f" WHERE {_LANE}",
        (task.created_us, task.created_us, *lane.key),
    )
    if joined:
        return False
    tx.execute(
        "INSERT INTO lanes (agent, user_id, rank, feature, waiting, turn, head_us, held, ready_us)"
        " VALUES (?, ?, ?, ?, 1, ?, ?, 0, 0)",
        (*lane.key, _turn_of(tx, lane), task.created_us),
    )
    return True


def leave(tx: Tx, task_id: str) -> None:
    """It begins, or is stopped before it could. Nothing happens when it does not wait."""
    row = tx.row("SELECT agent, user_id, rank, feature FROM waiting WHERE task_id = ?", (task_id,))
    if row is None:
        return
    lane = Lane(*row)
    tx.execute("DELETE FROM waiting WHERE task_id = ?", (task_id,))
    head = _head(tx, lane)
    if head is None:
        tx.execute(f"DELETE FROM lanes WHERE {_LANE}", lane.key)
    else:
        tx.execute(f"UPDATE lanes SET waiting = waiting - 1, head_us = ? WHERE {_LANE}", (head[1], *lane.key))
    if not lane.returning:
        tx.execute("UPDATE queues SET waiting = waiting - 1 WHERE agent = ?", (lane.agent,))


def waiting(tx: Tx, agent: str, limit: int) -> list[str]:
    """Tasks of the agent that wait for their turn, in no order."""
    return [row[0] for row in tx.rows("SELECT task_id FROM waiting WHERE agent = ? LIMIT ?", (agent, limit))]


def agent_of_waiting(tx: Tx, task_id: str) -> str | None:
    """Whose queue the task stands in."""
    row = tx.row("SELECT agent FROM waiting WHERE task_id = ?", (task_id,))
    return None if row is None else row[0]


def first(tx: Tx, lane: Lane) -> str:
    head = _head(tx, lane)
    assert head is not None, f"a lane without a task: {lane}"
    return head[0]


def served(tx: Tx, lane: Lane) -> None:
    """The user has had a turn at this rank; everybody else's comes before the next."""
    tx.execute(
        "UPDATE lanes SET turn = ? WHERE agent = ? AND user_id = ? AND rank = ?",
        (_next_turn(tx, lane.agent), lane.agent, lane.user_id, lane.rank),
    )


def hold(tx: Tx, lane: Lane, until_us: int) -> None:
    """Out of the way until then, or (`FOREVER_US`) until a place of its user comes free."""
    tx.execute(f"UPDATE lanes SET held = 1, ready_us = ? WHERE {_LANE}", (until_us, *lane.key))


def release_due(tx: Tx, agent: str, now_us: int) -> None:
    tx.execute(
        "UPDATE lanes SET held = 0, ready_us = 0 WHERE agent = ? AND held = 1 AND ready_us <= ?",
        (agent, now_us),
    )


def release_user(tx: Tx, agent: str, user_id: str) -> None:
    """A place of the user has come free."""
    tx.execute(
        "UPDATE lanes SET held = 0, ready_us = 0 WHERE agent = ? AND user_id = ? AND held = 1 AND ready_us = ?",
        (agent, user_id, bounds.FOREVER_US),
    )


def release_all(tx: Tx, agent: str) -> None:
    """Another rule may hold from now on."""
    tx.execute("UPDATE lanes SET held = 0, ready_us = 0 WHERE agent = ? AND held = 1", (agent,))


def next_held_us(tx: Tx, agent: str) -> int | None:
    """When time alone brings the next held lane back."""
    row = tx.row(
        "SELECT MIN(ready_us) FROM lanes WHERE agent = ? AND held = 1 AND ready_us < ?",
        (agent, bounds.FOREVER_US),
    )
    return None if row is None else row[0]


def empty(tx: Tx, agent: str) -> bool:
    return tx.row("SELECT 1 FROM lanes WHERE agent = ? LIMIT 1", (agent,)) is None


def returns(tx: Tx, agent: str) -> bool:
    """Whether a task waits to go on that only the agent's own places hold up."""
    row = tx.row("SELECT 1 FROM lanes WHERE agent = ? AND held = 0 AND rank = ? LIMIT 1", (agent, RETURNING))
    return row is not None


def priority(tx: Tx, agent: str) -> int:
    """The highest that waits and is not held; among agents the queue counts as that."""
    row = tx.row("SELECT MIN(rank) FROM lanes WHERE agent = ? AND held = 0 AND rank > ?", (agent, RETURNING))
    return 0 if row is None or row[0] is None else -row[0]


def user_waiting(tx: Tx, agent: str, user_id: str) -> int:
    """New tasks of the user; those that come back are not counted."""
    row = tx.row(
        "SELECT SUM(waiting) FROM lanes WHERE agent = ? AND user_id = ? AND rank > ?",
        (agent, user_id, RETURNING),
    )
    return 0 if row is None or row[0] is None else int(row[0])


def users(tx: Tx, agent: str) -> int:
    """How many wait, as far as it matters to somebody who is told when to come back."""
    row = tx.row(
        "SELECT COUNT(*) FROM (SELECT 1 FROM lanes WHERE agent = ? AND held = 0 LIMIT ?) AS few",
        (agent, USERS_COUNTED_MAX),
    )
    return max(1, 0 if row is None else int(row[0]))


def _known(tx: Tx, agent: str) -> None:
    tx.execute(
        "INSERT INTO queues (agent, waiting, turn, begun, spared, minute_us, minute_begun, minute_before, rule)"
        " VALUES (?, 0, 0, 0, ?, 0, 0, 0, '{}') ON CONFLICT (agent) DO NOTHING",
        (agent, RETURNING),
    )


def note_rule(tx: Tx, agent: str, rule: str) -> None:
    """What the workers go by, for those who look; held lanes are looked at anew when it has changed."""
    _known(tx, agent)
    if tx.execute("UPDATE queues SET rule = ? WHERE agent = ? AND rule <> ?", (rule, agent, rule)):
        release_all(tx, agent)


def note_first_rule(tx: Tx, agent: str, rule: str) -> None:
    """The sender's, until a worker has said what it goes by."""
    tx.execute("UPDATE queues SET rule = ? WHERE agent = ? AND rule = '{}'", (rule, agent))


def _turn_of(tx: Tx, lane: Lane) -> int:
    """At the end of the round, unless the user stands in it already."""
    row = tx.row(
        "SELECT turn FROM lanes WHERE agent = ? AND user_id = ? AND rank = ? LIMIT 1",
        (lane.agent, lane.user_id, lane.rank),
    )
    return _next_turn(tx, lane.agent) if row is None else int(row[0])


def _next_turn(tx: Tx, agent: str) -> int:
    tx.execute("UPDATE queues SET turn = turn + 1 WHERE agent = ?", (agent,))
    row = tx.row("SELECT turn FROM queues WHERE agent = ?", (agent,))
    assert row is not None
    return int(row[0])


def _head(tx: Tx, lane: Lane) -> tuple[str, int] | None:
    row = tx.row(
        f"SELECT task_id, since_us FROM waiting WHERE {_LANE} ORDER BY since_us, task_id LIMIT 1", lane.key
    )
    return None if row is None else (row[0], row[1])
