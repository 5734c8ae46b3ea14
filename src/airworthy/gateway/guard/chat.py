"""Tool calls in chat completions: found, dropped, answered with a refusal, and put back. Pure."""

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
    found,
    objects,
    read_events,
    text,
    written,
)
from airworthy.gateway.wire.splice import set_keys
from airworthy.gateway.wire.sse import DONE

_CALLED: Final = frozenset({"tool_calls", "function_call"})
# What a provider puts into its message and takes in nobody else's.
_NOT_IN_A_REQUEST: Final = frozenset({"annotations", "audio", "images"})
Key = tuple[int, int]  # A choice, and which of its calls.


class ChatForm:
    name: Final = "chat"
    mark: Final = b"_call"
    begins: Final = re.compile(rb'"tool_calls"\s*:\s*\[\s*\{|"function_call"\s*:\s*\{')
    says: Final = re.compile(
        rb'"(?:content|refusal|reasoning|reasoning_content)"\s*:\s*"[^"]|"audio"\s*:\s*\{|"(?:content|images)"\s*:\s*\['
    )

    def proposals(self, raw: bytes) -> list[Proposal]:
        return [_proposal(entry) for choice in _choices(orjson.loads(raw)) for entry in _entries(choice)]

    def without(self, raw: bytes, withheld: Sequence[Withheld]) -> bytes:
        """Arguments are texts here, so writing the body anew changes no value in it."""
        body = orjson.loads(raw)
        gone = {each.position: each for each in withheld}
        position = 0
        for choice in _choices(body):
            entries = _entries(choice)
            here = [gone[at] for at in range(position, position + len(entries)) if at in gone]
            kept = [entry for at, entry in enumerate(entries, position) if at not in gone]
            position += len(entries)
            if not here:
                continue
            message = choice["message"]
            if kept:
                message["tool_calls"] = kept
                continue
            for key in _CALLED:
                message.pop(key, None)
            message["content"] = _with_note(message.get("content"), note(here))
            _stopped(choice)
        return orjson.dumps(body)

    def assembled(self, stream: bytes) -> bytes:
        """A stream as the whole reply that it is."""
        body: Body = {"id": "", "object": "chat.completion", "created": 0, "model": "", "choices": []}
        choices: dict[int, Body] = {}
        numbered = _Numbering()
        for event in read_events(stream):
            chunk = event.body
            if chunk is None:
                continue
            body.update({key: chunk[key] for key in ("id", "created", "model", "usage") if chunk.get(key)})
            for given in objects(chunk.get("choices")):
                index = _index(given)
                blank = {
                    "index": index,
                    "message": {"role": "assistant", "content": None},
                    "finish_reason": None,
                }
                choice = choices.setdefault(index, blank)
                choice["finish_reason"] = given.get("finish_reason") or choice["finish_reason"]
                _grow(choice["message"], _delta(given), index, numbered)
        body["choices"] = [choices[index] for index in sorted(choices)]
        return orjson.dumps(body)

    def stream_without(self, held: bytes, withheld: Sequence[Withheld]) -> bytes:
        listed = read_events(held)
        keys = _keys(listed)
        gone = {keys[each.position]: each for each in withheld}
        kept = [key for key in keys if key not in gone]
        # By choice, what is said in place of its calls; once said it is taken out.
        notes = {
            choice: note([each for key, each in gone.items() if key[0] == choice])
            for choice in {key[0] for key in gone} - {key[0] for key in kept}
        }
        numbers = {key: sum(1 for other in kept if other[0] == key[0] and other < key) for key in kept}
        thin = _Thinning(numbers, notes)
        parts: list[bytes] = []
        for event in listed:
            if event.data.strip() == DONE:
                parts += thin.rest()
            parts += thin.of(event)
        return b"".join([*parts, *thin.rest()])

    def retold(self, raw: bytes, body: Body, reply: bytes, withheld: Sequence[Withheld]) -> bytes:
        message = {
            key: value
            for key, value in _choices(orjson.loads(reply))[0]["message"].items()
            if value is not None and key not in _NOT_IN_A_REQUEST
        }
        message.setdefault("content", None)
        reasons = {each.position: each.reason for each in withheld}
        results: list[Body] = []
        if message.get("tool_calls"):
            message["tool_calls"] = calls = [dict(entry) for entry in objects(message["tool_calls"])]
            for position, call in enumerate(calls):
                call["id"] = text(call.get("id")) or f"call_{position}"
                results.append(_result(call["id"], reasons.get(position, "")))
        else:
            name = text(message["function_call"].get("name"))
            results.append({"role": "function", "name": name, "content": reasons.get(0, "")})
        values = {"messages": orjson.dumps([*body["messages"], {"role": "assistant", **message}, *results])}
        for key, free in (("tool_choice", _free(body.get("tool_choice"))), ("function_call", "auto")):
            if key in body and body[key] not in ("none", free):
                values[key] = orjson.dumps(free)
        return set_keys(raw, values, present=frozenset(key for key in values if key in body))

    def sibling_ids(self, body: Body) -> list[str]:
        messages = body.get("messages")
        ids = []
        for message in messages if type(messages) is list else ():
            if type(message) is dict and (calls := message.get("tool_calls")) and type(calls) is list:
                ids += [call["id"] for call in calls if type(call) is dict and type(call.get("id")) is str]
        return ids

    def reinserted(self, raw: bytes, body: Body, memory: Memory) -> bytes:
        messages: list[Any] = []
        waiting: dict[str, tuple[Dropped, ...]] = {}  # Results still to be told, by the sibling's id.
        for message in body["messages"]:
            if type(message) is not dict:
                messages.append(message)
                continue
            beside = (
                waiting.pop(text(message.get("tool_call_id")), ()) if message.get("role") == "tool" else ()
            )
            if beside:
                messages += around(message, beside, _refusal)
                continue
            if message.get("role") != "tool":
                messages += [_refusal(each) for left in waiting.values() for each in left]
                waiting = {}
            messages.append(_with_dropped(message, memory, waiting) if message.get("tool_calls") else message)
        messages += [_refusal(each) for left in waiting.values() for each in left]
        if len(messages) == len(body["messages"]):
            return raw
        return set_keys(raw, {"messages": orjson.dumps(messages)}, present=frozenset({"messages"}))


