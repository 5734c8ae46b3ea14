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
    """Name, error, output, input, in this order: what is beyond `chars_max` is not found."""
    words: list[str] = []
    for part in ("name", "error", "output", "input"):
        value = payload.get(part)
        if type(value) is str:
            words.append(value)
        elif value is not None:
            _gather(value if type(value) is dict or type(value) is list else [value], words, 0)
    # A line each, so that what a conversation says again is known as the same line.
    text = "\n".join(words)[:chars_max]
    return text if "\x00" not in text else text.replace("\x00", " ")


def _gather(value: Any, words: list[str], depth: int) -> None:
    """Appends what is text in a dict or a list. The kinds are asked for in the order in which they are frequent."""
    if depth > DEPTH_MAX:
        return
    if type(value) is dict:
        for key, inner in value.items():
            kind = type(inner)
            if kind is str:
                if key not in _NO_WORDS:
                    words.append(inner)
            elif (kind is list or kind is dict) and key not in _NO_WORDS:
                _gather(inner, words, depth + 1)
            elif kind in _NUMBERS and key not in _NO_WORDS and inner - inner == 0:
                words.append(str(inner))
        return
    for inner in value:
        kind = type(inner)
        if kind is dict or kind is list:
            _gather(inner, words, depth + 1)
        elif kind is str:
            words.append(inner)
        elif kind in _NUMBERS and inner - inner == 0:  # Infinity and NaN are null in the payload.
            words.append(str(inner))
