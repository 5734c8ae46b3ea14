"""What is known of every dependency's health, as rows: the last check, and counts by hour of checks and of calls.

An hour is one row for each source, whatever was counted in it, and is kept for twelve weeks; so it is bounded.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from airworthy.core.clock import US_PER_S
from airworthy.store import Row, Tx
from airworthy.tools.windows import HOUR_US, SLOT_US, Hour

KEPT_US = 84 * 86_400 * US_PER_S
DEPENDENCIES_MAX = 1_000

HealthSource = Literal["check", "call"]


@dataclass(frozen=True, slots=True)
class Health:
    """The newest check. `since_us`: when it became as it is; `streak`: checks since then, that one included."""

    dependency: str
    ok: bool
    at_us: int
    since_us: int
    streak: int
    took_us: int
    reason: str


@dataclass(frozen=True, slots=True)
class Counted:
    """So many calls or checks that ended within the same five minutes, all well or all not."""

    dependency: str
    at_us: int
    ok: bool
    times: int = 1


_COLUMNS = "dependency, ok, at_us, since_us, streak, took_us, reason"


def find(tx: Tx, dependency: str) -> Health | None:
    row = tx.row(f"SELECT {_COLUMNS} FROM health WHERE dependency = ?", (dependency,))
    return None if row is None else _health(row)


def listing(tx: Tx) -> list[Health]:
    rows = tx.rows(f"SELECT {_COLUMNS} FROM health ORDER BY dependency LIMIT ?", (DEPENDENCIES_MAX,))
    return [_health(row) for row in rows]


def checked(tx: Tx, dependency: str, reason: str, took_us: int, at_us: int) -> Health:
    """`reason` is empty when it is well. The state from now on."""
    before = find(tx, dependency)
    ok = not reason
    same = before is not None and before.ok == ok
    now = Health(
        dependency, ok, at_us,
        before.since_us if same and before is not None else at_us,
        before.streak + 1 if same and before is not None else 1,
        took_us, reason,
    )  # fmt: skip
    tx.execute("DELETE FROM health WHERE dependency = ?", (dependency,))
    tx.execute(
        f"INSERT INTO health ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (dependency, int(ok), at_us, now.since_us, now.streak, took_us, reason),
    )
    count(tx, "check", [Counted(dependency, at_us, ok)])
    return now


def count(tx: Tx, source: HealthSource, what: Iterable[Counted]) -> None:
    """Adds them to their hours."""
    hours: dict[tuple[str, int], tuple[int, int, int, int]] = {}
    for one in what:
        hour_us = one.at_us // HOUR_US * HOUR_US
        bit = 1 << (one.at_us - hour_us) // SLOT_US
        ok, failed, seen, bad = hours.get((one.dependency, hour_us), (0, 0, 0, 0))
        hours[one.dependency, hour_us] = (
            ok + one.ok * one.times, failed + (not one.ok) * one.times, seen | bit, bad | (0 if one.ok else bit)
        )  # fmt: skip
    for (dependency, hour_us), (ok, failed, seen, bad) in hours.items():
        place = (dependency, source, hour_us)
        row = tx.row(
            "SELECT ok, failed, seen, bad FROM health_hours WHERE dependency = ? AND source = ? AND hour_us = ?",
            place,
        )
        if row is None:
            tx.execute(
                "INSERT INTO health_hours (dependency, source, hour_us, ok, failed, seen, bad) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*place, ok, failed, seen, bad),
            )
        else:
            tx.execute(
                "UPDATE health_hours SET ok = ?, failed = ?, seen = ?, bad = ? "
                "WHERE dependency = ? AND source = ? AND hour_us = ?",
                (row[0] + ok, row[1] + failed, row[2] | seen, row[3] | bad, *place),
            )


def counted_until(tx: Tx, source: HealthSource) -> int | None:
    row = tx.row("SELECT until_us FROM health_counted WHERE source = ?", (source,))
    return None if row is None else int(row[0])


def count_once(
    tx: Tx, source: HealthSource, what: Sequence[Counted], since_us: int | None, until_us: int
) -> bool:
    """Counts what ended from `since_us` on and before `until_us`, unless somebody has done so. `since_us`: what
    `counted_until` had said."""
    if counted_until(tx, source) != since_us:
        return False
    tx.execute("DELETE FROM health_counted WHERE source = ?", (source,))
    tx.execute("INSERT INTO health_counted (source, until_us) VALUES (?, ?)", (source, until_us))
    count(tx, source, what)
    tx.execute("DELETE FROM health_hours WHERE hour_us < ?", (until_us - KEPT_US,))
    return True


def hours(tx: Tx, dependency: str, since_us: int = 0) -> list[Hour]:
    """Of both sources together, in order."""
    found: dict[int, Hour] = {}
    for at_us, ok, failed, seen, bad in tx.rows(
        "SELECT hour_us, ok, failed, seen, bad FROM health_hours WHERE dependency = ? AND hour_us >= ? "
        "ORDER BY hour_us",
        (dependency, since_us),
    ):
        one = found.get(at_us)
        found[at_us] = (
            Hour(at_us, ok, failed, seen, bad)
            if one is None
            else Hour(at_us, one.ok + ok, one.failed + failed, one.seen | seen, one.bad | bad)
        )
    return list(found.values())


def totals(tx: Tx, dependency: str, source: HealthSource, since_us: int) -> tuple[int, int]:
    """How many were ok and how many failed."""
    row = tx.row(
        "SELECT COALESCE(SUM(ok), 0), COALESCE(SUM(failed), 0) FROM health_hours "
        "WHERE dependency = ? AND source = ? AND hour_us >= ?",
        (dependency, source, since_us // HOUR_US * HOUR_US),
    )
    return (0, 0) if row is None else (int(row[0]), int(row[1]))


def counted_names(tx: Tx) -> list[str]:
    rows = tx.rows(
        "SELECT DISTINCT dependency FROM health_hours ORDER BY dependency LIMIT ?", (DEPENDENCIES_MAX,)
    )
    return [row[0] for row in rows]


def _health(row: Row) -> Health:
    dependency, ok, *rest = row
    return Health(dependency, bool(ok), *rest)
