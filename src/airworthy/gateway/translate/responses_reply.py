"""A whole Responses reply, read and written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from airworthy.gateway.errors import ModelMalformed
from airworthy.gateway.translate.answer import Answer
from airworthy.gateway.translate.bridge import Bridge
from airworthy.gateway.translate.call_ids import RESPONSES_ID_CHARS_MAX, shortened
from airworthy.gateway.translate.conversation import Refusal, Text, ToolCall
from airworthy.gateway.translate.findings import Findings
from airworthy.gateway.translate.shape import entries, members, text, whole
from airworthy.gateway.translate.usage_out import responses_usage_out
from airworthy.gateway.wire.counts import responses_usage
from airworthy.gateway.wire.facts import Finish, Usage

Json = dict[str, object]
# Why a reply is incomplete; any other end is `completed`.
INCOMPLETE: Mapping[Finish, str] = {"length": "max_output_tokens", "content_filter": "content_filter"}


def read_responses_reply(reply: Mapping[str, object], findings: Findings) -> Answer:
    """Raises: ModelMalformed when the reply says that there is none."""
    if reply.get("status") in {"failed", "cancelled", "queued", "in_progress"}:
        said = text(members(reply.get("error")).get("message")) or "no reason given"
        raise ModelMalformed(f"The reply has the status {reply.get('status')!r}: {said}.", billed=True)
    parts: list[Text | Refusal | ToolCall] = []
    for item in map(members, entries(reply.get("output"))):
        match item.get("type"):
            case "message":
                parts += _spoken(item, findings)
            case "function_call":
                name, arguments = text(item.get("name")), text(item.get("arguments")) or "{}"
                parts.append(ToolCall(text(item.get("call_id")), name, arguments))
            case kind:
                findings.note(f"an item of type {kind}", "has no place in a reply of the caller's protocol")
    return Answer(
        tuple(parts),
        finish_of(reply, parts),
        responses_usage(reply.get("usage")),
        id=text(reply.get("id")),
        model=text(reply.get("model")),
        created_s=whole(reply.get("created_at")) or 0,
    )


def _spoken(item: Mapping[str, object], findings: Findings) -> list[Text | Refusal | ToolCall]:
    out: list[Text | Refusal | ToolCall] = []
    for part in map(members, entries(item.get("content"))):
        if part.get("type") == "refusal":
            out.append(Refusal(text(part.get("refusal"))))
        else:
            out.append(Text(text(part.get("text"))))
        for key in ("annotations", "logprobs"):
            if part.get(key):
                findings.note(key, "have no place in a reply of the caller's protocol")
    return out


def finish_of(reply: Mapping[str, object], parts: list[Text | Refusal | ToolCall]) -> Finish:
    if reply.get("status") == "incomplete":
        reason = members(reply.get("incomplete_details")).get("reason")
        return "content_filter" if reason == "content_filter" else "length"
    if any(isinstance(part, ToolCall) for part in parts):
        return "tool_calls"
    return "refusal" if any(isinstance(part, Refusal) for part in parts) else "stop"


def write_responses_reply(answer: Answer, bridge: Bridge, new_id: Callable[[], str]) -> Json:
    status = "incomplete" if answer.finish in INCOMPLETE else "completed"
    output: list[Json] = []
    for part in answer.parts:
        if isinstance(part, ToolCall):
            output.append(call_item(f"fc_{new_id()}", part, status))
            continue
        content = text_part(part.text) if isinstance(part, Text) else refusal_part(part.text)
        if output and output[-1]["type"] == "message":
            held = output[-1]["content"]
            assert isinstance(held, list)
            held.append(content)
        else:
            output.append(message_item(f"msg_{new_id()}", [content], status))
    head = Head(answer.id, answer.model, answer.created_s, bridge.echo)
    return head.response(output, status, answer.finish, answer.usage)


def text_part(words: str) -> Json:
    return {"type": "output_text", "text": words, "annotations": [], "logprobs": []}


def refusal_part(words: str) -> Json:
    return {"type": "refusal", "refusal": words}


def message_item(item_id: str, content: list[Json], status: str) -> Json:
    return {"id": item_id, "type": "message", "status": status, "role": "assistant", "content": content}


def call_item(item_id: str, call: ToolCall, status: str) -> Json:
    return {
        "id": item_id,
        "type": "function_call",
        "status": status,
        "call_id": shortened(call.id, RESPONSES_ID_CHARS_MAX),
        "name": call.name,
        "arguments": call.arguments,
    }


@dataclass(frozen=True, slots=True)
class Head:
    """What every state of one response object repeats."""

    id: str
    model: str
    created_s: int
    echo: Mapping[str, object]

    def response(
        self, output: list[Json], status: str, finish: Finish = "stop", usage: Usage | None = None
    ) -> Json:
        reason = INCOMPLETE.get(finish) if status == "incomplete" else None
        defaults: Json = {
            "instructions": None,
            "max_output_tokens": None,
            "metadata": {},
            "parallel_tool_calls": True,
            "reasoning": {"effort": None, "summary": None},
            "temperature": None,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [],
            "top_p": None,
            "user": None,
        }
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created_s,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": {"reason": reason} if reason else None,
            "model": self.model,
            "output": output,
            "previous_response_id": None,
            "truncation": "disabled",
            "usage": responses_usage_out(usage) if usage else None,
            **defaults,
            **{key: value for key, value in self.echo.items() if value is not None},
            "store": False,  # Whatever was asked: nobody has it who could be asked for it again.
        }
