"""What people are to be told, as rows: written with the fact that causes it, sent later by whoever can."""

from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from airworthy.recorder.alerts import Severity
from airworthy.store import Tx

NoticeKind = Literal["review", "reminder", "overdue", "alert"]

TEAMS_MAX: Final = 100  # told of one thing
COLUMNS: Final = "key, kind, agent, to_team, title, text, link, at_us, about, severity, over"


@dataclass(frozen=True, slots=True)
class Notice:
    """`key` is what makes two notices one: enqueued again, it is nothing new. `to`: a team of people.toml.

    `title` is one line and `text` a few, both plain text that may quote the outside. `link`: a command or an address,
    of our own making. `about`: the thing itself, shared by all notices of it; left out, the key. `over`: nobody need
    do anything about that thing any more; only who can take a message back is told (PagerDuty, webhooks).
    """

    key: str
    kind: NoticeKind
    agent: str
    to: str
    title: str
    text: str
    link: str
    at_us: int
    about: str = ""
    severity: Severity = "warning"
    over: bool = False


def enqueue(tx: Tx, notice: Notice) -> bool:
    """False when it was enqueued before. Costs one row; never waits for anybody."""
    changed = tx.execute(
        f"INSERT INTO notices ({COLUMNS}, lanes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)"
        " ON CONFLICT (key) DO NOTHING",
        (
            notice.key, notice.kind, notice.agent, notice.to, notice.title, notice.text, notice.link,
            notice.at_us, notice.about or notice.key, notice.severity, int(notice.over),
        ),
    )  # fmt: skip
    return changed == 1


def over(tx: Tx, about: str, now_us: int) -> int:
    """Tells every team that was told of a thing that it needs nobody any more; how many notices that made."""
    rows = tx.rows(
        f"SELECT {COLUMNS} FROM notices n WHERE about = ? AND over = 0 AND NOT EXISTS (SELECT 1 FROM notices later"
        " WHERE later.about = n.about AND later.to_team = n.to_team AND later.over = 0"
        " AND (later.at_us > n.at_us OR (later.at_us = n.at_us AND later.key > n.key))) LIMIT ?",
        (about, TEAMS_MAX),
    )
    made = 0
    for last in map(of_row, rows):
        made += enqueue(
            tx,
            replace(
                last, key=f"{last.key}:over", text="Nobody need look at it any more.", at_us=now_us, over=True
            ),
        )
    return made


def of_row(row: tuple[object, ...]) -> Notice:
    """From a row of `COLUMNS`."""
    fields: list[Any] = [*row]  # the columns are the fields, in their order
    fields[-1] = bool(fields[-1])
    return Notice(*fields)
