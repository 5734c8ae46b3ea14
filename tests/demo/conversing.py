"""The shortest agent loop, so that the simulated model's script can be tested against the real shop."""

import asyncio
import random
from typing import NamedTuple
from urllib.parse import urlencode

import orjson

from airworthy.core.asgi import Message
from airworthy.demo.inquiries import Inquiry
from airworthy.demo.service import ShopService
from airworthy.gateway.simulator.brain import decide
from airworthy.gateway.simulator.conversation import Json, parse
from airworthy.gateway.simulator.rules import Rules

TURNS_MAX = 8
TEXT: dict[str, Json] = {"type": "string"}
NUMBER: dict[str, Json] = {"type": "integer"}
TOOLS: dict[str, dict[str, dict[str, Json]]] = {
    "find_customer": {"email": TEXT},
    "get_order": {"order_id": NUMBER},
    "list_orders": {"customer_id": NUMBER},
    "find_products": {"query": TEXT},
    "get_policy": {"topic": TEXT},
    "refund": {"order_id": NUMBER, "amount_cents": NUMBER, "reason": TEXT},
    "send_reply": {"to": TEXT, "subject": TEXT, "body": TEXT},
}


class End(NamedTuple):
    answer: dict[str, Json]
    calls: list[tuple[str, dict[str, Json], dict[str, Json]]]
    """Tool, arguments, result."""
    rules: list[str | None]

    @property
    def mails(self) -> list[dict[str, Json]]:
        return [arguments for name, arguments, _ in self.calls if name == "send_reply"]


def converse(service: ShopService, rules: Rules, inquiry: Inquiry) -> End:
    messages: list[Json] = [
        {"role": "system", "content": "You are the support agent of a small shop."},
        {"role": "user", "content": inquiry.message},
    ]
    end = End({}, [], [])
    for turn in range(TURNS_MAX):
        body: dict[str, Json] = {
            "model": "simulated",
            "messages": messages,
            "tools": [_declared(name, properties) for name, properties in TOOLS.items()],
            "response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}},
        }
        decision = decide(parse(body), rules, random.Random(turn))
        end.rules.append(decision.rule)
        if not decision.calls:
            end.answer.update(orjson.loads(decision.text or "{}"))
            return end
        calls: list[Json] = []
        results: list[Json] = []
        for number, call in enumerate(decision.calls):
            arguments = orjson.loads(call.arguments)
            result = _carry_out(service, inquiry, call.tool, arguments)
            end.calls.append((call.tool, arguments, result))
            call_id = f"call_{turn}_{number}"
            function: Json = {"name": call.tool, "arguments": call.arguments}
            calls.append({"id": call_id, "type": "function", "function": function})
            # Sorted as the canonical form is, so that the script cannot lean on an order of fields.
            content = orjson.dumps(result, option=orjson.OPT_SORT_KEYS).decode()
            results.append({"role": "tool", "tool_call_id": call_id, "content": content})
        messages += [{"role": "assistant", "tool_calls": calls}, *results]
    return end


def _declared(name: str, properties: dict[str, dict[str, Json]]) -> Json:
    parameters: Json = {"type": "object", "properties": {**properties}, "required": [*properties]}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


def _carry_out(
    service: ShopService, inquiry: Inquiry, tool: str, arguments: dict[str, str | int]
) -> dict[str, Json]:
    headers = {"ticket": inquiry.key, "idempotency-key": f"{inquiry.key}/{tool}"}
    match tool:
        case "find_customer":
            return _ask(service, "GET", f"/customers?{urlencode({'email': arguments['email']})}")
        case "get_order":
            return _ask(
                service, "GET", f"/orders/{arguments['order_id']}?{urlencode({'email': inquiry.sender})}"
            )
        case "list_orders":
            return _ask(service, "GET", f"/orders?customer_id={arguments['customer_id']}")
        case "find_products":
            return _ask(service, "GET", f"/products?{urlencode({'query': arguments['query']})}")
        case "get_policy":
            return _ask(service, "GET", f"/policies?topic={arguments['topic']}")
        case "refund":
            return _ask(service, "POST", "/refunds", orjson.dumps(arguments), headers)
        case _:
            return _ask(service, "POST", "/mail", orjson.dumps(arguments), headers)


def _ask(
    service: ShopService, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> dict[str, Json]:
    path, _, query = target.partition("?")
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in (headers or {}).items()],
    }
    asyncio.run(service(scope, receive, send))
    answer: dict[str, Json] = orjson.loads(sent[1]["body"])
    return answer
