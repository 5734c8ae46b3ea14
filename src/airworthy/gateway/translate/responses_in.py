"""Reads a Responses request into the neutral conversation."""

from collections.abc import Mapping

from airworthy.gateway.translate import effort
from airworthy.gateway.translate.chat_in import CACHE_MARKS, OBJECT, read_schema, result
from airworthy.gateway.translate.conversation import (
    Choice,
    Conversation,
    File,
    Format,
    Part,
    Refusal,
    Role,
    Settings,
    Text,
    Thinking,
    Tool,
    ToolCall,
    Turn,
)
from airworthy.gateway.translate.findings import Findings
from airworthy.gateway.translate.media import file_from_data, image_from_url
from airworthy.gateway.translate.schemas import fits_strict
from airworthy.gateway.translate.shape import entries, members, number, sift, text, whole

_ITEM_DROPPED = {
    "id": "names an item that OpenAI stored; the item itself is carried",
    "status": "says how far an earlier item came",
    "phase": "a remark of OpenAI's own models on an earlier answer",
    "created_by": "says who made an item",
}
_PART_DROPPED = {
    **CACHE_MARKS,
    "annotations": "remarks on an earlier answer; its text is kept",
    "logprobs": "figures of an earlier answer; its text is kept",
}
_ROLES: dict[object, Role] = {
    "system": "system",
    "developer": "developer",
    "user": "user",
    "assistant": "assistant",
}
# What `include` may ask for without a loss: all but this is about hosted tools or thoughts, which do not travel.
_INCLUDE_BLOCKED = "message.output_text.logprobs"


def read_responses(
    body: Mapping[str, object], family: Mapping[str, object], findings: Findings
) -> Conversation:
    turns: list[Turn] = []
    if instructions := text(body.get("instructions")):
        turns.append(Turn("system", (Text(instructions),)))
    given = body.get("input")
    if isinstance(given, str):
        turns.append(Turn("user", (Text(given),)))
    for i, entry in enumerate(entries(given)):
        item = _item(members(entry), f"input[{i}]", findings)
        turns += [item] if item else []
    if _INCLUDE_BLOCKED in entries(body.get("include")):
        findings.block(f"include {_INCLUDE_BLOCKED}")
    wording = members(body.get("text"))
    sift(wording, "text", {"format", "verbosity"}, {}, findings)
    parallel = body.get("parallel_tool_calls")
    settings = Settings(
        temperature=number(body.get("temperature")),
        top_p=number(body.get("top_p")),
        output_tokens_max=whole(body.get("max_output_tokens")),
        effort=_effort(members(body.get("reasoning")), findings),
        verbosity=text(wording.get("verbosity")),
        user=text(body.get("user")),
        parallel=parallel if isinstance(parallel, bool) else None,
        stream=body.get("stream") is True,
        family=family,
    )
    tools = [
        _tool(members(entry), f"tools[{i}]", findings) for i, entry in enumerate(entries(body.get("tools")))
    ]
    return Conversation(
        turns=tuple(turns),
        tools=tuple(tool for tool in tools if tool),
        choice=_choice(body.get("tool_choice"), findings),
        format=_format(members(wording.get("format")), findings),
        settings=settings,
    )


def _item(item: Mapping[str, object], where: str, findings: Findings) -> Turn | None:
    match item.get("type", "message"):
        case "message":
            sift(item, where, {"type", "role", "content"}, _ITEM_DROPPED, findings)
            role = _ROLES.get(item.get("role"))
            if role is None:
                findings.block(f"{where}.role {item.get('role')!r}")
                return None
            return Turn(role, _parts(item.get("content"), where, findings))
        case "function_call":
            sift(item, where, {"type", "call_id", "name", "arguments"}, _ITEM_DROPPED, findings)
            call = ToolCall(text(item.get("call_id")), text(item.get("name")), text(item.get("arguments")))
            return Turn("assistant", (call,))
        case "function_call_output":
            sift(item, where, {"type", "call_id", "output", "name"}, _ITEM_DROPPED, findings)
            parts = _parts(item.get("output"), where, findings)
            return Turn("user", (result(text(item.get("call_id")), parts),))
        case "reasoning":
            return Turn("assistant", (Thinking(),))
        case kind:
            findings.block(f"{where} (an item of type {kind})")
            return None


