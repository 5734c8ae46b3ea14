"""The last good result of each read, kept for when its dependency is down; bounded for each tool.

Whatever holds a secret is not kept: with the secret taken out it would be another value. The table's only file.
"""

from dataclasses import dataclass

from airworthy.recorder import Payloads
from airworthy.store import Tx

ROWS_MAX = 2_000  # For one tool of one agent; the oldest go first.
BYTES_MAX = 256 * 1024


@dataclass(frozen=True, slots=True)
class Place:
    """Whose result of which call. `arguments` is the digest of their canonical form; `whom`: for whom it was read."""

    agent: str
    tool: str
    whom: str
    arguments: bytes


@dataclass(frozen=True, slots=True)
class LastGood:
    result: bytes
    at_us: int


def keep(tx: Tx, place: Place, packed: bytes, now_us: int) -> None:
    """`packed`: as `Payloads.pack` made it."""
    key = (place.agent, place.tool, place.whom, place.arguments)
    updated = tx.execute(
        "UPDATE last_good SET body = ?, at_us = ? WHERE agent = ? AND tool = ? AND whom = ? AND arguments = ?",
        (packed, now_us, *key),
    )
    if updated:
        return
    tx.execute(
        "INSERT INTO last_good (agent, tool, whom, arguments, body, at_us) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (agent, tool, whom, arguments) DO UPDATE SET body = excluded.body, at_us = excluded.at_us",
        (*key, packed, now_us),
    )
    beyond = tx.row(
        "SELECT at_us FROM last_good WHERE agent = ? AND tool = ? ORDER BY at_us DESC LIMIT 1 OFFSET ?",
        (place.agent, place.tool, ROWS_MAX),
    )
    if beyond is not None:
        tx.execute(
            "DELETE FROM last_good WHERE agent = ? AND tool = ? AND at_us <= ?",
            (place.agent, place.tool, beyond[0]),
        )


def find(tx: Tx, place: Place, since_us: int) -> LastGood | None:
    """None when there is none, or it is older than `since_us`."""
    row = tx.row(
        "SELECT body, at_us FROM last_good WHERE agent = ? AND tool = ? AND whom = ? AND arguments = ?"
        " AND at_us >= ?",
        (place.agent, place.tool, place.whom, place.arguments, since_us),
    )
    return None if row is None else LastGood(Payloads.unpack(row[0]), row[1])
