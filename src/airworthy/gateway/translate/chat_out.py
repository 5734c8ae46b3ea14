"""Writes the neutral conversation as a Chat Completions request."""

from collections.abc import Sequence

from airworthy.gateway.translate.call_ids import CHAT_ID_CHARS_MAX, shortened
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

STOPS_MAX = 4


def write_chat(talk: Conversation, target: Target, findings: Findings) -> Json:
    settings = talk.settings
    body: Json = {
        "model": target.model,
        "messages": [message for turn in talk.turns for message in _messages(turn, findings)],
    }
    check_settings(talk, target, findings)
    if len(settings.stop) > STOPS_MAX:
        findings.block(f"{len(settings.stop)} stop sequences (at most {STOPS_MAX} are possible)")
    optional: Json = {
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "stop": list(settings.stop) or None,
        target.chat_limit: target.bounded(settings.output_tokens_max, findings),
        "reasoning_effort": settings.effort if target.thinking != "none" else None,
        "verbosity": settings.verbosity,
        "user": settings.user,
        "response_format": _format(talk.format, findings) if talk.format else None,
        **settings.family,
    }
    if talk.tools:
        optional["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    **({"description": tool.description} if tool.description else {}),
                    "parameters": tool.parameters,
                    **({"strict": True} if strict_of(tool, findings) else {}),
                },
            }
            for tool in talk.tools
        ]
        optional["tool_choice"] = _choice(talk.choice) if talk.choice else None
        optional["parallel_tool_calls"] = settings.parallel
    if settings.stream:
        # The gateway counts what a stream cost; whether the caller sees the count is the way back's to say.
        optional |= {"stream": True, "stream_options": {"include_usage": True}}
    return body | {key: value for key, value in optional.items() if value not in (None, "")}


def _messages(turn: Turn, findings: Findings) -> list[Json]:
    thoughts_stay(turn, findings)
    if turn.role == "assistant":
        return [_assistant(turn, findings)]
    out: list[Json] = [_result(part, findings) for part in turn.parts if isinstance(part, ToolResult)]
    spoken = [part for part in turn.parts if not isinstance(part, ToolResult | Thinking)]
    if spoken or not out:
        out.append({"role": turn.role, "content": _content(spoken, findings)})
    return out


def _assistant(turn: Turn, findings: Findings) -> Json:
    words = [part for part in turn.parts if isinstance(part, Text)]
    calls = [part for part in turn.parts if isinstance(part, ToolCall)]
    refusals = [part.text for part in turn.parts if isinstance(part, Refusal)]
    if any(isinstance(part, Image | File) for part in turn.parts):
        findings.block("an image or file in an assistant's turn")
    first_call = next((i for i, part in enumerate(turn.parts) if isinstance(part, ToolCall)), len(turn.parts))
    if any(isinstance(part, Text) for part in turn.parts[first_call:]):
        findings.note(
            "text after a tool call", "stands before the call, as a message has its text before its calls"
        )
    message: Json = {"role": "assistant", "content": _content(words, findings) if words else None}
    if refusals:
        message["refusal"] = "".join(refusals)
    if calls:
        message["tool_calls"] = [
            {
                "id": shortened(call.id, CHAT_ID_CHARS_MAX),
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments or "{}"},
            }
            for call in calls
        ]
    elif not words and not refusals:
        message["content"] = ""
    return message


def _result(part: ToolResult, findings: Findings) -> Json:
    if any(not isinstance(inner, Text) for inner in part.parts):
        findings.block("an image or file in a tool's result")
    texts = [inner.text for inner in part.parts if isinstance(inner, Text)]
    if part.is_error:
        findings.note("is_error", f"told by the words {ERROR_MARK.strip()} before the result's text")
        texts = [ERROR_MARK + texts[0], *texts[1:]] if texts else [ERROR_MARK]
    content: object = texts[0] if len(texts) == 1 else [{"type": "text", "text": text} for text in texts]
    return {
        "role": "tool",
        "tool_call_id": shortened(part.call_id, CHAT_ID_CHARS_MAX),
        "content": content or "",
    }


def _content(parts: Sequence[Part], findings: Findings) -> object:
    if len(parts) == 1 and isinstance(parts[0], Text):
        return parts[0].text
    return [_part(part, findings) for part in parts] or ""


def _part(part: Part, findings: Findings) -> Json:
    match part:
        case Image():
            detail = {"detail": part.detail} if part.detail else {}
            return {"type": "image_url", "image_url": {"url": image_url(part), **detail}}
        case File():
            if part.url:
                findings.block("a PDF given by its URL")
            return {
                "type": "file",
                "file": {"filename": part.name or "document.pdf", "file_data": file_data_url(part)},
            }
        case Text() | Refusal():
            return {"type": "text", "text": part.text}
        case _:
            findings.block("a tool call in a user's turn")
            return {}


def _choice(choice: Choice) -> object:
    if choice.mode == "tool":
        return {"type": "function", "function": {"name": choice.name}}
    if choice.allowed:
        tools = [{"type": "function", "function": {"name": name}} for name in choice.allowed]
        return {"type": "allowed_tools", "allowed_tools": {"mode": choice.mode, "tools": tools}}
    return choice.mode


def _format(form: Format, findings: Findings) -> Json:
    if form.schema is None:
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": schema_fields(form, findings)}