class _Numbering:
    """Which call an entry of a delta belongs to. Some servers number all of them 0 and tell them apart by id."""

    def __init__(self) -> None:
        self._now: dict[Key, tuple[int, str]] = {}
        self._counts: dict[int, int] = {}

    def of(self, choice: int, entry: Body) -> Key:
        index, identity = _index(entry), text(entry.get("id"))
        known = self._now.get((choice, index))
        if known is None or (identity and known[1] and identity != known[1]):
            number = self._counts.get(choice, 0)
            self._counts[choice] = number + 1
            known = (number, identity)
        self._now[choice, index] = (known[0], known[1] or identity)
        return choice, known[0]


class _Thinning:
    """Goes through a stream's events and leaves out what belongs to dropped calls."""

    def __init__(self, numbers: Mapping[Key, int], notes: dict[int, str]) -> None:
        self._numbers = numbers
        self._notes = notes
        self._numbered = _Numbering()
        self._head: Body = {}

    def of(self, event: Event) -> Iterator[bytes]:
        chunk = event.body
        if chunk is None or not chunk.get("choices"):
            yield event.raw
            return
        self._head = {key: value for key, value in chunk.items() if key not in ("choices", "usage")}
        changed = False
        choices = []
        for choice in objects(chunk["choices"]):
            index = _index(choice)
            kept = dict(choice)
            delta = _delta(choice)
            if any(delta.get(key) for key in _CALLED):
                changed = True
                kept["delta"] = self._delta(index, delta)
            said = self._notes.pop(index, None) if choice.get("finish_reason") else None
            if said is not None:
                yield self._said(index, said)
                changed = True
            if choice.get("finish_reason") in _CALLED and not self._left(index):
                kept["finish_reason"] = "stop"
                changed = True
            if kept.get("delta") or kept.get("finish_reason") or not choice.get("delta"):
                choices.append(kept)
        if not changed:
            yield event.raw
        elif choices or chunk.get("usage"):
            yield written(orjson.dumps({**chunk, "choices": choices}), event.name)

    def rest(self) -> list[bytes]:
        """What could not be said yet, because the stream gave no reason for its end."""
        left = [self._said(index, said) for index, said in sorted(self._notes.items())]
        self._notes.clear()
        return left

    def _left(self, choice: int) -> bool:
        return any(key[0] == choice for key in self._numbers)

    def _delta(self, choice: int, delta: Body) -> Body:
        calls = []
        for name, entries in (
            ("tool_calls", delta.get("tool_calls")),
            ("function_call", [delta.get("function_call")]),
        ):
            for entry in objects(entries):
                number = self._numbers.get(self._numbered.of(choice, entry if name == "tool_calls" else {}))
                if number is not None:
                    calls.append((name, {**entry, "index": number} if name == "tool_calls" else entry))
        kept = {key: value for key, value in delta.items() if key not in _CALLED}
        if kept.get("content") is None and not calls and "role" not in kept:
            kept.pop("content", None)
        for name, entry in calls:
            if name == "tool_calls":
                kept.setdefault("tool_calls", []).append(entry)
            else:
                kept[name] = entry
        return kept

    def _said(self, choice: int, said: str) -> bytes:
        delta = {"content": said}  # Without a role, which came before: some clients would join the two.
        return written(
            orjson.dumps(
                {**self._head, "choices": [{"index": choice, "delta": delta, "finish_reason": None}]}
            )
        )


