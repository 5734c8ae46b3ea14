"""The OpenAI Responses protocol."""

from collections.abc import Mapping
from typing import Any

import orjson

from airworthy.gateway.wire import asking
from airworthy.gateway.wire.facts import ReplyFacts, RequestFacts
from airworthy.gateway.wire.failure import ProtocolName
from airworthy.gateway.wire.openai_form import error_body, sse, user_of
from airworthy.gateway.wire.responses_reply import ResponsesReader, read_response
from airworthy.gateway.wire.splice import with_values

_BOUND = "max_output_tokens"
# What a request may stand on instead of an input.
_INSTEAD = ("prompt", "previous_response_id", "conversation")


class Responses:
    name = "responses"
    protocol: ProtocolName = "openai"
    path = "/responses"

    def read_request(self, raw: bytes) -> RequestFacts:
        body = asking.parsed(raw)
        model = asking.model_of(body)
        if body.get("input") is not None or not any(body.get(key) for key in _INSTEAD):
            asking.needed(body, "input", (str, list), "a text or a list of items")
        return RequestFacts(
            model=model,
            stream=asking.flag(body, "stream"),
            body=body,
            output_tokens_max=asking.bound(body, _BOUND),
            tools=_tools(body.get("tools")),
            user=user_of(body),
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
        return read_response(raw)

    def stream_reader(self, bytes_max: int) -> ResponsesReader:
        return ResponsesReader(bytes_max)

    def error_body(self, status: int, kind: str, message: str, code: str) -> bytes:
        return error_body(status, kind, message, code)

    def stop_reply(
        self, model: str, text: str, facts: RequestFacts, evidence: Mapping[str, Any]
    ) -> list[bytes]:
        part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
        item = {
            "id": "msg_airworthy_stop",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [part],
        }
        body = _response(model, "completed", [item])
        if not facts.stream:
            return [orjson.dumps({**body, "airworthy": {"stop": dict(evidence)}}, default=str)]
        begun = _response(model, "in_progress", [])
        place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
        bodies: list[dict[str, Any]] = [
            {"type": "response.created", "response": begun},
            {"type": "response.in_progress", "response": begun},
            {
                "type": "response.output_item.added",
                "output_index": 0,
                "item": {**item, "status": "in_progress", "content": []},
            },
            {"type": "response.content_part.added", **place, "part": {**part, "text": ""}},
            {"type": "response.output_text.delta", **place, "delta": text, "logprobs": []},
            {"type": "response.output_text.done", **place, "text": text, "logprobs": []},
            {"type": "response.content_part.done", **place, "part": part},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": body},
        ]
        return [
            sse({**event, "sequence_number": number}, event["type"]) for number, event in enumerate(bodies)
        ]


def _response(model: str, status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
    """All the fields that a typed client may insist on."""
    usage = {
        "input_tokens": 0,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 0,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 0,
    }
    return {
        "id": "resp_airworthy_stop",
        "object": "response",
        "created_at": 0,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": model,
        "output": output,
        "parallel_tool_calls": True,
        "temperature": None,
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "usage": usage if status == "completed" else None,
    }


def _tools(listed: object) -> tuple[str, ...]:
    if type(listed) is not list:
        return ()
    return asking.names(tool.get("name") or tool.get("type") for tool in listed if type(tool) is dict)
