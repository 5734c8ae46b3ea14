"""Trends as lines and as words."""

import re

import pytest

from airworthy.console.web.trend import HEIGHT, WIDTH, change, moved, trend


def _places(path: str) -> list[tuple[float, float]]:
    numbers = [float(each) for each in re.findall(r"[\d.]+", path)]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def test_a_line_stands_in_its_box_from_nothing_at_the_bottom_to_the_highest_at_the_top() -> None:
    (line,) = trend([0, 5, 10]).paths

    assert _places(line) == [(0, 22), (50, 12), (100, 2)]
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in _places(line))


def test_where_nothing_was_counted_there_is_no_line() -> None:
    found = trend([1, None, 2, 3, None, 4])

    assert len(found.paths) == len(found.areas) == 3
    assert trend([None, None]).empty
    assert not trend([0.0] * 5).empty, "nothing happened, which was counted"


@pytest.mark.parametrize(
    ("now", "before", "sample", "words"),
    [
        (12, 10, 30, "▲ 20 %"), (8, 10, 30, "▼ 20 %"), (10.2, 10, 30, "as before"), (40, 10, 30, "▲ 4.0 times"),
        (40, 10, 19, ""), (40, 0, 30, ""), (None, 10, 30, ""), (10, None, 30, ""),
    ],
)  # fmt: skip
def test_a_change_is_told_only_where_it_says_something(
    now: float | None, before: float | None, sample: int, words: str
) -> None:
    assert change(now, before, sample=sample) == words


@pytest.mark.parametrize(
    ("now", "before", "sample", "words"),
    [
        (0.08, 0.03, 50, "▲ 5 points"),
        (0.04, 0.05, 50, "▼ 1 point"),
        (0.051, 0.05, 50, "as before"),
        (0.9, 0.1, 5, ""),
    ],
)
def test_shares_are_compared_by_their_points(now: float, before: float, sample: int, words: str) -> None:
    assert moved(now, before, sample=sample) == words
