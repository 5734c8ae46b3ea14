"""Requests and a small set of tools that the tests of the simulator talk about."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from airworthy.gateway.simulator import MODELS, Simulator
from airworthy.gateway.simulator.conversation import Conversation, parse

Message = dict[str, Any]
ORDER = {
    "order_id": "ORD-1042",
    "status": "shipped",
    "total": 49.9,
    "customer_id": "C-77",
    "eta": "2026-12-01",
    "lines": [{"sku": "MUG-1", "quantity": 2}],
}


def tool(name: str, description: str = "", *, optional: Sequence[str] = (), **properties: Any) -> Message:
    parameters = {
        "type": "object",
        "properties": properties,
        "required": [key for key in properties if key not in optional],
    }
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": parameters},
    }


TEXT = {"type": "string"}
FIND_ORDER = tool("find_order", "Look up an order by its id.", order_id=TEXT)
GET_CUSTOMER = tool("get_customer", "The record of a customer.", customer_id=TEXT)
REFUND = tool("refund_order", "Pay money back.", order_id=TEXT, amount={"type": "number"})
WEATHER = tool(
    "get_weather",
    "Weather in a city.",
    optional=("unit",),
    city=TEXT,
    unit={"type": "string", "enum": ["celsius", "fahrenheit"]},
)
TOOLS = [FIND_ORDER, GET_CUSTOMER, REFUND, WEATHER]
QUESTION = "Where is my order ORD-1042?"


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def used(name: str, arguments: Mapping[str, Any], result: Any, *, call_id: str = "call_1") -> list[Message]:
    """A tool call of the model and its result, as the two messages that a client sends back."""
    function = {"name": name, "arguments": orjson.dumps(arguments).decode()}
    content = result if isinstance(result, str) else orjson.dumps(result).decode()
    return [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": call_id, "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": call_id, "content": content},
    ]


def request(*messages: Message, tools: Sequence[Message] = TOOLS, **extra: Any) -> dict[str, Any]:
    offered = {"tools": list(tools)} if tools else {}
    return {"model": MODELS[0], "messages": list(messages), **offered, **extra}


def conversation(*messages: Message, tools: Sequence[Message] = TOOLS, **extra: Any) -> Conversation:
    return parse(request(*messages, tools=tools, **extra))


AFTER_LOOKUP = (user(QUESTION), *used("find_order", {"order_id": "ORD-1042"}, ORDER))


def ask(simulator: Simulator, body: Mapping[str, Any]) -> Any:
    """The decoded body of the answer, without a network."""
    return orjson.loads(simulator.answer(orjson.dumps(body)).body)


def message(simulator: Simulator, body: Mapping[str, Any]) -> Any:
    return ask(simulator, body)["choices"][0]["message"]


def calls(simulator: Simulator, body: Mapping[str, Any]) -> list[tuple[str, Any]]:
    made = message(simulator, body).get("tool_calls", [])
    return [(call["function"]["name"], orjson.loads(call["function"]["arguments"])) for call in made]
