"""What a message of a conversation is, in each dialect: who speaks, and which tool calls it makes or answers."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple

Kind = Literal["fixed", "user", "model", "result"]

_INSTRUCTING: Final = ("system", "developer")


class Seen(NamedTuple):
    """`kind` fixed: it instructs, and always stays. Calls and results are matched by their ids."""

    kind: Kind
    calls: tuple[str, ...] = ()
    results: tuple[str, ...] = ()


def of_chat(message: Mapping[str, Any]) -> Seen:
    role = message.get("role")
    if role in _INSTRUCTING:
        return Seen("fixed")
    if role == "user":
        return Seen("user")
    if role == "tool":
        return Seen("result", results=_texts(message.get("tool_call_id")))
    if role == "function":  # The older form, which has no ids.
        return Seen("result", results=_texts(message.get("name")))
    calls = [call.get("id") for call in _dicts(message.get("tool_calls"))]
    older = message.get("function_call")
    if type(older) is dict:
        calls.append(older.get("name"))
    return Seen("model", calls=_texts(*calls))


def of_messages(message: Mapping[str, Any]) -> Seen:
    role = message.get("role")
    if role in _INSTRUCTING:
        return Seen("fixed")
    blocks = _dicts(message.get("content"))
    if role == "user":
        results = _texts(*(block.get("tool_use_id") for block in blocks))
        return Seen("result" if results else "user", results=results)
    return Seen("model", calls=_texts(*(b.get("id") for b in blocks if b.get("type") == "tool_use")))


def of_responses(item: Mapping[str, Any]) -> Seen:
    role, kind = item.get("role"), str(item.get("type") or "message")
    if role in _INSTRUCTING or kind == "compaction":
        return Seen("fixed")
    if role == "user":
        return Seen("user")
    if kind.endswith("_output"):
        return Seen("result", results=_texts(item.get("call_id")))
    if kind == "mcp_approval_response":
        return Seen("result", results=_texts(item.get("approval_request_id")))
    if kind == "mcp_approval_request":
        return Seen("model", calls=_texts(item.get("id")))
    return Seen("model", calls=_texts(item.get("call_id")))


# The key under which a dialect has its conversation, how a message is read, and the type of a user's text.
CONVERSATIONS: Final[Mapping[str, tuple[str, Callable[[Mapping[str, Any]], Seen], str]]] = {
    "chat": ("messages", of_chat, "text"),
    "messages": ("messages", of_messages, "text"),
    "responses": ("input", of_responses, "input_text"),
}


def _dicts(value: object) -> list[dict[str, Any]]:
    return [each for each in value if type(each) is dict] if type(value) is list else []


def _texts(*values: object) -> tuple[str, ...]:
    return tuple(value for value in values if type(value) is str and value)
