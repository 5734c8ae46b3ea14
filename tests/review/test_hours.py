"""When a deadline falls: hours, nights, weekends, and the two days a year on which a day has 23 or 25 hours."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from airworthy.core.clock import US_PER_S
from airworthy.policy.kinds import SECONDS_MAX
from airworthy.review.hours import deadline_us, works_at
from airworthy.review.people import TeamRule

WEEK = ("mon", "tue", "wed", "thu", "fri")
H = 3600.0


def us(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * US_PER_S


def team(
    *hours: tuple[tuple[str, ...], str, str], zone: str = "Europe/Berlin", out: str = "wait"
) -> TeamRule:
    listed = [{"days": list(days), "begin": begin, "end": end} for days, begin, end in hours]
    return TeamRule.model_validate({"members": ["a"], "zone": zone, "hours": listed, "out_of_hours": out})


OFFICE = team((WEEK, "09:00", "17:00"))


@pytest.mark.parametrize(
    ("why", "rule", "since", "seconds", "expected"),
    [
        ("no team: the clock runs on", None, "2026-01-03T02:00", 4 * H, "2026-01-03T06:00"),
        ("no hours: the clock runs on", TeamRule(members=("a",)), "2026-01-03T02:00", 4 * H, "2026-01-03T06:00"),
        ("within one day (09:00 in Berlin is 08:00 UTC)", OFFICE, "2026-01-05T09:00", 2 * H, "2026-01-05T11:00"),
        ("asked before work, it begins with work", OFFICE, "2026-01-05T03:00", 2 * H, "2026-01-05T10:00"),
        ("over the night", OFFICE, "2026-01-05T15:00", 2 * H, "2026-01-06T09:00"),
        ("over the weekend", OFFICE, "2026-01-09T15:30", 1 * H, "2026-01-12T08:30"),
        ("exactly to the end of work", OFFICE, "2026-01-05T14:00", 2 * H, "2026-01-05T16:00"),
        ("a whole week of work", OFFICE, "2026-01-05T08:00", 40 * H, "2026-01-09T16:00"),
        ("`count` counts the night too", team((WEEK, "09:00", "17:00"), out="count"), "2026-01-05T15:00", 2 * H,
         "2026-01-05T17:00"),
        ("summer time: the same office hours are an hour earlier in UTC", OFFICE, "2026-07-06T03:00", 1 * H,
         "2026-07-06T08:00"),
        ("the night with an hour less: 22:00 to 06:00 has 7 hours", team((("sat",), "22:00", "06:00")),
         "2026-03-28T21:00", 7 * H, "2026-03-29T04:00"),
        ("the night with an hour more: 22:00 to 06:00 has 9 hours", team((("sat",), "22:00", "06:00")),
         "2026-10-24T20:00", 9 * H, "2026-10-25T05:00"),
        ("hours that begin in the gap begin after it", team((("sun",), "02:30", "05:00")), "2026-03-29T00:00", 0.5 * H,
         "2026-03-29T02:00"),
        ("overlapping hours count once", team((WEEK, "09:00", "17:00"), (WEEK, "12:00", "18:00")), "2026-01-05T08:00",
         9 * H, "2026-01-05T17:00"),
        ("a shift that began yesterday", team((WEEK, "22:00", "06:00"), zone="UTC"), "2026-01-06T01:00", 6 * H,
         "2026-01-06T23:00"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)  # fmt: skip
def test_a_deadline_counts_the_hours_in_which_somebody_looks(
    why: str, rule: TeamRule | None, since: str, seconds: float, expected: str
) -> None:
    assert deadline_us(rule, us(since), seconds) == us(expected), why


@pytest.mark.parametrize(
    ("moment", "works"),
    [
        ("2026-01-05T07:59", False),
        ("2026-01-05T08:00", True),
        ("2026-01-05T15:59", True),
        ("2026-01-05T16:00", False),
        ("2026-01-04T10:00", False),
    ],
)
def test_the_first_moment_of_the_hours_belongs_to_them_and_the_last_does_not(
    moment: str, works: bool
) -> None:
    assert works_at(OFFICE, us(moment)) is works


@pytest.mark.parametrize("seed", range(60))
def test_a_deadline_holds_exactly_its_seconds_of_work_whatever_the_zone(seed: int) -> None:
    """Counted by an independent clock that looks every minute, over both changes of the clock."""
    chance = random.Random(seed)
    zone = chance.choice(
        ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")
    )
    hours = [
        (tuple(chance.sample(WEEK, 3)), f"{chance.randrange(24):02d}:{chance.choice((0, 30)):02d}", "23:59")
        for _ in range(chance.randint(1, 3))
    ]
    rule = team(*hours, zone=zone)
    since = us(
        chance.choice(("2026-03-26T12:00", "2026-10-22T12:00", "2026-11-01T00:00", "2026-04-04T10:00"))
    )
    minutes = chance.randrange(1, 2000)

    ends = deadline_us(rule, since, minutes * 60.0)

    worked = sum(works_at(rule, at) for at in range(since, ends, 60 * US_PER_S))
    assert worked == minutes


def test_the_longest_deadline_of_a_team_that_hardly_works_is_still_found() -> None:
    rule = team((("mon",), "09:00", "09:01"))

    ends = deadline_us(rule, us("2026-01-05T00:00"), SECONDS_MAX)

    assert timedelta(microseconds=ends - us("2026-01-05T00:00")) == timedelta(days=3 * 366)
