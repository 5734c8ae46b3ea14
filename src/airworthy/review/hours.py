"""When a deadline falls, given when a team works: pure functions of rules and moments. Knows no clock."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from airworthy.core.clock import US_PER_S
from airworthy.policy.dependency_rule import DAYS
from airworthy.review.people import HoursRule, TeamRule

DAYS_AHEAD_MAX = 3 * 366  # A deadline of a year, for a team that works a few hours a day.
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)


def works_at(team: TeamRule, at_us: int) -> bool:
    """Whether somebody of the team looks at this moment. Without hours: always."""
    if not team.hours:
        return True
    day = _local_day(team, at_us) - _DAY
    return any(begin <= at_us < end for begin, end in _windows(team, day, 3))


def deadline_us(team: TeamRule | None, since_us: int, seconds: float) -> int:
    """`seconds` after `since_us`, counting only the team's hours unless it says otherwise.

    Hours are counted as they pass: of a night in which the clock is set forward, an hour less.
    """
    left_us = round(seconds * US_PER_S)
    if team is None or not team.hours or team.out_of_hours == "count":
        return since_us + left_us
    reached_us = since_us
    for begin, end in _windows(team, _local_day(team, since_us) - _DAY, DAYS_AHEAD_MAX):
        begin = max(begin, reached_us)  # Windows may overlap; no minute counts twice.
        if end <= begin:
            continue
        if left_us <= end - begin:
            return begin + left_us
        left_us -= end - begin
        reached_us = end
    return since_us + DAYS_AHEAD_MAX * 86_400 * US_PER_S


def _local_day(team: TeamRule, at_us: int) -> date:
    return (_EPOCH + timedelta(microseconds=at_us)).astimezone(ZoneInfo(team.zone)).date()


def _windows(team: TeamRule, first: date, days: int) -> Iterator[tuple[int, int]]:
    """(begin, end) in UTC, in the order in which they begin."""
    zone = ZoneInfo(team.zone)
    for number in range(days):
        day = first + number * _DAY
        found = [_window(rule, day, zone) for rule in team.hours if DAYS[day.weekday()] in rule.days]
        yield from sorted(found)


def _window(rule: HoursRule, day: date, zone: ZoneInfo) -> tuple[int, int]:
    begin, end = time.fromisoformat(rule.begin), time.fromisoformat(rule.end)
    ends_on = day if end > begin else day + _DAY
    return _us(datetime.combine(day, begin, zone)), _us(datetime.combine(ends_on, end, zone))


def _us(moment: datetime) -> int:
    return (moment.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)
