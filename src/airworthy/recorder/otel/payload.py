"""The payload of a span: JSON of all that was sent, through the redactor, within its bound."""

from dataclasses import dataclass
from typing import Any, Final

import orjson

from airworthy.core.redact import Redactor
from airworthy.recorder.otel import shrink, times
from airworthy.recorder.otel.bounds import Bounds
from airworthy.recorder.otel.names import NUMBERS
from airworthy.recorder.otel.raw import Attributes, Origin, RawSpan
from airworthy.recorder.otel.words import text_of, text_of_parts

_NUMERIC: Final = frozenset({int, float, bool})


@dataclass(frozen=True, slots=True)
class About:
    """What holds for every span of one origin, made once: labels, and the end of each payload.

    `tail`: `"resource":{…},"scope":{…}` as JSON, redacted.
    """

    found: dict[str, tuple[int, Any]]
    service: str
    release: str
    tail: bytes


@dataclass(slots=True)
class Written:
    """A payload as JSON, not past the redactor yet: without `numbers`, which need not go there, and without a tail.

    `is_whole`: nothing of it was cut.
    """

    payload: dict[str, Any]
    head: bytes
    numbers: Attributes
    is_whole: bool


def tail_of(origin: Origin, redactor: Redactor, bounds: Bounds) -> tuple[bytes, Attributes]:
    """The end of each payload, and the resource with its secrets written over."""
    scope: Attributes = {"name": origin.scope, "version": origin.scope_version}
    if origin.scope_attributes:
        scope["attributes"] = origin.scope_attributes
    about = {"resource": origin.resource, "scope": scope}
    try:
        body = orjson.dumps(about)
    except TypeError:  # nested deeper than JSON is written
        body = b""
    if not body or len(body) > bounds.value_chars_max:
        body = shrink.fitting(about, bounds)
    body, _ = redactor.redact_bytes(body)
    return body[1:-1], orjson.loads(body).get("resource", {})


def written(payload: dict[str, Any], raw: RawSpan, taken: dict[str, str], bounds: Bounds) -> Written:
    """Completes the payload: `taken` is where its `input` and `output` come from."""
    if taken:
        payload["moved"] = taken
    if raw.events:
        payload["events"] = [
            {"name": event.name, "at_us": times.at(event.time, 0), "attributes": event.attributes}
            for event in raw.events
        ]
    if raw.links:
        payload["links"] = [
            {"trace_id": link.trace_id, "span_id": link.span_id, "attributes": link.attributes}
            for link in raw.links
        ]
    # Names such as `input_tokens` look like those of secrets, and looking closer costs as much as all else; so what is
    # known to be a number does not go there.
    numbers, rest = {}, {}
    for key, value in raw.attributes.items():
        if type(value) in _NUMERIC and key in NUMBERS:
            numbers[key] = value
        else:
            rest[key] = value
    payload["attributes"] = rest
    try:
        head = orjson.dumps(payload)
    except TypeError:  # nested deeper than JSON is written
        head = b""
    is_whole = bool(head) and len(head) <= bounds.value_chars_max
    if not is_whole:
        head = shrink.fitting(payload, bounds)
    return Written(payload, head, numbers, is_whole)


def finished(
    made: Written, about: About, redactor: Redactor, bounds: Bounds, *, is_clean: bool
) -> tuple[bytes, str, bool]:
    """The payload, its text for search, and whether no secret was met in it. `is_clean`: it is known that none is."""
    head, secrets = (made.head, 0) if is_clean else redactor.redact_bytes(made.head)
    more = orjson.dumps(made.numbers)[1:-1] if made.numbers else b""
    comma = b"," if more and not head.endswith(b"{}}") else b""
    body = b"".join((head[:-2], comma, more, b"},", about.tail, b"}"))
    if secrets or not made.is_whole:
        return body, text_of(body, bounds.text_chars_max), not secrets
    return body, text_of_parts(made.payload, bounds.text_chars_max), True
