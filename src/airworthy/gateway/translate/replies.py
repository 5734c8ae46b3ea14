"""Takes a whole reply back to the caller's protocol."""

from collections.abc import Callable
from dataclasses import replace

import orjson

from airworthy.gateway.errors import ModelMalformed
from airworthy.gateway.translate.answer import unwrapped
from airworthy.gateway.translate.bridge import Bridge, TranslatedReply
from airworthy.gateway.translate.chat_reply import read_chat_reply, write_chat_reply
from airworthy.gateway.translate.conversation import Refusal, Text, ToolCall
from airworthy.gateway.translate.findings import Findings
from airworthy.gateway.translate.messages_reply import read_messages_reply, write_messages_reply
from airworthy.gateway.translate.responses_reply import read_responses_reply, write_responses_reply
from airworthy.gateway.translate.shape import exact, whole_characters

_READERS = {"chat": read_chat_reply, "messages": read_messages_reply, "responses": read_responses_reply}


def translate_reply(
    raw: bytes, bridge: Bridge, *, new_id: Callable[[], str], now_s: int = 0
) -> TranslatedReply:
    """A provider's good reply (status 200) in the caller's protocol.

    `new_id` gives letters and digits, new at each call; `now_s` stands in where the provider gave no time.
    Raises: ModelMalformed, when there is nothing in it that the caller could be given.
    """
    try:
        parsed = whole_characters(exact(raw))
    except ValueError as broken:
        raise ModelMalformed(f"The reply is not JSON: {broken}.", billed=True) from broken
    if not isinstance(parsed, dict):
        raise ModelMalformed("The reply is not a JSON object.", billed=True)
    findings = Findings()
    answer = unwrapped(_READERS[bridge.to](parsed, findings), bridge.format_tool, findings)
    answer = replace(
        answer,
        parts=tuple(_answerable(part, new_id) for part in answer.parts),
        id=answer.id or new_id(),
        created_s=answer.created_s or now_s,
    )
    match bridge.source:
        case "chat":
            written = write_chat_reply(answer, bridge, findings)
        case "messages":
            written = write_messages_reply(answer, bridge, findings)
        case "responses":
            written = write_responses_reply(answer, bridge, new_id)
    return TranslatedReply(orjson.dumps(written), findings.notes)


def _answerable(part: Text | Refusal | ToolCall, new_id: Callable[[], str]) -> Text | Refusal | ToolCall:
    """A call without an id could not be answered."""
    return replace(part, id=f"call_{new_id()}") if isinstance(part, ToolCall) and not part.id else part
