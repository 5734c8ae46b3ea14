"""Notes of steps in words; one of a kind that is not known is shown as it is."""

from typing import Any

import pytest

from airworthy.recorder.notes import NOTE_CHARS_MAX, NOTES_MAX, texts_of


@pytest.mark.parametrize(
    ("note", "text"),
    [
        ({"attempt": 1, "error": "Timeout", "wait_s": 0.5}, "Try 1 failed: Timeout; tried again after 0.5 s"),
        ({"model": "a", "attempt": 2, "error": "X", "wait_s": 1}, "Try 2 of a failed: X; tried again after 1 s"),
        ({"model": "a", "error": "ModelOutage", "message": "503"}, "a failed (ModelOutage): 503"),
        ({"gave_up": "deadline"}, "Gave up: deadline"),
        ({"by_hand": "ana"}, "Made by hand, by ana"),
        ({"as_is": True, "settled_by": "ana"}, "What became of it is the word of ana"),
        ({"answered_by": "ana", "role": "admin", "note": "sure"}, "Answered by ana, admin: sure"),
        ({"as_is": True, "dry_run": True}, "Rehearsed: nothing was done"),
        ({"note": "withheld", "tool": "rm"}, "withheld (tool rm)"),
        ({"something": [1, 2]}, '{"something":[1,2]}'),
        ({"gap": {"tool": "crm", "instead": "tool:b", "why": "x"}}, "crm did not answer; b took its place. x"),
        ({"gap": "odd"}, '{"gap":"odd"}'),
        ({"gap": {}}, "It did not answer; nothing took its place. "),
    ],
)  # fmt: skip
def test_a_note_is_a_sentence(note: dict[str, Any], text: str) -> None:
    assert texts_of([note]) == [text.strip()]


def test_notes_are_safe_and_few() -> None:
    found = texts_of([{"note": "\x1b[31m\u202e" + "x" * 10_000}] * 1_000)

    assert len(found) == NOTES_MAX
    assert all(text.isprintable() and len(text) <= NOTE_CHARS_MAX for text in found)
    assert texts_of([{"as_is": True}]) == []
