"""Messages as rows: what is due on a channel, what became of each attempt, what people see of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from airworthy.core.clock import US_PER_S
from airworthy.core.errors import InputError
from airworthy.recorder.alerts import Alert, ended, raised
from airworthy.resilience import Retry
from airworthy.review.couriers import Later, Refused, Result, Sent
from airworthy.review.message import Content, Message, clock_text
from airworthy.review.routing import failed_key, failing_key
from airworthy.store import Tx, ids_alike

State = Literal["pending", "sent", "failed"]
STATES: Final[tuple[State, ...]] = ("pending", "sent", "failed")
# How often it is tried is bounded by the channel's `give_up_s`.
BACKOFF: Final = Retry(attempts=1, wait_s=5.0, wait_s_max=900.0)
TELL_FROM: Final = 3  # The attempt from which on a channel's failures are an alert.
KEPT_S: Final = 30 * 86_400.0  # How long what was sent is still listed.
PRUNED_MAX: Final = 500  # rows in one transaction
LANES_MAX: Final = 100  # looked at in one round
ID_CHARS_MIN: Final = 4


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message and how it stands. `next_us`: of the next attempt while it is pending. `error`: of the last one."""

    message: Message
    state: State
    attempts: int
    next_us: int
    give_up_us: int
    ended_us: int | None
    error: str


_COLUMNS = (
    "id, channel, recipient, team, kind, count, created_us, content,"
    " state, attempts, next_us, give_up_us, ended_us, error"
)

_OF_MESSAGE: Final = 8  # The first so many columns.


def due(tx: Tx, channel: str, now_us: int) -> list[MessageRow]:
    """The first of each recipient where its time has come, critical ones apart and before the others.

    Nothing overtakes a message that is tried again, except that what is critical waits for nothing that is not.
    """
    heads = tx.rows(
        "SELECT MIN(created_us), recipient, critical FROM notice_messages WHERE state = 'pending' AND channel = ?"
        " GROUP BY recipient, critical ORDER BY critical DESC, MIN(next_us), recipient LIMIT ?",
        (channel, LANES_MAX),
    )
    found = []
    for created_us, recipient, critical in heads:
        found += tx.rows(
            f"SELECT {_COLUMNS} FROM notice_messages WHERE state = 'pending' AND channel = ? AND recipient = ?"
            " AND critical = ? AND created_us = ? AND next_us <= ? ORDER BY id LIMIT 1",
            (channel, recipient, critical, created_us, now_us),
        )
    return [_of_row(row) for row in found]


def record(tx: Tx, row: MessageRow, result: Result, now_us: int, chance: float) -> None:
    """What an attempt came to; twice is once, for only a pending message is changed."""
    channel = row.message.channel
    known = tx.row("SELECT state, attempts FROM notice_messages WHERE id = ?", (row.message.id,))
    if known is None or known[0] != "pending":
        return
    attempts = known[1] + 1
    if isinstance(result, Sent):
        _end(tx, row.message.id, "sent", "", (attempts, now_us))
        ended(tx, failing_key(channel), "airworthy", now_us)
        return
    if isinstance(result, Later):
        wait_s = max(BACKOFF.backoff_s(attempts, chance), result.wait_s or 0.0)
        if now_us < row.give_up_us:
            # The last attempt is at the end of its time, however long the receiver asks to wait.
            next_us = min(now_us + round(wait_s * US_PER_S), row.give_up_us)
            tx.execute(
                "UPDATE notice_messages SET attempts = ?, next_us = ?, error = ? WHERE id = ?",
                (attempts, next_us, result.error, row.message.id),
            )
            if attempts >= TELL_FROM:
                raised(tx, _failing(channel, result.error, row.give_up_us), now_us)
            return
    _end(tx, row.message.id, "failed", result.error, (attempts, now_us))
    raised(tx, _failed(row, result), now_us)


def again(tx: Tx, now_us: int, give_up_s: float, *, id_: str = "", channel: str = "") -> int:
    """Sends a message, or all of a channel that are not sent, anew and at once: with their ids, and new time."""
    key, value = ("id", id_) if id_ else ("channel", channel)
    give_up_us = now_us + round(give_up_s * US_PER_S)
    changed = tx.execute(
        "UPDATE notice_messages SET state = 'pending', next_us = ?, give_up_us = ?, ended_us = NULL, attempts = 0"
        f" WHERE state IN ('pending', 'failed') AND {key} = ?",
        (now_us, give_up_us, value),
    )
    for (name,) in tx.rows(f"SELECT DISTINCT channel FROM notice_messages WHERE {key} = ?", (value,)):
        if not tx.row(
            "SELECT 1 FROM notice_messages WHERE state = 'failed' AND channel = ? LIMIT 1", (name,)
        ):
            ended(tx, failed_key(name), "airworthy", now_us)
    return changed


def listing(
    tx: Tx, *, states: Sequence[State] = STATES, channel: str = "", limit: int = 100
) -> list[MessageRow]:
    """The newest first."""
    clauses, params = [f"state IN ({', '.join('?' for _ in states)})"], list[str](states)
    if channel:
        clauses.append("channel = ?")
        params.append(channel)
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM notice_messages WHERE {' AND '.join(clauses)}"
        " ORDER BY created_us DESC, id DESC LIMIT ?",
        (*params, limit),
    )
    return [_of_row(row) for row in rows]


