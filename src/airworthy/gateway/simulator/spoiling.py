"""Faults of the line and of the body: each turns a right answer into the wrong bytes."""

from dataclasses import replace

import orjson

from airworthy.gateway.simulator import wire
from airworthy.gateway.simulator.conversation import Conversation, Json, as_dict, as_list, as_text, tokens
from airworthy.gateway.simulator.faults import Fault
from airworthy.gateway.simulator.wire import Answer

# Kinds that are answered before the model has thought.
BEFORE = {"http_429", "http_500", "http_503", "connection_reset"}
# Kinds that change what a finished body says.
BODY = {"empty", "length", "content_filter", "refusal", "wrong_model"}
# Kinds that change how the finished bytes travel.
BYTES = {"slow", "truncated", "invalid_json"}
REFUSAL = "I'm sorry, but I cannot help with that request."


def instead(fault: Fault, model: str) -> Answer:
    """The answer in place of one. `fault` is of a kind in BEFORE."""
    match fault.kind:
        case "http_429":
            return wire.rate_limited(model, fault.seconds)
        case "http_500":
            return wire.error(
                500, "The server failed while processing the request. Try again.", kind="server_error"
            )
        case "http_503":
            return wire.error(
                503,
                "The model is overloaded with other requests. Try again later.",
                kind="server_error",
                code="service_unavailable",
            )
        case _:
            return Answer(0, b"", ending="reset")


def body(
    whole: dict[str, Json], fault: Fault, conversation: Conversation, models: tuple[str, ...]
) -> dict[str, Json]:
    """The changed body. `fault` is of a kind in BODY."""
    choice = as_dict(as_list(whole["choices"])[0])
    message = as_dict(choice["message"])
    match fault.kind:
        case "wrong_model":
            asked = as_text(whole["model"])
            other = next((model for model in models if model != asked), f"{asked}-preview")
            return whole | {"model": other, "system_fingerprint": wire.fingerprint(other)}
        case "empty" if fault.variant == "no_choices":
            return whole | {"choices": [], "usage": wire.usage(conversation, 0)}
        case "length":
            return whole | {"choices": [choice | {"message": _halved(message), "finish_reason": "length"}]}
        case _:
            bare: dict[str, Json] = {"role": "assistant", "content": None, "refusal": None, "annotations": []}
            if fault.kind == "refusal":
                bare["refusal"] = REFUSAL
            finish = "content_filter" if fault.kind == "content_filter" else "stop"
            written = tokens(len(REFUSAL)) if fault.kind == "refusal" else 0
            choices: list[Json] = [choice | {"message": bare, "finish_reason": finish}]
            return whole | {"choices": choices, "usage": wire.usage(conversation, written)}


def sent(answer: Answer, fault: Fault) -> Answer:
    """The same body on a worse way. `fault` is of a kind in BYTES."""
    match fault.kind:
        case "slow":
            return replace(answer, delay_s=fault.seconds)
        case "truncated":
            return replace(answer, ending="half")
        case _:
            # A lost opening brace is what a proxy's stray byte looks like; no parser repairs it silently.
            return replace(answer, body=b"upstream: " + answer.body[1:])


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
