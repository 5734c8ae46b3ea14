"""What models were asked and answered, as turns, in whichever dialect it was recorded."""

from typing import Any

import pytest

from airworthy.console.web.chat import TURNS_MAX, Turn, tools_of, turns

CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"id":1}'}}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"messages": [{"role": "user", "content": "hi"}]}, [Turn("user", "text", "hi")]),
        ([{"role": "user", "parts": [{"type": "text", "content": "hi"}]}], [Turn("user", "text", "hi")]),
        (
            {"system": "be kind", "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]},
            [Turn("system", "text", "be kind"), Turn("user", "text", "hi")],
        ),
        ({"role": "assistant", "content": None, "tool_calls": [CALL]}, [Turn("assistant", "call", '{"id":1}', "look")]),
        ({"type": "tool_use", "name": "look", "input": {"id": 1}}, [Turn("", "call", '{"id":1}', "look")]),
        ({"role": "tool", "content": "sent"}, [Turn("tool", "result", "sent")]),
        ({"type": "tool_call_response", "response": {"ok": 1}}, [Turn("tool", "result", '{"ok":1}')]),
        ({"choices": [{"message": {"role": "assistant", "content": "yes"}}]}, [Turn("assistant", "text", "yes")]),
        ({"text": "yes", "refusal": "", "tool_calls": []}, [Turn("", "text", "yes")]),
        ({"text": "", "refusal": "no"}, [Turn("", "refusal", "no")]),
        ([{"role": "ai", "content": [{"type": "thinking", "thinking": "hm"}]}], [Turn("ai", "thought", "hm")]),
        ("hi", [Turn("", "text", "hi")]),
        (None, []),
        ({}, [Turn("", "other", "{}")]),
        (5, [Turn("", "other", "5")]),
        ({"strange": 1}, [Turn("", "other", '{"strange":1}')]),
        ({"role": "tool", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
         [Turn("tool", "result", "a\nb")]),
    ],
)  # fmt: skip
def test_every_dialect_is_read(value: Any, expected: list[Turn]) -> None:
    assert turns(value) == expected


def test_the_end_of_a_long_talk_is_what_is_shown() -> None:
    found = turns({"messages": [{"role": "user", "content": str(n)} for n in range(1_000)]})

    assert (len(found), found[-1].text) == (TURNS_MAX, "999")


def test_what_is_nested_without_end_is_shown_as_it_is() -> None:
    deep: Any = "x"
    for _ in range(900):
        deep = {"content": [deep]}

    assert turns(deep)[0].what == "other"


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ({"tools": [{"function": {"name": "a"}}, {"name": "b"}, "c", {}]}, ["a", "b"]),
        ({"tools": "x"}, []),
        (5, []),
    ],
)
def test_the_tools_on_offer_are_named(value: Any, names: list[str]) -> None:
    assert tools_of(value) == names
