"""What holds for all values: learning and merging agree in any order, what was learnt fits, bounds hold."""

import random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airworthy.tools.shape import (
    Matcher,
    Shape,
    accepted,
    added,
    differences,
    merged,
    of_json,
    of_value,
    settled,
)
from airworthy.tools.shape.learning import ITEMS_MAX, VALUES_MAX
from airworthy.tools.shape.node import DEPTH_MAX, FIELDS_MAX, packed, unpacked
from tests.tools.shape.kit import VALUES, learnt, size_of

EXAMPLES = 60  # Each builds some shapes; a property takes about a second.
MANY = st.lists(VALUES, min_size=1, max_size=8)


def canonical(shape: Shape) -> bytes:
    return orjson.dumps(packed(shape), option=orjson.OPT_SORT_KEYS)


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None)
@given(MANY, st.randoms(use_true_random=False))
def test_the_order_of_learning_and_merging_never_matters(values: list[Any], chance: random.Random) -> None:
    shuffled = list(values)
    chance.shuffle(shuffled)
    cut = chance.randint(0, len(values))
    parts = merged(learnt(*shuffled[cut:]), learnt(*shuffled[:cut]))

    assert canonical(learnt(*values)) == canonical(learnt(*shuffled)) == canonical(parts)


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None)
@given(MANY, MANY, MANY)
def test_merging_is_associative(one: list[Any], two: list[Any], three: list[Any]) -> None:
    a, b, c = learnt(*one), learnt(*two), learnt(*three)

    assert canonical(merged(merged(a, b), c)) == canonical(merged(a, merged(b, c)))


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None)
@given(MANY, st.sampled_from([1, 40]))
def test_a_value_never_differs_from_the_shape_that_learnt_it(values: list[Any], times: int) -> None:
    for shape in (raw := learnt(*values, times=times), settled(raw), accepted(settled(raw), raw)):
        for value in values:
            assert differences(shape, of_value(value, size_of(value))) == []
            assert Matcher(shape).fits(value, size_of(value))


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None)
@given(MANY, VALUES, st.sampled_from([1, 40]))
def test_what_the_fast_test_lets_through_has_no_difference(values: list[Any], other: Any, times: int) -> None:
    shape = settled(learnt(*values, times=times))

    if Matcher(shape).fits(other, size_of(other)):
        assert differences(shape, of_value(other, size_of(other))) == []


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None)
@given(MANY, MANY)
def test_what_was_accepted_differs_no_more(before: list[Any], since: list[Any]) -> None:
    shape = accepted(settled(learnt(*before, times=30)), learnt(*since, times=3))

    for value in since:
        assert differences(shape, of_value(value, size_of(value))) == []


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None)
@given(MANY)
def test_a_shape_survives_storing(values: list[Any]) -> None:
    shape = settled(learnt(*values))

    assert unpacked(orjson.loads(orjson.dumps(packed(shape)))) == shape
    assert canonical(settled(shape)) == canonical(shape)


def hostile() -> dict[str, tuple[Any, int]]:
    """Each value with the most places that its shape may have."""
    deep: Any = 1
    for _ in range(400):
        deep = {"in": [deep]}
    return {
        "deep": (deep, DEPTH_MAX + 2),
        "100,000 names": (
            {f"name{'x' * (at % 50)}{chr(97 + at % 26)}{at % 997}": at for at in range(100_000)},
            3,
        ),
        "some names": ({"n" * (at + 1): at for at in range(FIELDS_MAX // 2 + 100)}, FIELDS_MAX + 2),
        "100,000 ids": ({f"cus_{at:06d}": {"total": at} for at in range(100_000)}, 4),
        "a long list": ([{"n": at} for at in range(200_000)], 3),
        "lists in lists": ([[[[1] * 40] * 40] * 40] * 40, 6),
        "long texts": (["x" * 1_000_000, "{" * 100_000, "9" * 100_000], 3),
        "huge numbers": ([10**300, -(10**18), 1e308, 5e-324], 3),
        "wide at each level": (
            [{chr(97 + at): {chr(97 + b): [b] for b in range(26)} for at in range(26)}] * 9,
            3_000,
        ),
    }


@pytest.mark.parametrize("name", list(hostile()))
def test_bounds_hold_for_hostile_values(name: str) -> None:
    value, places_max = hostile()[name]
    shape = learnt(value, value)

    assert shape.places() <= places_max
    assert shape.root.seen == 2
    assert sum(node.seen for node in _all(shape)) <= 2 * (VALUES_MAX + ITEMS_MAX)
    assert differences(shape, learnt(value)) == []
    Matcher(shape).fits(value, 1_000)


@pytest.mark.parametrize(
    ("data", "readable"),
    [
        (b"[" * 10_000 + b"]" * 10_000, False),
        (b'{"a": NaN}', False),
        (b'{"a": 1, "a": "text"}', True),
        (b"1" * 400, False),
        (b"1" * 40, True),
        (b'"\\ud800"', False),
        (b"", False),
    ],
)
def test_bytes_that_are_no_plain_json_are_refused_and_never_raise(data: bytes, readable: bool) -> None:
    assert (of_json(data) is not None) is readable


def test_of_a_key_that_comes_twice_the_last_one_counts() -> None:
    shape = of_json(b'{"a": 1, "a": "text"}')

    assert shape is not None
    assert shape.root.fields["a"].kinds == {"text": 1}


def _all(shape: Shape) -> list[Any]:
    found, left = [], [shape.root]
    while left:
        found.append(left.pop())
        left += found[-1].children()
    return found


def test_adding_is_the_same_as_merging_one_result_more() -> None:
    first, second = {"a": [1, {"b": None}]}, {"a": "text", "c": 2.5}

    grown = added(learnt(first), second, size_of(second))

    assert canonical(grown) == canonical(merged(learnt(first), learnt(second)))
