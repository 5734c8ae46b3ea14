"""Outages that come again at the same hours are found with their edges; what only looks like it is not."""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airworthy.core.clock import US_PER_S
from airworthy.policy import OutageRule, parse_policy
from airworthy.tools.windows import (
    FALSE_ALARMS_MAX,
    HOUR_US,
    SLOTS,
    Hour,
    Window,
    binomial_tail,
    fisher_tail,
    windows,
)

MONDAY_S = 1_764_547_200  # 2025-12-01 00:00 UTC

Down = Callable[[datetime], bool]


def hours(down: Down, *, weeks: int = 8, a_minute: int = 1, rate: float = 0.01, seed: int = 1) -> list[Hour]:
    """A check a minute; each fails while it is down, and else by chance."""
    chance = random.Random(seed)
    found = []
    for number in range(weeks * 168):
        ok = failed = bad = 0
        for minute in range(60):
            at = datetime.fromtimestamp(MONDAY_S + number * 3600 + minute * 60, UTC)
            fails = down(at) or chance.random() < rate
            failed, ok = failed + a_minute * fails, ok + a_minute * (not fails)
            bad |= fails << minute // 5
        found.append(Hour((MONDAY_S + number * 3600) * US_PER_S, ok, failed, bad=bad))
    return found


def minutes(at: datetime) -> int:
    return at.hour * 60 + at.minute


def shown(found: list[Window]) -> list[str]:
    return [str(window) for window in found]


@pytest.mark.parametrize(
    ("down", "expected", "why"),
    [
        (lambda at: at.weekday() == 6 and 120 <= minutes(at) < 210, ["sun 02:00 to 03:30 UTC"], "once a week"),
        (lambda at: 60 <= minutes(at) < 90, ["daily 01:00 to 01:30 UTC"], "each day, half an hour"),
        (lambda at: at.weekday() < 5 and 1080 <= minutes(at) < 1140, ["mon, tue, wed, thu, fri 18:00 to 19:00 UTC"],
         "on working days"),
        (lambda at: minutes(at) >= 1410 or minutes(at) < 30, ["daily 23:30 to 00:30 UTC"], "over midnight"),
        (lambda at: (at.weekday() == 6 and minutes(at) >= 1380) or (at.weekday() == 0 and minutes(at) < 60),
         ["sun 23:00 to 01:00 UTC"], "over the end of the week"),
        (lambda at: at.weekday() == 5, ["sat 00:00 to 12:00 UTC", "sat 12:00 to 00:00 UTC"], "a whole day"),
        (lambda at: minutes(at) < 60 or 720 <= minutes(at) < 760,
         ["daily 00:00 to 01:00 UTC", "daily 12:00 to 12:40 UTC"], "two a day"),
        (lambda at: False, [], "never"),
        (lambda at: True, [], "always"),
        (lambda at: at.day == 1 and 120 <= minutes(at) < 240, [], "once a month is too rare to tell"),
        (lambda at: datetime(2025, 12, 9, 5, tzinfo=UTC) <= at < datetime(2025, 12, 11, 22, tzinfo=UTC), [],
         "one long outage, whatever hours it covers"),
        (lambda at: at.weekday() == 2 and at.day < 15 and at.month == 12 and 120 <= minutes(at) < 180, [],
         "twice and no more"),
    ],
)  # fmt: skip
def test_windows_are_found(down: Down, expected: list[str], why: str) -> None:
    assert shown(windows(hours(down))) == expected, why


def test_a_window_at_a_wall_clock_time_is_found_in_its_zone_across_a_change_of_clocks() -> None:
    berlin = ZoneInfo("Europe/Berlin")

    def down(at: datetime) -> bool:
        return at.astimezone(berlin).weekday() == 6 and 240 <= minutes(at.astimezone(berlin)) < 300

    found = windows(hours(down, weeks=20), "Europe/Berlin")

    assert shown(found) == ["sun 04:00 to 05:00 Europe/Berlin"]
    assert (found[0].bad_days, found[0].days_seen) == (20, 20)


