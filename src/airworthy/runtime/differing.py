"""Where two values or two calls differ, for a person: paths, the place in a long text, a diff of answers. Pure."""

import difflib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from airworthy.recorder import Recorded

PLACES_MAX: Final = 20
SHOWN_CHARS: Final = 160
BEFORE_CHARS: Final = 40  # Of what two texts have in common, shown before they part.
DIFF_LINES_MAX: Final = 200
_NOTHING: Final = object()


@dataclass(frozen=True, slots=True)
class Place:
    """`path` such as `messages[3].content`; `recorded` and `now` are short texts, empty where there is nothing."""

    path: str
    recorded: str
    now: str


def places(recorded: Any, now: Any) -> list[Place]:
    """At most PLACES_MAX, in the order of the recorded value."""
    found: list[Place] = []
    for place in _places(recorded, now, ""):
        found.append(place)
        if len(found) == PLACES_MAX:
            break
    return found


def _places(was: Any, now: Any, path: str) -> Iterator[Place]:
    if was == now and type(was) is type(now):
        return
    if isinstance(was, dict) and isinstance(now, dict):
        for key in [*was, *(key for key in now if key not in was)]:
            below = f"{path}.{key}" if path else str(key)
            yield from _places(was.get(key, _NOTHING), now.get(key, _NOTHING), below)
    elif isinstance(was, list) and isinstance(now, list):
        for at in range(max(len(was), len(now))):
            one = was[at] if at < len(was) else _NOTHING
            other = now[at] if at < len(now) else _NOTHING
            yield from _places(one, other, f"{path}[{at}]")
    elif isinstance(was, str) and isinstance(now, str):
        yield Place(path, *_parted(was, now))
    else:
        yield Place(path, _short(was), _short(now))


def _parted(was: str, now: str) -> tuple[str, str]:
    """Both from a little before they part."""
    at = next((i for i, (a, b) in enumerate(zip(was, now, strict=False)) if a != b), min(len(was), len(now)))
    start = max(0, at - BEFORE_CHARS)
    lead = "..." if start else ""
    shown = [lead + each[start : start + SHOWN_CHARS] for each in (was, now)]
    return json.dumps(shown[0], ensure_ascii=False), json.dumps(shown[1], ensure_ascii=False)


def _short(value: Any) -> str:
    if value is _NOTHING:
        return ""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}..."


def nearest(steps: Sequence[Recorded], kind: str, name: str, arguments: Any) -> Recorded | None:
    """Of the recorded calls of the same name the first whose arguments differ in the fewest places."""
    alike = [step for step in steps if (step.kind, step.name) == (kind, name)]
    return min(alike, key=lambda step: len(places(step.arguments, arguments)), default=None)


def answer_diff(
    recorded: Any, now: Any, names: tuple[str, str] = ("recorded", "replayed")
) -> tuple[str, ...]:
    """A unified diff; empty when they are the same."""
    if recorded == now:
        return ()
    lines = difflib.unified_diff(_lines(recorded), _lines(now), *names, lineterm="")
    found = list(lines)
    if len(found) > DIFF_LINES_MAX:
        found = [*found[:DIFF_LINES_MAX], f"... {len(found) - DIFF_LINES_MAX} more lines"]
    return tuple(found)


def _lines(value: Any) -> list[str]:
    text = (
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True)
    )
    return text.splitlines()
