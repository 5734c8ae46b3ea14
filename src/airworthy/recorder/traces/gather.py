"""What came in, made ready to be written: by trace, each span once, and packed. No store, no time of its own.

This is the part of writing that needs to know nothing of what is stored, so it is done beside the writer, not in it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from airworthy.recorder.traces import chunk
from airworthy.recorder.traces.span import Score, Span
from airworthy.recorder.traces.text import words_of


@dataclass(slots=True)
class Packed:
    """Some spans of one trace: their payloads as one body, their words as one text."""

    spans: list[Span]
    body: bytes
    words: str


@dataclass(slots=True)
class Parcel:
    """The spans of one trace that came together, in order of time."""

    trace_id: str
    spans: list[Span]
    packed: list[Packed]


@dataclass(slots=True)
class Batch:
    """What one request, or one import, brought. `told`: what else became of it, by a word, for the counts of a day."""

    received_us: int
    parcels: list[Parcel] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)
    told: dict[str, int] = field(default_factory=dict)
    origin: str = "otlp"

    @property
    def spans(self) -> int:
        return sum(len(parcel.spans) for parcel in self.parcels)


def gather(
    spans: Iterable[Span],
    scores: Iterable[Score],
    received_us: int,
    *,
    origin: str = "otlp",
    told: Mapping[str, int] | None = None,
) -> Batch:
    """`received_us`: now; nothing is placed later than that. `origin`: otlp or import."""
    by_trace: dict[str, dict[str, Span]] = {}
    counts = dict(told) if told else {}
    duplicates = 0
    for span in spans:
        known = by_trace.setdefault(span.trace_id, {})
        if span.span_id in known:
            duplicates += 1
        else:
            known[span.span_id] = _timed(span, received_us)
    if duplicates:
        counts["duplicate"] = counts.get("duplicate", 0) + duplicates
    parcels = []
    for trace_id in sorted(by_trace):
        found = sorted(by_trace[trace_id].values(), key=_by_time)
        parcels.append(Parcel(trace_id, found, packed(found)))
    return Batch(received_us, parcels, list(scores), counts, origin)


def packed(spans: Sequence[Span]) -> list[Packed]:
    """In pieces of a size that can be read at once."""
    made = []
    piece: list[Span] = []
    size = 0
    for span in spans:
        if piece and size + len(span.payload) > chunk.BYTES_MAX:
            made.append(_pack(piece))
            piece, size = [], 0
        piece.append(span)
        size += len(span.payload)
    if piece:
        made.append(_pack(piece))
    return made


def _pack(spans: list[Span]) -> Packed:
    words = words_of(span.text for span in spans)
    return Packed(spans, chunk.pack([span.payload for span in spans], words), words)


def _timed(span: Span, received_us: int) -> Span:
    """With a start, and an end that is not before it. A new value if either differs."""
    started_us = span.started_us if span.started_us > 0 else received_us
    ended_us = max(span.ended_us, started_us)
    if started_us == span.started_us and ended_us == span.ended_us:
        return span
    return replace(span, started_us=started_us, ended_us=ended_us)


def _by_time(span: Span) -> tuple[int, str]:
    return span.started_us, span.span_id
