"""What a step's notes say, in words: tries, fallbacks, whose hand it was, what took a result's place. Pure.

The rooms that write notes stand above this one; a note of a kind that is not known here is shown as it is.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from airworthy.core.chars import quoted
from airworthy.recorder.readable import in_brief

NOTE_CHARS_MAX: Final = 500
NOTES_MAX: Final = 50
_SILENT: Final = frozenset({"as_is"})  # For the replay alone.


def texts_of(notes: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line each, in order; the first NOTES_MAX."""
    return [text for text in map(_text, notes[:NOTES_MAX]) if text]


def _text(note: Mapping[str, Any]) -> str:
    said = {key: value for key, value in note.items() if key not in _SILENT}
    for keys, tell in _KNOWN:
        if keys <= said.keys():
            return quoted(tell(said), NOTE_CHARS_MAX)
    return quoted(_json(said), NOTE_CHARS_MAX) if said else ""


def _again(note: Mapping[str, Any]) -> str:
    who = f" of {note['model']}" if "model" in note else ""
    wait = f"; tried again after {note['wait_s']} s" if "wait_s" in note else ""
    return f"Try {note['attempt']}{who} failed: {note['error']}{wait}"


def _fell(note: Mapping[str, Any]) -> str:
    return f"{note['model']} failed ({note['error']}): {note.get('message', '')}"


def _gap(note: Mapping[str, Any]) -> str:
    gap = note["gap"]
    if not isinstance(gap, Mapping):
        return _json(note)
    instead = str(gap.get("instead", ""))
    match instead.partition(":")[0]:
        case "last_good":
            took = f"what it last answered took its place, {gap.get('age_s', '?')} s old"
        case "tool":
            took = f"{instead.removeprefix('tool:')} took its place"
        case "error":
            took = "the agent was told of it"
        case _:
            took = "nothing took its place"
    return f"{gap.get('dependency') or gap.get('tool', 'It')} did not answer; {took}. {gap.get('why', '')}"


def _answered(note: Mapping[str, Any]) -> str:
    role = f", {note['role']}" if note.get("role") else ""
    return f"Answered by {note['answered_by']}{role}" + (f": {note['note']}" if note.get("note") else "")


def _other(note: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in note.items() if key != "note"}
    return f"{note['note']}" + (
        f" ({', '.join(f'{key} {_json(value)}' for key, value in rest.items())})" if rest else ""
    )


def _json(value: object) -> str:
    return in_brief(value)


_KNOWN: Final = (
    (frozenset({"attempt", "error"}), _again),
    (frozenset({"model", "error"}), _fell),
    (frozenset({"gap"}), _gap),
    (frozenset({"gave_up"}), lambda note: f"Gave up: {note['gave_up']}"),
    (frozenset({"by_hand"}), lambda note: f"Made by hand, by {note['by_hand']}"),
    (frozenset({"settled_by"}), lambda note: f"What became of it is the word of {note['settled_by']}"),
    (frozenset({"answered_by"}), _answered),
    (frozenset({"dry_run"}), lambda _: "Rehearsed: nothing was done"),
    (
        frozenset({"delayed_s"}),
        lambda note: f"Accepted into the outbox, {note['delayed_s']} s before it goes out",
    ),
    (frozenset({"note"}), _other),
)
