"""Alerts as rows: what needs a person and belongs to no single task. The same key again is counted, not repeated."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from airworthy.core.errors import InputError
from airworthy.store import Tx

Severity = Literal["info", "warning", "critical"]


@dataclass(frozen=True, slots=True)
class Alert:
    """`key` is what makes two alerts one. `text` is plain text for a person; it may have several lines.

    `agent`: "" when it concerns all. `task_id`: the first task that saw it, if one did.
    """

    key: str
    kind: str
    agent: str
    severity: Severity
    title: str
    text: str
    task_id: str = ""


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert as it stands. Acknowledged ones are raised anew when their key comes again after `ended_us`."""

    key: str
    kind: str
    agent: str
    severity: Severity
    title: str
    text: str
    task_id: str
    count: int
    first_us: int
    last_us: int
    ended_us: int | None
    ended_by: str


_COLUMNS = "key, kind, agent, severity, title, text, task_id, count, first_us, last_us, ended_us, ended_by"


def raised(tx: Tx, alert: Alert, now_us: int) -> bool:
    """True when it is new, or had ended and came back; False when it stood already and was counted."""
    known = find(tx, alert.key)
    if known is not None and known.ended_us is None:
        tx.execute("UPDATE alerts SET count = count + 1, last_us = ? WHERE key = ?", (now_us, alert.key))
        return False
    tx.execute("DELETE FROM alerts WHERE key = ?", (alert.key,))
    tx.execute(
        f"INSERT INTO alerts ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, ?, NULL, '')",
        (
            alert.key, alert.kind, alert.agent, alert.severity, alert.title, alert.text, alert.task_id,
            now_us, now_us,
        ),
    )  # fmt: skip
    return True


def restated(tx: Tx, alert: Alert, now_us: int) -> None:
    """The standing alert of this key in other words: counted, and nobody is told anew."""
    tx.execute(
        "UPDATE alerts SET severity = ?, title = ?, text = ?, count = count + 1, last_us = ? "
        "WHERE key = ? AND ended_us IS NULL",
        (alert.severity, alert.title, alert.text, now_us, alert.key),
    )


def ended(tx: Tx, key: str, by: str, now_us: int) -> bool:
    """By a person who has seen to it, or by what found that it is over. False when it did not stand."""
    changed = tx.execute(
        "UPDATE alerts SET ended_us = ?, ended_by = ? WHERE key = ? AND ended_us IS NULL", (now_us, by, key)
    )
    return changed == 1


def find(tx: Tx, key: str) -> AlertRow | None:
    row = tx.row(f"SELECT {_COLUMNS} FROM alerts WHERE key = ?", (key,))
    return None if row is None else AlertRow(*row)


def get(tx: Tx, key: str) -> AlertRow:
    """Raises: InputError."""
    row = find(tx, key)
    if row is None:
        raise unknown(key)
    return row


def unknown(key: str) -> InputError:
    return InputError(f"There is no alert {key!r}.", mend="List them with `airworthy alert list`.")


def alike(tx: Tx, part: str, limit: int = 6) -> list[AlertRow]:
    """The one with this key, or else those whose key holds the part; standing ones before those that ended."""
    row = find(tx, part)
    if row is not None:
        return [row]
    if not part:
        return []
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM alerts WHERE replace(key, ?, '') <> key "
        "ORDER BY CASE WHEN ended_us IS NULL THEN 0 ELSE 1 END, last_us DESC, key LIMIT ?",
        (part, limit),
    )
    found = [AlertRow(*row) for row in rows]
    return [row for row in found if row.ended_us is None] or found


def listing(tx: Tx, *, over: bool = False, agents: Sequence[str] = (), limit: int = 100) -> list[AlertRow]:
    """The newest first. `over`: those that ended too. `agents`: only theirs; empty: all."""
    clauses, params = ["1 = 1"], list[str]()
    if not over:
        clauses.append("ended_us IS NULL")
    if agents:
        clauses.append(f"agent IN ({', '.join('?' for _ in agents)})")
        params += agents
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM alerts WHERE {' AND '.join(clauses)} ORDER BY last_us DESC, key LIMIT ?",
        (*params, limit),
    )
    return [AlertRow(*row) for row in rows]