def _parts(content: object, where: str, findings: Findings) -> tuple[Part, ...]:
    if isinstance(content, str):
        return (Text(content),)
    if content is not None and not isinstance(content, list):
        findings.block(f"{where}.content (neither text nor a list)")
    out: list[Part] = []
    for i, entry in enumerate(entries(content)):
        part, here = members(entry), f"{where}.content[{i}]"
        match part.get("type"):
            case "input_text" | "output_text" | "text":
                sift(part, here, {"type", "text"}, _PART_DROPPED, findings)
                out.append(Text(text(part.get("text"))))
            case "refusal":
                sift(part, here, {"type", "refusal"}, _PART_DROPPED, findings)
                out.append(Refusal(text(part.get("refusal"))))
            case "input_image":
                sift(part, here, {"type", "image_url", "detail"}, _PART_DROPPED, findings)
                if part.get("file_id") is None:
                    url, detail = text(part.get("image_url")), text(part.get("detail"))
                    image = image_from_url(url, detail, here, findings)
                    out += [image] if image else []
            case "input_file":
                sift(part, here, {"type", "file_data", "file_url", "filename"}, _PART_DROPPED, findings)
                file = _file(part, here, findings)
                out += [file] if file else []
            case kind:
                findings.block(f"{here} ({kind or 'no known part'})")
    return tuple(out)


def _file(part: Mapping[str, object], where: str, findings: Findings) -> File | None:
    name = text(part.get("filename"))
    if url := text(part.get("file_url")):
        return File(name=name, url=url)
    if data := text(part.get("file_data")):
        return file_from_data(data, name, where, findings)
    return None


def _effort(reasoning: Mapping[str, object], findings: Findings) -> str:
    shown = "thoughts are shown or kept only by the provider that has them"
    dropped = {"summary": shown, "generate_summary": shown, "context": shown}
    known = {"effort"} | ({"mode"} if reasoning.get("mode") == "standard" else set())
    sift(reasoning, "reasoning", known, dropped, findings)
    wanted = text(reasoning.get("effort"))
    if wanted and not effort.known(wanted):
        findings.block(f"reasoning.effort {wanted!r}")
    return wanted


def _tool(entry: Mapping[str, object], where: str, findings: Findings) -> Tool | None:
    if entry.get("type") != "function":
        findings.block(f"the hosted tool {entry.get('type')}")
        return None
    known = {"type", "name", "description", "parameters", "strict"}
    if entry.get("defer_loading") is False:
        known.add("defer_loading")
    sift(entry, where, known, CACHE_MARKS, findings)
    parameters = members(entry.get("parameters")) or OBJECT
    strict = entry.get("strict")
    # Not said means as strict as the schema allows; the other protocols have to be told.
    held = strict if isinstance(strict, bool) else fits_strict(parameters)
    return Tool(text(entry.get("name")), text(entry.get("description")), parameters, held)


def _choice(value: object, findings: Findings) -> Choice | None:
    match value:
        case None:
            return None
        case "auto" | "none" | "required":
            return Choice("auto" if value == "auto" else "none" if value == "none" else "required")
        case {"type": "function", "name": str(name)}:
            return Choice("tool", name)
        case {"type": "allowed_tools", "mode": "auto" | "required" as mode, "tools": list(tools)}:
            names = tuple(text(members(tool).get("name")) for tool in tools)
            if all(names) and all(members(tool).get("type") == "function" for tool in tools):
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
            return read_schema(value, "text.format", findings)
        case kind:
            findings.block(f"text.format {kind}")
            return None
