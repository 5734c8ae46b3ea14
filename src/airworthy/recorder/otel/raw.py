"""Spans and log records as they were sent, the same from protobuf and from JSON: ids as hex, times as numbers."""

from dataclasses import dataclass, field
from typing import Any

Attributes = dict[str, Any]  # text, numbers, booleans, None, lists and dicts of them; bytes as base64


@dataclass(slots=True)
class RawEvent:
    name: str
    time: int | float
    attributes: Attributes


@dataclass(slots=True)
class RawLink:
    trace_id: str
    span_id: str
    attributes: Attributes


@dataclass(slots=True)
class Origin:
    """Who sent it: the resource and the instrumentation scope, each once for many spans."""

    resource: Attributes
    scope: str
    scope_version: str
    scope_attributes: Attributes


@dataclass(slots=True)
class RawSpan:
    """Times are as sent: nanoseconds, if the sender keeps to the protocol. Ids may be anything."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    start: int | float
    end: int | float
    attributes: Attributes
    origin: Origin
    is_error: bool = False
    message: str = ""
    events: list[RawEvent] = field(default_factory=list)
    links: list[RawLink] = field(default_factory=list)


@dataclass(slots=True)
class RawLog:
    trace_id: str
    span_id: str
    name: str
    time: int | float
    attributes: Attributes
    body: Any
    origin: Origin


@dataclass(slots=True)
class Batch:
    """What a request held; `broken`: why each thing in it that could not be read could not."""

    spans: list[RawSpan] = field(default_factory=list)
    logs: list[RawLog] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
