"""How agents have fared, read from rollups, against the same counted row by row in the table of traces."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from airworthy.app.build import assembled
from airworthy.core.clock import US_PER_S, ManualClock
from airworthy.recorder import overview, rollups
from airworthy.recorder.overview import OUTCOMES, WINDOWS, NoSuchWindow, Sums, window_of
from airworthy.recorder.rollups import Change
from airworthy.store import Database
from tests.console.web import world
from tests.database import lasting, memory

DAY_US = 86_400 * US_PER_S
NOW_US = (
    ManualClock().now_us() + 17 * 60 * US_PER_S + 31 * US_PER_S
)  # in the middle of an hour and of five minutes


@pytest.fixture(scope="module")
def database() -> Database:
    """Sixteen days, a little of it in each hour."""
    with lasting():
        made = memory()
    assembled(made, clock=ManualClock())
    world.fill(made, NOW_US, 16 * 24, share=0.012)
    world.fill(made, NOW_US, 5, seed=8, share=0.3)
    return made


def _rows(database: Database, agent: str, from_us: int, until_us: int) -> list[dict[str, Any]]:
    names = (
        "outcome", "duration_us", "cost_nano", "unpriced", "errors", "retries", "steps", "ended_us", "model_calls",
    )  # fmt: skip
    found = database.read_now(
        lambda tx: tx.rows(
            f"SELECT {', '.join(names)} FROM traces WHERE agent = ? AND at_us >= ? AND at_us < ?",
            (agent, from_us, until_us),
        )
    )
    return [dict(zip(names, row, strict=True)) for row in found]


def _compare(sums: Sums, rows: Sequence[dict[str, Any]]) -> None:
    ended = [row for row in rows if row["ended_us"] is not None]
    ends = Counter(row["outcome"] for row in ended)
    assert sums["opened"] == len(rows)
    assert sums["ended"] == len(ended)
    assert {name: sums[name] for name in OUTCOMES} == {name: ends[name] for name in OUTCOMES}
    for name in ("errors", "retries", "steps", "model_calls"):
        assert sums[name] == sum(row[name] for row in rows), name
    priced = [row["cost_nano"] for row in rows if row["cost_nano"] is not None]
    assert sums.cost_nano == (sum(priced) if priced else None)
    assert sums.share("escalated") == (ends["escalated"] / len(ended) if ended else None)
    durations = sorted(row["duration_us"] for row in ended)
    for part in (0.5, 0.95):
        told = sums.duration_us(part)
        if not durations:
            assert told is None
            continue
        exact = durations[max(0, math.ceil(part * len(durations)) - 1)]
        assert told == pytest.approx(exact, rel=0.022)


@pytest.mark.parametrize("name", ["1h", "24h", "7d"])
def test_a_window_says_what_a_count_of_its_traces_says(database: Database, name: str) -> None:
    window = WINDOWS[name]
    found = database.read_now(lambda tx: overview.read(tx, window, NOW_US))

    assert len(found.lines) >= 5
    for agent, line in found.lines.items():
        before_us = found.from_us - window.seconds * US_PER_S
        _compare(line.now, _rows(database, agent, found.from_us, NOW_US + 1))
        _compare(line.before, _rows(database, agent, before_us, found.from_us))


@pytest.mark.parametrize("name", ["1h", "24h", "7d"])
def test_each_step_of_the_trend_says_what_a_count_of_that_step_says(database: Database, name: str) -> None:
    window = WINDOWS[name]
    found = database.read_now(lambda tx: overview.read(tx, window, NOW_US))
    line = found.line("support")

    assert len(line.points) == window.points
    for step, point in enumerate(line.points):
        begin_us = found.from_us + step * window.step_us
        _compare(point, _rows(database, "support", begin_us, begin_us + window.step_us))


def test_all_is_the_sum_of_the_agents_and_its_percentiles_are_of_all_tasks(database: Database) -> None:
    found = database.read_now(lambda tx: overview.read(tx, WINDOWS["24h"], NOW_US))
    rows = [row for agent in found.lines for row in _rows(database, agent, found.from_us, NOW_US + 1)]

    _compare(found.all().now, rows)


def test_an_agent_that_one_may_not_see_is_in_no_number(database: Database) -> None:
    whole = database.read_now(lambda tx: overview.read(tx, WINDOWS["24h"], NOW_US))
    seen = whole.of(lambda agent: agent == "refunds")

    assert set(seen.lines) == {"refunds"}
    assert seen.all().now["opened"] == whole.line("refunds").now["opened"] < whole.all().now["opened"]
    assert seen.line("support").now["opened"] == 0


def test_what_is_told_by_the_hour_is_of_the_time_that_the_window_covers(database: Database) -> None:
    found = database.read_now(lambda tx: overview.read(tx, WINDOWS["1h"], NOW_US))
    sums = found.all().now

    assert 55 * 60 * US_PER_S < sums.span_us < 3_600 * US_PER_S
    assert sums.tasks_per_hour == pytest.approx(sums["opened"] * 3_600 * US_PER_S / sums.span_us)
    assert sums.cost_nano is not None
    assert sums.cost_per_hour_nano == round(sums.cost_nano * 3_600 * US_PER_S / sums.span_us)


@pytest.mark.parametrize(
    ("counts", "cost", "why"),
    [
        ({"opened": 2, "priced": 3, "cost_nano": 10}, 10, "priced"),
        ({"opened": 2, "priced": 3}, 0, "priced at nothing"),
        ({"opened": 2, "unpriced": 3}, None, "nobody knows"),
        ({"opened": 2}, None, "no call at all"),
    ],
)
def test_a_cost_that_is_not_known_is_none_and_never_nothing(
    counts: dict[str, int], cost: int | None, why: str
) -> None:
    assert Sums(1, counts).cost_nano == cost, why


def test_a_task_opened_again_takes_back_its_end_and_no_number_falls_below_nothing() -> None:
    database = memory()
    assembled(database, clock=ManualClock())
    ended, again = Change(), Change()
    for change, times in ((ended, 1), (again, -1)):
        change.add("ended", times)
        change.add("escalated", times)
        change.values.append(("duration", 5_000_000, times))

    def op(tx: Any) -> None:
        series = rollups.series_id(tx, "a", "", "")
        rollups.add(tx, NOW_US - 90 * 60 * US_PER_S, series, ended)
        rollups.add(tx, NOW_US, series, again)

    database.write_now(op)
    hour = database.read_now(lambda tx: overview.read(tx, WINDOWS["1h"], NOW_US)).line("a")
    day = database.read_now(lambda tx: overview.read(tx, WINDOWS["24h"], NOW_US)).line("a")

    assert (hour.now["ended"], hour.now["escalated"], hour.now.duration_us(0.5)) == (0, 0, None)
    assert (hour.before["ended"], day.now["ended"], day.now.duration_us(0.5)) == (1, 0, None)


def test_a_window_that_is_none_is_refused_with_those_there_are() -> None:
    with pytest.raises(NoSuchWindow) as caught:
        window_of("25h")

    assert "1h, 24h, 7d, 30d" in caught.value.mend
