"""A whole Anthropic Messages reply, read and written."""

from collections.abc import Mapping

from airworthy.gateway.errors import ModelMalformed
from airworthy.gateway.translate.answer import Answer
from airworthy.gateway.translate.bridge import Bridge
from airworthy.gateway.translate.call_ids import from_messages, to_messages
from airworthy.gateway.translate.conversation import Refusal, Text, ToolCall
from airworthy.gateway.translate.findings import Findings
from airworthy.gateway.translate.shape import dumped, entries, json_object, members, text
from airworthy.gateway.translate.usage_out import messages_usage_out
from airworthy.gateway.wire.counts import messages_usage
from airworthy.gateway.wire.facts import Finish

Json = dict[str, object]
FINISHES: Mapping[str, Finish] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "length",  # Not at its end; only hosted tools pause, and none is ever asked for.
    "refusal": "content_filter",
}
REASONS: Mapping[Finish, str] = {
    "stop": "end_turn",
    "tool_calls": "tool_use",
    "length": "max_tokens",
    "content_filter": "refusal",
    "refusal": "refusal",
}


def read_messages_reply(reply: Mapping[str, object], findings: Findings) -> Answer:
    parts: list[Text | Refusal | ToolCall] = []
    for block in map(members, entries(reply.get("content"))):
        match block.get("type"):
            case "text":
                parts.append(Text(text(block.get("text"))))
                if block.get("citations"):
                    findings.note("citations", "have no place in a reply of the caller's protocol")
            case "tool_use":
                call_id = from_messages(text(block.get("id")))
                parts.append(ToolCall(call_id, text(block.get("name")), dumped(members(block.get("input")))))
            case kind:
                findings.note(f"a block of type {kind}", "has no place in a reply of the caller's protocol")
    if explained := text(members(reply.get("stop_details")).get("explanation")):
        parts.append(Refusal(explained))
    return Answer(
        tuple(parts),
        FINISHES.get(text(reply.get("stop_reason")), "stop"),
        messages_usage(reply.get("usage")),
        id=text(reply.get("id")),
        model=text(reply.get("model")),
    )


def write_messages_reply(answer: Answer, _bridge: Bridge, findings: Findings) -> Json:
    """Raises: ModelMalformed for arguments that are no JSON object: here they are no text that could be broken."""
    content: list[Json] = []
    for part in answer.parts:
        if not isinstance(part, ToolCall):
            content += [{"type": "text", "text": part.text}] if part.text else []
            continue
        given = json_object(part.arguments)
        if given is not None:
            content.append(
                {"type": "tool_use", "id": to_messages(part.id), "name": part.name, "input": given}
            )
        elif answer.finish == "length":
            findings.note(f"the call of {part.name}", "the bound on output cut its arguments short")
        else:
            raise ModelMalformed(
                f"The model called {part.name!r} with arguments that are no JSON object.", billed=True
            )
    return {
        "id": answer.id,
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": content,
        "stop_reason": REASONS[answer.finish],
        "stop_sequence": None,
        "usage": messages_usage_out(answer.usage),
    }
