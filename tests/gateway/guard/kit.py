"""The same turn of a model in each protocol, whole and as a stream, and readers for what becomes of it."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from airworthy.gateway.guard import StreamGuard
from airworthy.gateway.guard.stream import Held
from airworthy.gateway.wire.dialect import DIALECTS
from airworthy.gateway.wire.facts import ReplyFacts
from airworthy.policy import Policy

POLICY = Policy.model_validate({
    "agent": "support",
    "purpose": "tests of the guard",
    "tools": {
        "look": {},
        "pay": {"amount_arg": "amount", "amount_max": 100.0},
        "big": {"amount_arg": "amount", "approval_above": 50.0},
        "mail": {"recipient_arg": "to", "recipients": ["*@example.com"]},
        "ask": {"approval": "always"},
        "late": {"delay_s": 60.0},
        "dry": {"dry_run": True},
        "web_search": {},
    },
})  # fmt: skip
NAMES = ("chat", "responses", "messages")
DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True)
class Call:
    id: str
    name: str
    arguments: str = "{}"


LOOK, LOOK_2 = Call("call_a", "look", '{"x":1}'), Call("call_c", "look", '{"x":2}')
REFUND, DELETE = Call("call_b", "refund_order", '{"order":"A-1"}'), Call("call_d", "delete_all", "{}")


def reply(dialect: str, calls: Sequence[Call], text: str = "") -> bytes:
    return orjson.dumps(globals()[f"_{dialect}_reply"](calls, text))


def stream(dialect: str, calls: Sequence[Call], text: str = "") -> bytes:
    return b"".join(globals()[f"_{dialect}_stream"](calls, text))


def request(dialect: str, more: Sequence[Any] = (), **fields: Any) -> bytes:
    asked = {"role": "user", "content": "hi"}
    key = "input" if dialect == "responses" else "messages"
    return orjson.dumps({"model": "m-1", key: [asked, *more], **fields})


def turn(dialect: str, calls: Sequence[Call], text: str = "", *, results: Sequence[Call]) -> list[Any]:
    """What a caller adds to its history: what it saw, and the results of the calls."""
    match dialect:
        case "chat":
            message = _chat_reply(calls, text)["choices"][0]["message"]
            return [
                message,
                *({"role": "tool", "tool_call_id": each.id, "content": f"did {each.id}"} for each in results),
            ]
        case "messages":
            blocks = [
                {"type": "tool_result", "tool_use_id": each.id, "content": f"did {each.id}"}
                for each in results
            ]
            return [
                {"role": "assistant", "content": _messages_reply(calls, text)["content"]},
                {"role": "user", "content": [*blocks, {"type": "text", "text": "and?"}]},
            ]
    outputs = [
        {"type": "function_call_output", "call_id": each.id, "output": f"did {each.id}"} for each in results
    ]
    return [*_responses_reply(calls, text)["output"], *outputs]


def history(dialect: str, raw: bytes) -> list[tuple[str, str]]:
    """What a request tells of calls: ("call", id) and ("result", id), in their order."""
    body = orjson.loads(raw)
    told: list[tuple[str, str]] = []
    if dialect == "responses":
        for item in body["input"]:
            if str(item.get("type", "")).endswith("_call"):
                told.append(("call", item["call_id"]))
            elif str(item.get("type", "")).endswith("_output"):
                told.append(("result", item["call_id"]))
        return told
    for message in body["messages"]:
        told += [("call", each["id"]) for each in message.get("tool_calls") or ()]
        if message["role"] == "tool":
            told.append(("result", message["tool_call_id"]))
        for block in message["content"] if isinstance(message["content"], list) else ():
            if block["type"] == "tool_use":
                told.append(("call", block["id"]))
            elif block["type"] == "tool_result":
                told.append(("result", block["tool_use_id"]))
    return told


def read(dialect: str, raw: bytes) -> ReplyFacts:
    return DIALECTS[dialect].read_reply(raw)


def read_stream(dialect: str, raw: bytes) -> ReplyFacts:
    """Raises when the stream is not whole or not well formed."""
    reader = DIALECTS[dialect].stream_reader(10_000_000)
    reader.feed(raw)
    reader.close()
    facts = reader.facts()
    assert reader.ended, raw
    assert reader.error is None
    assert not reader.malformed, (reader.malformed, raw)
    _check_order(dialect, raw)
    return facts


def ids(facts: ReplyFacts) -> list[str]:
    return [call.id for call in facts.tool_calls]


def pieces(raw: bytes, seed: int) -> list[bytes]:
    chance = random.Random(seed)
    size = chance.choice((1, 9, 80, 500))
    found, start = [], 0
    while start < len(raw):
        end = start + chance.randint(1, size)
        found.append(raw[start:end])
        start = end
    return found


def guarded(dialect: str, chunks: Sequence[bytes]) -> tuple[bytes, Held]:
    guard = StreamGuard(dialect)
    passed = b"".join(guard.feed(chunk) for chunk in chunks)
    return passed, guard.finish()


def event(body: Any, name: str = "") -> bytes:
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + orjson.dumps(body) + b"\n\n"


def chunk(delta: dict[str, Any], finish: str | None = None, index: int = 0, **fields: Any) -> bytes:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return event({"id": "c1", "created": 7, "model": "m-1", "choices": [choice], **fields})


def _documents(raw: bytes) -> list[Any]:
    lines = [line[6:] for line in raw.split(b"\n") if line.startswith(b"data: ") and line[6:] != b"[DONE]"]
    return [orjson.loads(line) for line in lines]


def _check_order(dialect: str, raw: bytes) -> None:
    """Numbers run without gaps, as typed clients expect."""
    bodies = _documents(raw)
    if dialect == "messages":
        begun = [body["index"] for body in bodies if body["type"] == "content_block_start"]
        ended = [body["index"] for body in bodies if body["type"] == "content_block_stop"]
        assert begun == ended == list(range(len(begun)))
    elif dialect == "responses":
        numbers = [body["sequence_number"] for body in bodies]
        assert numbers == list(range(len(numbers)))
        added = [body["output_index"] for body in bodies if body["type"] == "response.output_item.added"]
        assert added == list(range(len(added)))
        assert len(bodies[-1]["response"]["output"]) == len(added)
    else:
        indexes = [
            call["index"]
            for body in bodies
            for choice in body["choices"]
            for call in choice["delta"].get("tool_calls") or ()
        ]
        assert list(dict.fromkeys(indexes)) == list(range(len(set(indexes))))


def _chat_call(call: Call) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _chat_reply(calls: Sequence[Call], text: str) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text or None}
    if calls:
        message["tool_calls"] = [_chat_call(call) for call in calls]
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    return {"id": "c1", "model": "m-1", "choices": [choice], "usage": usage}


def _chat_stream(calls: Sequence[Call], text: str) -> list[bytes]:
    events = [chunk({"role": "assistant", "content": ""})]
    events += [chunk({"content": piece}) for piece in text.split("|") if piece]
    for index, call in enumerate(calls):
        half = len(call.arguments) // 2
        head = {"name": call.name, "arguments": ""}
        begun = {"index": index, "id": call.id, "type": "function", "function": head}
        events.append(chunk({"tool_calls": [begun]}))
        for piece in (call.arguments[:half], call.arguments[half:]):
            events.append(chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}))
    events.append(chunk({}, "tool_calls" if calls else "stop"))
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    return [*events, event({"id": "c1", "model": "m-1", "choices": [], "usage": usage}), DONE]


def _messages_reply(calls: Sequence[Call], text: str) -> dict[str, Any]:
    content: list[dict[str, Any]] = [{"type": "text", "text": text}] if text else []
    for call in calls:
        try:
            given = orjson.loads(call.arguments)
        except orjson.JSONDecodeError:
            given = call.arguments
        content.append({"type": "tool_use", "id": call.id, "name": call.name, "input": given})
    reason = "tool_use" if calls else "end_turn"
    usage = {"input_tokens": 5, "output_tokens": 2}
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": "m-1", "content": content,
            "stop_reason": reason, "stop_sequence": None, "usage": usage}  # fmt: skip


def _messages_stream(calls: Sequence[Call], text: str) -> list[bytes]:
    def named(kind: str, **fields: Any) -> bytes:
        return event({"type": kind, **fields}, kind)

    begun = {**_messages_reply((), ""), "content": [], "stop_reason": None}
    events = [named("message_start", message=begun), named("ping")]
    index = 0
    if text:
        events.append(named("content_block_start", index=0, content_block={"type": "text", "text": ""}))
        for piece in text.split("|"):
            delta = {"type": "text_delta", "text": piece}
            events.append(named("content_block_delta", index=0, delta=delta))
        events.append(named("content_block_stop", index=0))
        index = 1
    for at, call in enumerate(calls, index):
        block = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
        events.append(named("content_block_start", index=at, content_block=block))
        half = len(call.arguments) // 2
        for piece in (call.arguments[:half], call.arguments[half:]):
            delta = {"type": "input_json_delta", "partial_json": piece}
            events.append(named("content_block_delta", index=at, delta=delta))
        events.append(named("content_block_stop", index=at))
    reason = "tool_use" if calls else "end_turn"
    ended = {"stop_reason": reason, "stop_sequence": None}
    return [
        *events,
        named("message_delta", delta=ended, usage={"output_tokens": 2}),
        named("message_stop"),
    ]


def _responses_reply(calls: Sequence[Call], text: str) -> dict[str, Any]:
    output: list[dict[str, Any]] = []
    if text:
        part = {"type": "output_text", "text": text, "annotations": []}
        output.append({"id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
                       "content": [part]})  # fmt: skip
    output += [
        {"id": f"fc_{call.id}", "type": "function_call", "status": "completed",
         "call_id": call.id, "name": call.name, "arguments": call.arguments}
        for call in calls
    ]  # fmt: skip
    usage = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}
    return {"id": "resp_1", "object": "response", "status": "completed", "model": "m-1", "output": output,
            "error": None, "incomplete_details": None, "usage": usage}  # fmt: skip


def _responses_stream(calls: Sequence[Call], text: str) -> list[bytes]:
    whole = _responses_reply(calls, text.replace("|", ""))
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    bodies: list[dict[str, Any]] = [{"type": "response.created", "response": begun}]
    for index, item in enumerate(whole["output"]):
        place = {"item_id": item["id"], "output_index": index}
        if item["type"] == "message":
            bodies.append({"type": "response.output_item.added", "output_index": index,
                           "item": {**item, "content": []}})  # fmt: skip
            said = {"type": "response.output_text.delta", **place, "content_index": 0}
            bodies += [{**said, "delta": piece} for piece in text.split("|")]
        else:
            arguments = item["arguments"]
            half = len(arguments) // 2
            bodies.append({"type": "response.output_item.added", "output_index": index,
                           "item": {**item, "arguments": ""}})  # fmt: skip
            more = {"type": "response.function_call_arguments.delta", **place}
            bodies += [{**more, "delta": piece} for piece in (arguments[:half], arguments[half:])]
            bodies.append({"type": "response.function_call_arguments.done", **place, "arguments": arguments})
        bodies.append({"type": "response.output_item.done", "output_index": index, "item": item})
    bodies.append({"type": "response.completed", "response": whole})
    return [event({**body, "sequence_number": at}, body["type"]) for at, body in enumerate(bodies)]
