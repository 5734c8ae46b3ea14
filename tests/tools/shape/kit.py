"""JSON values for properties, and shapes in one line for tables."""

import json
from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st

from airworthy.tools.shape import Shape, added, differences, of_value, settled

NAMES = st.sampled_from(
    ["id", "name", "total", "phone", "items", "status", "a b", "ü", "1234", "ada@example.com"]
)
TEXTS = st.sampled_from([
    "", "paid", "open", "2026-11-26", "2026-11-26T09:00:00Z", "12", "12.5", "a@b.example", "https://example.com/x",
    "123e4567-e89b-12d3-a456-426614174000", '{"x": 1}', "[1, 2]", "{not json}", "some words", "09:30",
]) | st.text(max_size=12)  # fmt: skip
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(NAMES | st.text(max_size=6), inner, max_size=6),
    max_leaves=25,
)  # fmt: skip


def size_of(value: Any) -> int:
    return len(json.dumps(value))


def learnt(*values: Any, times: int = 1) -> Shape:
    shape = Shape()
    for _ in range(times):
        for value in values:
            added(shape, value, size_of(value))
    return shape


def told(pinned: Shape, value: Any) -> list[tuple[str, str, bool]]:
    """Path, what and whether it breaks, of each difference."""
    found = differences(pinned, of_value(value, size_of(value)))
    return [(each.path, each.what, each.breaking) for each in found]


def pinned(values: Iterable[Any], times: int = 50) -> Shape:
    return settled(learnt(*values, times=times))
