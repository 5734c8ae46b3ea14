"""What the gateway's tables hold of people, and what becomes of it."""

from collections import Counter
from typing import Final

from airworthy.recorder.holdings import DELETE, Holding, Kept
from airworthy.store import Tx

_SUMS = ("calls", "tokens_in", "tokens_out", "cached", "reserved_nano", "settled_nano", "unpriced_calls")


def nameless(tx: Tx, *, user: str, now_us: int) -> Counter[str]:
    """What a user spent is added to what nobody in particular spent, so that sums stay true; their keys are revoked."""
    sums = ", ".join(_SUMS)
    added = ", ".join(f"{name} = spend_rollup.{name} + excluded.{name}" for name in _SUMS)
    tx.execute(
        f"INSERT INTO spend_rollup (day, agent, key_id, user_id, feature, model, {sums})"
        f" SELECT day, agent, key_id, '', feature, model, {sums} FROM spend_rollup WHERE user_id = ?"
        f" ON CONFLICT (day, agent, key_id, user_id, feature, model) DO UPDATE SET {added}",
        (user,),
    )
    counts = Counter(spend_rollup=tx.execute("DELETE FROM spend_rollup WHERE user_id = ?", (user,)))
    for (id_,) in tx.rows("SELECT id FROM gateway_keys WHERE user_id = ?", (user,)):
        # Each change of a key has a version of its own, by which gateways notice it.
        counts["gateway_keys"] += tx.execute(
            "UPDATE gateway_keys SET user_id = '', label = '', revoked_us = COALESCE(revoked_us, ?),"
            " version = (SELECT MAX(version) + 1 FROM gateway_keys) WHERE id = ?",
            (now_us, id_),
        )
    return +counts


GATEWAY: Final = (
    Holding(
        "call_bodies",
        Kept.PAYLOADS,
        "Requests and replies of calls over HTTP.",
        of_task="call_id IN (SELECT id FROM calls WHERE task_id = ?task)",
        of_user='call_id IN (SELECT id FROM calls WHERE "user" = ?user)',
        words=DELETE,
        ages="call_id IN (SELECT id FROM calls WHERE task_id = id AND started_us < ?before)",
        key="call_id",
        packed=("request", "reply"),
        told=("call_id", "request", "reply"),
    ),
    Holding(
        "calls",
        Kept.TRACES,
        "Calls over HTTP: who, which model, how long, what it cost.",
        of_task="task_id = ?task",
        of_user='"user" = ?user',
        words={"notes": "NULL"},
        names={"session": "''", '"user"': "''"},
        ages="task_id = id AND started_us < ?before",  # the others go with their task
        told=("id", "task_id", "agent", "session", '"user"', "operation", "model", "started_us"),
    ),
    Holding(
        "kept_answers",
        Kept.STATE,
        "Answers used again; they go by the policy's own age.",
        of_user="owner = ?user",
        words=DELETE,
        told=("agent", "model", "at_us", "body"),
    ),
    Holding(
        "withheld",
        Kept.STATE,
        "Calls of tools that were held back, so that histories can be told whole; an hour's worth.",
        of_task="scope = ?task",
        of_user="scope LIKE 'key/%/' || ?like || '/%' ESCAPE '!'",
        words=DELETE,
        told=("call", "reason", "at_us"),
    ),
    Holding(
        "spend",
        Kept.STATE,
        "What each budget has used.",
        of_user="scope LIKE '%:user:' || ?like || ':%' ESCAPE '!'"
        " AND NOT EXISTS (SELECT 1 FROM slices s WHERE s.scope = spend.scope)",
        names=DELETE,
    ),
    Holding("slices", Kept.STATE, "What living processes have leased of budgets."),
    Holding("ledgers", Kept.STATE, "Processes that have leased of budgets."),
    Holding(
        "spend_rollup",
        Kept.COUNTS,
        "What was spent by day, user and feature; erased, a user's part is nobody's.",
        of_user="user_id = ?user",
        told=("day", "agent", "feature", "model", "calls", "settled_nano"),
    ),
    Holding(
        "gateway_keys",
        Kept.STATE,
        "Keys to the gateway, as digests. Those of an erased user are revoked and lose their name.",
        told=("id", "agent", "label", "created_us"),
        of_user="user_id = ?user",
    ),
    Holding("sightings", Kept.COUNTS, "Which models answered under which name."),
    Holding("probes", Kept.STATE, "What models answered to questions of ours."),
    Holding("breakers", Kept.STATE, "Which breaker is open."),
    Holding("paces", Kept.STATE, "How many calls of a rate were lent lately."),
    Holding("pace_holds", Kept.STATE, "Which provider asked everybody to wait, and until when."),
)
