"""The waterfall of a run: whatever was recorded is drawn, once, in an order, within its bounds."""

import random
from typing import Any

import pytest

from airworthy.recorder.view import Entry, Wait
from airworthy.recorder.waterfall import BREAK_WIDTH, DEPTH_MAX, FOLD_FROM, SHOWN_OF_FOLDED, Waterfall, drawn

SECOND = 1_000_000


def entry(key: str, parent: str = "", start: float = 0, end: float | None = 1, **fields: Any) -> Entry:
    values: dict[str, Any] = {"kind": "tool", "name": f"look {key}", "state": "done", **fields}
    ended_us = None if end is None else round(end * SECOND)
    return Entry(key=key, parent=parent, started_us=round(start * SECOND), ended_us=ended_us, **values)


def fall(*entries: Entry, now_s: float = 100, unfolded: tuple[str, ...] = ()) -> Waterfall:
    return drawn(entries, round(now_s * SECOND), unfolded)


def order(made: Waterfall) -> list[tuple[str, int]]:
    return [(row.entry.key, row.depth) for row in made.rows]


def test_children_stand_below_their_parents_in_the_order_they_began() -> None:
    made = fall(entry("b", "a", 2), entry("c", "a", 1), entry("a", "", 0, 5), entry("d", "c", 3))

    assert order(made) == [("a", 0), ("c", 1), ("d", 2), ("b", 1)]


def test_steps_that_began_at_one_moment_stand_in_the_order_of_their_numbers() -> None:
    assert [key for key, _ in order(fall(entry("10"), entry("9"), entry("2")))] == ["2", "9", "10"]


@pytest.mark.parametrize(
    ("entries", "odd"),
    [
        ([entry("a", "gone")], "what it belongs to is not here"),
        ([entry("a", "a")], "it names itself as its parent"),
        ([entry("a", start=2, end=1)], "it ends before it begins"),
        ([entry("a", end=1), entry("b", "a", 0.5, 2)], "its times lie outside"),
        ([entry("a", start=1, end=2), entry("b", "a", 0, 1)], "its times lie outside"),
    ],
)
def test_what_cannot_be_is_drawn_all_the_same_and_said(entries: list[Entry], odd: str) -> None:
    made = fall(*entries)

    assert len(made.rows) == len(entries)
    assert any(odd in word for row in made.rows for word in row.odd)


def test_a_hair_of_skew_is_not_worth_a_word() -> None:
    made = fall(entry("a", end=1), entry("b", "a", 0, 1.0005))

    assert all(not row.odd for row in made.rows)


def test_parents_that_lead_in_a_circle_lose_nobody() -> None:
    made = fall(entry("a", "c", 1), entry("b", "a", 2), entry("c", "b", 0.5), entry("d", "b", 3))

    assert sorted(key for key, _ in order(made)) == ["a", "b", "c", "d"]
    assert order(made)[0] == ("c", 0)


def test_a_chain_of_ten_thousand_is_drawn_without_a_stack_of_them() -> None:
    made = fall(*(entry(f"{n:05}", f"{n - 1:05}" if n else "", n, 20_000) for n in range(10_000)))

    assert len(made.rows) == 10_000
    assert max(depth for _, depth in order(made)) == DEPTH_MAX


def test_a_long_row_of_the_same_is_folded_and_can_be_unfolded() -> None:
    many = [
        entry(f"{n:03}", name="look", start=n, end=n + 0.5, state="failed" if n == 20 else "done")
        for n in range(30)
    ]
    folded = fall(*many)
    key = folded.rows[-1].entry.key

    assert len(folded.rows) == SHOWN_OF_FOLDED + 1
    assert (folded.rows[-1].count, folded.rows[-1].failed) == (27, 1)
    assert folded.rows[-1].took_us == 27 * SECOND // 2
    assert len(fall(*many, unfolded=(key,)).rows) == 30
    assert len(fall(*many[: FOLD_FROM - 1]).rows) == FOLD_FROM - 1


def test_what_holds_others_is_never_folded_away() -> None:
    groups = [entry(f"p{n}", name="node", start=n) for n in range(20)]
    inner = [entry(f"c{n}", f"p{n}", start=n) for n in range(20)]

    assert len(fall(*groups, *inner).rows) == 40


def test_a_long_wait_is_cut_short_and_the_rest_keeps_its_measure() -> None:
    hours = 3_600.0
    made = fall(entry("a", start=0, end=1), entry("b", start=10 * hours, end=10 * hours + 1))
    (gap,) = made.breaks
    first, second = made.rows

    assert gap.ended_us - gap.started_us == (10 * hours - 1) * SECOND
    assert gap.width == BREAK_WIDTH
    assert first.width == pytest.approx(second.width) == pytest.approx((1 - BREAK_WIDTH) / 2)


def test_a_parent_that_spans_all_does_not_hide_that_nothing_was_done() -> None:
    made = fall(entry("p", end=1_001), entry("a", "p", 0, 1), entry("b", "p", 1_000, 1_001))

    assert len(made.breaks) == 1


def test_waiting_for_a_person_is_a_wait() -> None:
    wait = Wait(0, 1_000 * SECOND, "dana was asked")
    made = fall(entry("a", end=1), entry("b", start=0, end=1_002, waits=(wait,)))

    assert len(made.breaks) == 1
    ((left, width, told),) = made.rows[1].waits
    assert (left, told) == (0.0, wait)
    assert 0 < width < 1


def test_what_has_no_end_lasts_until_now_while_it_is_under_way() -> None:
    made = fall(entry("a", end=1), entry("b", start=1, end=None, state="started"), now_s=2)

    assert made.ended_us == 2 * SECOND
    assert made.rows[1].took_us is None


def test_nothing_is_an_empty_waterfall() -> None:
    assert fall().rows == ()
    assert fall(entry("a", start=5, end=5)).rows[0].left == 0


def test_any_entries_are_each_drawn_once_and_inside() -> None:
    rng = random.Random(3)
    for _ in range(200):
        keys = [f"{n}" for n in range(rng.randint(1, 25))]
        made = fall(
            *(
                entry(
                    key,
                    rng.choice([*keys, "", "gone"]),
                    rng.uniform(0, 10) ** rng.randint(1, 5),
                    rng.choice([None, rng.uniform(0, 10) ** rng.randint(1, 5)]),
                    name=rng.choice("ab"),
                    state=rng.choice(["done", "started", "held", "failed"]),
                )
                for key in keys
            ),
            now_s=rng.uniform(0, 1e5),
        )
        assert sum(row.count for row in made.rows) == len(keys)
        for row in made.rows:
            assert -1e-9 <= row.left <= row.left + row.width <= 1 + 1e-9
