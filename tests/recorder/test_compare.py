"""Two runs side by side: steps find their like, and what differs is told."""

import random
from typing import Any

import pytest

from airworthy.recorder.compare import LINES_MAX, PARTS_MAX, Part, Side, aligned, beside, compare, lines


def part(name: str, asked: Any = None, **fields: Any) -> Part:
    return Part(key=name, kind=fields.pop("kind", "tool"), name=name, state="done", asked=asked, **fields)


def parts(names: str) -> list[Part]:
    return [part(name) for name in names]


def side(*given: Part, **fields: Any) -> Side:
    values: dict[str, Any] = {
        "id": "tsk_1", "agent": "support", "sentence": "", "outcome": "answered", "reason": "done", "release": "r1",
        "started_us": 0, "duration_us": 1, "cost_nano": None, "asked": "hello", "answer": "fine",
    }  # fmt: skip
    return Side(**{**values, **fields}, parts=given)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("abc", "abc", "aa bb cc"),
        ("abc", "ac", "aa b- cc"),
        ("ac", "abc", "aa -b cc"),
        ("abc", "xbz", "a- -x bb c- -z"),
        ("", "ab", "-a -b"),
        ("aab", "ab", "a- aa bb"),
        ("", "", ""),
    ],
)
def test_steps_are_aligned_in_order(left: str, right: str, expected: str) -> None:
    found = " ".join(
        f"{a.name if a else '-'}{b.name if b else '-'}" for a, b in aligned(parts(left), parts(right))
    )
    assert sorted(found.split()) == sorted(expected.split())
    assert found.replace("-", "").replace(" ", "") or not expected


def test_where_a_step_was_made_twice_the_one_with_the_same_arguments_is_its_like() -> None:
    left = [part("get", 1), part("get", 2)]
    ((one, other), (rest, nothing)) = sorted(
        aligned(left, [part("get", 2)]), key=lambda pair: pair[1] is None
    )

    assert (one, other) == (left[1], part("get", 2))
    assert (rest, nothing) == (left[0], None)


def test_no_step_is_lost_and_each_keeps_its_order() -> None:
    rng = random.Random(1)
    for _ in range(100):
        left = [part(rng.choice("abc"), rng.randint(0, 2)) for _ in range(rng.randint(0, 12))]
        right = [part(rng.choice("abc"), rng.randint(0, 2)) for _ in range(rng.randint(0, 12))]
        found = aligned(left, right)
        assert [one for one, _ in found if one] == left
        assert [other for _, other in found if other] == right
        assert all(one.name == other.name for one, other in found if one and other)


def test_the_same_run_differs_in_nothing() -> None:
    one = side(part("get", {"id": 1}, came="x"), part("chat", kind="model", model="m"))

    found = compare(one, one)
    assert (found.differing, found.changes, found.asked, found.answer) == (0, [], [], [])


def test_what_differs_is_named() -> None:
    left = side(part("get", {"id": 1}, came="x"), part("chat", model="a", attempts=2))
    right = side(
        part("get", {"id": 2}, came="x"),
        part("chat", model="b", error="Timeout"),
        outcome="declined",
        answer="no",
    )
    found = compare(left, right)

    assert [change.what for change in found.changes] == ["outcome", "models"]
    assert [change.what for change in found.pairs[1].changes] == ["error", "model", "tries"]
    assert ("-", '  "id": 1') in found.pairs[0].asked
    assert not found.pairs[0].came
    assert ("-", "fine") in found.answer


@pytest.mark.parametrize(
    "pair", [(1, "1"), (None, {"a": 1}), ("a\nb", "a\nc"), ([1], [1, 2]), (True, 1), ("", None)]
)
def test_any_two_values_can_be_held_against_each_other(pair: tuple[Any, Any]) -> None:
    assert all(sign in " +-@" for sign, _ in lines(*pair))


def test_huge_payloads_and_runs_stay_bounded() -> None:
    big = ["x" * 5_000] * 3_000

    assert len(lines(big, [*big, "y"])) <= 2 * LINES_MAX
    assert len(lines("a\n" * 100_000, "b\n" * 100_000)) <= 2 * LINES_MAX
    many = side(*parts("ab" * PARTS_MAX))
    assert len(compare(many, side()).pairs) == PARTS_MAX


def test_columns_put_what_came_beside_what_went() -> None:
    found = beside(lines("a\nb\nc", "a\nX\nY\nc"))

    assert (("-", "b"), ("+", "X")) in found
    assert (None, ("+", "Y")) in found
    assert all(left == right for left, right in found if left and left[0] == " ")
