"""OTLP as protobuf, by the published classes (extra `otlp`), imported at the first request that needs them.

A request that does not parse is taken apart by its framing alone, so that one broken span costs no other.
"""

import base64
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from airworthy.recorder.otel import framing
from airworthy.recorder.otel.bounds import DEPTH_MAX
from airworthy.recorder.otel.errors import Malformed, Unsupported
from airworthy.recorder.otel.raw import Attributes, Batch, Origin, RawEvent, RawLink, RawLog, RawSpan

if TYPE_CHECKING:
    from google.protobuf.message import Message

    Parse = Callable[[bytes], Message]

_ERROR: Final = 2
_RESOURCE, _SCOPES, _SCOPE, _ITEMS = (
    1,
    2,
    1,
    2,
)  # fields of the request's layers, alike for spans and for logs
_MEND: Final = "Send what an OTLP/HTTP exporter sends."


def spans(body: bytes) -> Batch:
    """Raises: Unsupported without the extra, Malformed."""
    try:
        from google.protobuf.message import DecodeError
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
        from opentelemetry.proto.trace.v1.trace_pb2 import Span
    except ImportError as error:
        raise _missing() from error
    batch = Batch()
    try:
        request = ExportTraceServiceRequest.FromString(body)
    except DecodeError as error:
        for origin, item in _apart(body, error):
            try:
                batch.spans.append(_span(Span.FromString(item), origin))
            except DecodeError:
                batch.broken.append("A span is not valid protobuf.")
        return batch
    for group in request.resource_spans:
        resource = _attributes(group.resource.attributes)
        for scoped in group.scope_spans:
            origin = _origin(resource, scoped.scope)
            batch.spans.extend([_span(span, origin) for span in scoped.spans])
    return batch


def logs(body: bytes) -> Batch:
    """Raises: Unsupported without the extra, Malformed."""
    try:
        from google.protobuf.message import DecodeError
        from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
        from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
    except ImportError as error:
        raise _missing() from error
    batch = Batch()
    try:
        request = ExportLogsServiceRequest.FromString(body)
    except DecodeError as error:
        for origin, item in _apart(body, error):
            try:
                batch.logs.append(_log(LogRecord.FromString(item), origin))
            except DecodeError:
                batch.broken.append("A log record is not valid protobuf.")
        return batch
    for group in request.resource_logs:
        resource = _attributes(group.resource.attributes)
        for scoped in group.scope_logs:
            origin = _origin(resource, scoped.scope)
            batch.logs.extend([_log(record, origin) for record in scoped.log_records])
    return batch


def _missing() -> Unsupported:
    return Unsupported(
        "OTLP as protobuf needs the extra `otlp`, which is not installed here.",
        mend="Install airworthy[otlp], or let the exporter send JSON (OTEL_EXPORTER_OTLP_PROTOCOL=http/json).",
    )


def _origin(resource: Attributes, scope: Any) -> Origin:
    return Origin(resource, scope.name, scope.version, _attributes(scope.attributes))


def _span(span: Any, origin: Origin) -> RawSpan:
    # Reading a field costs more than a local name, and most spans have none of the last.
    events, links, status = span.events, span.links, span.status
    return RawSpan(
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.name,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        _attributes(span.attributes),
        origin,
        status.code == _ERROR,
        status.message,
        [RawEvent(event.name, event.time_unix_nano, _attributes(event.attributes)) for event in events]
        if events
        else [],
        [RawLink(link.trace_id.hex(), link.span_id.hex(), _attributes(link.attributes)) for link in links]
        if links
        else [],
    )


def _log(record: Any, origin: Origin) -> RawLog:
    attributes = _attributes(record.attributes)
    return RawLog(
        record.trace_id.hex(),
        record.span_id.hex(),
        record.event_name or str(attributes.get("event.name") or ""),
        record.time_unix_nano or record.observed_time_unix_nano,
        attributes,
        _value(record.body, 0),
        origin,
    )


def _attributes(entries: Iterable[Any]) -> Attributes:
    found: Attributes = {}
    for entry in entries:
        value = entry.value
        # Nearly all are text; asking which form is set costs as much as reading it.
        found[entry.key] = value.string_value or _value(value, 0)
    return found


def _value(value: Any, depth: int) -> Any:
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "int_value":
            return value.int_value
        case "bool_value":
            return value.bool_value
        case "double_value":
            return value.double_value
        case "bytes_value":
            return base64.b64encode(value.bytes_value).decode()
        case "array_value" | "kvlist_value" if depth > DEPTH_MAX:
            return "(nested too deep)"
        case "array_value":
            return [_value(each, depth + 1) for each in value.array_value.values]
        case "kvlist_value":
            return {entry.key: _value(entry.value, depth + 1) for entry in value.kvlist_value.values}
        case _:
            return None


def _apart(body: bytes, error: Exception) -> Iterator[tuple[Origin, bytes]]:
    """Each span or record with its origin, by the framing of the layers around it. Raises: Malformed."""
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource

    def read(parse: "Parse", parts: list[bytes]) -> Any:
        try:
            return parse(parts[-1] if parts else b"")
        except DecodeError:
            return parse(b"")  # Its owner is unknown; the span is worth keeping all the same.

    try:
        for group in framing.read(body)[0].get(1, []):
            layer, _ = framing.read(group)
            resource = _attributes(read(Resource.FromString, layer.get(_RESOURCE, [])).attributes)
            for scoped in layer.get(_SCOPES, []):
                inner, _ = framing.read(scoped)
                origin = _origin(resource, read(InstrumentationScope.FromString, inner.get(_SCOPE, [])))
                for item in inner.get(_ITEMS, []):
                    yield origin, item
    except (IndexError, ValueError) as broken:
        raise Malformed(f"The body is not OTLP as protobuf: {error}.", mend=_MEND) from broken
