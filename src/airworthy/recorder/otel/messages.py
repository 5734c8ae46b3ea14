"""What went in and what came out of a step, found in whichever place and form a convention keeps it.

Messages become `{"role", "parts": [...]}` with parts of OpenTelemetry's kinds (text, tool_call, tool_call_response);
what has no place there stays in the message under its own name. Everything else stays as it was.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson

from airworthy.recorder.otel.names import (
    ASKED,
    CHOICE,
    COMPLETION_EVENT,
    DETAILS_EVENT,
    FAMILIES,
    PROMPT_EVENT,
)
from airworthy.recorder.otel.raw import Attributes, RawEvent

_PLACES_MAX: Final = 10_000  # A number in a key beyond this is no place in a list.
_PARTS_DEEP_MAX: Final = 24


def parsed(value: Any) -> Any:
    """JSON in text as what it says; any other value as it is."""
    if type(value) is str and value[:1] in {"[", "{"}:
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def lifted(attributes: Attributes, keys: Iterable[str]) -> Iterator[tuple[str, str, Any, list[str]]]:
    """Of keys that begin as FAMILY_STARTS, each family as one value: slot, name, value, the keys it was made of.

    Best first, so that what says it best comes first where two say the same.
    """
    found: dict[str, list[str]] = {}
    for key in keys:
        first, second, _ = key.split(".", 2)
        found.setdefault(f"{first}.{second}", []).append(key)
    for name in sorted(found, key=lambda each: FAMILIES[each][1]):
        members = found[name]
        tree = _nested((key[len(name) + 1 :].split("."), attributes[key]) for key in members)
        yield FAMILIES[name][0], name, _messages(tree), members


def of_events(events: Iterable[RawEvent]) -> tuple[Any, Any]:
    """Input and output as span events tell them; None of what they do not."""
    return split((event.name, event.attributes) for event in events)


def of_tool_events(events: Iterable[RawEvent]) -> tuple[Any, Any]:
    """The same of a tool's span: its arguments and its result, bare."""
    arguments: Any = None
    result: Any = None
    for event in events:
        if event.name in ASKED:
            arguments = parsed(event.attributes.get("content"))
        elif event.name == CHOICE:
            result = parsed(event.attributes.get("message", event.attributes.get("content")))
    if (
        isinstance(result, list)
        and len(result) == 1
        and isinstance(result[0], dict)
        and list(result[0]) == ["text"]
    ):
        result = result[0]["text"]
    return arguments, result


def split(said: Iterable[tuple[str, Attributes]]) -> tuple[Any, Any]:
    """Names and attributes of events, in their order."""
    asked: list[Any] = []
    answered: list[Any] = []
    for name, attributes in said:
        if name in ASKED:
            asked.append(_message({"role": ASKED[name], **_without_names(attributes)}))
        elif name == CHOICE:
            answered.append(_choice(attributes))
        elif name == PROMPT_EVENT:
            asked.append(parsed(attributes.get("gen_ai.prompt")))
        elif name == COMPLETION_EVENT:
            answered.append(parsed(attributes.get("gen_ai.completion")))
        elif name == DETAILS_EVENT:
            asked.extend(_listed(parsed(attributes.get("gen_ai.input.messages"))))
            answered.extend(_listed(parsed(attributes.get("gen_ai.output.messages"))))
    return _one_or_all(asked), _one_or_all(answered)


def of_event_list(value: Any) -> tuple[Any, Any]:
    """An attribute that holds events as a JSON array, each with `event.name`."""
    entries = parsed(value)
    if not isinstance(entries, list):
        return None, None
    return split((str(entry.get("event.name", "")), entry) for entry in entries if isinstance(entry, dict))


def _one_or_all(found: list[Any]) -> Any:
    found = [each for each in found if each is not None]
    if len(found) == 1 and isinstance(found[0], list | str):
        return found[0]
    return found or None


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _without_names(attributes: Attributes) -> Attributes:
    return {
        key: parsed(value)
        for key, value in attributes.items()
        if key not in {"event.name", "gen_ai.system", "gen_ai.provider.name", "gen_ai.message.index"}
    }


def _choice(attributes: Attributes) -> Any:
    plain = _without_names(attributes)
    inner = plain.pop("message", None)
    if isinstance(inner, dict):
        plain = {**inner, **plain}
    elif inner is not None:
        plain["content"] = inner
    return _message({"role": "assistant", **plain})


