"""To which lanes each notice goes, as rows; after this it waits there until it is formed into a message."""

from collections.abc import Sequence
from typing import Final

from airworthy.recorder.alerts import Alert, raised
from airworthy.review.lanes import Lane, lanes_of
from airworthy.review.notices import COLUMNS, Notice, of_row
from airworthy.review.people import People
from airworthy.store import Tx

ROUTED_MAX: Final = 1_000  # notices in one transaction


def any_to_route(tx: Tx) -> bool:
    return tx.row("SELECT 1 FROM notices WHERE routed_us IS NULL LIMIT 1") is not None


def route(tx: Tx, people: People, now_us: int) -> int:
    """Gives new notices to the lanes of their teams, the oldest first; how many there were."""
    rows = tx.rows(
        f"SELECT {COLUMNS} FROM notices WHERE routed_us IS NULL ORDER BY at_us, key LIMIT ?", (ROUTED_MAX,)
    )
    for row in rows:
        notice = of_row(row)
        known = lanes_of(people, notice.to)
        lanes = [lane for lane in known if not _is_about(notice, lane)]
        urgency = dict.fromkeys(lanes, int(notice.severity == "critical"))
        if notice.over:
            urgency = {lane: told for lane in lanes if (told := _told(tx, notice, lane)) is not None}
        elif not known and people.channels:
            raised(tx, _nobody(notice), now_us)
        for lane, critical in urgency.items():
            tx.execute(
                "INSERT INTO notice_deliveries"
                " (notice_key, channel, recipient, team, about, critical, over, at_us, state)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'waiting') ON CONFLICT (notice_key, channel, recipient) DO NOTHING",
                (
                    notice.key, lane.channel, lane.recipient, notice.to, notice.about,
                    critical, int(notice.over), now_us,
                ),
            )  # fmt: skip
        tx.execute(
            "UPDATE notices SET routed_us = ?, lanes = ? WHERE key = ?", (now_us, len(urgency), notice.key)
        )
    return len(rows)


def route_strays(tx: Tx, channels: Sequence[str]) -> int:
    """What waits for a channel that is no longer in people.toml is given to the channels of its team anew."""
    gone = f"state = 'waiting' AND channel NOT IN ({', '.join('?' for _ in channels)})"
    rows = tx.rows(
        f"SELECT notice_key, channel, recipient FROM notice_deliveries WHERE {gone} LIMIT ?",
        (*channels, ROUTED_MAX),
    )
    for key, channel, recipient in rows:
        tx.execute("UPDATE notices SET routed_us = NULL WHERE key = ?", (key,))
        tx.execute(
            "DELETE FROM notice_deliveries WHERE notice_key = ? AND channel = ? AND recipient = ?",
            (key, channel, recipient),
        )
    return len(rows)


def failing_key(channel: str) -> str:
    """The alert of a channel that does not deliver."""
    return f"channel:{channel}:failing"


def failed_key(channel: str) -> str:
    """The alert of a channel some of whose messages were given up."""
    return f"channel:{channel}:failed"


def _is_about(notice: Notice, lane: Lane) -> bool:
    """A channel is not asked to tell of its own failure: it would say so when it is over."""
    own = (failing_key(lane.channel), failed_key(lane.channel))
    return notice.about in {f"alert:{key}" for key in own}


def _told(tx: Tx, notice: Notice, lane: Lane) -> int | None:
    """Whether the thing was told as critical, so that its end follows it; None when it was not told by itself.

    What nobody was told yet is not told any more.
    """
    on_lane = (notice.about, lane.channel, lane.recipient)
    tx.execute(
        "UPDATE notice_deliveries SET state = 'moot'"
        " WHERE about = ? AND channel = ? AND recipient = ? AND state = 'waiting' AND over = 0",
        on_lane,
    )
    told = tx.row(
        "SELECT d.critical FROM notice_deliveries d JOIN notice_messages m ON m.id = d.message_id"
        " WHERE d.about = ? AND d.channel = ? AND d.recipient = ? AND m.kind = 'notice'"
        " ORDER BY m.created_us DESC LIMIT 1",
        on_lane,
    )
    return told[0] if told is not None and lane.takes_back else None


def _nobody(notice: Notice) -> Alert:
    return Alert(
        f"notices:{notice.to}", "notices", notice.agent, "warning",
        f"Notices for {notice.to or 'no team'} reach nobody",
        f"The first of them: {notice.title}\nAdd the team to people.toml, with channels under `notify`, and for an"
        " e-mail channel members with an `email`.",
    )  # fmt: skip
