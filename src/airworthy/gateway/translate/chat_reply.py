"""A whole Chat Completions reply, read and written."""

from collections.abc import Mapping

from airworthy.gateway.translate.answer import Answer
from airworthy.gateway.translate.bridge import Bridge
from airworthy.gateway.translate.call_ids import CHAT_ID_CHARS_MAX, shortened
from airworthy.gateway.translate.conversation import Refusal, Text, ToolCall
from airworthy.gateway.translate.findings import Findings
from airworthy.gateway.translate.shape import entries, members, text, whole
from airworthy.gateway.translate.usage_out import chat_usage_out
from airworthy.gateway.wire.counts import chat_usage
from airworthy.gateway.wire.facts import Finish

Json = dict[str, object]
FINISHES: Mapping[str, Finish] = {
    "stop": "stop",
    "length": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
# A refusal is a normal end here, told by a field of its own.
REASONS: Mapping[Finish, str] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "stop",
}
_NOT_CARRIED = ("annotations", "audio", "reasoning_content", "reasoning", "reasoning_details")


def content_text(content: object) -> str:
    """Some servers answer with a list of parts, thoughts among them."""
    if isinstance(content, str):
        return content
    return "".join(text(members(part).get("text")) for part in entries(content))


def read_chat_reply(reply: Mapping[str, object], findings: Findings) -> Answer:
    choices = entries(reply.get("choices"))
    choice = members(choices[0]) if choices else {}
    message = members(choice.get("message"))
    for key in _NOT_CARRIED:
        if message.get(key):
            findings.note(key, "has no place in a reply of the caller's protocol")
    if choice.get("logprobs"):
        findings.note("logprobs", "were not asked for")
    parts: list[Text | Refusal | ToolCall] = []
    if words := content_text(message.get("content")):
        parts.append(Text(words))
    refusal = text(message.get("refusal"))
    if refusal:
        parts.append(Refusal(refusal))
    for call in map(members, entries(message.get("tool_calls"))):
        function = members(call.get("function"))
        parts.append(
            ToolCall(
                text(call.get("id")), text(function.get("name")), text(function.get("arguments")) or "{}"
            )
        )
    finish = FINISHES.get(text(choice.get("finish_reason")), "stop")
    if refusal and finish == "stop":
        finish = "refusal"
    elif finish == "stop" and any(isinstance(part, ToolCall) for part in parts):
        # A named tool_choice ends with `stop` here, which no other protocol says of a call.
        finish = "tool_calls"
    return Answer(
        tuple(parts),
        finish,
        chat_usage(reply.get("usage")),
        id=text(reply.get("id")),
        model=text(reply.get("model")),
        created_s=whole(reply.get("created")) or 0,
    )


def write_chat_reply(answer: Answer, _bridge: Bridge, _findings: Findings) -> Json:
    message: Json = {
        "role": "assistant",
        "content": answer.text or (None if answer.calls or answer.refusal else ""),
        "refusal": answer.refusal or None,
    }
    if answer.calls:
        message["tool_calls"] = [
            {
                "id": shortened(call.id, CHAT_ID_CHARS_MAX),
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in answer.calls
        ]
    finish = REASONS[answer.finish]
    return {
        "id": answer.id,
        "object": "chat.completion",
        "created": answer.created_s,
        "model": answer.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": chat_usage_out(answer.usage),
    }