def get(tx: Tx, part: str) -> MessageRow:
    """By its id, or the beginning or end of it. Raises: InputError."""
    ids = ids_alike(tx, "notice_messages", part, ID_CHARS_MIN, 2)
    if len(ids) != 1:
        how = "Several messages have" if ids else "No message has"
        raise InputError(f"{how} an id like {part!r}.", mend="List them with `airworthy notice list`.")
    row = tx.row(f"SELECT {_COLUMNS} FROM notice_messages WHERE id = ?", (ids[0],))
    assert row is not None
    return _of_row(row)


@dataclass(frozen=True, slots=True)
class Untold:
    """Notices that are in no message: they wait for one (`channel` named), for a worker, or reach nobody."""

    state: Literal["waiting", "unrouted", "nobody"]
    channel: str
    team: str
    count: int
    oldest_us: int


def untold(tx: Tx) -> list[Untold]:
    waiting = tx.rows(
        "SELECT 'waiting', channel, team, COUNT(*), MIN(at_us) FROM notice_deliveries WHERE state = 'waiting'"
        " GROUP BY channel, team ORDER BY channel, team"
    )
    unrouted = tx.rows(
        "SELECT 'unrouted', '', to_team, COUNT(*), MIN(at_us) FROM notices WHERE routed_us IS NULL"
        " GROUP BY to_team ORDER BY to_team"
    )
    nobody = tx.rows(
        "SELECT 'nobody', '', to_team, COUNT(*), MIN(at_us) FROM notices WHERE routed_us IS NOT NULL AND lanes = 0"
        " AND over = 0 GROUP BY to_team ORDER BY to_team"
    )
    return [Untold(*row) for row in (*waiting, *unrouted, *nobody)]


def notice_keys(tx: Tx, message_id: str, limit: int) -> list[str]:
    rows = tx.rows(
        "SELECT notice_key FROM notice_deliveries WHERE message_id = ? ORDER BY at_us, notice_key LIMIT ?",
        (message_id, limit),
    )
    return [key for (key,) in rows]


def give_up_strays(tx: Tx, channels: Sequence[str], now_us: int) -> int:
    """Messages of channels that are no longer in people.toml fail when their time is over; nobody else tries them."""
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM notice_messages WHERE state = 'pending'"
        f" AND channel NOT IN ({', '.join('?' for _ in channels)}) AND give_up_us <= ? LIMIT ?",
        (*channels, now_us, PRUNED_MAX),
    )
    for row in map(_of_row, rows):
        gone = Refused(f"The channel {row.message.channel} is no longer in people.toml.")
        record(tx, row, gone, now_us, 0.0)
    return len(rows)


def prune(tx: Tx, now_us: int) -> int:
    """Deletes a bounded number of what was sent long ago, and of notices that nothing refers to any more."""
    before_us = now_us - round(KEPT_S * US_PER_S)
    old = tx.rows(
        "SELECT id FROM notice_messages WHERE state = 'sent' AND created_us < ? LIMIT ?",
        (before_us, PRUNED_MAX),
    )
    for (id_,) in old:
        tx.execute("DELETE FROM notice_deliveries WHERE message_id = ?", (id_,))
        tx.execute("DELETE FROM notice_messages WHERE id = ?", (id_,))
    moot = tx.execute("DELETE FROM notice_deliveries WHERE state = 'moot' AND at_us < ?", (before_us,))
    tx.execute(
        "DELETE FROM notice_alerts WHERE first_us < ? AND NOT EXISTS"
        " (SELECT 1 FROM alerts a WHERE a.key = notice_alerts.alert_key)",
        (before_us,),
    )
    unused = tx.execute(
        "DELETE FROM notices WHERE key IN (SELECT key FROM notices WHERE routed_us < ? AND NOT EXISTS"
        " (SELECT 1 FROM notice_deliveries d WHERE d.notice_key = notices.key) LIMIT ?)",
        (before_us, PRUNED_MAX),
    )
    return len(old) + moot + unused


def _end(tx: Tx, id_: str, state: State, error: str, attempts_and_time: tuple[int, int]) -> None:
    attempts, now_us = attempts_and_time
    tx.execute(
        "UPDATE notice_messages SET state = ?, error = ?, attempts = ?, ended_us = ? WHERE id = ?",
        (state, error, attempts, now_us, id_),
    )


def _failing(channel: str, error: str, give_up_us: int) -> Alert:
    return Alert(
        failing_key(channel), "channel", "", "warning", f"The channel {channel} does not deliver",
        f"{error}\nIts first message is tried until {clock_text(give_up_us)}; the others wait behind it.",
    )  # fmt: skip


def _failed(row: MessageRow, result: Later | Refused) -> Alert:
    how = "was refused" if isinstance(result, Refused) else "was given up"
    return Alert(
        failed_key(row.message.channel), "channel", "", "critical",
        f"The channel {row.message.channel} did not deliver a message",
        f"{row.message.id} for {row.message.team} {how}: {result.error}\n"
        f"Mend the channel, try it with `airworthy notice test {row.message.channel}`, and send what failed with"
        f" `airworthy notice retry --channel {row.message.channel}`.",
    )  # fmt: skip


def _of_row(row: Sequence[Any]) -> MessageRow:
    of, standing = (
        [*row[:_OF_MESSAGE]],
        row[_OF_MESSAGE:],
    )  # the columns are the fields of both, in their order
    of[-1] = Content.of_stored(of[-1])
    return MessageRow(Message(*of), *standing)
