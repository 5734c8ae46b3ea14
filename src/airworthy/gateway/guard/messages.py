"""Tool calls in Anthropic's Messages: found, dropped, answered with a refusal, and put back. Pure.

Inputs are JSON values here, so they are moved as bytes: reading and writing them anew might change a large number.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from airworthy.gateway.guard.judge import Withheld, note
from airworthy.gateway.guard.parts import (
    Body,
    Dropped,
    Event,
    Memory,
    Proposal,
    around,
    array,
    elements,
    found,
    object_text,
    objects,
    read_events,
    rewritten,
    text,
    written,
)
from airworthy.gateway.wire.splice import set_keys, spans

_GROWS: Final[Mapping[str, str]] = {
    "text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature",
    "input_json_delta": "partial_json",
}  # fmt: skip


class MessagesForm:
    name: Final = "messages"
    mark: Final = b'"tool_use"'
    begins: Final = re.compile(rb'"type"\s*:\s*"tool_use"')
    says: Final = re.compile(rb'"(?:text|thinking|citations|compaction)_delta"|"(?:server|mcp)_tool_use"')

    def proposals(self, raw: bytes) -> list[Proposal]:
        return [
            _proposal(block, part)
            for block, part in _content(raw, orjson.loads(raw))
            if block.get("type") == "tool_use"
        ]

    def without(self, raw: bytes, withheld: Sequence[Withheld]) -> bytes:
        body = orjson.loads(raw)
        gone = {each.position for each in withheld}
        kept: list[bytes] = []
        position = left = 0
        for block, part in _content(raw, body):
            if block.get("type") == "tool_use":
                position += 1
                if position - 1 in gone:
                    continue
                left += 1
            kept.append(part)
        values = {}
        if not left:
            kept.append(orjson.dumps({"type": "text", "text": note(withheld)}))
            if body.get("stop_reason") == "tool_use":
                values["stop_reason"] = b'"end_turn"'
        return set_keys(raw, {"content": array(kept), **values}, present=frozenset({"content", *values}))

    def assembled(self, stream: bytes) -> bytes:
        """A stream as the whole reply that it is."""
        message: Body = {"type": "message", "role": "assistant", "content": [], "stop_reason": None}
        blocks: dict[int, Body] = {}
        for event in read_events(stream):
            body = event.body or {}
            match body.get("type") or event.name:
                case "message_start" if type(body.get("message")) is dict:
                    message.update(body["message"])
                case "content_block_start" if type(body.get("content_block")) is dict:
                    blocks[_index(body)] = dict(body["content_block"])
                case "content_block_delta" if type(body.get("delta")) is dict:
                    _grow(blocks.setdefault(_index(body), {"type": "text", "text": ""}), body["delta"])
                case "message_delta" if type(body.get("delta")) is dict:
                    message.update({key: value for key, value in body["delta"].items() if value is not None})
                    usage = {**_dict(message.get("usage")), **_dict(body.get("usage"))}
                    message["usage"] = usage
        parts = [_block_text(blocks[index]) for index in sorted(blocks)]
        return set_keys(orjson.dumps(message), {"content": array(parts)}, present=frozenset({"content"}))

    def stream_without(self, held: bytes, withheld: Sequence[Withheld]) -> bytes:
        listed = read_events(held)
        begun = {_index(event.body): _dict(event.body.get("content_block")) for event in _starts(listed)}
        calls = sorted(index for index, block in begun.items() if block.get("type") == "tool_use")
        gone = {calls[each.position] for each in withheld}
        said = note(withheld) if len(gone) == len(calls) else None
        free = min(calls, default=0)
        parts: list[bytes] = []
        for event in listed:
            body = event.body or {}
            kind = body.get("type") or event.name
            if kind == "message_delta" and said is not None:
                # Other blocks may have come after the calls.
                at = max([index + 1 for index in begun], default=free) - len(gone)
                parts += [*_said(at, said), _ended(event)]
                said = None
            elif type(body.get("index")) is not int:
                parts.append(event.raw)
            elif body["index"] not in gone:
                shift = sum(1 for index in gone if index < body["index"])
                parts.append(_shifted(event, shift) if shift else event.raw)
        if said is not None:
            parts += _said(max(max(begun, default=free) + 1 - len(gone), 0), said)
        return b"".join(parts)

    def retold(self, raw: bytes, body: Body, reply: bytes, withheld: Sequence[Withheld]) -> bytes:
        reasons = {each.position: each.reason for each in withheld}
        turn: list[bytes] = []
        results: list[Body] = []
        for block, part in _content(reply, orjson.loads(reply)):
            if block.get("type") == "tool_use":
                call_id = text(block.get("id")) or f"call_{len(results)}"
                turn.append(_history(block, part, call_id))
                results.append(_result(call_id, reasons.get(len(results), "")))
            else:
                turn.append(part)
        messages = elements(_value(raw, "messages"))
        messages.append(b'{"role":"assistant","content":%b}' % array(turn))
        messages.append(orjson.dumps({"role": "user", "content": results}))
        values = {"messages": array(messages)}
        choice = body.get("tool_choice")
        if type(choice) is dict and choice.get("type") in ("any", "tool"):
            values["tool_choice"] = orjson.dumps({
                "type": "auto", **{key: value for key, value in choice.items() if key not in ("type", "name")},
            })  # fmt: skip
        return set_keys(raw, values, present=frozenset(values))

    def sibling_ids(self, body: Body) -> list[str]:
        messages = body.get("messages")
        ids = []
        for message in messages if type(messages) is list else ():
            if (
                type(message) is dict
                and message.get("role") == "assistant"
                and type(message.get("content")) is list
            ):
                for block in message["content"]:
                    if (
                        type(block) is dict
                        and block.get("type") == "tool_use"
                        and type(block.get("id")) is str
                    ):
                        ids.append(block["id"])  # noqa: PERF401  # A loop is read more easily than three in one.
        return ids

    def reinserted(self, raw: bytes, body: Body, memory: Memory) -> bytes:
        texts = elements(_value(raw, "messages"))
        listed = body["messages"]
        changed = False
        for at, message in enumerate(listed[:-1]):
            if type(message) is not dict or message.get("role") != "assistant":
                continue
            beside = _beside(message, memory)
            answer = at + 1
            results = {
                block.get("tool_use_id")
                for block in objects(listed[answer].get("content") if type(listed[answer]) is dict else None)
            }
            # Where the caller gave the sibling no result, the history is wrong whatever is added.
            beside = {sibling: dropped for sibling, dropped in beside.items() if sibling in results}
            if beside:
                changed = True
                texts[at] = _with_parts(texts[at], message, "id", beside, lambda each: each.call)
                texts[answer] = _with_parts(texts[answer], listed[answer], "tool_use_id", beside, _refusal)
        return set_keys(raw, {"messages": array(texts)}, present=frozenset({"messages"})) if changed else raw


def _beside(message: Body, memory: Memory) -> dict[str, tuple[Dropped, ...]]:
    blocks = [block for block in objects(message.get("content")) if block.get("type") == "tool_use"]
    present = {block.get("id") for block in blocks}
    listed = {}
    for block in blocks:
        arguments = orjson.dumps(block.get("input") or {}).decode()
        dropped = found(memory, "messages", block.get("id"), block.get("name"), arguments)
        dropped = tuple(each for each in dropped if each.call_id not in present)
        if dropped:
            listed[block["id"]] = dropped
    return listed


def _with_parts(
    raw: bytes, message: Body, key: str, beside: Mapping[str, tuple[Dropped, ...]], make: Any
) -> bytes:
    parts: list[bytes] = []
    for block, part in _content(raw, message):
        parts += around(part, beside.get(text(block.get(key)), ()), make)
    return set_keys(raw, {"content": array(parts)}, present=frozenset({"content"}))


def _value(raw: bytes, key: str) -> bytes:
    start, end = spans(raw, key)[-1]
    return raw[start:end]


def _content(raw: bytes, body: Body) -> Iterator[tuple[Body, bytes]]:
    """The blocks of a message, each with its text."""
    content = body.get("content")
    if type(content) is list:
        for block, part in zip(content, elements(_value(raw, "content")), strict=True):
            yield block if type(block) is dict else {}, part


def _proposal(block: Body, part: bytes) -> Proposal:
    given = block.get("input")
    arguments = given if type(given) is str else orjson.dumps(given or {}).decode()
    call_id = text(block.get("id"))
    return Proposal(call_id, text(block.get("name")), arguments, _history(block, part, call_id))


def _history(block: Body, part: bytes, call_id: str) -> bytes:
    """A call as a request may hold it: its input is always an object."""
    values = {}
    if type(block.get("input")) is not dict:
        values["input"] = object_text(text(block.get("input")))
    if block.get("id") != call_id:
        values["id"] = orjson.dumps(call_id)
    return (
        set_keys(part, values, present=frozenset(key for key in values if key in block)) if values else part
    )


def _grow(block: Body, delta: Body) -> None:
    kind = text(delta.get("type"))
    if kind == "citations_delta":
        block["citations"] = [*(block.get("citations") or ()), delta.get("citation")]
        return
    key = _GROWS.get(kind)
    if key is not None:
        block[key] = text(block.get(key)) + text(delta.get(key))


def _block_text(block: Body) -> bytes:
    pieces = block.pop("partial_json", "")
    if not pieces:
        return orjson.dumps(block)
    try:
        whole = type(orjson.loads(pieces)) is dict
    except orjson.JSONDecodeError:
        whole = False
    given = pieces.encode() if whole else orjson.dumps(pieces)
    return set_keys(orjson.dumps({**block, "input": None}), {"input": given}, present=frozenset({"input"}))


def _starts(listed: Sequence[Event]) -> Iterator[Any]:
    return (event for event in listed if (event.body or {}).get("type") == "content_block_start")


def _said(index: int, said: str) -> list[bytes]:
    delta = {"type": "text_delta", "text": said}
    bodies: list[Body] = [
        {"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": index, "delta": delta},
        {"type": "content_block_stop", "index": index},
    ]
    return [written(orjson.dumps(body), body["type"]) for body in bodies]


def _ended(event: Event) -> bytes:
    delta = _dict((event.body or {}).get("delta"))
    if delta.get("stop_reason") != "tool_use":
        return event.raw
    ended = orjson.dumps({**delta, "stop_reason": "end_turn"})
    return rewritten(event, set_keys(event.data, {"delta": ended}, present=frozenset({"delta"})))


def _shifted(event: Event, shift: int) -> bytes:
    index = b"%d" % (_index(event.body or {}) - shift)
    return rewritten(event, set_keys(event.data, {"index": index}, present=frozenset({"index"})))


def _index(body: Body) -> int:
    index = body.get("index")
    return index if type(index) is int else 0


def _dict(value: object) -> Body:
    return value if type(value) is dict else {}


def _result(call_id: str, reason: str) -> Body:
    return {"type": "tool_result", "tool_use_id": call_id, "content": reason, "is_error": True}


def _refusal(dropped: Dropped) -> bytes:
    return orjson.dumps(_result(dropped.call_id, dropped.reason))
