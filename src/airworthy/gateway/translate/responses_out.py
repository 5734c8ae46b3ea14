"""Writes the neutral conversation as a Responses request."""

from airworthy.gateway.translate.call_ids import RESPONSES_ID_CHARS_MAX, shortened
from airworthy.gateway.translate.chat_in import ERROR_MARK
from airworthy.gateway.translate.conversation import (
    Choice,
    Conversation,
    File,
    Format,
    Image,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
)
from airworthy.gateway.translate.findings import Findings
from airworthy.gateway.translate.media import file_data_url, image_url
from airworthy.gateway.translate.openai_out import (
    Json,
    check_settings,
    schema_fields,
    strict_of,
    thoughts_stay,
)
from airworthy.gateway.translate.target import Target

OUTPUT_TOKENS_MIN = 16


def write_responses(talk: Conversation, target: Target, findings: Findings) -> Json:
    settings = talk.settings
    body: Json = {
        "model": target.model,
        "input": [item for turn in talk.turns for item in _items(turn, findings)],
        # Elsewhere nothing is stored unless it is asked for; here everything is, unless it is declined.
        "store": False,
    }
    check_settings(talk, target, findings)
    if settings.stop:
        findings.block("stop sequences")
    limit = target.bounded(settings.output_tokens_max, findings)
    if limit is not None and 0 < limit < OUTPUT_TOKENS_MIN:
        findings.block(f"a bound of {limit} tokens on output (at least {OUTPUT_TOKENS_MIN} are possible)")
    wording: Json = {}
    if talk.format:
        wording["format"] = _format(talk.format, findings)
    if settings.verbosity:
        wording["verbosity"] = settings.verbosity
    optional: Json = {
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "max_output_tokens": limit,
        "reasoning": {"effort": settings.effort} if settings.effort and target.thinking != "none" else None,
        "text": wording or None,
        "user": settings.user,
        "stream": settings.stream or None,
        **settings.family,
    }
    if talk.tools:
        optional["tools"] = [
            {
                "type": "function",
                "name": tool.name,
                **({"description": tool.description} if tool.description else {}),
                "parameters": tool.parameters,
                "strict": strict_of(tool, findings),
            }
            for tool in talk.tools
        ]
        optional["tool_choice"] = _choice(talk.choice) if talk.choice else None
        optional["parallel_tool_calls"] = settings.parallel
    return body | {key: value for key, value in optional.items() if value not in (None, "")}


def _items(turn: Turn, findings: Findings) -> list[Json]:
    """Parts that are items of their own stand between the messages, in order."""
    thoughts_stay(turn, findings)
    out: list[Json] = []
    spoken: list[Json] = []
    said = False
    for part in turn.parts:
        match part:
            case ToolCall() | ToolResult():
                out += _message(turn, spoken)
                spoken = []
                said = True
                out.append(_call(part) if isinstance(part, ToolCall) else _result(part, findings))
            case Thinking():
                said = True
            case _:
                spoken.append(_part(part, turn, findings))
    out += _message(turn, spoken)
    if not out and not said:
        out.append({"type": "message", "role": turn.role, "content": ""})
    return out


def _message(turn: Turn, content: list[Json]) -> list[Json]:
    if turn.role != "assistant":
        return [{"type": "message", "role": turn.role, "content": content}] if content else []
    # What the assistant said may stand in parts only with the id of a stored message, which there is not; in plain
    # text it may. Only a refusal has no such form.
    return [{"type": "message", "role": "assistant", "content": part.get("text", [part])} for part in content]


def _call(part: ToolCall) -> Json:
    return {
        "type": "function_call",
        "call_id": shortened(part.id, RESPONSES_ID_CHARS_MAX),
        "name": part.name,
        "arguments": part.arguments or "{}",
    }


def _result(part: ToolResult, findings: Findings) -> Json:
    parts = part.parts
    if part.is_error:
        findings.note("is_error", f"told by the words {ERROR_MARK.strip()} before the result's text")
        first = parts[0] if parts else None
        marked = Text(ERROR_MARK + first.text) if isinstance(first, Text) else Text(ERROR_MARK)
        parts = (marked, *(parts[1:] if isinstance(first, Text) else parts))
    one = parts[0] if len(parts) == 1 else None
    output: object = one.text if isinstance(one, Text) else [_input_part(inner) for inner in parts] or ""
    return {
        "type": "function_call_output",
        "call_id": shortened(part.call_id, RESPONSES_ID_CHARS_MAX),
        "output": output,
    }


def _part(part: Part, turn: Turn, findings: Findings) -> Json:
    if turn.role != "assistant" and isinstance(part, Text | Image | File):
        return _input_part(part)
    match part:
        case Text():
            return {"type": "output_text", "text": part.text}
        case Refusal():
            return {"type": "refusal", "refusal": part.text}
        case _:
            findings.block("an image or file in an assistant's turn")
            return {}


def _input_part(part: Text | Image | File) -> Json:
    match part:
        case Text():
            return {"type": "input_text", "text": part.text}
        case Image():
            return {"type": "input_image", "image_url": image_url(part), "detail": part.detail or "auto"}
        case File():
            name: Json = {"filename": part.name or "document.pdf"}
            given: Json = {"file_url": part.url} if part.url else name | {"file_data": file_data_url(part)}
            return {"type": "input_file", **given}


def _choice(choice: Choice) -> object:
    if choice.mode == "tool":
        return {"type": "function", "name": choice.name}
    if choice.allowed:
        tools = [{"type": "function", "name": name} for name in choice.allowed]
        return {"type": "allowed_tools", "mode": choice.mode, "tools": tools}
    return choice.mode


def _format(form: Format, findings: Findings) -> Json:
    if form.schema is None:
        return {"type": "json_object"}
    return {"type": "json_schema", **schema_fields(form, findings)}
