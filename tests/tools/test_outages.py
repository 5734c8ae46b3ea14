"""A calendar of outages over midnight, weekdays, and the nights in which clocks are put forward and back."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airworthy.policy import OutageRule
from airworthy.tools.outages import Outage, in_outage

BERLIN = "Europe/Berlin"


def us(text: str, zone: str = "UTC") -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1e6)


def rule(
    begin: str, end: str, zone: str = "UTC", days: tuple[str, ...] = (), note: str | None = None
) -> OutageRule:
    chosen = {"days": days} if days else {}
    return OutageRule(begin=begin, end=end, zone=zone, note=note, **chosen)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("window", "now", "until", "why"),
    [
        (rule("02:00", "04:00"), "2026-03-02T01:59:59", None, "a second before"),
        (rule("02:00", "04:00"), "2026-03-02T02:00:00", "2026-03-02T04:00", "the first second"),
        (rule("02:00", "04:00"), "2026-03-02T03:59:59", "2026-03-02T04:00", "the last second"),
        (rule("02:00", "04:00"), "2026-03-02T04:00:00", None, "its end is outside"),
        (rule("23:00", "01:00"), "2026-03-02T23:30:00", "2026-03-03T01:00", "over midnight, before it"),
        (rule("23:00", "01:00"), "2026-03-03T00:30:00", "2026-03-03T01:00", "over midnight, after it"),
        (rule("23:00", "01:00"), "2026-03-03T01:00:00", None, "over midnight, its end"),
        (rule("23:00", "01:00", days=("mon",)), "2026-03-03T00:30:00", "2026-03-03T01:00", "began on Monday"),
        (rule("23:00", "01:00", days=("tue",)), "2026-03-03T00:30:00", None, "Tuesday's begins tonight"),
        (rule("02:00", "04:00", days=("sun",)), "2026-03-02T03:00:00", None, "another day"),
        (rule("02:00", "04:00", BERLIN), "2026-01-05T01:30:00", "2026-01-05T03:00", "winter: one hour ahead"),
        (rule("02:00", "04:00", BERLIN), "2026-07-06T00:30:00", "2026-07-06T02:00", "summer: two hours ahead"),
        (rule("22:00", "23:00", "America/New_York"), "2026-01-06T03:30:00", "2026-01-06T04:00", "yesterday there"),
        # 2026-03-29: 02:00 becomes 03:00 in Berlin, at 01:00 UTC.
        (rule("01:30", "03:30", BERLIN), "2026-03-29T00:45:00", "2026-03-29T01:30", "an hour shorter"),
        (rule("02:15", "02:45", BERLIN), "2026-03-29T01:20:00", "2026-03-29T01:45", "it does not occur: later"),
        (rule("02:15", "02:45", BERLIN), "2026-03-29T00:50:00", None, "nor earlier"),
        # 2026-10-25: 03:00 becomes 02:00 in Berlin, at 01:00 UTC; 02:30 is 00:30 UTC and 01:30 UTC.
        (rule("02:30", "03:30", BERLIN), "2026-10-25T00:30:00", "2026-10-25T02:30", "begins with the first 02:30"),
        (rule("01:00", "02:30", BERLIN), "2026-10-25T01:15:00", "2026-10-25T01:30", "ends with the second 02:30"),
        (rule("02:10", "02:20", BERLIN), "2026-10-25T01:15:00", "2026-10-25T01:20", "twice that night: covered"),
    ],
)  # fmt: skip
def test_the_window_of_a_moment(window: OutageRule, now: str, until: str | None, why: str) -> None:
    found = in_outage([window], us(now))

    assert found == (None if until is None else Outage(us(until))), why


def test_of_two_windows_the_one_that_ends_last_counts() -> None:
    windows = [rule("02:00", "03:00", note="backup"), rule("02:30", "05:00", note="maintenance")]

    found = in_outage(windows, us("2026-03-02T02:45"))

    assert str(found) == "away until 2026-03-02 05:00 UTC (maintenance)"


@given(
    st.integers(us("2026-01-01"), us("2026-12-31")),
    st.tuples(st.integers(0, 23), st.integers(0, 59)),
    st.integers(1, 23 * 60),
    st.sampled_from(["UTC", BERLIN, "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]),
)
def test_a_window_that_is_open_ends_later_and_within_its_length_and_two_hours(
    now_us: int, at: tuple[int, int], minutes: int, zone: str
) -> None:
    begin = datetime(2026, 1, 1, *at, tzinfo=UTC)
    end = begin + timedelta(minutes=minutes)
    window = rule(f"{begin:%H:%M}", f"{end:%H:%M}", zone)

    found = in_outage([window], now_us)

    if found is not None:
        assert now_us < found.until_us <= now_us + (minutes + 120) * 60 * 10**6
        assert in_outage([window], found.until_us) is None or minutes > 22 * 60
    there = datetime.fromtimestamp(now_us / 1e6, ZoneInfo(zone))
    local = there.time()
    plainly_inside = (
        begin.time() <= local < end.time() if end.time() > begin.time() else local >= begin.time()
    )
    if plainly_inside and there.month not in (3, 4, 10, 11):
        assert found is not None
