"""What of a span can be searched for: its words, made from the payload alone, so that the same come out again later."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from airworthy.recorder.otel.bounds import DEPTH_MAX, Bounds

TEXT_CHARS_MAX: Final = Bounds().text_chars_max
_NUMBERS: Final = frozenset({int, float})
_NO_WORDS: Final = frozenset({"type", "role", "id", "finish_reason", "mime_type", "tool_call_id", "index"})


def text_of(payload: bytes, chars_max: int = TEXT_CHARS_MAX) -> str:
    """As it stands in `Span.text` of the span with this payload."""
    return text_of_parts(orjson.loads(payload), chars_max)


def text_of_parts(payload: Mapping[str, Any], chars_max: int = TEXT_CHARS_MAX) -> str:
    """Name, error, input, output, in this order: what is beyond `chars_max` is not found."""
    words: list[str] = []
    left = chars_max
    for part in ("name", "error", "output", "input"):
        value = payload.get(part)
        if value and left > 0:
            left = _gathered(value, words, left, 0)
    text = "\n".join(words)  # Apart, so that what a conversation says again is known as the same line.
    return text if "\x00" not in text else text.replace("\x00", " ")


def _gathered(value: Any, words: list[str], left: int, depth: int) -> int:
    """Appends what is text in it; how many characters are left of the bound after it."""
    if depth > DEPTH_MAX:
        return left
    kind = type(value)
    if kind is dict:
        entries = [inner for key, inner in value.items() if key not in _NO_WORDS]
    else:
        entries = value if kind is list else [value]
    for inner in entries:
        if left <= 0:
            break
        kind = type(inner)
        if kind is str:
            if inner:
                words.append(inner if len(inner) <= left else inner[:left])
                left -= len(inner) + 1
        elif kind is dict or kind is list:
            left = _gathered(inner, words, left, depth + 1)
        elif kind in _NUMBERS and inner - inner == 0:  # Infinity and NaN are null in the payload.
            words.append(str(inner))
            left -= 12
    return left
