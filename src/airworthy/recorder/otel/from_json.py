"""OTLP/JSON, read by hand: a tenth of the time that protobuf's own reader of JSON takes, and nothing to install.

Ids are hex, as OTLP says; the base64 of protobuf's general JSON is understood too. A span that cannot be read is told
of and left out; the others are taken.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable
from typing import Any, Final

import orjson

from airworthy.recorder.otel.bounds import DEPTH_MAX
from airworthy.recorder.otel.errors import Malformed
from airworthy.recorder.otel.raw import Attributes, Batch, Origin, RawEvent, RawLink, RawLog, RawSpan

_ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_BASE64_LENGTHS: Final = {24: 16, 12: 8}  # of 16 and 8 bytes
_DIGITS_MAX: Final = 40


class _Broken(ValueError):
    """One span or record is not what OTLP says."""


def spans(body: bytes) -> Batch:
    """Raises: Malformed."""
    batch = Batch()
    for origin, scope in _scopes(body, "resourceSpans", "scopeSpans", "instrumentationLibrarySpans"):
        for item in _items(scope, "spans"):
            _kept(batch, batch.spans.append, _span, item, origin)
    return batch


def logs(body: bytes) -> Batch:
    """Raises: Malformed."""
    batch = Batch()
    for origin, scope in _scopes(body, "resourceLogs", "scopeLogs", "instrumentationLibraryLogs"):
        for item in _items(scope, "logRecords"):
            _kept(batch, batch.logs.append, _log, item, origin)
    return batch


def _kept(
    batch: Batch,
    keep: Callable[[Any], None],
    read: Callable[[dict[str, Any], Origin], Any],
    item: Any,
    origin: Origin,
) -> None:
    try:
        keep(read(_object(item), origin))
    except (_Broken, ValueError, TypeError, OverflowError) as error:
        batch.broken.append(str(error)[:200])


def _scopes(
    body: bytes, resources: str, scopes: str, scopes_once: str
) -> list[tuple[Origin, dict[str, Any]]]:
    found = []
    try:
        for each in _items(_object(_loaded(body)), resources):
            group = _object(each)
            resource = _attributes(_object(group.get("resource") or {}).get("attributes"))
            for scope in (*_items(group, scopes), *_items(group, scopes_once)):
                scope = _object(scope)
                about = _object(scope.get("scope") or scope.get("instrumentationLibrary") or {})
                origin = Origin(
                    resource,
                    _text(about, "name"),
                    _text(about, "version"),
                    _attributes(about.get("attributes")),
                )
                found.append((origin, scope))
    except _Broken as error:
        raise Malformed(
            f"The body is not OTLP: {error}", mend="Send what an OTLP/HTTP exporter sends."
        ) from error
    return found


def _loaded(body: bytes) -> Any:
    """Halves of characters and bytes that are no UTF-8 cost the character, not the request; so do NaN and its like,
    which some languages write into JSON."""
    if not body.strip():
        return {}
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        first = error
    mended = body.decode("utf-8", "replace").encode()
    mended = _ESCAPE.sub(lambda found: b"\\ufffd" if found[1] else found[0], mended)
    try:
        return json.loads(mended, parse_int=_number)
    except (ValueError, RecursionError):
        raise Malformed(
            f"The body is not JSON: {first}.", mend="Send JSON, or name its content type."
        ) from first


def _span(item: dict[str, Any], origin: Origin) -> RawSpan:
    status = item.get("status")
    is_error, message = False, ""
    if status:
        status = _object(status)
        is_error = status.get("code") in (2, "STATUS_CODE_ERROR", "2")
        message = _text(status, "message")
    events, links = item.get("events"), item.get("links")
    return RawSpan(
        _id(item, "traceId", 16),
        _id(item, "spanId", 8),
        _id(item, "parentSpanId", 8),
        _text(item, "name"),
        _time(item.get("startTimeUnixNano")),
        _time(item.get("endTimeUnixNano")),
        _attributes(item.get("attributes")),
        origin,
        is_error,
        message,
        [_event(_object(event)) for event in events] if events else [],
        [_link(_object(link)) for link in links] if links else [],
    )


def _event(item: dict[str, Any]) -> RawEvent:
    return RawEvent(_text(item, "name"), _time(item.get("timeUnixNano")), _attributes(item.get("attributes")))


def _link(item: dict[str, Any]) -> RawLink:
    return RawLink(_id(item, "traceId", 16), _id(item, "spanId", 8), _attributes(item.get("attributes")))


def _log(item: dict[str, Any], origin: Origin) -> RawLog:
    attributes = _attributes(item.get("attributes"))
    body = item.get("body")
    return RawLog(
        _id(item, "traceId", 16),
        _id(item, "spanId", 8),
        _text(item, "eventName") or str(attributes.get("event.name") or ""),
        _time(item.get("timeUnixNano")) or _time(item.get("observedTimeUnixNano")),
        attributes,
        _value(body, 0) if body is not None else None,
        origin,
    )


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Broken(f"{type(value).__name__} stands where an object belongs.")
    return value


def _items(holder: dict[str, Any], key: str) -> list[Any]:
    found = holder.get(key)
    if found is None:
        return []
    if not isinstance(found, list):
        raise _Broken(f"{key} is a {type(found).__name__}, not an array.")
    return found


def _text(holder: dict[str, Any], key: str) -> str:
    found = holder.get(key)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise _Broken(f"{key} is a {type(found).__name__}, not text.")
    return found


def _id(item: dict[str, Any], key: str, size: int) -> str:
    """What is no id stays as it is: whoever needs it valid refuses it."""
    found = item.get(key)
    if not found:
        return ""
    if not isinstance(found, str):
        raise _Broken(f"{key} is a {type(found).__name__}, not text.")
    if len(found) != 2 * size and _BASE64_LENGTHS.get(len(found)) == size:
        try:
            return base64.b64decode(found, validate=True).hex()
        except binascii.Error:
            return found
    return found.lower()


def _time(value: Any) -> int | float:
    if value is None or value == "":
        return 0
    if isinstance(value, int | float):
        return value
    if isinstance(value, str) and len(value) <= _DIGITS_MAX:
        try:
            return int(value)
        except ValueError:
            return float(value)
    raise _Broken(f"{str(value)[:40]!r} is no time.")


def _attributes(entries: Any) -> Attributes:
    if not entries:
        return {}
    found: Attributes = {}
    for entry in entries:
        key = entry["key"] if isinstance(entry, dict) and "key" in entry else None
        if not isinstance(key, str):
            raise _Broken("An attribute has no key.")
        value = entry.get("value")
        text = value.get("stringValue") if isinstance(value, dict) else None
        found[key] = text if type(text) is str else _value(value, 0)
    return found


def _value(value: Any, depth: int) -> Any:
    """Of the one form that is set; a value that is bare JSON stands for itself."""
    if not isinstance(value, dict):
        return value
    if depth > DEPTH_MAX:
        return "(nested too deep)"
    for form, inner in value.items():
        match form:
            case "stringValue" | "boolValue" | "bytesValue":
                return inner
            case "intValue":
                return _number(inner)
            case "doubleValue":
                return float(inner) if isinstance(inner, str) and len(inner) <= _DIGITS_MAX else inner
            case "arrayValue":
                return [_value(each, depth + 1) for each in _items(_object(inner), "values")]
            case "kvlistValue":
                entries = [_object(entry) for entry in _items(_object(inner), "values")]
                return {str(entry.get("key", "")): _value(entry.get("value"), depth + 1) for entry in entries}
    return None


def _number(value: Any) -> Any:
    """What does not fit 64 bits stays text, as JSON could not carry it on."""
    if isinstance(value, str) and len(value) <= _DIGITS_MAX:
        number = int(value)
        return number if -(2**63) <= number < 2**64 else value
    return value
