"""Out of the notices that wait for a channel, the messages that go out; each gets its id here, once and for all.

A notice is `waiting` for each of its lanes until it is `formed` into a message; what was over before that is `moot`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from airworthy.core.clock import US_PER_S
from airworthy.recorder.alerts import Severity
from airworthy.review.message import ENTRIES_MAX, Content, MessageKind, Redact, Sum, of_many, of_one
from airworthy.review.notices import COLUMNS, Notice, of_row
from airworthy.review.storm import BURST, HOUR_S, Lately, Plan, Singly, Together, Wait, Waiting
from airworthy.store import Tx

OVERS_MAX: Final = 50  # takings back in one transaction
HEAPS_MAX: Final = 100  # looked at in one transaction
SEVERITIES: Final[tuple[Severity, ...]] = ("info", "warning", "critical")

_NOTICE = ", ".join(f"n.{name}" for name in COLUMNS.split(", "))
_OF_HEAP = "state = 'waiting' AND over = 0 AND channel = ? AND recipient = ? AND team = ? AND critical = ?"
_KEYS_OF_HEAP = f"SELECT notice_key FROM notice_deliveries WHERE {_OF_HEAP}"


@dataclass(frozen=True, slots=True)
class Heap:
    """What waits for one lane, of one team and urgency, and what was sent there lately."""

    recipient: str
    team: str
    waiting: Waiting
    lately: Lately

    @property
    def of(self) -> tuple[str, str, int]:
        return self.recipient, self.team, int(self.waiting.critical)


def heaps(tx: Tx, channel: str, digest_s: float, now_us: int) -> list[Heap]:
    """Without those of lanes where a message waits to be sent: what comes meanwhile goes together after it."""
    rows = tx.rows(
        "SELECT d.recipient, d.team, d.critical, COUNT(DISTINCT d.about), MIN(d.at_us) FROM notice_deliveries d"
        " WHERE d.state = 'waiting' AND d.channel = ? AND d.over = 0 AND NOT EXISTS (SELECT 1 FROM notice_messages m"
        " WHERE m.state = 'pending' AND m.channel = d.channel AND m.recipient = d.recipient"
        " AND m.critical = d.critical)"
        " GROUP BY d.recipient, d.team, d.critical ORDER BY d.critical DESC, MIN(d.at_us), d.recipient, d.team LIMIT ?",
        (channel, HEAPS_MAX),
    )
    found, hour_us = [], now_us - round(HOUR_S * US_PER_S)
    for recipient, team, critical, things, oldest_us in rows:
        singles, digest_us = tx.rows(
            "SELECT SUM(CASE WHEN kind = 'notice' AND created_us > ? THEN 1 ELSE 0 END),"
            " MAX(CASE WHEN kind = 'digest' THEN created_us END) FROM notice_messages"
            " WHERE channel = ? AND recipient = ? AND created_us > ? AND team = ? AND critical = ?",
            (hour_us, channel, recipient, min(hour_us, now_us - round(digest_s * US_PER_S)), team, critical),
        )[0]
        waiting = Waiting(things, oldest_us, bool(critical))
        found.append(Heap(recipient, team, waiting, Lately(singles or 0, digest_us)))
    return found


@dataclass(frozen=True, slots=True)
class Envelope:
    """What each message of a channel gets, beside its content. `ids`: `ids_needed` of them."""

    channel: str
    ids: Sequence[str]
    now_us: int
    give_up_s: float
    redact: Redact


def ids_needed(decided: Sequence[tuple[Heap, Plan]]) -> int:
    return OVERS_MAX + BURST * sum(not isinstance(plan, Wait) for _, plan in decided)


def any_over(tx: Tx, channel: str) -> bool:
    """Whether something waits to be taken back."""
    row = tx.row(
        "SELECT 1 FROM notice_deliveries WHERE state = 'waiting' AND channel = ? AND over = 1 LIMIT 1",
        (channel,),
    )
    return row is not None


def form(tx: Tx, envelope: Envelope, decided: Sequence[tuple[Heap, Plan]]) -> int:
    """How many messages were made. What does not wait any more is left out, so that twice is once."""
    desk = _Desk(tx, envelope)
    desk.overs()
    for heap, plan in decided:
        match plan:
            case Singly():
                desk.singles(heap)
            case Together():
                desk.digest(heap)
            case Wait():
                pass
    return desk.made


class _Desk:
    """Forms within one transaction."""

    def __init__(self, tx: Tx, envelope: Envelope) -> None:
        self._tx = tx
        self._envelope = envelope
        self.made = 0

    def overs(self) -> None:
        rows = self._tx.rows(
            f"SELECT d.recipient, d.team, d.critical, {_NOTICE}"
            " FROM notice_deliveries d JOIN notices n ON n.key = d.notice_key"
            " WHERE d.state = 'waiting' AND d.channel = ? AND d.over = 1 ORDER BY d.at_us, d.notice_key LIMIT ?",
            (self._envelope.channel, OVERS_MAX),
        )
        for recipient, team, critical, *row in rows:
            notice = of_row(tuple(row))
            id_ = self._insert(
                (recipient, team, critical), "over", 1, of_one(notice, 1, self._envelope.redact)
            )
            self._tx.execute(
                "UPDATE notice_deliveries SET state = 'formed', message_id = ?"
                " WHERE notice_key = ? AND channel = ? AND recipient = ?",
                (id_, notice.key, self._envelope.channel, recipient),
            )

    def singles(self, heap: Heap) -> None:
        for notice, count in self._things(heap, BURST):
            id_ = self._insert(heap.of, "notice", count, of_one(notice, count, self._envelope.redact))
            self._tx.execute(
                f"UPDATE notice_deliveries SET state = 'formed', message_id = ? WHERE {_OF_HEAP} AND about = ?",
                (id_, *self._where(heap), notice.about),
            )

    def digest(self, heap: Heap) -> None:
        things = self._things(heap, ENTRIES_MAX)
        if not things:
            return
        rows = self._tx.rows(
            f"SELECT kind, severity, COUNT(*), MIN(at_us) FROM notices WHERE key IN ({_KEYS_OF_HEAP})"
            " GROUP BY kind, severity ORDER BY kind, severity",
            self._where(heap),
        )
        counts: dict[str, int] = {}
        for kind, _, count, _ in rows:
            counts[kind] = counts.get(kind, 0) + count
        worst: Severity = max((severity for _, severity, _, _ in rows), key=SEVERITIES.index)
        most = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        total = Sum(tuple(things), tuple(most), worst, min(oldest_us for *_, oldest_us in rows))
        content = of_many(total, heap.team, self._next_id, self._envelope.redact)
        id_ = self._insert(heap.of, "digest", sum(counts.values()), content)
        self._tx.execute(
            f"UPDATE notice_deliveries SET state = 'formed', message_id = ? WHERE {_OF_HEAP}",
            (id_, *self._where(heap)),
        )

    def _things(self, heap: Heap, limit: int) -> list[tuple[Notice, int]]:
        """Of the first things that wait the newest notice each, with how many there are of it; the oldest first."""
        things = self._tx.rows(
            f"SELECT about, COUNT(*) FROM notices WHERE key IN ({_KEYS_OF_HEAP})"
            " GROUP BY about ORDER BY MIN(at_us), about LIMIT ?",
            (*self._where(heap), limit),
        )
        found = []
        for about, count in things:
            newest = self._tx.row(
                f"SELECT {COLUMNS} FROM notices WHERE key IN ({_KEYS_OF_HEAP} AND about = ?)"
                " ORDER BY at_us DESC, key DESC LIMIT 1",
                (*self._where(heap), about),
            )
            assert newest is not None
            found.append((of_row(newest), count))
        return found

    def _where(self, heap: Heap) -> tuple[str, str, str, int]:
        return (self._envelope.channel, *heap.of)

    @property
    def _next_id(self) -> str:
        return self._envelope.ids[self.made]

    def _insert(self, of: tuple[str, str, int], kind: MessageKind, count: int, content: Content) -> str:
        """`of`: recipient, team and whether it is critical."""
        envelope, id_ = self._envelope, self._next_id
        # A microsecond more for each, so that they go out in the order they were made.
        at_us = envelope.now_us + self.made
        give_up_us = envelope.now_us + round(envelope.give_up_s * US_PER_S)
        self._tx.execute(
            "INSERT INTO notice_messages (id, channel, recipient, team, critical, kind, count, content, state,"
            " attempts, created_us, next_us, give_up_us, error)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'pending', 0, ?, ?, ?, '')",
            (id_, envelope.channel, *of, kind, count, content.stored(), at_us, envelope.now_us, give_up_us),
        )
        self.made += 1
        return id_
