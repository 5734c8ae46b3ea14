"""Faults of the line and of the body: each turns a right answer into the wrong bytes."""

import random
from dataclasses import replace

import orjson

from airworthy.gateway.simulator import wire
from airworthy.gateway.simulator.answer import Answer, Chunk
from airworthy.gateway.simulator.conversation import Conversation, Json, as_dict, as_list, as_text, tokens
from airworthy.gateway.simulator.dialects.port import House
from airworthy.gateway.simulator.faults import USAGE_FORMS, Fault
from airworthy.gateway.simulator.spoken import Spoken

# Kinds that are answered before the model has thought.
BEFORE = {"http_429", "http_500", "http_503", "connection_reset", "hang", "error_in_200"}
# Kinds that change what a finished body says.
BODY = {"empty", "length", "content_filter", "refusal", "wrong_model", "huge"}
# Kinds that change the count in it.
USAGE = {"no_usage", "odd_usage"}
# Kinds that change how the finished bytes travel.
BYTES = {"slow", "truncated", "invalid_json", "content_type", "content_length"}
REFUSAL = "I'm sorry, but I cannot help with that request."
# More than any body, so that a client that believes the announcement waits for what never comes.
ANNOUNCED_TOO_MUCH = 4_096
_FILLER = "The record goes on and on without an end in sight. "


def instead(fault: Fault, model: str, house: House) -> Answer:
    """The answer in place of one. `fault` is of a kind in BEFORE."""
    match fault.kind:
        case "http_429":
            return house.rate_limited(model, fault.seconds)
        case "http_500":
            return house.failed()
        case "http_503":
            return house.overloaded()
        case "error_in_200":
            return replace(house.failed(), status=200)
        case _:
            return Answer(0, b"", delay_s=fault.seconds, ending="reset")


def body(spoken: Spoken, fault: Fault, conversation: Conversation, models: tuple[str, ...]) -> Spoken:
    """What the model said instead. `fault` is of a kind in BODY."""
    whole = spoken.whole
    choice = as_dict(as_list(whole["choices"])[0])
    message = as_dict(choice["message"])
    match fault.kind:
        case "wrong_model":
            other = other_model(spoken.model, models)
            made = whole | {"model": other, "system_fingerprint": wire.fingerprint(other)}
        case "empty" if fault.variant == "no_choices":
            made = whole | {"choices": [], "usage": wire.usage(conversation, 0)}
        case "length":
            made = whole | {"choices": [choice | {"message": _halved(message), "finish_reason": "length"}]}
        case "huge":
            size = int(fault.megabytes * 1_000_000)
            text = (_FILLER * (size // len(_FILLER) + 1))[:size]
            told: dict[str, Json] = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
            choices: list[Json] = [choice | {"message": told, "finish_reason": "stop"}]
            made = whole | {"choices": choices, "usage": wire.usage(conversation, tokens(size))}
        case _:
            bare: dict[str, Json] = {"role": "assistant", "content": None, "refusal": None, "annotations": []}
            if fault.kind == "refusal":
                bare["refusal"] = REFUSAL
            finish = "content_filter" if fault.kind == "content_filter" else "stop"
            written = tokens(len(REFUSAL)) if fault.kind == "refusal" else 0
            choices = [choice | {"message": bare, "finish_reason": finish}]
            made = whole | {"choices": choices, "usage": wire.usage(conversation, written)}
    return replace(spoken, whole=made)


def usage_form(fault: Fault, chance: random.Random) -> str:
    """How the count is spoilt. `fault` is of a kind in USAGE."""
    return "missing" if fault.kind == "no_usage" else fault.variant or chance.choice(USAGE_FORMS)


def other_model(asked: str, models: tuple[str, ...]) -> str:
    return next((model for model in models if model != asked), f"{asked}-preview")


def sent(answer: Answer, fault: Fault, chance: random.Random) -> Answer | None:
    """The same answer on a worse way, None if there is no such way. `fault` is of a kind in BYTES."""
    match fault.kind:
        case "slow":
            return replace(answer, delay_s=fault.seconds)
        case "content_type":
            return replace(answer, headers={**answer.headers, "content-type": "text/html; charset=utf-8"})
        case "truncated" if answer.is_stream:
            return replace(answer, chunks=_first_half(answer.chunks), ending="cut")
        case "truncated":
            return replace(answer, ending="half")
        case "content_length" if answer.is_stream:
            # A stream announces no length.
            return None
        case "content_length":
            if (fault.variant or chance.choice(("short", "long"))) == "short":
                return replace(answer, announced=len(answer.body) // 2)
            return replace(answer, announced=len(answer.body) + ANNOUNCED_TOO_MUCH, ending="open")
        case _ if answer.is_stream:
            spoilt = (
                Chunk(c.delay_s, c.data.replace(b"data: {", b"data: upstream: ")) for c in answer.chunks
            )
            return replace(answer, chunks=tuple(spoilt))
        case _:
            # A lost opening brace is what a proxy's stray byte looks like; no parser repairs it silently.
            return replace(answer, body=b"upstream: " + answer.body[1:])


def _first_half(chunks: tuple[Chunk, ...]) -> tuple[Chunk, ...]:
    """Half of the bytes. Always ends inside an event: one byte less where the middle falls between two."""
    left = sum(len(chunk.data) for chunk in chunks) // 2
    made: list[Chunk] = []
    for chunk in chunks:
        size = len(chunk.data)
        if left <= size:
            return (*made, Chunk(chunk.delay_s, chunk.data[: min(left, size - 1)]))
        made.append(chunk)
        left -= size
    return tuple(made)


def _halved(message: dict[str, Json]) -> dict[str, Json]:
    calls = as_list(message.get("tool_calls"))
    if not calls:
        text = as_text(message.get("content"))
        return message | {"content": text[: max(1, len(text) // 2)]}
    last = as_dict(calls[-1])
    function = as_dict(last["function"])
    arguments = as_text(function["arguments"])
    cut = function | {"arguments": arguments[: max(1, len(arguments) // 2)]}
    return message | {"tool_calls": [*calls[:-1], last | {"function": cut}]}


def encoded(value: dict[str, Json]) -> Answer:
    return Answer(200, orjson.dumps(value), {"content-type": "application/json"})
