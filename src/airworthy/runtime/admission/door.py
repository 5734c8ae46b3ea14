"""The door of a queue: what a sender is told before anything is stored."""

import math

from airworthy.core.clock import US_PER_S
from airworthy.policy import AdmissionRule
from airworthy.runtime.admission import bounds, queue
from airworthy.runtime.admission.drain import Drain, QueueFull, retry_after_s
from airworthy.runtime.tasks import TaskRow
from airworthy.store import Tx


def priority_of(rule: AdmissionRule | None, said: int | None, feature: str) -> int:
    """The sender's word, else the policy's for the feature."""
    if said is not None:
        return said
    return 0 if rule is None else rule.priorities.get(feature, 0)


def full(tx: Tx, rule: AdmissionRule, task: TaskRow) -> QueueFull | None:
    """None: there is room."""
    row = tx.row(
        "SELECT waiting, minute_us, minute_begun, minute_before FROM queues WHERE agent = ?", (task.agent,)
    )
    if row is None:
        return None
    waiting, drain = row[0], Drain(*row[1:])
    if waiting >= rule.queue_max:
        says = f"The queue of {task.agent} is full: {waiting} tasks wait, and at most {rule.queue_max} may."
        return _told(tx, rule, task, drain, says, waiting - rule.queue_max + 1)
    if rule.user_queue_max is None:
        return None
    own = queue.user_waiting(tx, task.agent, task.user_id)
    if own < rule.user_queue_max:
        return None
    whose = f"User {task.user_id}" if task.user_id else "Tasks without a user: the queue"
    says = f"{whose} has {own} tasks waiting for {task.agent}, and at most {rule.user_queue_max} may."
    # Users take turns, so one of the user's own begins after one of each other's.
    users = queue.users(tx, task.agent)
    return _told(tx, rule, task, drain, says, (own - rule.user_queue_max + 1) * users)


def _told(tx: Tx, rule: AdmissionRule, task: TaskRow, drain: Drain, says: str, ahead: int) -> QueueFull:
    now_us = task.created_us
    per_s = drain.per_s(now_us)
    begins_us = max(
        bounds.next_start_us(tx, rule.rate, bounds.of_agent(task.agent), now_us),
        bounds.next_start_us(tx, rule.user_rate, bounds.of_user(task.agent, task.user_id), now_us),
    )
    after_s = retry_after_s(ahead, per_s, (begins_us - now_us) / US_PER_S)
    pace = f"{per_s * 60:.2g} a minute begin now" if per_s > 0 else "none has begun of late"
    return QueueFull(
        f"{says} Nothing was stored; {pace}.",
        retry_after_s=after_s,
        mend=f"Send it again in {math.ceil(after_s)} s, or see `airworthy status`.",
    )
