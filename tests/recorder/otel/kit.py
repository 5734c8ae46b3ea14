"""A collector on loopback that keeps what it is sent, and requests of OTLP/JSON written short."""

import json
from dataclasses import dataclass, field
from typing import Any

import orjson

from airworthy.core.asgi import Receive, Scope, Send
from airworthy.core.redact import Redactor
from airworthy.recorder.otel import Decoded, Reading, decode_logs, decode_traces
from airworthy.recorder.traces.span import Span

NOW_US = 1_790_000_000_000_000
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@dataclass(frozen=True)
class Sent:
    path: str
    headers: dict[str, str]
    body: bytes

    def decoded(self, reading: Reading, now_us: int) -> Decoded:
        read = decode_traces if self.path == "/v1/traces" else decode_logs
        encoding = self.headers.get("content-encoding", "")
        return read(self.body, self.headers["content-type"], encoding, reading, now_us)


@dataclass
class Collector:
    """Answers as it is told, in order, then with 200 for good."""

    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    got: list[Sent] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = {key.decode(): value.decode() for key, value in scope["headers"]}
        self.got.append(Sent(scope["path"], headers, body))
        status, answer_headers, answer = self.answers.pop(0) if self.answers else (200, {}, b"")
        raw = [(key.encode(), value.encode()) for key, value in answer_headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": answer})


def value_of(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case list():
            return {"arrayValue": {"values": [value_of(each) for each in value]}}
        case dict():
            return {"kvlistValue": {"values": attributes_of(value)}}
        case _:
            return {"stringValue": value}


def attributes_of(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": value_of(value)} for key, value in attributes.items()]


def span(number: int = 1, parent: int = 0, name: str = "a span", **more: Any) -> dict[str, Any]:
    """Of one second, a minute ago. `attributes` as a plain dict; anything else as OTLP/JSON has it."""
    start_us = NOW_US - 60_000_000 + number
    return {
        "traceId": TRACE,
        "spanId": f"{number:016x}",
        "parentSpanId": f"{parent:016x}" if parent else "",
        "name": name,
        "startTimeUnixNano": str(start_us * 1_000),
        "endTimeUnixNano": str((start_us + 1_000_000) * 1_000),
        **more,
        "attributes": attributes_of(more.get("attributes", {})),
    }


def request(*spans: Any, resource: dict[str, Any] | None = None, scope: str = "tests") -> bytes:
    resource = {"service.name": "shop"} if resource is None else resource
    group = {
        "resource": {"attributes": attributes_of(resource)},
        "scopeSpans": [{"scope": {"name": scope}, "spans": list(spans)}],
    }
    return json.dumps({"resourceSpans": [group]}).encode()  # which writes numbers of any size


def reading(**more: Any) -> Reading:
    return Reading(Redactor(), **more)


def taken(*spans: Any, reader: Reading | None = None, **more: Any) -> list[Span]:
    """What becomes of these, all of which are taken."""
    decoded = decode_traces(request(*spans, **more), "application/json", "", reader or reading(), NOW_US)
    assert decoded.rejected == 0, decoded.reason
    return decoded.spans


def one(attributes: dict[str, Any] | None = None, **more: Any) -> Span:
    (found,) = taken(span(attributes=attributes or {}, **more))
    return found


def payload_of(found: Span) -> dict[str, Any]:
    read = orjson.loads(found.payload)
    assert isinstance(read, dict)
    return read
