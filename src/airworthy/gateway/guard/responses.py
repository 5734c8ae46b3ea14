"""Tool calls in OpenAI's Responses: found, dropped, answered with a refusal, and put back. Pure.

What stands behind `previous_response_id` or `conversation` is kept by the provider, dropped calls included: there a
refusal alone is put back. Otherwise the call is put back as well.
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
    objects,
    read_events,
    rewritten,
    text,
    written,
)
from airworthy.gateway.wire.splice import set_keys, spans

_KINDS: Final = frozenset({
    "function_call", "custom_tool_call", "computer_call", "local_shell_call", "shell_call", "apply_patch_call",
})  # fmt: skip
# A refusal of any other call has no form of its own: it is told in words.
_OUTPUTS: Final[Mapping[str, str]] = {
    "function_call": "function_call_output", "custom_tool_call": "custom_tool_call_output",
}  # fmt: skip
_LAST: Final = frozenset({"response.completed", "response.incomplete"})


class ResponsesForm:
    name: Final = "responses"
    mark: Final = b"_call"
    begins: Final = re.compile(
        rb'"type"\s*:\s*"(?:(?:function|custom_tool|computer|local_shell|shell|apply_patch)_call"'
        rb"|response\.(?:function_call_arguments|custom_tool_call_input)\.)"
    )
    says: Final = re.compile(rb'\.delta"|_call"')

    def proposals(self, raw: bytes) -> list[Proposal]:
        return [_proposal(item) for item in _output(orjson.loads(raw)) if item.get("type") in _KINDS]

    def without(self, raw: bytes, withheld: Sequence[Withheld]) -> bytes:
        """Arguments are texts here, so writing the items anew changes no value in them."""
        output, left = _kept(_output(orjson.loads(raw)), {each.position for each in withheld})
        if not left:
            output.append(_message(note(withheld)))
        return set_keys(raw, {"output": orjson.dumps(output)}, present=frozenset({"output"}))

    def assembled(self, stream: bytes) -> bytes:
        """A stream as the whole reply that it is; its last event has nearly all of it."""
        whole: Body = {"object": "response", "status": "in_progress", "output": []}
        items: dict[int, Body] = {}
        pieces: dict[int, str] = {}
        for event in read_events(stream):
            body = event.body or {}
            kind = text(body.get("type")) or event.name
            if type(body.get("response")) is dict:
                whole.update(body["response"])
            elif kind in ("response.output_item.added", "response.output_item.done"):
                if type(body.get("item")) is dict:
                    items[_index(body)] = body["item"]
            elif kind in ("response.function_call_arguments.delta", "response.custom_tool_call_input.delta"):
                pieces[_index(body)] = pieces.get(_index(body), "") + text(body.get("delta"))
        if not whole.get("output"):
            for index, piece in pieces.items():
                item = items.setdefault(index, {"type": "function_call"})
                key = "input" if item.get("type") == "custom_tool_call" else "arguments"
                items[index] = item if item.get(key) else {**item, key: piece}
            whole["output"] = [items[index] for index in sorted(items)]
        return orjson.dumps(whole)

    def stream_without(self, held: bytes, withheld: Sequence[Withheld]) -> bytes:
        listed = read_events(held)
        calls = _call_indexes(listed)
        gone = {calls[each.position] for each in withheld if each.position < len(calls)}
        positions = {each.position for each in withheld}
        said = note(withheld) if len(gone) == len(calls) else None
        shown = {
            _index(event.body) for event in listed if event.body is not None and "output_index" in event.body
        }
        number = _first_number(listed)
        parts: list[bytes] = []
        for event in listed:
            body = event.body or {}
            if type(body.get("output_index")) is int and body["output_index"] in gone:
                continue
            values: dict[str, bytes] = {}
            if body.get("type") in _LAST:
                if said is not None:
                    at = max([index + 1 for index in shown], default=0) - len(gone)
                    for each in _said(max(at, 0), said):
                        parts.append(written(orjson.dumps({**each, "sequence_number": number}), each["type"]))
                        number += 1
                values |= _completed(event, positions, said)
                said = None
            elif type(body.get("output_index")) is int:
                shift = sum(1 for index in gone if index < body["output_index"])
                if shift:
                    values["output_index"] = b"%d" % (body["output_index"] - shift)
            if type(body.get("sequence_number")) is int:
                if body["sequence_number"] != number:
                    values["sequence_number"] = b"%d" % number
                number += 1
            keys = frozenset(values)
            parts.append(
                rewritten(event, set_keys(event.data, values, present=keys)) if values else event.raw
            )
        return b"".join(parts)

    def retold(self, raw: bytes, body: Body, reply: bytes, withheld: Sequence[Withheld]) -> bytes:
        reasons = {each.position: each.reason for each in withheld}
        loose = body.get("store") is False
        turn: list[bytes] = []
        results: list[bytes] = []
        position = 0
        for item in _output(orjson.loads(reply)):
            kind = item.get("type")
            if kind in _KINDS:
                reason = reasons.get(position, "")
                results.append(orjson.dumps(_answer(text(kind), text(item.get("call_id")), reason)))
                position += 1
                if kind not in _OUTPUTS:
                    continue
            if loose and kind == "reasoning" and not item.get("encrypted_content"):
                continue  # Nobody has kept it, so nobody knows its id.
            turn.append(orjson.dumps(_unstored(item) if loose else item))
        if body.get("conversation"):
            turn = []  # The provider has put it there already, and what was asked as well.
        asked = [] if body.get("conversation") else _input(raw, body)
        values = {"input": array([*asked, *turn, *results])}
        free = _free(body.get("tool_choice"))
        if body.get("tool_choice") not in (None, "none", free):
            values["tool_choice"] = orjson.dumps(free)
        return set_keys(raw, values, present=frozenset(key for key in values if key in body))

    def sibling_ids(self, body: Body) -> list[str]:
        items = body.get("input")
        listed = items if type(items) is list else ()
        # Of calls and of their outputs: nothing else has one.
        ids = [item["call_id"] for item in listed if type(item) is dict and type(item.get("call_id")) is str]
        previous = body.get("previous_response_id")
        return [*ids, previous] if type(previous) is str else ids

    def reinserted(self, raw: bytes, body: Body, memory: Memory) -> bytes:
        items = body.get("input")
        kept_there = bool(body.get("previous_response_id") or body.get("conversation"))
        texts = _input(raw, body)
        listed: list[bytes] = []
        waiting: dict[str, tuple[Dropped, ...]] = {}
        given = {item.get("call_id") for item in objects(items) if item.get("type") in _KINDS}
        called = dict(_beside(body, memory, given))
        answered = {item.get("call_id") for item in objects(items) if _is_output(item)}
        before = memory.get(text(body.get("previous_response_id")), ())
        listed += [_refusal(each) for each in before if not each.mark and each.call_id not in answered]
        for item, part in zip(items if type(items) is list else [None] * len(texts), texts, strict=True):
            call_id = text(item.get("call_id")) if type(item) is dict else ""
            if type(item) is dict and item.get("type") in _KINDS and call_id in called:
                waiting[call_id] = called[call_id]
                listed += around(part, called[call_id], lambda each: each.call)
                if call_id not in answered:
                    listed += [_refusal(each) for each in waiting.pop(call_id)]
            elif type(item) is dict and _is_output(item):
                beside = waiting.pop(call_id, ())
                if not beside and kept_there and call_id not in given:
                    known = memory.get(call_id, ())
                    beside = tuple(each for each in known if each.mark and each.call_id not in answered)
                listed += around(part, beside, _refusal)
            else:
                listed.append(part)
        listed += [_refusal(each) for left in waiting.values() for each in left]
        if len(listed) == len(texts):
            return raw
        return set_keys(raw, {"input": array(listed)}, present=frozenset({"input"} & body.keys()))


def _beside(body: Body, memory: Memory, given: set[Any]) -> Iterator[tuple[str, tuple[Dropped, ...]]]:
    for item in objects(body.get("input")):
        if item.get("type") in _KINDS:
            said = _proposal(item)
            dropped = found(memory, "responses", said.id, said.name, said.arguments)
            dropped = tuple(each for each in dropped if each.call_id not in given)
            if dropped:
                yield said.id, dropped


def _kept(output: Sequence[Body], gone: set[int]) -> tuple[list[Body], int]:
    """The items without the calls at these positions, and how many calls are left."""
    kept: list[Body] = []
    position = left = 0
    for item in output:
        if item.get("type") in _KINDS:
            position += 1
            if position - 1 in gone:
                continue
            left += 1
        kept.append(item)
    return kept, left


def _completed(event: Event, positions: set[int], said: str | None) -> dict[str, bytes]:
    response = (event.body or {}).get("response")
    if type(response) is not dict or (not _output(response) and said is None):
        return {}
    output, _ = _kept(_output(response), positions)
    if said is not None:
        output.append(_message(said))
    start, end = spans(event.data, "response")[-1]
    present = frozenset({"output"} & response.keys())
    return {"response": set_keys(event.data[start:end], {"output": orjson.dumps(output)}, present=present)}


def _call_indexes(listed: Sequence[Event]) -> list[int]:
    """Where the calls stand among the output, as far as their own events say it."""
    calls: set[int] = set()
    for event in listed:
        body = event.body or {}
        item = body.get("item")
        if type(body.get("output_index")) is int and (
            (type(item) is dict and item.get("type") in _KINDS)
            or text(body.get("type")).startswith(
                ("response.function_call_arg", "response.custom_tool_call_in")
            )
        ):
            calls.add(body["output_index"])
    return sorted(calls)


def _first_number(listed: Sequence[Event]) -> int:
    numbers = ((event.body or {}).get("sequence_number") for event in listed)
    return next((number for number in numbers if type(number) is int), 0)


def _proposal(item: Body) -> Proposal:
    kind = text(item.get("type"))
    call_id = text(item.get("call_id"))
    # Its own id would ask for the reasoning it came with, which a later history need not have.
    history = orjson.dumps(_unstored(item))
    if kind == "function_call":
        return Proposal(call_id, text(item.get("name")), text(item.get("arguments")) or "{}", history)
    if kind == "custom_tool_call":
        return Proposal(call_id, text(item.get("name")), text(item.get("input")), history)
    action = orjson.dumps(item.get("action") or item.get("operation") or {}).decode()
    return Proposal("", kind, action, history)


def _output(body: Body) -> list[Body]:
    return list(objects(body.get("output")))


def _input(raw: bytes, body: Body) -> list[bytes]:
    """The texts of the input's items."""
    given = body.get("input")
    if type(given) is list:
        start, end = spans(raw, "input")[-1]
        return elements(raw[start:end])
    return [orjson.dumps({"type": "message", "role": "user", "content": given})] if type(given) is str else []


