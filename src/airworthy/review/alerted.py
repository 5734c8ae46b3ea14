"""Alerts as notices: each that stands is told once to its teams, and its end to who can take a message back."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from airworthy.recorder import alerts
from airworthy.recorder.alerts import AlertRow
from airworthy.review.notices import Notice, enqueue
from airworthy.store import Tx

ALERTS_MAX: Final = 500  # in one transaction
TeamsOf = Callable[[str], Sequence[str]]  # agent, "" for what concerns no single one -> teams

# The same key that comes again after its end is another alert: its `first_us` differs.
_NEW: Final = (
    "SELECT a.key FROM alerts a LEFT JOIN notice_alerts t ON t.alert_key = a.key AND t.first_us = a.first_us"
    " WHERE a.ended_us IS NULL AND t.alert_key IS NULL ORDER BY a.first_us, a.key LIMIT ?"
)
_ENDED: Final = (
    "SELECT a.key FROM alerts a JOIN notice_alerts t ON t.alert_key = a.key AND t.first_us = a.first_us"
    " WHERE a.ended_us IS NOT NULL AND t.over = 0 ORDER BY a.ended_us, a.key LIMIT ?"
)


def any_to_tell(tx: Tx) -> bool:
    return any(tx.row(query, (1,)) is not None for query in (_NEW, _ENDED))


def tell(tx: Tx, teams_of: TeamsOf, now_us: int) -> int:
    """How many notices were made of alerts that are new, or have ended since."""
    told = 0
    for query, over in ((_NEW, False), (_ENDED, True)):
        for (key,) in tx.rows(query, (ALERTS_MAX,)):
            alert = alerts.get(tx, key)
            for team in teams_of(alert.agent):
                told += enqueue(tx, _notice(alert, team, now_us, over=over))
            tx.execute(
                "INSERT INTO notice_alerts (alert_key, first_us, over) VALUES (?, ?, ?)"
                " ON CONFLICT (alert_key) DO UPDATE SET first_us = excluded.first_us, over = excluded.over",
                (key, alert.first_us, int(over)),
            )
    return told


def _notice(alert: AlertRow, team: str, now_us: int, *, over: bool) -> Notice:
    key, about = f"alert:{alert.key}:{alert.first_us}:{team}", f"alert:{alert.key}"
    link = f"airworthy alert show {shlex.quote(alert.key)}"
    text = f"{alert.text}\nFirst seen in task {alert.task_id}." if alert.task_id else alert.text
    told = Notice(
        key, "alert", alert.agent, team, alert.title, text, link, alert.first_us, about, alert.severity
    )
    if not over:
        return told
    return replace(told, key=f"{key}:over", text=f"Ended by {alert.ended_by}.", at_us=now_us, over=True)
