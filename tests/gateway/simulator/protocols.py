"""The same conversation in each protocol, and what its answer says, whatever form it comes in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from airworthy.gateway.simulator import MODELS, Answer, FaultPlan, Simulator
from tests.gateway.simulator.conversations import AFTER_LOOKUP, ORDER, QUESTION, TOOLS, Message, request, user

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
PATHS = (CHAT, MESSAGES, RESPONSES)
TWO_ORDERS = "Where are my orders ORD-1042 and ORD-1043?"
LOOKUP = orjson.dumps(ORDER).decode()
ANTHROPIC_TOOLS = [
    {
        "name": tool["function"]["name"],
        "description": tool["function"]["description"],
        "input_schema": tool["function"]["parameters"],
    }
    for tool in TOOLS
]
RESPONSES_TOOLS = [{"type": "function", **tool["function"]} for tool in TOOLS]
AFTER_LOOKUP_MESSAGES: list[Message] = [
    user(QUESTION),
    {
        "role": "assistant",
        "content": [
            {"type": "tool_use", "id": "call_1", "name": "find_order", "input": {"order_id": "ORD-1042"}}
        ],
    },
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": LOOKUP}]},
]
AFTER_LOOKUP_INPUT: list[Message] = [
    user(QUESTION),
    {
        "type": "function_call",
        "call_id": "call_1",
        "name": "find_order",
        "arguments": '{"order_id":"ORD-1042"}',
    },
    {"type": "function_call_output", "call_id": "call_1", "output": LOOKUP},
]


def asked(path: str, text: str = QUESTION, *, looked_up: bool = False, **extra: Any) -> dict[str, Any]:
    """A request about `text`, or the one after the lookup of the order."""
    if path == CHAT:
        return request(*(AFTER_LOOKUP if looked_up else (user(text),)), **extra)
    if path == MESSAGES:
        said = AFTER_LOOKUP_MESSAGES if looked_up else [user(text)]
        return {
            "model": MODELS[0],
            "max_tokens": 1000,
            "messages": said,
            "tools": ANTHROPIC_TOOLS,
            **extra,
        }
    given = AFTER_LOOKUP_INPUT if looked_up else text
    return {"model": MODELS[0], "input": given, "tools": RESPONSES_TOOLS, **extra}


def sent(simulator: Simulator, path: str, body: Mapping[str, Any], **headers: str) -> Answer:
    heard = {"anthropic-version": "2023-06-01"} if path.startswith(MESSAGES) else {}
    return simulator.answered("POST", path, heard | headers, orjson.dumps(body))


def faulty(fault: str, **options: Any) -> Simulator:
    return Simulator(faults=FaultPlan.of({fault: 1.0}), **options)


def joined(answer: Answer) -> bytes:
    return b"".join(piece.data for piece in answer.pieces)


def events(raw: bytes) -> list[Any]:
    """The data of each event, and "[DONE]" as it stands; every event must be framed as the standard says."""
    assert raw.endswith(b"\n\n")
    made: list[Any] = []
    for block in raw[:-2].split(b"\n\n"):
        *names, data = block.split(b"\n")
        assert data.startswith(b"data: ")
        value = data[6:]
        made.append("[DONE]" if value == b"[DONE]" else orjson.loads(value))
        assert not names or names == [b"event: " + made[-1]["type"].encode()]
    return made


@dataclass(frozen=True)
class Said:
    """What an answer comes down to. `usage` is prompt, written."""

    text: str
    calls: tuple[tuple[str, str, str], ...]
    finish: str
    refusal: str
    usage: tuple[int, int] | None
    model: str


def whole(path: str, answer: Answer) -> Said:
    body = orjson.loads(joined(answer))
    if path == CHAT:
        return _chat(body["choices"][0]["message"], body["choices"][0]["finish_reason"], body)
    return _message(body) if path == MESSAGES else _response(body)


def streamed(path: str, answer: Answer) -> Said:
    """The deltas put together, and nothing else: what a client without the final event would have."""
    told = events(joined(answer))
    if path == CHAT:
        return _chat_chunks(told)
    return _message_events(told) if path == MESSAGES else _response_events(told)


def _chat(message: Mapping[str, Any], finish: str, rest: Mapping[str, Any]) -> Said:
    calls = tuple(
        (call["id"], call["function"]["name"], call["function"]["arguments"])
        for call in message.get("tool_calls") or ()
    )
    usage = rest.get("usage")
    counts = (usage["prompt_tokens"], usage["completion_tokens"]) if usage else None
    return Said(
        message.get("content") or "", calls, finish, message.get("refusal") or "", counts, rest["model"]
    )


def _chat_chunks(told: Sequence[Any]) -> Said:
    assert told[-1] == "[DONE]"
    text, refusal, finish = "", "", ""
    calls: dict[int, dict[str, Any]] = {}
    chunks = told[:-1]
    for choice in (chunk["choices"][0] for chunk in chunks if chunk["choices"]):
        delta = choice["delta"]
        text += delta.get("content") or ""
        refusal += delta.get("refusal") or ""
        finish = choice["finish_reason"] or finish
        for call in delta.get("tool_calls", ()):
            known = calls.setdefault(call["index"], {"id": call.get("id"), "arguments": ""})
            known.setdefault("name", call["function"].get("name"))
            known["arguments"] += call["function"]["arguments"]
    ordered = [calls[index] for index in sorted(calls)]
    message = {
        "content": text,
        "refusal": refusal,
        "tool_calls": [{"id": call["id"], "function": call} for call in ordered],
    }
    return _chat(message, finish, {"usage": chunks[-1].get("usage"), "model": chunks[0]["model"]})


def _message(body: Mapping[str, Any]) -> Said:
    text = "".join(block["text"] for block in body["content"] if block["type"] == "text")
    calls = tuple(
        (block["id"], block["name"], orjson.dumps(block["input"]).decode())
        for block in body["content"]
        if block["type"] == "tool_use"
    )
    usage = body.get("usage")
    return Said(text, calls, body["stop_reason"], "", _counts(usage) if usage else None, body["model"])


def _counts(usage: Mapping[str, Any]) -> tuple[int, int]:
    parts = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    return sum(usage[part] for part in parts), usage["output_tokens"]


def _message_events(told: Sequence[Any]) -> Said:
    start, end = told[0]["message"], told[-2]
    assert [told[0]["type"], end["type"], told[-1]["type"]] == [
        "message_start",
        "message_delta",
        "message_stop",
    ]
    blocks: list[dict[str, Any]] = []
    written: list[str] = []
    for event in told:
        if event["type"] == "content_block_start":
            assert event["index"] == len(blocks)
            blocks.append(event["content_block"])
            written.append("")
        elif event["type"] == "content_block_delta":
            delta = event["delta"]
            written[event["index"]] += delta.get("text", delta.get("partial_json"))
    for block, text in zip(blocks, written, strict=True):
        if block["type"] == "text":
            block["text"] = text
        else:
            block["input"] = orjson.loads(text)
    usage = start["usage"] | end["usage"] if "usage" in start else None
    return _message(start | {"content": blocks, "usage": usage} | end["delta"])


def _response(body: Mapping[str, Any]) -> Said:
    parts = [part for item in body["output"] if item["type"] == "message" for part in item["content"]]
    calls = tuple(
        (item["call_id"], item["name"], item["arguments"])
        for item in body["output"]
        if item["type"] == "function_call"
    )
    usage = body.get("usage")
    return Said(
        text="".join(part["text"] for part in parts if part["type"] == "output_text"),
        calls=calls,
        finish=body["status"],
        refusal="".join(part["refusal"] for part in parts if part["type"] == "refusal"),
        usage=(usage["input_tokens"], usage["output_tokens"]) if usage else None,
        model=body["model"],
    )


def _response_events(told: Sequence[Any]) -> Said:
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    items: dict[int, dict[str, Any]] = {}
    for event in told:
        match event["type"].removeprefix("response."):
            case "output_item.added":
                items[event["output_index"]] = event["item"]
            case "content_part.added":
                items[event["output_index"]]["content"].append(event["part"])
            case "output_text.delta":
                items[event["output_index"]]["content"][0]["text"] += event["delta"]
            case "refusal.delta":
                items[event["output_index"]]["content"][0]["refusal"] += event["delta"]
            case "function_call_arguments.delta":
                items[event["output_index"]]["arguments"] += event["delta"]
    end = told[-1]["response"]
    return _response(end | {"output": [items[index] for index in sorted(items)]})