def _unstored(item: Body) -> Body:
    return {key: value for key, value in item.items() if key != "id"}


def _message(said: str) -> Body:
    part = {"type": "output_text", "text": said, "annotations": [], "logprobs": []}
    return {
        "id": "msg_airworthy_withheld", "type": "message", "role": "assistant", "status": "completed",
        "content": [part],
    }  # fmt: skip


def _said(index: int, said: str) -> list[Body]:
    item = _message(said)
    part = item["content"][0]
    place = {"item_id": item["id"], "output_index": index, "content_index": 0}
    begun = {**item, "status": "in_progress", "content": []}
    return [
        {"type": "response.output_item.added", "output_index": index, "item": begun},
        {"type": "response.content_part.added", **place, "part": {**part, "text": ""}},
        {"type": "response.output_text.delta", **place, "delta": said, "logprobs": []},
        {"type": "response.output_text.done", **place, "text": said, "logprobs": []},
        {"type": "response.content_part.done", **place, "part": part},
        {"type": "response.output_item.done", "output_index": index, "item": item},
    ]


def _index(body: Body) -> int:
    index = body.get("output_index")
    return index if type(index) is int else 0


def _free(choice: object) -> object:
    """A choice of tools that forces none, so that the model can also go on without."""
    if type(choice) is dict and choice.get("type") == "allowed_tools":
        return {**choice, "mode": "auto"}
    return "auto"


def _is_output(item: Body) -> bool:
    return text(item.get("type")).endswith("_call_output")


def _answer(kind: str, call_id: str, reason: str) -> Body:
    output = _OUTPUTS.get(kind)
    if output is None:
        return {"type": "message", "role": "developer", "content": reason}
    return {"type": output, "call_id": call_id, "output": reason}


def _refusal(dropped: Dropped) -> bytes:
    kind = orjson.loads(dropped.call).get("type", "")
    return orjson.dumps(_answer(text(kind), dropped.call_id, dropped.reason))
