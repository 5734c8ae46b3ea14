"""Payloads as text: any that can be stored can be shown."""

from typing import Any

import pytest

from airworthy.recorder.readable import TOO_DEEP, in_brief, readable


def deep(levels: int) -> Any:
    made: Any = 1
    for _ in range(levels):
        made = [made]
    return made


@pytest.mark.parametrize(
    ("value", "text", "brief"),
    [
        (None, "", ""),
        ("a\nb", "a\nb", "a\nb"),
        ({"b": 1, "a": "é"}, '{\n  "b": 1,\n  "a": "é"\n}', '{"b":1,"a":"é"}'),
        (2**70, str(2**70), str(2**70)),
        ("\ud800", "\ud800", "\ud800"),
        (["\ud800"], '[\n  "\\ud800"\n]', '["\\ud800"]'),
        (deep(1_000), TOO_DEEP, TOO_DEEP),
        (0, "0", "0"),
        (False, "false", "false"),
    ],
)
def test_anything_has_a_text(value: Any, text: str, brief: str) -> None:
    assert (readable(value), in_brief(value)) == (text, brief)


def test_keys_can_be_sorted_for_a_comparison() -> None:
    assert readable({"b": 1, "a": 2}, sort_keys=True) == readable({"a": 2, "b": 1}, sort_keys=True)
