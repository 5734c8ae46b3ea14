"""A conversation as plain text, to be summarised; knows the messages of all dialects."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

TEXT_CHARS_MAX: Final = (
    8000  # Of one message: what is longer is mostly a tool's result, of which the rest is alike.
)
_CUT: Final = " [...]"
_CALLED: Final = {"function_call": "arguments", "custom_tool_call": "input", "tool_use": "input"}


def told(messages: Sequence[Mapping[str, Any]], chars_max: int) -> str:
    """At most `chars_max`: then each message is shortened further, and if that is not enough, the oldest are cut."""
    text, each_max = "", TEXT_CHARS_MAX
    while each_max >= 250:
        text = "\n\n".join(filter(None, (_message(message, each_max) for message in messages)))
        if len(text) <= chars_max:
            return text
        each_max //= 2
    return text[len(text) - chars_max :] if chars_max > 0 else ""


def _message(message: Mapping[str, Any], chars_max: int) -> str:
    parts = [_short(part, chars_max) for part in _parts(message) if part]
    who = message.get("role") or ("tool" if str(message.get("type")).endswith("_output") else "assistant")
    return f"{who}: " + "\n".join(parts) if parts else ""


def _parts(part: Mapping[str, Any]) -> Iterator[str]:
    kind = str(part.get("type") or "")
    if kind in _CALLED:
        yield f"[calls {part.get('name')} with {_text(part.get(_CALLED[kind]))}]"
        return
    if "image" in kind or "audio" in kind or kind in ("file", "input_file", "document"):
        yield f"[{kind}]"
        return
    for key in ("text", "content", "output", "refusal"):
        value = part.get(key)
        if type(value) is list:
            for inner in value:
                if type(inner) is dict:
                    yield from _parts(inner)
        elif type(value) is str:
            yield value
    calls = part.get("tool_calls")
    for call in calls if type(calls) is list else ():
        function = call.get("function") or call.get("custom") if type(call) is dict else None
        if type(function) is dict:
            given = function.get("arguments") or function.get("input")
            yield f"[calls {function.get('name')} with {_text(given)}]"


def _text(value: object) -> str:
    return value if type(value) is str else orjson.dumps(value, default=str).decode()


def _short(text: str, chars_max: int) -> str:
    return text if len(text) <= chars_max else text[: chars_max - len(_CUT)] + _CUT
