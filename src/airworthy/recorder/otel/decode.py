"""OTLP/HTTP requests into spans and scores: encodings, content types, and what of a request cannot be taken.

A request that is not OTLP is refused whole; a span that cannot stand is left out and told of, as OTLP's partial success
asks, and the others are taken.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from airworthy.recorder.otel import from_json, from_proto, logs, names
from airworthy.recorder.otel.errors import Unsupported
from airworthy.recorder.otel.normalise import Draft, Reading, Refused, draft_of, finish, label_of, places_of
from airworthy.recorder.otel.payload import About, tail_of
from airworthy.recorder.otel.raw import Batch, Origin
from airworthy.recorder.otel.unpack import unpacked
from airworthy.recorder.traces.span import Score, Span

JSON: Final = "application/json"
PROTOBUF: Final = "application/x-protobuf"
REASONS_TOLD_MAX: Final = 3
# So many spans are looked through for secrets at once; only where one is, each by itself.
AT_ONCE_MAX: Final = 16


@dataclass(slots=True)
class Decoded:
    """`rejected`: how many spans or records could not be taken, and in `reason` why. `ignored`: log records that
    are no business of ours."""

    spans: list[Span] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)
    rejected: int = 0
    ignored: int = 0
    reason: str = ""


def decode_traces(
    body: bytes, content_type: str, content_encoding: str, reading: Reading, now_us: int
) -> Decoded:
    """Of a request to /v1/traces. Takes some 50 us a span of 2 KB; for one thread at a time with one `reading`.

    Raises: Malformed (400), TooLarge (413), Unsupported (415).
    """
    batch = _read(body, content_type, content_encoding, reading, (from_json.spans, from_proto.spans))
    return _decoded(batch, reading, now_us)


def decode_logs(
    body: bytes, content_type: str, content_encoding: str, reading: Reading, now_us: int
) -> Decoded:
    """Of a request to /v1/logs. Raises: as `decode_traces`."""
    batch = _read(body, content_type, content_encoding, reading, (from_json.logs, from_proto.logs))
    scores: list[Score] = []
    ignored = 0
    for record in batch.logs:
        if record.name == names.EVALUATION_EVENT:
            try:
                scores.append(logs.score_of(record, reading, now_us))
            except Refused as error:
                batch.broken.append(str(error))
        elif record.name not in names.MESSAGE_EVENTS or not record.trace_id:
            ignored += 1
    batch.spans = [step for step in logs.steps_of(batch.logs) if step.trace_id]
    decoded = _decoded(batch, reading, now_us)
    decoded.scores, decoded.ignored = scores, ignored
    return decoded


def is_json(content_type: str) -> bool:
    """Raises: Unsupported for what is neither JSON nor protobuf."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == JSON:
        return True
    if kind in {PROTOBUF, "application/protobuf"}:
        return False
    raise Unsupported(
        f"The content type {kind[:60]!r} is not read here.", mend=f"Send {PROTOBUF} or {JSON}, and name it."
    )


def about_of(origin: Origin, reading: Reading) -> About:
    tail, resource = tail_of(origin, reading.redactor, reading.bounds)
    service = label_of(resource.get("service.name"), 200)
    return About(
        places_of(resource),
        "" if service.startswith("unknown_service") else service,
        label_of(resource.get("service.version"), 200),
        tail,
    )


def _read(
    body: bytes,
    content_type: str,
    content_encoding: str,
    reading: Reading,
    readers: tuple[Callable[[bytes], Batch], Callable[[bytes], Batch]],
) -> Batch:
    read_json, read_proto = readers
    read = read_json if is_json(content_type) else read_proto
    return read(unpacked(body, content_encoding, reading.bounds.request_bytes_max))


def _decoded(batch: Batch, reading: Reading, now_us: int) -> Decoded:
    spans: list[Span] = []
    drafts: list[Draft] = []
    origin: Origin | None = None
    about: About | None = None
    for raw in batch.spans:
        if about is None or raw.origin is not origin:
            origin, about = raw.origin, about_of(raw.origin, reading)
        try:
            drafts.append(draft_of(raw, about, reading, now_us))
        except Refused as error:
            batch.broken.append(str(error))
        if len(drafts) == AT_ONCE_MAX:
            spans += _spans_of(drafts, reading)
            drafts = []
    spans += _spans_of(drafts, reading)
    reading.nesting.settle(spans)
    return Decoded(spans, [], len(batch.broken), 0, _reason(batch.broken))


def _spans_of(drafts: list[Draft], reading: Reading) -> list[Span]:
    is_clean = reading.redactor.is_clean([draft.written.head for draft in drafts])
    return [finish(draft, reading, is_clean=is_clean) for draft in drafts]


def _reason(broken: list[str]) -> str:
    """The most frequent reasons, in one line."""
    told = Counter(broken).most_common(REASONS_TOLD_MAX)
    return label_of(" ".join(f"{count} times: {why}" if count > 1 else why for why, count in told), 1_000)
