"""A model's request and reply as turns of a conversation, in whichever dialect they were recorded. Pure.

What does not look like a conversation gives no turns; it is shown as it is. Nothing here is safe to print yet.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from airworthy.recorder.readable import in_brief

TURNS_MAX: Final = 200
DEPTH_MAX: Final = 6
_TEXTS: Final = ("text", "content", "thinking", "reasoning", "refusal", "input_text", "output_text")
_LISTS: Final = ("messages", "input", "output", "choices", "parts", "contents")


@dataclass(frozen=True, slots=True)
class Turn:
    """`what`: text, call (of `name`, with its arguments), result, thought, refusal or other (as JSON)."""

    role: str
    what: str
    text: str
    name: str = ""


def turns(value: Any, role: str = "") -> list[Turn]:
    """The last TURNS_MAX of them: what led to the reply stands at the end. `role`: of whoever is not named."""
    return list(_turns(value, role, 0))[-TURNS_MAX:]


def tools_of(value: Any) -> list[str]:
    """The names of the tools that a request offered."""
    offered = value.get("tools") if isinstance(value, Mapping) else None
    if not isinstance(offered, Sequence) or isinstance(offered, str):
        return []
    found = []
    for tool in offered[:TURNS_MAX]:
        inner = tool.get("function") if isinstance(tool, Mapping) else None
        named = inner if isinstance(inner, Mapping) else tool
        if isinstance(named, Mapping) and "name" in named:
            found.append(str(named["name"]))
    return found


def _turns(value: Any, role: str, depth: int) -> Iterator[Turn]:
    if depth > DEPTH_MAX:
        yield Turn(role, "other", _text(value))
        return
    match value:
        case None | "":
            return
        case str():
            yield Turn(role, "text", value)
        case Mapping():
            yield from _of_object(value, role, depth)
        case list() | tuple():
            for each in value:
                yield from _turns(each, role, depth + 1)
        case _:
            yield Turn(role, "other", _text(value))


def _of_object(value: Mapping[str, Any], role: str, depth: int) -> Iterator[Turn]:
    said = str(value.get("role") or role)
    kind = str(value.get("type", ""))
    if kind in ("tool_use", "tool_call", "function_call", "server_tool_use"):
        arguments = next((value[key] for key in ("input", "arguments") if key in value), None)
        yield Turn(said, "call", _text(arguments), str(value.get("name", "")))
    elif kind in ("tool_result", "tool_call_response", "function_call_output"):
        result = next(
            (value[key] for key in ("content", "response", "result", "output") if key in value), None
        )
        yield Turn("tool", "result", _text(result), str(value.get("name", "")))
    elif said == "tool" and "content" in value:
        yield Turn("tool", "result", _text(value["content"]), str(value.get("name", "")))
    elif kind in ("thinking", "reasoning") or "thinking" in value:
        yield Turn(said, "thought", _text(value.get("thinking", value.get("content", value.get("summary")))))
    elif "message" in value and isinstance(value["message"], Mapping):
        yield from _of_object(value["message"], said, depth + 1)
    else:
        yield from _of_message(value, said, depth)


def _of_message(value: Mapping[str, Any], role: str, depth: int) -> Iterator[Turn]:
    met = False
    if isinstance(value.get("system"), str | list) and "messages" in value:
        yield from _turns(value["system"], "system", depth + 1)
    for key in (*_TEXTS, *_LISTS):
        if key in value:
            met = True
            for turn in _turns(value[key], role, depth + 1):
                yield Turn(turn.role, "refusal", turn.text) if key == "refusal" else turn
    calls = value.get("tool_calls")
    if isinstance(calls, list | tuple):
        met = True
        for call in calls:
            inner = call.get("function", call) if isinstance(call, Mapping) else {"arguments": call}
            named = inner if isinstance(inner, Mapping) else {"arguments": inner}
            yield Turn(role, "call", _text(named.get("arguments")), str(named.get("name", "")))
    if not met:
        yield Turn(role, "other", _text(value))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and all(
        isinstance(each, Mapping) and isinstance(each.get("text"), str) for each in value
    ):
        return "\n".join(each["text"] for each in value)
    return in_brief(value)
