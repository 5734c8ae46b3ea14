"""A Messages request read as the chat request that says the same."""

from collections.abc import Mapping

import orjson

from airworthy.gateway.simulator import results
from airworthy.gateway.simulator.conversation import (
    BadRequest,
    Json,
    ToolUse,
    as_dict,
    as_list,
    as_text,
    content_text,
)
from airworthy.gateway.simulator.dialects.port import Asked

_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


def check_version(headers: Mapping[str, str]) -> None:
    """Raises: BadRequest."""
    if not headers.get("anthropic-version"):
        raise BadRequest("anthropic-version: header is required")


def read(request: dict[str, Json]) -> Asked:
    """Raises: BadRequest."""
    limit = request.get("max_tokens")
    if isinstance(limit, bool) or not isinstance(limit, int):
        raise BadRequest("max_tokens: Field required")
    if limit < 1:
        raise BadRequest("max_tokens: Input should be greater than or equal to 1")
    drawn = as_chat(request)
    # This protocol must state a bound and chat need not; the same words are spoken with it and without.
    return Asked(request, drawn | {"max_tokens": limit}, drawn, stream=request.get("stream") is True)


def as_chat(request: dict[str, Json]) -> dict[str, Json]:
    """Everything but the bound. Raises: BadRequest."""
    messages: list[Json] = []
    system = content_text(request.get("system"))
    if system:
        messages.append({"role": "system", "content": system})
    raw = as_list(request.get("messages"))
    if not raw:
        raise BadRequest("messages: Field required")
    for index, entry in enumerate(raw):
        messages += _message(index, as_dict(entry))
    chat: dict[str, Json] = {"model": request.get("model"), "messages": messages}
    tools = [_tool(tool) for tool in map(as_dict, as_list(request.get("tools"))) if "input_schema" in tool]
    if tools:
        chat["tools"] = [*tools]
    return chat | _choice(as_dict(request.get("tool_choice"))) | _form(request)


def cached_for(request: dict[str, Json]) -> str | None:
    """How long the marked part of the prompt is kept: "5m", "1h", or None if nothing is marked."""
    marks = [as_dict(request.get("cache_control"))]
    marked = [*as_list(request.get("system")), *as_list(request.get("tools"))]
    for message in as_list(request.get("messages")):
        marked += as_list(as_dict(message).get("content"))
    marks += [as_dict(as_dict(block).get("cache_control")) for block in marked]
    found = [as_text(mark.get("ttl")) or "5m" for mark in marks if mark]
    if not found:
        return None
    return "1h" if "1h" in found else "5m"


def _message(index: int, message: dict[str, Json]) -> list[Json]:
    """One chat message, or several: a turn of the user holds results and words."""
    role, content = message.get("role"), message.get("content")
    blocks: list[Json] = [{"type": "text", "text": content}] if isinstance(content, str) else as_list(content)
    if role == "assistant":
        return [_assistant(blocks)]
    if role != "user":
        raise BadRequest(f"messages.{index}.role: Input should be 'user' or 'assistant'")
    made: list[Json] = []
    words: list[Json] = []
    for block in map(as_dict, blocks):
        if block.get("type") == "tool_result":
            made.append({"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": _result(block)})
        else:
            words.append(block)
    if words or not made:
        made.append({"role": "user", "content": _words(words)})
    return made


def _assistant(blocks: list[Json]) -> dict[str, Json]:
    spoken = [block for block in blocks if as_dict(block).get("type") == "text"]
    calls: list[Json] = [
        {
            "id": block.get("id"),
            "type": "function",
            "function": {
                "name": block.get("name"),
                "arguments": orjson.dumps(as_dict(block.get("input"))).decode(),
            },
        }
        for block in map(as_dict, blocks)
        if block.get("type") == "tool_use"
    ]
    message: dict[str, Json] = {"role": "assistant", "content": _words(spoken) if spoken else None}
    return message | ({"tool_calls": calls} if calls else {})


def _words(blocks: list[Json]) -> str:
    return "\n".join(as_text(block.get("text")) for block in map(as_dict, blocks) if "text" in block)


def _result(block: dict[str, Json]) -> str:
    text = content_text(block.get("content"))
    # Chat has no flag for it; there a failed tool says so in its words.
    if block.get("is_error") is True and not results.is_error(ToolUse("", "", 0, text)):
        return f"Error: {text}"
    return text


def _tool(tool: dict[str, Json]) -> dict[str, Json]:
    function: dict[str, Json] = {"name": tool.get("name")}
    if "description" in tool:
        function["description"] = tool["description"]
    return {"type": "function", "function": function | {"parameters": tool["input_schema"]}}


def _choice(choice: dict[str, Json]) -> dict[str, Json]:
    made: dict[str, Json] = {}
    if choice.get("type") == "tool":
        made["tool_choice"] = {"type": "function", "function": {"name": choice.get("name")}}
    elif as_text(choice.get("type")) in _CHOICES:
        made["tool_choice"] = _CHOICES[as_text(choice.get("type"))]
    if choice.get("disable_parallel_tool_use") is True:
        made["parallel_tool_calls"] = False
    return made


def _form(request: dict[str, Json]) -> dict[str, Json]:
    wanted = as_dict(as_dict(request.get("output_config")).get("format")) or as_dict(
        request.get("output_format")
    )
    if wanted.get("type") != "json_schema":
        return {}
    return {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": wanted.get("schema")},
        }
    }
