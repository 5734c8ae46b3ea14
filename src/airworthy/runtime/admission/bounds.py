"""Places and rates as stored facts: who is under way, what began of late, and when the next may begin."""

from typing import Final

from airworthy.core.clock import US_PER_S
from airworthy.policy import AdmissionRule, Rate
from airworthy.store import Fence, Tx

FOREVER_US: Final = 2**62  # No time brings it; a place that comes free does.
PERIOD_S_MAX: Final = 86_400  # The longest period a rate may name: older starts count nowhere.
PRUNED_MAX: Final = 10_000


def begin(tx: Tx, agent: str, user_id: str, feature: str, fence: Fence) -> None:
    """A place is taken. It is held by the claim: whatever ends the claim frees it."""
    tx.execute(
        "INSERT INTO under_way (task_id, agent, user_id, feature, epoch) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (task_id) DO UPDATE SET epoch = excluded.epoch",
        (fence.name, agent, user_id, feature, fence.epoch),
    )


def end(tx: Tx, task_id: str) -> tuple[str, str] | None:
    """The place is free. The agent and the user it belonged to, or None when there was none."""
    row = tx.row("SELECT agent, user_id FROM under_way WHERE task_id = ?", (task_id,))
    if row is None:
        return None
    tx.execute("DELETE FROM under_way WHERE task_id = ?", (task_id,))
    return row[0], row[1]


def abandoned(tx: Tx) -> list[str]:
    """Tasks whose place is held by no claim any more: their workers died, or let go of them."""
    rows = tx.rows(
        "SELECT u.task_id FROM under_way u LEFT JOIN claims c ON c.name = u.task_id AND c.epoch = u.epoch"
        " WHERE c.owner IS NULL"
    )
    return [row[0] for row in rows]


def full(tx: Tx, rule: AdmissionRule, agent: str) -> bool:
    """Whether the agent has no place left."""
    return rule.concurrency is not None and _count(tx, "agent = ?", (agent,)) >= rule.concurrency


def user_full(tx: Tx, rule: AdmissionRule, agent: str, user_id: str) -> bool:
    if rule.user_concurrency is None:
        return False
    return _count(tx, "agent = ? AND user_id = ?", (agent, user_id)) >= rule.user_concurrency


def feature_full(tx: Tx, rule: AdmissionRule, agent: str, feature: str) -> bool:
    if rule.feature_concurrency is None:
        return False
    return _count(tx, "agent = ? AND feature = ?", (agent, feature)) >= rule.feature_concurrency


def count_start(tx: Tx, rule: AdmissionRule, agent: str, user_id: str, feature: str, now_us: int) -> None:
    """A start that is counted stays counted, whatever becomes of its worker."""
    for rate, scope in (
        (rule.rate, of_agent(agent)),
        (rule.user_rate, of_user(agent, user_id)),
        (rule.feature_rate, of_feature(agent, feature)),
    ):
        if rate is not None:
            number = _newest(tx, scope) + 1
            tx.execute("INSERT INTO starts (scope, number, at_us) VALUES (?, ?, ?)", (scope, number, now_us))
            tx.execute("DELETE FROM starts WHERE scope = ? AND number <= ?", (scope, number - rate.calls))


def next_start_us(tx: Tx, rate: Rate | None, scope: str, now_us: int) -> int:
    """When the next may begin; `now_us` if at once. Any [t, t + period) then holds at most the rate's starts."""
    if rate is None:
        return now_us
    row = tx.row(
        "SELECT at_us FROM starts WHERE scope = ? AND number = ?",
        (scope, _newest(tx, scope) - rate.calls + 1),
    )
    return now_us if row is None else after_start(row[0], rate, now_us)


def after_start(at_us: int, rate: Rate, now_us: int) -> int:
    """When a start at `at_us` leaves the window."""
    period_us = round(rate.per_s * US_PER_S)
    if at_us > now_us + period_us:
        return now_us  # From a clock that has been set back since; it must not stop the queue for as long.
    return max(now_us, at_us + period_us)


def prune(tx: Tx, now_us: int) -> None:
    """Forgets starts of those who do not come any more."""
    before_us = now_us - PERIOD_S_MAX * US_PER_S
    if tx.row("SELECT 1 FROM starts WHERE at_us < ? LIMIT 1", (before_us,)):
        rows = tx.rows("SELECT scope, number FROM starts WHERE at_us < ? LIMIT ?", (before_us, PRUNED_MAX))
        for row in rows:
            tx.execute("DELETE FROM starts WHERE scope = ? AND number = ?", row)


def of_agent(agent: str) -> str:
    return agent


def of_user(agent: str, user_id: str) -> str:
    return f"{agent}/user/{user_id}"


def of_feature(agent: str, feature: str) -> str:
    return f"{agent}/feature/{feature}"


def _newest(tx: Tx, scope: str) -> int:
    row = tx.row("SELECT MAX(number) FROM starts WHERE scope = ?", (scope,))
    return 0 if row is None or row[0] is None else int(row[0])


def _count(tx: Tx, where: str, params: tuple[str, ...]) -> int:
    row = tx.row(f"SELECT COUNT(*) FROM under_way WHERE {where}", params)
    return 0 if row is None else int(row[0])
