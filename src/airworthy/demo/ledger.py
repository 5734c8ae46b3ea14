"""What the shop was asked to do and what it did, so that a stranger can count duplicates; judges no agent.

An arrival is one POST that reached the shop. An effect is a thing done: a refund made, a mail sent. A key is
the sender's idempotency key; a ticket names the letter on whose behalf the sender acts, taken on trust.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

from airworthy.core import canonical

End: TypeAlias = Literal["arrived", "carried_out", "replayed", "conflict", "refused", "fault"]

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS arrivals (
    seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT, ticket TEXT, content BLOB NOT NULL,
    ended TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS effects (
    seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT, ticket TEXT, content BLOB NOT NULL,
    answer BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS effects_by_key ON effects (key);
CREATE TABLE IF NOT EXISTS faults (
    seq INTEGER PRIMARY KEY, subject TEXT NOT NULL, attempt INTEGER NOT NULL, fault TEXT NOT NULL
) STRICT;
"""


class Post(NamedTuple):
    """A request to act; `content` is a digest of what is asked, equal for equal requests."""

    kind: str
    key: str | None
    ticket: str | None
    content: bytes


class Effect(NamedTuple):
    post: Post
    answer: bytes


@dataclass(frozen=True)
class Ledger:
    arrivals: int
    effects: int
    refunds: int
    mails: int
    distinct_keys: int
    duplicates: int
    """Effects that an earlier effect had already brought about: same key, or same ticket and same content."""
    same_content: int
    """Effects equal to an earlier one in content alone: two equal letters, or a duplicate without a trace."""
    keyless: int
    tickets_mailed_twice: int
    keys_retried: int
    """Keys that arrived more than once: the occasions on which a duplicate could have happened."""
    replays: int
    conflicts: int
    faults: Mapping[str, int]


def create(connection: sqlite3.Connection) -> None:
    """Adds the tables if they are missing, so that a service can be started again over the same file."""
    connection.executescript(SCHEMA)


def content_of(kind: str, body: object) -> bytes:
    return canonical.digest(kind.encode(), canonical.encode(body))


def arrive(connection: sqlite3.Connection, post: Post) -> int:
    """Committed before anything is decided, so that an arrival is counted even if the shop dies over it."""
    cursor = connection.execute(
        "INSERT INTO arrivals (kind, key, ticket, content, ended) VALUES (?, ?, ?, ?, 'arrived')", post
    )
    return int(cursor.lastrowid or 0)


def end(connection: sqlite3.Connection, arrival: int, how: End) -> None:
    connection.execute("UPDATE arrivals SET ended = ? WHERE seq = ?", (how, arrival))


def effect_of(connection: sqlite3.Connection, key: str) -> Effect | None:
    """The first effect under this key."""
    row = connection.execute(
        "SELECT kind, key, ticket, content, answer FROM effects WHERE key = ? ORDER BY seq LIMIT 1", (key,)
    ).fetchone()
    return Effect(Post(row[0], row[1], row[2], row[3]), row[4]) if row else None


def carried_out(connection: sqlite3.Connection, effect: Effect) -> None:
    """To be called in the transaction that brings the effect about."""
    connection.execute(
        "INSERT INTO effects (kind, key, ticket, content, answer) VALUES (?, ?, ?, ?, ?)",
        (*effect.post, effect.answer),
    )


def fault_met(connection: sqlite3.Connection, subject: str, attempt: int, fault: str) -> None:
    connection.execute(
        "INSERT INTO faults (subject, attempt, fault) VALUES (?, ?, ?)", (subject, attempt, fault)
    )


def mails_by_ticket(connection: sqlite3.Connection) -> dict[str, int]:
    """How many mails went out for each ticket; a ticket without a mail is not listed."""
    rows = connection.execute(
        "SELECT ticket, count(*) FROM effects WHERE kind = 'mail' AND ticket IS NOT NULL GROUP BY ticket"
    )
    return dict(rows.fetchall())


def keys_carried_out(connection: sqlite3.Connection) -> list[str]:
    """The key of every effect, as often as there are effects under it; an effect without a key has none to list."""
    rows = connection.execute("SELECT key FROM effects WHERE key IS NOT NULL ORDER BY seq")
    return [row[0] for row in rows.fetchall()]


def mail_texts_by_ticket(connection: sqlite3.Connection) -> dict[str, list[str]]:
    """Recipient, subject and body of every mail that went out, by the ticket it went out for."""
    found: dict[str, list[str]] = {}
    for ticket, text in connection.execute(
        "SELECT ticket, recipient || char(10) || subject || char(10) || body FROM effects JOIN mail"
        " ON mail.id = json_extract(CAST(answer AS TEXT), '$.mail_id')"
        " WHERE kind = 'mail' AND ticket IS NOT NULL ORDER BY seq"
    ):
        found.setdefault(ticket, []).append(text)
    return found


def arrivals_of(connection: sqlite3.Connection, key: str) -> list[End]:
    """How each arrival of one key ended, in order."""
    rows = connection.execute("SELECT ended FROM arrivals WHERE key = ? ORDER BY seq", (key,))
    return [row[0] for row in rows.fetchall()]


def verify(connection: sqlite3.Connection) -> Ledger:
    """Counts from the rows alone; asks nobody who may have an interest in the answer."""

    def count(sql: str) -> int:
        return int(connection.execute(f"SELECT count(*) FROM {sql}").fetchone()[0])

    earlier = "SELECT 1 FROM effects f WHERE f.seq < e.seq AND f.kind = e.kind"
    duplicate = f"EXISTS ({earlier} AND (f.key = e.key OR (f.ticket = e.ticket AND f.content = e.content)))"
    return Ledger(
        arrivals=count("arrivals"),
        effects=count("effects"),
        refunds=count("effects WHERE kind = 'refund'"),
        mails=count("effects WHERE kind = 'mail'"),
        distinct_keys=count("(SELECT DISTINCT key FROM effects WHERE key IS NOT NULL)"),
        duplicates=count(f"effects e WHERE {duplicate}"),
        same_content=count(
            f"effects e WHERE NOT {duplicate} AND EXISTS ({earlier} AND f.content = e.content)"
        ),
        keyless=count("effects WHERE key IS NULL"),
        tickets_mailed_twice=sum(1 for mails in mails_by_ticket(connection).values() if mails > 1),
        keys_retried=count(
            "(SELECT key FROM arrivals WHERE key IS NOT NULL GROUP BY key HAVING count(*) > 1)"
        ),
        replays=count("arrivals WHERE ended = 'replayed'"),
        conflicts=count("arrivals WHERE ended = 'conflict'"),
        faults=dict(connection.execute("SELECT fault, count(*) FROM faults GROUP BY fault").fetchall()),
    )
