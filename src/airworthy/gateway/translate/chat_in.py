"""Reads a Chat Completions request into the neutral conversation."""

from collections.abc import Mapping

from airworthy.gateway.translate import effort
from airworthy.gateway.translate.conversation import (
    Choice,
    Conversation,
    File,
    Format,
    Image,
    Part,
    Refusal,
    Role,
    Settings,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
)
from airworthy.gateway.translate.findings import Findings
from airworthy.gateway.translate.media import file_from_data, image_from_url
from airworthy.gateway.translate.shape import entries, members, number, sift, text, whole

# Marks a failed result where the protocol has no flag for it; read back as the flag.
ERROR_MARK = "[error] "
OBJECT: Mapping[str, object] = {"type": "object", "properties": {}}
CACHE_MARKS = {
    "cache_control": "prompt caching is each provider's own, and changes only the price",
    "prompt_cache_breakpoint": "prompt caching is each provider's own, and changes only the price",
}
_MESSAGE_DROPPED = {
    **CACHE_MARKS,
    "annotations": "remarks on an earlier answer; its text is kept",
    "extra_content": "thoughts signed by the provider that had them",
    "thought_signature": "thoughts signed by the provider that had them",
    "prefix": "the last turn is carried as it stands",
    "weight": "a remark for fine-tuning",
}
_ROLES: dict[object, Role] = {"system": "system", "developer": "developer", "user": "user"}
_THOUGHTS = ("reasoning_content", "reasoning", "reasoning_details")


def read_chat(body: Mapping[str, object], family: Mapping[str, object], findings: Findings) -> Conversation:
    messages = entries(body.get("messages"))
    turns = [_turn(members(message), f"messages[{i}]", findings) for i, message in enumerate(messages)]
    _names(messages, findings)
    sift(
        members(body.get("stream_options")),
        "stream_options",
        {"include_usage"},
        {"include_obfuscation": "padding against eavesdropping on lengths, which only OpenAI adds"},
        findings,
    )
    wanted = text(body.get("reasoning_effort"))
    if wanted and not effort.known(wanted):
        findings.block(f"reasoning_effort {wanted!r}")
    stop = body.get("stop")
    parallel = body.get("parallel_tool_calls")
    settings = Settings(
        temperature=number(body.get("temperature")),
        top_p=number(body.get("top_p")),
        stop=(stop,) if isinstance(stop, str) else tuple(text(entry) for entry in entries(stop)),
        output_tokens_max=whole(body.get("max_completion_tokens")) or whole(body.get("max_tokens")),
        effort=wanted,
        verbosity=text(body.get("verbosity")),
        user=text(body.get("user")),
        parallel=parallel if isinstance(parallel, bool) else None,
        stream=body.get("stream") is True,
        family=family,
    )
    tools = [
        _tool(members(entry), f"tools[{i}]", findings) for i, entry in enumerate(entries(body.get("tools")))
    ]
    return Conversation(
        turns=tuple(turn for turn in turns if turn),
        tools=tuple(tool for tool in tools if tool),
        choice=_choice(body.get("tool_choice"), findings),
        format=_format(members(body.get("response_format")), findings),
        settings=settings,
    )


def _turn(message: Mapping[str, object], where: str, findings: Findings) -> Turn | None:
    role = message.get("role")
    known = {"role", "content", "name", *_THOUGHTS}
    match role:
        case "system" | "developer" | "user":
            sift(message, where, known, _MESSAGE_DROPPED, findings)
            allow = {"text", "image_url", "file"} if role == "user" else {"text"}
            return Turn(_ROLES[role], _parts(message.get("content"), allow, where, findings))
        case "assistant":
            sift(message, where, known | {"refusal", "tool_calls"}, _MESSAGE_DROPPED, findings)
            return Turn("assistant", _assistant(message, where, findings))
        case "tool":
            sift(message, where, known | {"tool_call_id"}, _MESSAGE_DROPPED, findings)
            parts = _parts(message.get("content"), {"text"}, where, findings)
            return Turn("user", (result(text(message.get("tool_call_id")), parts),))
        case _:
            findings.block(f"{where}.role {role!r}")
            return None


def result(call_id: str, parts: tuple[Part, ...]) -> ToolResult:
    """A result whose text begins with the mark of failure is a failed one."""
    kept = tuple(part for part in parts if isinstance(part, Text | Image | File))
    if kept and isinstance(kept[0], Text) and kept[0].text.startswith(ERROR_MARK):
        said = kept[0].text[len(ERROR_MARK) :]
        return ToolResult(call_id, (*((Text(said),) if said else ()), *kept[1:]), is_error=True)
    return ToolResult(call_id, kept)


