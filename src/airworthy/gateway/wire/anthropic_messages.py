"""The Anthropic Messages protocol."""

from collections.abc import Mapping
from typing import Any

import orjson

from airworthy.gateway.wire import asking
from airworthy.gateway.wire.anthropic_form import common, error_body
from airworthy.gateway.wire.facts import ReplyFacts, RequestFacts
from airworthy.gateway.wire.failure import ProtocolName
from airworthy.gateway.wire.messages_reply import MessagesReader, read_message
from airworthy.gateway.wire.openai_form import sse
from airworthy.gateway.wire.splice import with_values

_BOUND = "max_tokens"


class Messages:
    name = "messages"
    protocol: ProtocolName = "anthropic"
    path = "/messages"

    def read_request(self, raw: bytes) -> RequestFacts:
        body = asking.parsed(raw)
        model, tools, user = common(body)
        return RequestFacts(
            model=model,
            stream=asking.flag(body, "stream"),
            body=body,
            output_tokens_max=asking.bound(body, _BOUND),
            tools=tools,
            user=user,
        )

    def spliced(
        self,
        raw: bytes,
        facts: RequestFacts,
        *,
        model: str | None,
        output_tokens_max: int | None,
        include_usage: bool,  # noqa: ARG002  # usage always comes in this protocol
    ) -> bytes:
        return with_values(raw, facts, model, _BOUND, output_tokens_max)

    def read_reply(self, raw: bytes) -> ReplyFacts:
        return read_message(raw)

    def stream_reader(self, bytes_max: int) -> MessagesReader:
        return MessagesReader(bytes_max)

    def error_body(self, status: int, kind: str, message: str, code: str) -> bytes:
        return error_body(status, kind, message, code)

    def stop_reply(
        self, model: str, text: str, facts: RequestFacts, evidence: Mapping[str, Any]
    ) -> list[bytes]:
        end = {"stop_reason": "end_turn", "stop_sequence": None}
        head = {"id": "msg_airworthy_stop", "type": "message", "role": "assistant", "model": model}
        usage = {
            "input_tokens": 0,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 0,
        }
        block = {"type": "text", "text": text}
        if not facts.stream:
            body = {**head, "content": [block], **end, "usage": usage, "airworthy": {"stop": dict(evidence)}}
            return [orjson.dumps(body, default=str)]
        begun: dict[str, Any] = {
            **head,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage,
        }
        delta = {"type": "text_delta", "text": text}
        bodies: list[dict[str, Any]] = [
            {"type": "message_start", "message": begun},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": end, "usage": {"output_tokens": 0}},
            {"type": "message_stop"},
        ]
        return [sse(event, event["type"]) for event in bodies]
