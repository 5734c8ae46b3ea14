"""What people are to be told, as rows: written with the fact that causes it, sent later by whoever can."""

from dataclasses import dataclass
from typing import Literal

from airworthy.store import Tx

NoticeKind = Literal["review", "reminder", "overdue", "alert"]


@dataclass(frozen=True, slots=True)
class Notice:
    """`key` is what makes two notices one: enqueued again, it is nothing new. `to`: a team of people.toml.

    `title` is one line and `text` a few, both plain text that may quote the outside. `link`: a command or an address.
    """

    key: str
    kind: NoticeKind
    agent: str
    to: str
    title: str
    text: str
    link: str
    at_us: int


def enqueue(tx: Tx, notice: Notice) -> bool:
    """False when it was enqueued before. Costs one row; never waits for anybody."""
    changed = tx.execute(
        "INSERT INTO notices (key, kind, agent, to_team, title, text, link, at_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (key) DO NOTHING",
        (
            notice.key, notice.kind, notice.agent, notice.to, notice.title, notice.text, notice.link,
            notice.at_us,
        ),
    )  # fmt: skip
    return changed == 1
