"""Finds the hours and weekdays at which a dependency is away again and again. Pure: counts by hour in, windows out.

An hour is *bad* when so many of its calls and checks failed that chance at the dependency's own rate of failure hardly
explains it. A slot (an hour of the day, or of one weekday) is a window when its hours are bad more often than the other
hours are, by Fisher's exact test, corrected for all slots tried (Bonferroni). Hours are counted, never calls: the calls
within one outage fail together and are one observation.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from airworthy.core.clock import US_PER_S
from airworthy.policy.dependency_rule import DAYS, Day, OutageRule

HOUR_US: Final = 3_600 * US_PER_S
SLOT_US: Final = 300 * US_PER_S
SLOTS: Final = 12  # Of five minutes, in an hour.
WHOLE_HOUR: Final = (1 << SLOTS) - 1

SHARE_MIN: Final = 0.2  # Of an hour's calls that failed; less is no outage.
CHANCE_MAX: Final = 0.001  # Of an hour being called bad by chance alone.
TRIED: Final = 24 + 24 * 7  # Hours of the day, and hours of each weekday.
FALSE_ALARMS_MAX: Final = (
    0.01  # Chance of any window at all where there is none, for one dependency at one look.
)
TIMES_MIN: Final = 3  # Twice may be chance, whatever the test says.
BAD_SHARE_MIN: Final = (
    0.5  # Of a window's days; a rarer one would cost more good hours than it spares bad ones.
)
LENGTH_H_MAX: Final = 12  # A longer one is written as several: begin and end must differ.
WEEK_H: Final = 7 * 24
WEEK_MIN: Final = WEEK_H * 60


@dataclass(frozen=True, slots=True)
class Hour:
    """What is known of one hour. `seen` and `bad`: bit n stands for its n-th five minutes, with any call, with a failed
    one."""

    at_us: int
    ok: int
    failed: int
    seen: int = WHOLE_HOUR
    bad: int = WHOLE_HOUR


@dataclass(frozen=True, slots=True)
class Window:
    """A proposal, with its evidence: bad on `bad_days` of the `days_seen` on which it was looked at, while of the
    `elsewhere_seen` other hours `elsewhere_bad` were. `chance`: of evidence this strong in any of the slots tried, were
    there no window.
    """

    days: tuple[Day, ...]
    begin: str
    end: str
    zone: str
    bad_days: int
    days_seen: int
    elsewhere_bad: int
    elsewhere_seen: int
    chance: float

    def __str__(self) -> str:
        days = "daily" if len(self.days) == len(DAYS) else ", ".join(self.days)
        return f"{days} {self.begin} to {self.end} {self.zone}"

    @property
    def evidence(self) -> str:
        return (
            f"bad on {self.bad_days} of {self.days_seen} days; of the other hours {self.elsewhere_bad} of "
            f"{self.elsewhere_seen} were. By chance in {_rarely(self.chance)}; {TRIED} slots were tried."
        )

    def toml(self, dependency: str) -> str:
        days = ", ".join(f'"{day}"' for day in self.days)
        return (
            f'[[dependencies.{dependency}.outages]]\ndays = [{days}]\nbegin = "{self.begin}"\nend = "{self.end}"\n'
            f'zone = "{self.zone}"\nnote = "Learnt: bad on {self.bad_days} of {self.days_seen} days."\n'
        )


@dataclass(frozen=True, slots=True)
class _Known:
    """A declared window as minutes of the week in its zone: where it begins on each of its days, and its length."""

    begins: tuple[int, ...]
    length: int
    zone: ZoneInfo

    @classmethod
    def of(cls, rule: OutageRule) -> "_Known":
        begin, end = (int(at[:2]) * 60 + int(at[3:]) for at in (rule.begin, rule.end))
        begins = tuple(DAYS.index(day) * 1440 + begin for day in rule.days)
        return cls(begins, (end - begin) % 1440, ZoneInfo(rule.zone))

    def touches(self, hour: Hour) -> bool:
        at = datetime.fromtimestamp(hour.at_us // US_PER_S, self.zone)
        minute = at.weekday() * 1440 + at.hour * 60 + at.minute
        return any(
            (minute - begin) % WEEK_MIN < self.length or (begin - minute) % WEEK_MIN < 60
            for begin in self.begins
        )


@dataclass(frozen=True, slots=True)
class _Place:
    """An hour with its place in the week, Monday 00:00 being 0, and whether it was bad. `minute`: of the clock in the
    zone when it begins, which is not 0 everywhere."""

    hour: Hour
    of_week: int
    minute: int
    is_bad: bool


def windows(hours: Iterable[Hour], zone: str = "UTC", declared: Sequence[OutageRule] = ()) -> list[Window]:
    """In the order of the week. Hours that touch a window `declared` already count for nothing, neither as evidence nor
    as what is usual."""
    known = [_Known.of(rule) for rule in declared]
    hours = [
        hour for hour in hours if hour.ok + hour.failed and not any(rule.touches(hour) for rule in known)
    ]
    places = list(_placed(hours, zone))
    looked = Counter(place.of_week for place in places)
    bad = Counter(place.of_week for place in places if place.is_bad)
    strong = _significant(looked, bad)
    if len(strong) == WEEK_H:
        return []  # Always bad is no window.
    groups: dict[tuple[int, int], list[int]] = {}
    for begin, length in _runs(set(strong)):
        groups.setdefault((begin % 24, length), []).append(begin)
    found = [
        # Of several days, the weakest evidence speaks for all.
        _window(begins, length, places, max(_chance(strong, begin, length) for begin in begins), zone)
        for (_, length), begins in groups.items()
    ]
    return sorted(found, key=lambda window: (DAYS.index(window.days[0]), window.begin))


def _placed(hours: Sequence[Hour], zone: str) -> Iterator[_Place]:
    total = sum(hour.ok + hour.failed for hour in hours)
    usual = sum(hour.failed for hour in hours) / total if total else 0.0
    where = ZoneInfo(zone)
    for hour in hours:
        at = datetime.fromtimestamp(hour.at_us // US_PER_S, where)
        yield _Place(hour, at.weekday() * 24 + at.hour, at.minute, _is_bad(hour, usual))


def _is_bad(hour: Hour, usual: float) -> bool:
    count = hour.ok + hour.failed
    return hour.failed >= SHARE_MIN * count and binomial_tail(hour.failed, count, usual) < CHANCE_MAX


def _significant(looked: Counter[int], bad: Counter[int]) -> dict[int, float]:
    """Hours of the week that are in a window, each with the corrected chance of its slot."""
    seen_all, bad_all = looked.total(), bad.total()
    strong: dict[int, float] = {}

    def test(slots: Sequence[int]) -> float:
        count, times = sum(looked[slot] for slot in slots), sum(bad[slot] for slot in slots)
        if times < TIMES_MIN or times < BAD_SHARE_MIN * count:
            return 1.0
        return min(1.0, TRIED * fisher_tail(times, count, bad_all, seen_all))

    for slot in range(WEEK_H):
        chance = test([slot])
        if chance < FALSE_ALARMS_MAX:
            strong[slot] = chance
    for of_day in range(24):
        slots = range(of_day, WEEK_H, 24)
        chance = test(slots)
        if chance < FALSE_ALARMS_MAX:
            for slot in slots:
                # Bad on working days alone is no daily window; a day that was never looked at goes with the others.
                if bad[slot] >= BAD_SHARE_MIN * looked[slot]:
                    strong[slot] = min(chance, strong.get(slot, 1.0))
    return strong


def _runs(strong: set[int]) -> Iterator[tuple[int, int]]:
    """Hours that follow one another, the end of the week being before its beginning; in pieces if there are many."""
    for begin in sorted(strong):
        if (begin - 1) % WEEK_H in strong:
            continue
        length = 1
        while (begin + length) % WEEK_H in strong:
            length += 1
        for done in range(0, length, LENGTH_H_MAX):
            yield (begin + done) % WEEK_H, min(LENGTH_H_MAX, length - done)


def _chance(strong: dict[int, float], begin: int, length: int) -> float:
    """Of the strongest of its hours: the others would not be there without it."""
    return min(strong[(begin + hour) % WEEK_H] for hour in range(length))


def _window(begins: Sequence[int], length: int, places: Sequence[_Place], chance: float, zone: str) -> Window:
    inside = {(begin + hour) % WEEK_H for begin in begins for hour in range(length)}
    first = {begin % WEEK_H for begin in begins}
    last = {(begin + length - 1) % WEEK_H for begin in begins}
    # A day's window is bad when any of its hours is; days are told apart by the hour at which the window began.
    days: dict[int, bool] = {}
    for place in places:
        if place.of_week in inside:
            since = min((place.of_week - begin) % WEEK_H for begin in first)
            day = place.hour.at_us // HOUR_US - since
            days[day] = days.get(day, False) or place.is_bad
    elsewhere = [place for place in places if place.of_week not in inside]
    begin_min = min(_bad_slots(places, first), default=0) * 5
    end_min = (length - 1) * 60 + (max(_bad_slots(places, last), default=SLOTS - 1) + 1) * 5
    from_min = begins[0] % 24 * 60 + next(place.minute for place in places if place.of_week in first)
    return Window(
        days=tuple(DAYS[day] for day in sorted(begin // 24 for begin in first)),
        begin=_time(from_min + begin_min),
        end=_time(from_min + end_min),
        zone=zone,
        bad_days=sum(days.values()),
        days_seen=len(days),
        elsewhere_bad=sum(place.is_bad for place in elsewhere),
        elsewhere_seen=len(elsewhere),
        chance=chance,
    )


def _bad_slots(places: Sequence[_Place], of_week: set[int]) -> list[int]:
    """Five minutes of these hours that failed at least every other time; what was never looked at counts as bad."""
    masks = [place.hour for place in places if place.of_week in of_week and place.is_bad]
    found = []
    for slot in range(SLOTS):
        seen = sum(hour.seen >> slot & 1 for hour in masks)
        bad = sum(hour.bad >> slot & 1 for hour in masks)
        if 2 * bad >= seen:
            found.append(slot)
    return found


def _time(minutes: int) -> str:
    return f"{minutes // 60 % 24:02}:{minutes % 60:02}"


def _rarely(chance: float) -> str:
    return f"fewer than 1 of {round(1 / chance):,} cases" if chance > 1e-12 else "practically no case"


def binomial_tail(times: int, count: int, share: float) -> float:
    """Chance of at least `times` out of `count` where each has the chance `share`."""
    if times <= 0 or share >= 1.0:
        return 1.0
    if share <= 0.0:
        return 0.0
    term = math.exp(
        _log_choose(count, times) + times * math.log(share) + (count - times) * math.log1p(-share)
    )
    if times <= count * share:
        return 1.0 if term == 0.0 else max(term, 0.5)  # Not needed exactly: it is no evidence.
    total, odds = 0.0, share / (1.0 - share)
    for hits in range(times, count + 1):
        total += term
        term *= (count - hits) / (hits + 1) * odds
        if term < total * 1e-12:  # They fall at least geometrically.
            break
    return min(1.0, total)


def fisher_tail(times: int, count: int, times_all: int, count_all: int) -> float:
    """One-sided Fisher's exact test: the chance that `count` drawn of `count_all`, `times_all` of which are bad, hold
    at least `times` bad ones. Source: Fisher (1922)."""
    whole = _log_choose(count_all, count)
    return min(1.0, sum(
        math.exp(_log_choose(times_all, hits) + _log_choose(count_all - times_all, count - hits) - whole)
        for hits in range(times, min(count, times_all) + 1)
        if count - hits <= count_all - times_all
    ))  # fmt: skip


def _log_choose(count: int, times: int) -> float:
    return math.lgamma(count + 1) - math.lgamma(times + 1) - math.lgamma(count - times + 1)
