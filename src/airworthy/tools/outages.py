"""Whether a dependency is away by its own calendar at a given moment. Pure: windows and a time in, an end out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from airworthy.core.clock import US_PER_S
from airworthy.policy.dependency_rule import DAYS, OutageRule


@dataclass(frozen=True, slots=True)
class Outage:
    """A window that is open now. `until_us` is its end, UTC."""

    until_us: int
    note: str = ""

    def __str__(self) -> str:
        until = datetime.fromtimestamp(self.until_us / US_PER_S, UTC)
        return f"away until {until:%Y-%m-%d %H:%M} UTC" + (f" ({self.note})" if self.note else "")


def in_outage(rules: Sequence[OutageRule], now_us: int) -> Outage | None:
    """The window `now_us` is in, the one that ends last if there are several; None outside of all."""
    found = [outage for rule in rules if (outage := _open(rule, now_us)) is not None]
    return max(found, key=lambda outage: outage.until_us, default=None)


def _open(rule: OutageRule, now_us: int) -> Outage | None:
    zone = ZoneInfo(rule.zone)
    today = datetime.fromtimestamp(now_us / US_PER_S, zone).date()
    # One that began yesterday may reach over midnight; tomorrow's may have begun where clocks were put back.
    for day in (today - timedelta(days=1), today, today + timedelta(days=1)):
        if DAYS[day.weekday()] not in rule.days:
            continue
        begin_us, end_us = _span(rule, day, zone)
        if begin_us <= now_us < end_us:
            return Outage(end_us, rule.note or "")
    return None


def _span(rule: OutageRule, day: date, zone: ZoneInfo) -> tuple[int, int]:
    """Wall-clock times of the zone as UTC. An hour that occurs twice belongs to the window both times; a time that does
    not occur is taken for as much later as clocks were put forward."""
    begin, end = time.fromisoformat(rule.begin), time.fromisoformat(rule.end)
    last = day if end > begin else day + timedelta(days=1)
    first_us = _utc_us(datetime.combine(day, begin, zone))
    last_us = max(_utc_us(datetime.combine(last, end, zone).replace(fold=fold)) for fold in (0, 1))
    return first_us, last_us


def _utc_us(at: datetime) -> int:
    return round(at.timestamp()) * US_PER_S
