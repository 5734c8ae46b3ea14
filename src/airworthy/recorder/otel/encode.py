"""Spans into requests of OTLP/HTTP: JSON by hand, protobuf by the published classes (extra `otlp`)."""

import math
from collections.abc import Sequence
from typing import Any, Final, Literal

import orjson

from airworthy.core.errors import ConfigError
from airworthy.recorder.otel.decode import JSON, PROTOBUF
from airworthy.recorder.otel.raw import Attributes, RawSpan

Protocol = Literal["http/json", "http/protobuf"]

_CLIENT, _INTERNAL = 3, 1
_OK, _ERROR = 1, 2
_CALLS_OUT: Final = frozenset({"chat", "embeddings"})


def encoded(spans: Sequence[RawSpan], protocol: Protocol) -> tuple[str, bytes]:
    """Content type and body; `spans` are of one origin. Raises: ConfigError without the extra."""
    if protocol == "http/json":
        return JSON, orjson.dumps(_request(spans))
    return PROTOBUF, _protobuf(spans)


def check(protocol: Protocol) -> None:
    """Raises: ConfigError when this protocol cannot be spoken here."""
    if protocol == "http/protobuf":
        _protobuf([])


def _request(spans: Sequence[RawSpan]) -> dict[str, Any]:
    if not spans:
        return {"resourceSpans": []}
    origin = spans[0].origin
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _attributes(origin.resource)},
                "scopeSpans": [
                    {
                        "scope": {"name": origin.scope, "version": origin.scope_version},
                        "spans": [_span(span) for span in spans],
                    }
                ],
            }
        ]
    }


def _span(span: RawSpan) -> dict[str, Any]:
    made: dict[str, Any] = {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "name": span.name,
        "kind": _kind(span),
        "startTimeUnixNano": str(span.start),
        "endTimeUnixNano": str(span.end),
        "attributes": _attributes(span.attributes),
        "status": {"code": _ERROR, "message": span.message} if span.is_error else {},
    }
    if span.parent_id:
        made["parentSpanId"] = span.parent_id
    if span.events:
        made["events"] = [
            {"name": each.name, "timeUnixNano": str(each.time), "attributes": _attributes(each.attributes)}
            for each in span.events
        ]
    return made


def _kind(span: RawSpan) -> int:
    return _CLIENT if span.attributes.get("gen_ai.operation.name") in _CALLS_OUT else _INTERNAL


def _attributes(attributes: Attributes) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in attributes.items()]


def _value(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value if math.isfinite(value) else str(value)}
        case list():
            return {"arrayValue": {"values": [_value(each) for each in value]}}
        case _:
            return {"stringValue": str(value)}


def _protobuf(spans: Sequence[RawSpan]) -> bytes:
    try:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    except ImportError as error:
        raise ConfigError(
            "OTLP as protobuf needs the extra `otlp`, which is not installed here.",
            mend='Install airworthy[otlp], or set protocol = "http/json".',
        ) from error
    request = ExportTraceServiceRequest()
    if not spans:
        return b""
    group = request.resource_spans.add()
    origin = spans[0].origin
    _fill(group.resource.attributes, origin.resource)
    scoped = group.scope_spans.add()
    scoped.scope.name, scoped.scope.version = origin.scope, origin.scope_version
    for span in spans:
        made = scoped.spans.add(
            trace_id=bytes.fromhex(span.trace_id),
            span_id=bytes.fromhex(span.span_id),
            parent_span_id=bytes.fromhex(span.parent_id),
            name=span.name,
            kind=_kind(span),
            start_time_unix_nano=int(span.start),
            end_time_unix_nano=int(span.end),
        )
        _fill(made.attributes, span.attributes)
        if span.is_error:
            made.status.code, made.status.message = _ERROR, span.message
        for each in span.events:
            event = made.events.add(name=each.name, time_unix_nano=int(each.time))
            _fill(event.attributes, each.attributes)
    return bytes(request.SerializeToString())


def _fill(entries: Any, attributes: Attributes) -> None:
    for key, value in attributes.items():
        _put(entries.add(key=key).value, value)


def _put(place: Any, value: Any) -> None:
    match value:
        case bool():
            place.bool_value = value
        case int():
            place.int_value = value
        case float():
            place.double_value = value
        case list():
            for each in value:
                _put(place.array_value.values.add(), each)
        case _:
            place.string_value = str(value)
