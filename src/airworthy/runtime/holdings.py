"""What the runtime's tables hold of people, and what becomes of it."""

from typing import Final

from airworthy.recorder.holdings import DELETE, Holding, Kept, TaskRows
from airworthy.runtime.machine import OPEN

_OPEN = ", ".join(f"'{state.value}'" for state in sorted(OPEN))
# A task that may go on compares versions: what it read must not begin to count anew.
_MAY_GO_ON = ", ".join(f"'{state}'" for state in (*sorted(OPEN), "escalated", "dead_lettered"))
_REASON = (
    'CASE WHEN reason IS NULL THEN NULL ELSE \'{"code":"\' || reason_code ||'
    ' \'","text":"What was said of it is no longer kept."}\' END'
)

RUNTIME: Final = (
    Holding(
        "resources",
        Kept.STATE,
        "Who holds which thing now, and how often it was changed; the thing's name may hold an argument.",
        of_task="holder IS NULL AND name IN (SELECT resource FROM steps WHERE task_id = ?task) AND NOT EXISTS"
        f" (SELECT 1 FROM tasks t JOIN steps s ON s.task_id = t.id WHERE t.state IN ({_MAY_GO_ON})"
        " AND s.resource = resources.name AND t.id <> ?task)",
        of_user="holder IS NULL AND (name = ?user OR name LIKE '%:' || ?like ESCAPE '!')",
        names=DELETE,
    ),
    Holding(
        "tasks",
        Kept.TRACES,
        "Each task: whose, which agent's, its state, its outcome and the reason, its counts.",
        of_task="id = ?task",
        words={"waiting_for": "''", "reason": _REASON},
        names={"user_id": "''", "session": "''", "source": "''", "idempotency_key": "NULL", "input_digest": "{empty}"},
        waits=f"id = ?task AND (state IN ({_OPEN}) OR (state = 'dead_lettered' AND discarded_us IS NULL))",
        told=("id", "agent", "session", "user_id", "feature", "source", "idempotency_key", "state", "created_us",
              "closed_us", "reason", "steps", "tokens", "cost_nano"),
    ),
    Holding(
        "lanes",
        Kept.STATE,
        "How much of whom waits for an agent.",
        of_user="user_id = ?user AND waiting = 0",
        names=DELETE,
    ),
    Holding(
        "starts",
        Kept.STATE,
        "What began of late, for rates; a day's worth.",
        of_user="scope LIKE '%/user/' || ?like ESCAPE '!'",
        names=DELETE,
    ),
    Holding("waiting", Kept.STATE, "Tasks that wait for a beginning.", of_task="task_id = ?task"),
    Holding("under_way", Kept.STATE, "Tasks under way.", of_task="task_id = ?task"),
    Holding("wakes", Kept.STATE, "When tasks go on.", of_task="task_id = ?task"),
    Holding("sweeps", Kept.STATE, "How far the search for tasks that nobody wakes is."),
    Holding("queues", Kept.STATE, "How much waits for each agent."),
    Holding("switches", Kept.STATE, "What is paused, and by whom."),
    Holding("approvals", Kept.STATE, "Who approved which policy."),
    Holding("releases", Kept.STATE, "Which versions of agents there were: hashes of code, keys of policies."),
)  # fmt: skip

_FACTS = "trace_id, state, agent, closed_us"
TASK_ROWS: Final = TaskRows(
    of_user="SELECT id FROM tasks WHERE user_id = ? AND id > ? ORDER BY id LIMIT ?",
    one=f"SELECT {_FACTS} FROM tasks WHERE id = ?",
    by_age=f"SELECT id, created_us, {_FACTS} FROM tasks WHERE (created_us > ? OR (created_us = ? AND id > ?))"
    " AND created_us < ? ORDER BY created_us, id LIMIT ?",
    settled="SELECT id, changed_us FROM tasks WHERE state = ? AND (changed_us > ? OR (changed_us = ? AND id > ?))"
    " AND changed_us < ? ORDER BY changed_us, id LIMIT ?",
    sealed="SELECT id, 'task', trace_id, agent, substr(replace(policy_hash, 'sha256:', ''), 1, 12), session,"
    " user_id, feature, agent, created_us, closed_us, state, reason_code, steps, tokens, cost_nano"
    " FROM tasks WHERE id = ?",
)