def _keys(listed: Sequence[Event]) -> list[Key]:
    """The calls of a stream in the order in which the whole reply has them."""
    numbered = _Numbering()
    keys: dict[Key, None] = {}
    for event in listed:
        for choice in objects((event.body or {}).get("choices")):
            for entry in _delta_entries(_delta(choice)):
                keys[numbered.of(_index(choice), entry)] = None
    return sorted(keys)


def _grow(message: Body, delta: Body, choice: int, numbered: _Numbering) -> None:
    for key, value in delta.items():
        if key in ("role", *_CALLED):
            continue
        before: Any = message.get(key)
        if type(value) in (str, list) and type(before) is type(value):
            message[key] = before + value
        elif value is not None:
            message[key] = value
    for entry in objects(delta.get("tool_calls")):
        number = numbered.of(choice, entry)[1]
        calls: list[Body] = message.setdefault("tool_calls", [])
        if number == len(calls):
            calls.append({"id": "", "type": "function"})
        _grow_call(calls[number], entry)
    if type(delta.get("function_call")) is dict:
        _grow_call(message.setdefault("function_call", {}), {"function": delta["function_call"]}, bare=True)


def _grow_call(call: Body, entry: Body, *, bare: bool = False) -> None:
    call.update({
        key: value for key, value in entry.items() if value and key not in ("index", "function", "custom")
    })  # fmt: skip
    for kind in ("function", "custom"):
        piece = entry.get(kind)
        if type(piece) is not dict:
            continue
        inner = call if bare else call.setdefault(kind, {})
        inner["name"] = inner.get("name") or text(piece.get("name"))
        key = "input" if kind == "custom" else "arguments"
        inner[key] = text(inner.get(key)) + text(piece.get(key))


def _with_dropped(message: Body, memory: Memory, waiting: dict[str, tuple[Dropped, ...]]) -> Body:
    calls: list[Any] = []
    present = {call.get("id") for call in objects(message["tool_calls"])}
    for call in message["tool_calls"]:
        said = _proposal(call) if type(call) is dict else None
        beside = found(memory, "chat", said.id, said.name, said.arguments) if said is not None else ()
        beside = tuple(each for each in beside if each.call_id not in present)
        calls += around(call, beside, lambda each: orjson.loads(each.call))
        if said is not None and beside:
            waiting[said.id] = beside
    return {**message, "tool_calls": calls} if len(calls) > len(message["tool_calls"]) else message


def _proposal(entry: Body) -> Proposal:
    inner = entry.get("function")
    inner = inner if type(inner) is dict else entry.get("custom")
    inner = inner if type(inner) is dict else {}
    arguments = text(inner.get("arguments")) or text(inner.get("input")) or "{}"
    return Proposal(text(entry.get("id")), text(inner.get("name")), arguments, orjson.dumps(entry))


def _choices(body: Body) -> list[Body]:
    return [each for each in objects(body.get("choices")) if type(each.get("message")) is dict]


def _entries(choice: Body) -> list[Body]:
    message = choice["message"]
    old = message.get("function_call")
    return list(objects(message.get("tool_calls"))) or ([{"function": old}] if type(old) is dict else [])


def _delta(choice: Body) -> Body:
    delta = choice.get("delta")
    return delta if type(delta) is dict else {}


def _delta_entries(delta: Body) -> list[Body]:
    old = delta.get("function_call")
    return [*objects(delta.get("tool_calls")), *([{}] if type(old) is dict and old else [])]


def _index(value: Body) -> int:
    index = value.get("index")
    return index if type(index) is int else 0


def _stopped(choice: Body) -> None:
    if choice.get("finish_reason") in _CALLED:
        choice["finish_reason"] = "stop"


def _with_note(content: object, said: str) -> object:
    if type(content) is list:
        return [*content, {"type": "text", "text": said}]
    return f"{content}\n\n{said}" if content else said


def _free(choice: object) -> object:
    """A choice of tools that forces none, so that the model can also go on without."""
    if type(choice) is dict and choice.get("type") == "allowed_tools":
        inner = choice.get("allowed_tools")
        if type(inner) is dict:
            return {**choice, "allowed_tools": {**inner, "mode": "auto"}}
    return None if choice is None else "auto"


def _result(call_id: str, reason: str) -> Body:
    return {"role": "tool", "tool_call_id": call_id, "content": reason}


def _refusal(dropped: Dropped) -> Body:
    return _result(dropped.call_id, dropped.reason)