def _assistant(message: Mapping[str, object], where: str, findings: Findings) -> tuple[Part, ...]:
    parts: list[Part] = []
    if any(message.get(key) for key in _THOUGHTS):
        parts.append(Thinking())
    parts += _parts(message.get("content"), {"text", "refusal", "thinking"}, where, findings)
    if refusal := text(message.get("refusal")):
        parts.append(Refusal(refusal))
    for i, entry in enumerate(entries(message.get("tool_calls"))):
        call, here = members(entry), f"{where}.tool_calls[{i}]"
        sift(call, here, {"id", "type", "function", "index"}, _MESSAGE_DROPPED, findings)
        if call.get("type", "function") not in {"function", None}:
            findings.block(f"{here} (a tool call of type {call.get('type')})")
            continue
        function = members(call.get("function"))
        sift(function, f"{here}.function", {"name", "arguments"}, {}, findings)
        parts.append(
            ToolCall(text(call.get("id")), text(function.get("name")), text(function.get("arguments")))
        )
    return tuple(parts)


def _parts(content: object, allowed: set[str], where: str, findings: Findings) -> tuple[Part, ...]:
    if content is None:
        return ()
    if isinstance(content, str):
        return (Text(content),)
    if not isinstance(content, list):
        findings.block(f"{where}.content (neither text nor a list)")
    out: list[Part] = []
    for i, entry in enumerate(entries(content)):
        part, here = members(entry), f"{where}.content[{i}]"
        kind = text(part.get("type"))
        if kind not in allowed:
            findings.block(f"{here} ({kind or 'no known part'})")
            continue
        sift(part, here, {"type", kind}, CACHE_MARKS, findings)
        inner = members(part.get(kind))
        match kind:
            case "text":
                out.append(Text(text(part.get("text"))))
            case "refusal":
                out.append(Refusal(text(part.get("refusal"))))
            case "thinking":
                out.append(Thinking())
            case "image_url":
                sift(inner, here, {"url", "detail"}, {}, findings)
                image = image_from_url(text(inner.get("url")), text(inner.get("detail")), here, findings)
                out += [image] if image else []
            case "file":
                sift(inner, here, {"file_data", "filename"}, {}, findings)
                if data := text(inner.get("file_data")):
                    file = file_from_data(data, text(inner.get("filename")), here, findings)
                    out += [file] if file else []
    return tuple(out)


def _names(messages: list[object], findings: Findings) -> None:
    """Names tell speakers of one role apart; one speaker a role needs none. A tool's name stands in its call."""
    speakers: dict[str, set[str]] = {}
    for message in map(members, messages):
        if message.get("role") in {"user", "assistant"}:
            speakers.setdefault(text(message.get("role")), set()).add(text(message.get("name")))
    if any(len(names) > 1 for names in speakers.values()):
        findings.block("messages[].name (several speakers of one role)")
    elif any(text(members(message).get("name")) for message in messages):
        findings.note("messages[].name", "there is only one speaker of each role, so names tell nobody apart")


def _tool(entry: Mapping[str, object], where: str, findings: Findings) -> Tool | None:
    sift(entry, where, {"type", "function", "parameters"}, CACHE_MARKS, findings)
    if entry.get("type", "function") != "function":
        findings.block(f"the hosted tool {entry.get('type')}")
        return None
    function = members(entry.get("function"))
    sift(function, where, {"name", "description", "parameters", "strict"}, CACHE_MARKS, findings)
    return Tool(
        text(function.get("name")),
        text(function.get("description")),
        members(function.get("parameters")) or OBJECT,
        function.get("strict") is True,
    )


def _choice(value: object, findings: Findings) -> Choice | None:
    match value:
        case None:
            return None
        case "auto" | "none" | "required" | "any":
            return Choice("auto" if value == "auto" else "none" if value == "none" else "required")
        case {"type": "function", "function": {"name": str(name)}}:
            return Choice("tool", name)
        case {
            "type": "allowed_tools",
            "allowed_tools": {"mode": "auto" | "required" as mode, "tools": list(tools)},
        }:
            names = tuple(text(members(members(tool).get("function")).get("name")) for tool in tools)
            if all(names):
                return Choice("auto" if mode == "auto" else "required", allowed=names)
    findings.block(f"tool_choice {members(value).get('type', value)}")
    return None


def _format(value: Mapping[str, object], findings: Findings) -> Format | None:
    match value.get("type"):
        case None | "text":
            return None
        case "json_object":
            return Format()
        case "json_schema":
            return read_schema(members(value.get("json_schema")), "response_format.json_schema", findings)
        case kind:
            findings.block(f"response_format {kind}")
            return None


def read_schema(value: Mapping[str, object], where: str, findings: Findings) -> Format:
    sift(value, where, {"type", "name", "description", "schema", "strict"}, {}, findings)
    strict = value.get("strict")
    return Format(
        members(value.get("schema")),
        text(value.get("name")),
        text(value.get("description")),
        strict if isinstance(strict, bool) else None,
    )