def test_a_proposal_says_its_evidence_and_can_be_pasted() -> None:
    (found,) = windows(hours(lambda at: at.weekday() == 6 and 120 <= minutes(at) < 180))

    assert (found.bad_days, found.days_seen, found.elsewhere_bad) == (8, 8, 0)
    assert found.chance < FALSE_ALARMS_MAX
    assert found.evidence.startswith(
        "bad on 8 of 8 days; of the other hours 0 of 1336 were. By chance in practically no case"
    )
    policy = parse_policy(
        'agent = "a"\npurpose = "p"\n[dependencies.crm]\nbase_url = "https://crm.example"\n'
        + found.toml("crm")
    )
    (rule,) = policy.dependencies["crm"].outages
    assert (rule.days, rule.begin, rule.end, rule.zone) == (("sun",), "02:00", "03:00", "UTC")


def test_what_is_declared_is_not_proposed_again_and_hides_nothing_else() -> None:
    def down(at: datetime) -> bool:
        return 60 <= minutes(at) < 120 or (at.weekday() == 6 and 600 <= minutes(at) < 660)

    known = (OutageRule(begin="02:05", end="02:55", zone="Europe/Berlin"),)  # In winter: 01:05 to 01:55 UTC.

    assert shown(windows(hours(down), declared=known)) == ["sun 10:00 to 11:00 UTC"]


def test_a_window_that_was_missed_on_some_days_is_still_one_and_says_so() -> None:
    def down(at: datetime) -> bool:
        return at.weekday() == 6 and at.day % 5 != 0 and 120 <= minutes(at) < 180

    (found,) = windows(hours(down, weeks=12))

    assert str(found) == "sun 02:00 to 03:00 UTC"
    assert found.days_seen == 12
    assert 8 <= found.bad_days < 12


def test_hours_in_which_nothing_was_called_are_no_evidence() -> None:
    some = [hour for hour in hours(lambda at: at.hour == 3) if hour.at_us // HOUR_US % 24 in (3, 9, 15)]

    assert shown(windows(some)) == ["daily 03:00 to 04:00 UTC"]
    assert windows([]) == []


def _episodes(chance: random.Random, per_week: float, hours_mean: float, weeks: int) -> set[int]:
    bad = set[int]()
    for hour in range(weeks * 168):
        if chance.random() < per_week / 168:
            bad.update(range(hour, hour + max(1, round(chance.expovariate(1 / hours_mean)))))
    return bad


def false_alarms(per_week: float, hours_mean: float, rate: float, night: int, seeds: range) -> int:
    """In so many worlds of twelve weeks without a window. `night`: calls an hour by night, at most; 60 by day."""
    alarms = 0
    for seed in seeds:
        chance = random.Random(seed)
        down = _episodes(chance, per_week, hours_mean, 12)
        world = []
        for number in range(12 * 168):
            count = chance.randint(0, night) if number % 24 < 7 else 60
            failed = count if number in down else sum(chance.random() < rate for _ in range(count))
            world.append(Hour((MONDAY_S + number * 3600) * US_PER_S, count - failed, failed))
        alarms += bool(windows(world))
    return alarms


WORLDS = [
    (0.0, 0.0, 0.01, 60), (0.0, 0.0, 0.2, 60), (0.0, 0.0, 0.1, 3),
    (1.0, 1.0, 0.01, 60), (3.0, 3.0, 0.01, 60), (0.5, 30.0, 0.01, 60),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("per_week", "hours_mean", "rate", "night"), WORLDS)
def test_random_failures_give_few_false_alarms(
    per_week: float, hours_mean: float, rate: float, night: int
) -> None:
    """Thirty seeds each. Slow: twelve weeks of hours for each of them."""
    alarms = false_alarms(per_week, hours_mean, rate, night, range(30))

    assert alarms <= 1  # At 1 in 100 each, more than one of thirty would come by chance once in thirty.


@given(st.integers(1, 60), st.integers(0, 60), st.floats(0.01, 0.99))
def test_the_binomial_tail_is_that_of_the_sum(count: int, times: int, share: float) -> None:
    from math import comb

    times = min(times, count)
    exact = sum(
        comb(count, hits) * share**hits * (1 - share) ** (count - hits) for hits in range(times, count + 1)
    )

    if times > count * share:
        assert binomial_tail(times, count, share) == pytest.approx(exact, rel=1e-6)
    else:
        assert binomial_tail(times, count, share) >= 0.4


def test_fishers_test_gives_the_known_figure() -> None:
    """The lady tasting tea: four of four right, of eight cups with four of each kind: 1 in 70."""
    assert fisher_tail(4, 4, 4, 8) == pytest.approx(1 / 70)
    assert fisher_tail(3, 4, 4, 8) == pytest.approx(17 / 70)
    assert SLOTS == 12
