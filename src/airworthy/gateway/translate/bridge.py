"""Takes a request across, and says what the way back must know."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import orjson

from airworthy.gateway.translate.chat_in import read_chat
from airworthy.gateway.translate.chat_out import write_chat
from airworthy.gateway.translate.conversation import Conversation, DialectName
from airworthy.gateway.translate.fields import sift_fields
from airworthy.gateway.translate.findings import Findings, Untranslatable
from airworthy.gateway.translate.forced_format import with_format_tool
from airworthy.gateway.translate.messages_in import read_messages
from airworthy.gateway.translate.messages_out import write_messages
from airworthy.gateway.translate.responses_in import read_responses
from airworthy.gateway.translate.responses_out import write_responses
from airworthy.gateway.translate.shape import members
from airworthy.gateway.translate.target import Target

Reader = Callable[[Mapping[str, object], Mapping[str, object], Findings], Conversation]
READERS: Mapping[DialectName, Reader] = {
    "chat": read_chat,
    "responses": read_responses,
    "messages": read_messages,
}
WRITERS: Mapping[DialectName, Callable[[Conversation, Target, Findings], dict[str, object]]] = {
    "chat": write_chat,
    "responses": write_responses,
    "messages": write_messages,
}
# A Responses reply repeats these of its request, and clients read some of them from there.
_ECHOED = (
    "instructions", "max_output_tokens", "metadata", "parallel_tool_calls", "reasoning", "store", "temperature",
    "text", "tool_choice", "tools", "top_p", "user",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bridge:
    """What the way back must know: `source` is the caller's protocol, `to` the provider's.

    `format_tool`: the tool whose call is the answer's text, if the format was held to by one. `wants_usage`: a chat
    stream's caller asked for the usage. `echo`: the request's own values that a Responses reply repeats.
    """

    source: DialectName
    to: DialectName
    format_tool: str = ""
    wants_usage: bool = True
    echo: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Translated:
    """`notes` say what was left out or changed, each with its reason, fit for the record of the call."""

    body: bytes
    bridge: Bridge
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TranslatedReply:
    body: bytes
    notes: tuple[str, ...] = ()


def translate_request(
    body: Mapping[str, object],
    source: DialectName,
    to: DialectName,
    *,
    target: Target,
    wants_usage: bool = True,
) -> Translated:
    """The request in the provider's protocol. Nothing is left out without a note.

    `wants_usage` False: the caller did not ask for usage in its stream, whatever `body` says by now.
    Raises: Untranslatable, which names everything that stands in the way.
    """
    if source == to:
        raise ValueError(f"{source} needs no translation")
    findings = Findings()
    family = sift_fields(body, source, to, findings)
    talk = READERS[source](body, family, findings)
    format_tool = ""
    if to == "messages":
        talk, format_tool = with_format_tool(talk, findings)
    written = WRITERS[to](talk, target, findings)
    if findings.blocked:
        raise Untranslatable(source, to, findings.blocked)
    asked = members(body.get("stream_options")).get("include_usage") is True
    bridge = Bridge(
        source,
        to,
        format_tool,
        wants_usage=wants_usage and asked if source == "chat" else True,
        echo={key: body[key] for key in _ECHOED if key in body} if source == "responses" else {},
    )
    return Translated(orjson.dumps(written), bridge, findings.notes)
