"""Anthropic's Messages: writes down what was spoken, whole and as the events of a stream."""

from collections.abc import Iterator, Mapping

import orjson

from airworthy.gateway.simulator.conversation import Json, as_dict
from airworthy.gateway.simulator.dialects import messages_request, sse
from airworthy.gateway.simulator.dialects.anthropic import OVERLOADED, Anthropic, error_body
from airworthy.gateway.simulator.dialects.port import Asked, Stream
from airworthy.gateway.simulator.spoken import Spoken, pieces

PATH = "/v1/messages"
COUNT_PATH = "/v1/messages/count_tokens"
CACHE_TOKENS_MIN = 1024
_STOPS = {
    "stop": "end_turn",
    "tool_calls": "tool_use",
    "length": "max_tokens",
    "content_filter": "refusal",
}


class Messages:
    house = Anthropic()

    def read(self, request: dict[str, Json], headers: Mapping[str, str]) -> Asked:
        messages_request.check_version(headers)
        return messages_request.read(request)

    def plain(self, spoken: Spoken, asked: Asked) -> dict[str, Json]:
        blocks = list(_blocks(spoken))
        usage = spoken.counted(_usage(spoken, asked, spoken.tokens[2]))
        return _message(spoken, [block for block, _ in blocks], _stop(spoken), usage)

    def stream(self, spoken: Spoken, asked: Asked) -> Stream:
        # The count at the start is of the first token; the one at the end is of all.
        started = spoken.counted(_usage(spoken, asked, min(1, spoken.tokens[2])))
        start = sse.event(
            "message_start", {"type": "message_start", "message": _message(spoken, [], None, started)}
        )
        opening: list[bytes] = [start]
        content: list[bytes] = []
        for index, (block, events) in enumerate(_blocks(spoken)):
            head: dict[str, Json] = {
                "type": "content_block_start",
                "index": index,
                "content_block": _emptied(block),
            }
            # A text block says nothing yet; a tool's name is already part of the answer.
            target = opening if index == 0 and block["type"] == "text" else content
            target.append(sse.event("content_block_start", head))
            if index == 0:
                target.append(sse.event("ping", {"type": "ping"}))
            for delta in events:
                body: dict[str, Json] = {"type": "content_block_delta", "index": index, "delta": delta}
                content.append(sse.event("content_block_delta", body))
            content.append(sse.event("content_block_stop", {"type": "content_block_stop", "index": index}))
        end: dict[str, Json] = {
            "type": "message_delta",
            "delta": {"stop_reason": _stop(spoken), "stop_sequence": None},
        }
        usage = spoken.counted({"output_tokens": spoken.tokens[2]})
        ending = (
            sse.event("message_delta", end if usage is None else end | {"usage": usage}),
            sse.event("message_stop", {"type": "message_stop"}),
        )
        return Stream(tuple(opening), tuple(content), ending)

    def error_event(self, number: int) -> bytes:  # noqa: ARG002  # the port's
        return sse.event("error", error_body(OVERLOADED, "Overloaded"))

    def broken_event(self) -> bytes:
        return b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"del\n\n'

    def remember(self, spoken: Spoken, asked: Asked) -> None:
        """Each request says everything again; there is nothing to keep."""


def _message(
    spoken: Spoken, content: list[dict[str, Json]], stop: str | None, usage: dict[str, Json] | None
) -> dict[str, Json]:
    made: dict[str, Json] = {
        "id": spoken.spelt("msg", 0),
        "type": "message",
        "role": "assistant",
        "model": spoken.model,
        "content": [*content],
        "stop_reason": stop,
        "stop_sequence": None,
    }
    return made if usage is None else made | {"usage": usage}


def _blocks(spoken: Spoken) -> Iterator[tuple[dict[str, Json], list[dict[str, Json]]]]:
    """Each block of the content, and the deltas it arrives in."""
    text = spoken.text or spoken.refusal
    if text:
        deltas: list[dict[str, Json]] = [{"type": "text_delta", "text": piece} for piece in pieces(text)]
        yield {"type": "text", "text": text}, deltas
    for call in spoken.calls:
        block: dict[str, Json] = {
            "type": "tool_use",
            "id": f"toolu_{call.id}",
            "name": call.name,
            "input": _input(call.arguments),
        }
        yield (
            block,
            [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *pieces(call.arguments))],
        )


def _emptied(block: dict[str, Json]) -> dict[str, Json]:
    empty: dict[str, Json] = {"text": ""} if block["type"] == "text" else {"input": {}}
    return block | empty


def _input(arguments: str) -> dict[str, Json]:
    """In this protocol arguments are a value; of broken ones nothing can be sent but the empty object."""
    try:
        return as_dict(orjson.loads(arguments))
    except orjson.JSONDecodeError:
        return {}


def _stop(spoken: Spoken) -> str | None:
    return "refusal" if spoken.refusal else _STOPS.get(spoken.finish)


def _usage(spoken: Spoken, asked: Asked, written: int) -> dict[str, Json]:
    """Anthropic's three counts of the prompt add up to it; it caches only what is marked for it."""
    prompt, seen, _ = spoken.tokens
    lifetime = messages_request.cached_for(asked.request)
    read = seen if lifetime else 0
    made = prompt - read if lifetime and prompt >= CACHE_TOKENS_MIN else 0
    return {
        "input_tokens": prompt - read - made,
        "cache_creation_input_tokens": made,
        "cache_read_input_tokens": read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": made if lifetime == "5m" else 0,
            "ephemeral_1h_input_tokens": made if lifetime == "1h" else 0,
        },
        "output_tokens": written,
        "service_tier": "standard",
    }
