"""What the review room's tables hold of people, and what becomes of it. Who decided stays: that is the record's use."""

from typing import Final

from airworthy.recorder.holdings import Holding, Kept

_ITEMS = "SELECT id FROM review_items WHERE task_id = ?task"

REVIEW: Final = (
    Holding(
        "review_records",
        Kept.TRACES,
        "Who did what with an item of the review queue.",
        of_task=f"item_id IN ({_ITEMS})",
        words={"note": "''", "detail": "'null'"},
        key="item_id, number",
        told=("item_id", "number", "at_us", "act", "note"),
    ),
    Holding(
        "review_items",
        Kept.TRACES,
        "What waited for a person, and what was decided.",
        of_task="task_id = ?task",
        words={"note": "''"},
        waits="task_id = ?task AND status = 'open'",
        told=("id", "kind", "status", "created_us", "decision", "note"),
    ),
    Holding(
        "questions",
        Kept.TRACES,
        "What agents asked people, and the answers.",
        of_task="task_id = ?task",
        words={"text": "''", "choices": "'[]'", "schema": "NULL", "fallback": "NULL", "answer": "NULL", "note": "''",
               "problem": "''"},
        told=("id", "text", "choices", "answer", "answered_us", "note"),
    ),
    Holding(
        "feedback",
        Kept.SCORES,
        "What users said of tasks. Erased, the thumb stays and counts.",
        of_task="task_id = ?task",
        of_user="by_whom = ?user",
        words={"correction": "''", "text": "''"},
        names={"by_whom": "''"},
        ages="at_us < ?before",
        told=("id", "at_us", "thumb", "correction", "text", "by_whom"),
    ),
    Holding(
        "results",
        Kept.SCORES,
        "What came of tasks later, as numbers.",
        of_task="task_id = ?task",
        of_user="by_whom = ?user",
        names={"by_whom": "''"},
        ages="at_us < ?before",
        key="task_id, name",
        told=("name", "value", "at_us", "by_whom"),
    ),
    Holding(
        "notice_messages",
        Kept.NOTICES,
        "What was sent. It names tasks and items, and quotes nothing of what users say.",
        ages="state IN ('sent', 'failed') AND created_us < ?before",
    ),
    Holding(
        "notice_deliveries",
        Kept.NOTICES,
        "Which notice goes to whom on which channel.",
        ages="at_us < ?before AND (state = 'moot' OR (state = 'formed' AND NOT EXISTS"
        " (SELECT 1 FROM notice_messages m WHERE m.id = notice_deliveries.message_id)))",
        key="notice_key, channel, recipient",
    ),
    Holding(
        "notices",
        Kept.NOTICES,
        "What people were told of.",
        of_task=f"about IN ({_ITEMS})",
        names={"text": "''"},
        ages="routed_us < ?before AND NOT EXISTS (SELECT 1 FROM notice_deliveries d WHERE d.notice_key = notices.key)",
        key="key",
        goes=False,
        told=("key", "title", "text", "at_us"),
    ),
    Holding("notice_alerts", Kept.STATE, "Which alerts were told."),
    Holding("link_secret", Kept.STATE, "The secret behind links for feedback."),
)  # fmt: skip
