"""Requests, replies and streams as the providers send them, small."""

import random
from collections.abc import Sequence
from typing import Any

import orjson

from airworthy.gateway.wire.dialect import StreamReader

BYTES_MAX = 1_000_000


def dumped(**fields: Any) -> bytes:
    return orjson.dumps(fields)


def chat_request(**fields: Any) -> bytes:
    return dumped(**{"model": "m-1", "messages": [{"role": "user", "content": "hi"}], **fields})


def chat_reply(message: dict[str, Any], finish: str | None = "stop", **fields: Any) -> bytes:
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return dumped(**{"id": "c1", "model": "m-1", "choices": [choice], **fields})


def event(body: object, name: str = "") -> bytes:
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + orjson.dumps(body) + b"\n\n"


def chunk(delta: dict[str, Any], finish: str | None = None, **fields: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return event({"id": "c1", "model": "m-1", "choices": [choice], **fields})


DONE = b"data: [DONE]\n\n"
USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
USAGE_ONLY = event({"id": "c1", "model": "m-1", "choices": [], "usage": USAGE})
CHAT_STREAM = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "Hel"}),
    chunk({"content": 'lo "finish_reason": [DONE] "error"'}),
    chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "look", "arguments": ""}}]}),
    chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"x": "é'}}]}),
    chunk({"tool_calls": [{"index": 0, "function": {"arguments": '"}'}}]}),
    chunk({"tool_calls": [{"index": 1, "id": "b", "function": {"name": "go", "arguments": "{}"}}]}),
    chunk({}, "tool_calls"),
    USAGE_ONLY,
    DONE,
]


def message_event(kind: str, **fields: Any) -> bytes:
    return event({"type": kind, **fields}, kind)


MESSAGES_STREAM = [
    message_event(
        "message_start",
        message={
            "id": "msg_1",
            "model": "c-1",
            "content": [],
            "stop_reason": None,
            "usage": {"input_tokens": 9, "cache_read_input_tokens": 90, "output_tokens": 1},
        },
    ),
    message_event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    message_event("ping"),
    message_event("content_block_delta", index=0, delta={"type": "text_delta", "text": "Hel"}),
    message_event("content_block_delta", index=0, delta={"type": "text_delta", "text": "lo message_stop"}),
    message_event("content_block_stop", index=0),
    message_event(
        "content_block_start",
        index=1,
        content_block={"type": "tool_use", "id": "t", "name": "look", "input": {}},
    ),
    message_event("content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": '{"x"'}),
    message_event("content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": ":1}"}),
    message_event("content_block_stop", index=1),
    message_event("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 12}),
    message_event("message_stop"),
]


def response_body(
    output: Sequence[dict[str, Any]], status: str = "completed", **fields: Any
) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "status": status,
        "model": "m-1",
        "output": list(output),
        "error": None,
        "incomplete_details": None,
        "usage": {"input_tokens": 8, "output_tokens": 3, "output_tokens_details": {"reasoning_tokens": 1}},
        **fields,
    }


def said(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}


CALL_ITEM = {"type": "function_call", "call_id": "a", "name": "look", "arguments": '{"x":1}'}
RESPONSES_STREAM = [
    message_event("response.created", response=response_body([], "in_progress", usage=None)),
    message_event("response.output_item.added", output_index=0, item={"type": "message", "content": []}),
    message_event("response.content_part.added", output_index=0, part={"type": "output_text", "text": ""}),
    message_event("response.output_text.delta", output_index=0, delta="Hel"),
    message_event("response.output_text.delta", output_index=0, delta="lo"),
    message_event("response.output_item.done", output_index=0, item=said("Hello")),
    message_event("response.output_item.added", output_index=1, item={**CALL_ITEM, "arguments": ""}),
    message_event("response.function_call_arguments.delta", output_index=1, delta='{"x":1}'),
    message_event("response.output_item.done", output_index=1, item=CALL_ITEM),
    message_event("response.completed", response=response_body([said("Hello"), CALL_ITEM])),
]
STREAMS = {"chat": CHAT_STREAM, "messages": MESSAGES_STREAM, "responses": RESPONSES_STREAM}


def pieces(raw: bytes, seed: int) -> list[bytes]:
    """The bytes cut at random, small and large pieces mixed."""
    chance = random.Random(seed)
    size = chance.choice((1, 7, 64, 400))
    found = []
    start = 0
    while start < len(raw):
        end = start + chance.randint(1, size)
        found.append(raw[start:end])
        start = end
    return found


def fed(reader: StreamReader, chunks: Sequence[bytes]) -> StreamReader:
    for piece in chunks:
        reader.feed(piece)
    reader.close()
    return reader
