"""Reads an Anthropic Messages request into the neutral conversation."""

from collections.abc import Mapping

from airworthy.gateway.translate import effort
from airworthy.gateway.translate.call_ids import from_messages
from airworthy.gateway.translate.chat_in import CACHE_MARKS, OBJECT
from airworthy.gateway.translate.conversation import (
    Choice,
    Conversation,
    File,
    Format,
    Image,
    Part,
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
from airworthy.gateway.translate.media import image_from_source
from airworthy.gateway.translate.shape import dumped, entries, members, number, sift, text, whole

_ROLES: dict[object, Role] = {"system": "system", "user": "user", "assistant": "assistant"}
_DROPPED = {**CACHE_MARKS, "citations": "remarks on an earlier answer; its text is kept"}
_TOOL_DROPPED = {
    **CACHE_MARKS,
    "eager_input_streaming": "says only how arguments are streamed",
    "input_examples": "hints beside the schema, which is kept",
}


def read_messages(
    body: Mapping[str, object], family: Mapping[str, object], findings: Findings
) -> Conversation:
    turns: list[Turn] = []
    if body.get("system"):
        turns.append(Turn("system", _parts(body.get("system"), "system", findings)))
    for i, entry in enumerate(entries(body.get("messages"))):
        message, where = members(entry), f"messages[{i}]"
        sift(message, where, {"role", "content"}, {}, findings)
        role = _ROLES.get(message.get("role"))
        if role is None:
            findings.block(f"{where}.role {message.get('role')!r}")
            continue
        turns.append(Turn(role, _parts(message.get("content"), where, findings)))
    metadata = members(body.get("metadata"))
    sift(metadata, "metadata", {"user_id"}, {}, findings)
    output = members(body.get("output_config"))
    sift(output, "output_config", {"effort", "format"}, {}, findings)
    chosen = members(body.get("tool_choice"))
    settings = Settings(
        temperature=number(body.get("temperature")),
        top_p=number(body.get("top_p")),
        stop=tuple(text(entry) for entry in entries(body.get("stop_sequences"))),
        output_tokens_max=whole(body.get("max_tokens")),
        effort=_effort(body, output, findings),
        user=text(metadata.get("user_id")),
        parallel=not chosen["disable_parallel_tool_use"]
        if isinstance(chosen.get("disable_parallel_tool_use"), bool)
        else None,
        stream=body.get("stream") is True,
        family=family,
    )
    tools = [
        _tool(members(entry), f"tools[{i}]", findings) for i, entry in enumerate(entries(body.get("tools")))
    ]
    return Conversation(
        turns=tuple(turns),
        tools=tuple(tool for tool in tools if tool),
        choice=_choice(chosen, findings),
        format=_format(members(output.get("format")), findings),
        settings=settings,
    )


def _parts(content: object, where: str, findings: Findings) -> tuple[Part, ...]:
    if isinstance(content, str):
        return (Text(content),)
    if content is not None and not isinstance(content, list):
        findings.block(f"{where}.content (neither text nor a list)")
    out: list[Part] = []
    for i, entry in enumerate(entries(content)):
        block, here = members(entry), f"{where}.content[{i}]"
        match block.get("type"):
            case "thinking" | "redacted_thinking":
                out.append(Thinking())
            case "tool_use":
                sift(block, here, {"type", "id", "name", "input", "caller"}, _DROPPED, findings)
                if members(block.get("caller")).get("type", "direct") != "direct":
                    findings.block(f"{here}.caller")
                call_id = from_messages(text(block.get("id")))
                out.append(ToolCall(call_id, text(block.get("name")), dumped(members(block.get("input")))))
            case "tool_result":
                sift(block, here, {"type", "tool_use_id", "content", "is_error"}, _DROPPED, findings)
                inner = _parts(block.get("content"), here, findings)
                kept = tuple(part for part in inner if isinstance(part, Text | Image | File))
                call_id = from_messages(text(block.get("tool_use_id")))
                out.append(ToolResult(call_id, kept, block.get("is_error") is True))
            case _:
                out += _plain(block, here, findings)
    return tuple(out)


def _plain(block: Mapping[str, object], where: str, findings: Findings) -> list[Part]:
    match block.get("type"):
        case "text":
            sift(block, where, {"type", "text"}, _DROPPED, findings)
            return [Text(text(block.get("text")))]
        case "image":
            sift(block, where, {"type", "source"}, _DROPPED, findings)
            image = image_from_source(members(block.get("source")), where, findings)
            return [image] if image else []
        case "document":
            return _document(block, where, findings)
        case kind:
            findings.block(f"{where} ({kind or 'no known block'})")
            return []


def _document(block: Mapping[str, object], where: str, findings: Findings) -> list[Part]:
    known = {"type", "source", "title"}
    if not members(block.get("citations")).get("enabled"):
        known.add("citations")
    sift(block, where, known, CACHE_MARKS, findings)
    source, title = members(block.get("source")), text(block.get("title"))
    match source.get("type"), source.get("media_type"):
        case "base64", "application/pdf":
            return [File(name=_file_name(title), data=text(source.get("data")))]
        case "url", _:
            return [File(name=_file_name(title), url=text(source.get("url")))]
        case "text", _:
            findings.note("a text document", "its title and text stand in the message")
            return [Text("\n\n".join(filter(None, (title, text(source.get("data"))))))]
        case kind, media_type:
            findings.block(f"{where} (a document given as {kind} {media_type or ''})".replace(" )", ")"))
            return []


def _file_name(title: str) -> str:
    """OpenAI goes by the ending of a file's name."""
    return title if not title or title.lower().endswith(".pdf") else f"{title}.pdf"


def _effort(body: Mapping[str, object], output: Mapping[str, object], findings: Findings) -> str:
    thinking = members(body.get("thinking"))
    sift(
        thinking,
        "thinking",
        {"type", "budget_tokens"},
        {"display": "thoughts are shown only by the provider that has them"},
        findings,
    )
    wanted = text(output.get("effort"))
    if wanted and not effort.known(wanted):
        findings.block(f"output_config.effort {wanted!r}")
    match thinking.get("type"):
        case "enabled":
            budget, bound = whole(thinking.get("budget_tokens")) or 0, whole(body.get("max_tokens")) or 0
            rung = wanted or effort.effort_of(budget, bound)
            findings.note(
                f"a thinking budget of {budget} tokens", f"becomes the effort {rung}, its share of the output"
            )
            return rung
        case None | "adaptive":
            return wanted
        case "disabled":
            findings.note("thinking disabled", "not every model can be told so; its own default holds")
            return ""
        case kind:
            findings.block(f"thinking {kind}")
            return ""


def _tool(entry: Mapping[str, object], where: str, findings: Findings) -> Tool | None:
    if entry.get("type") not in {None, "custom"}:
        findings.block(f"the hosted tool {entry.get('name') or entry.get('type')}")
        return None
    known = {"type", "name", "description", "input_schema", "strict"}
    known |= {"defer_loading"} if entry.get("defer_loading") is False else set()
    known |= {"allowed_callers"} if entry.get("allowed_callers") == ["direct"] else set()
    sift(entry, where, known, _TOOL_DROPPED, findings)
    return Tool(
        text(entry.get("name")),
        text(entry.get("description")),
        members(entry.get("input_schema")) or OBJECT,
        entry.get("strict") is True,
    )


def _choice(value: Mapping[str, object], findings: Findings) -> Choice | None:
    sift(value, "tool_choice", {"type", "name", "disable_parallel_tool_use"}, {}, findings)
    match value.get("type"):
        case None:
            return None
        case "auto":
            return Choice("auto")
        case "none":
            return Choice("none")
        case "any":
            return Choice("required")
        case "tool":
            return Choice("tool", text(value.get("name")))
        case kind:
            findings.block(f"tool_choice {kind}")
            return None


def _format(value: Mapping[str, object], findings: Findings) -> Format | None:
    match value.get("type"):
        case None:
            return None
        case "json_schema":
            sift(value, "output_config.format", {"type", "schema", "name"}, {}, findings)
            return Format(members(value.get("schema")), text(value.get("name")) or "reply", strict=True)
        case kind:
            findings.block(f"output_config.format {kind}")
            return None
