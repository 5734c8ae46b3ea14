"""What goes out at once over one channel: made of one notice or of many, the same at every attempt."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from airworthy.core.clock import US_PER_S
from airworthy.recorder.alerts import Severity
from airworthy.review.notices import Notice
from airworthy.review.plain_text import line, lines

MessageKind = Literal["notice", "digest", "over", "test"]
ENTRIES_MAX: Final = 10  # of many notices that one message shows; the others are counted

Redact = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing of a digest. `count`: notices of it."""

    kind: str
    agent: str
    title: str
    at_us: int
    count: int = 1


@dataclass(frozen=True, slots=True)
class Content:
    """What is said, free of any channel's markup and of control characters; bounded in every part.

    `about`: what the one notice is about, and the same for its end. `at_us`: of the oldest notice in it.
    """

    title: str
    text: tuple[str, ...]
    link: str
    severity: Severity
    agent: str
    about: str
    at_us: int
    notices: tuple[str, ...] = ()  # keys, as far as they are shown
    entries: tuple[Entry, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()  # kind of notice -> how many

    def stored(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def of_stored(cls, text: str) -> "Content":
        raw: dict[str, Any] = json.loads(text)
        raw["entries"] = tuple(Entry(**entry) for entry in raw["entries"])
        raw["counts"] = tuple((kind, count) for kind, count in raw["counts"])
        return cls(**{**raw, "text": tuple(raw["text"]), "notices": tuple(raw["notices"])})


@dataclass(frozen=True, slots=True)
class Message:
    """`id` never changes, so that a receiver can drop what it has seen. `recipient`: "" where a channel has one."""

    id: str
    channel: str
    recipient: str
    team: str
    kind: MessageKind
    count: int
    created_us: int
    content: Content


def of_one(notice: Notice, count: int, redact: Redact) -> Content:
    """`count`: notices about the same thing; the newest speaks for all of them."""
    title = line(redact(notice.title)) or f"A notice about {notice.agent or 'airworthy'}"
    more = (f"({count} notices about it; this is the newest.)",) if count > 1 else ()
    return Content(
        title, (*lines(redact(notice.text)), *more), line(notice.link, 500), notice.severity, notice.agent,
        notice.about, notice.at_us, (notice.key,),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sum:
    """All that waits together. `things`: of the first ones the newest notice each, with how many there are of it."""

    things: tuple[tuple[Notice, int], ...]
    counts: tuple[tuple[str, int], ...]  # kind of notice -> how many, of all
    worst: Severity
    oldest_us: int


def of_many(total: Sum, team: str, message_id: str, redact: Redact) -> Content:
    entries = tuple(
        Entry(notice.kind, notice.agent, line(redact(notice.title), 120), notice.at_us, count)
        for notice, count in total.things[:ENTRIES_MAX]
    )
    notices = sum(count for _, count in total.counts)
    by_kind = ", ".join(f"{count} {_PLURAL.get(kind, kind)}" for kind, count in total.counts)
    hidden = notices - sum(entry.count for entry in entries)
    return Content(
        title=line(f"{notices} notices for {team}: {by_kind}"),
        text=(*map(_entry_line, entries), *((f"... and {hidden} more.",) if hidden else ())),
        link=f"airworthy notice show {message_id}",
        severity=total.worst,
        agent="",
        about=f"digest:{message_id}",
        at_us=total.oldest_us,
        notices=tuple(notice.key for notice, _ in total.things[:ENTRIES_MAX]),
        entries=entries,
        counts=total.counts,
    )


def of_test(channel: str, now_us: int) -> Content:
    return Content(
        f"A test of the channel {channel}",
        ("airworthy sent this because somebody ran `airworthy notice test`. Nothing is wrong.",),
        "", "info", "", f"test:{channel}", now_us,
    )  # fmt: skip


def clock_text(at_us: int) -> str:
    """`2026-01-31 12:05 UTC`."""
    return datetime.fromtimestamp(at_us // US_PER_S, UTC).strftime("%Y-%m-%d %H:%M UTC")


def iso_text(at_us: int) -> str:
    return datetime.fromtimestamp(at_us // US_PER_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_PLURAL: Final = {"review": "reviews", "reminder": "reminders", "overdue": "overdue", "alert": "alerts"}


def _entry_line(entry: Entry) -> str:
    times = f" (x{entry.count})" if entry.count > 1 else ""
    by = f"{entry.agent}: " if entry.agent else ""
    return f"- {entry.kind}, {clock_text(entry.at_us)}: {by}{entry.title}{times}"