def _nested(entries: Iterable[tuple[list[str], Any]]) -> Any:
    """Numbers among the parts of a key are places in a list, kept in order; holes close."""
    root: dict[str, Any] = {}
    for path, value in entries:
        at = root
        for part in path[:_PARTS_DEEP_MAX][:-1]:
            inner = at.setdefault(part, {})
            if not isinstance(inner, dict):
                inner = at[part] = {"value": inner}
            at = inner
        last = ".".join(path[_PARTS_DEEP_MAX - 1 :]) if len(path) > _PARTS_DEEP_MAX else path[-1]
        if isinstance(at.get(last), dict):
            at[last]["value"] = value
        else:
            at[last] = value
    return _as_lists(root)


def _as_lists(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    if node and all(
        key.isascii() and key.isdigit() and len(key) <= 5 and int(key) < _PLACES_MAX for key in node
    ):
        return [_as_lists(node[key]) for key in sorted(node, key=int)]
    return {key: _as_lists(value) for key, value in node.items()}


def _messages(tree: Any) -> Any:
    if not isinstance(tree, list):
        return tree
    return [_message(_unwrapped(each)) for each in tree]


def _unwrapped(each: Any) -> Any:
    """OpenInference puts each thing under its own name: `message`, `document`, `embedding`."""
    if isinstance(each, dict) and len(each) == 1:
        ((name, inner),) = each.items()
        if name in {"message", "document", "embedding", "tool_call", "message_content"}:
            return inner
    return each


def _message(said: Any) -> Any:
    """A message of any convention, in OpenTelemetry's parts; what is no message stays as it is."""
    if not isinstance(said, dict) or not ({"role", "content", "tool_calls"} & said.keys()):
        return said
    rest = dict(said)
    role = str(rest.pop("role", "assistant"))
    parts: list[Any] = []
    content, contents = rest.pop("content", None), rest.pop("contents", None)
    call_id = rest.pop("tool_call_id", None) or (rest.pop("id", None) if role == "tool" else None)
    content = parsed(content)
    has_results = isinstance(content, list) and any(
        isinstance(e, dict) and "toolResult" in e for e in content
    )
    if role == "tool" and not has_results:
        parts.append({"type": "tool_call_response", "id": call_id, "result": content})
    else:
        for each in (content, contents):
            parts.extend(_content_parts(each))
        if call_id is not None:
            rest["tool_call_id"] = call_id
    calls = rest.pop("tool_calls", None)
    if isinstance(parsed(calls), list):
        told = {
            part.get("id") for part in parts if isinstance(part, dict) and part.get("type") == "tool_call"
        }
        parts.extend(
            call for call in map(_call, parsed(calls)) if call.get("id") is None or call["id"] not in told
        )
    elif calls is not None:
        rest["tool_calls"] = calls
    return {"role": role, "parts": parts, **rest}


def _content_parts(content: Any) -> Iterator[Any]:
    if content is None or content == "":
        return
    if not isinstance(content, list):
        yield {"type": "text", "content": content}
        return
    for each in content:
        each = _unwrapped(each)
        if (
            isinstance(each, dict)
            and isinstance(each.get("text"), str)
            and each.get("type", "text") == "text"
        ):
            yield {"type": "text", "content": each["text"]}
        elif isinstance(each, str):
            yield {"type": "text", "content": each}
        elif isinstance(each, dict) and "tool_call" in each:
            yield _call(each["tool_call"])
        elif isinstance(each, dict) and isinstance(each.get("toolUse"), dict):  # as Bedrock has it
            use = each["toolUse"]
            yield {
                "type": "tool_call",
                "id": use.get("toolUseId"),
                "name": use.get("name"),
                "arguments": use.get("input"),
            }
        elif isinstance(each, dict) and isinstance(each.get("toolResult"), dict):
            done = each["toolResult"]
            yield {"type": "tool_call_response", "id": done.get("toolUseId"), "result": done.get("content")}
        else:
            yield each


def _call(each: Any) -> dict[str, Any]:
    each = _unwrapped(each)
    if not isinstance(each, dict):
        return {"type": "tool_call", "value": each}
    inner = each.get("function")
    inner = inner if isinstance(inner, dict) else each
    if "name" not in inner:
        return {**each, "type": "tool_call"}
    return {
        "type": "tool_call",
        "id": each.get("id"),
        "name": inner["name"],
        "arguments": parsed(inner.get("arguments")),
    }
