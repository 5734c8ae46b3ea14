"""How spans become their trace's row, and what that changes in facets and sums. Values alone, no store.

Spans come late, twice, without parents and in any order, and in however many pieces. So everything here is a least or a
greatest or a sum over the spans heard: whatever the order and the split, the same spans make the same trace. Only
`at_us` is fixed by what was heard first, and with it the place in lists.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from airworthy.recorder.rollups import WIDTHS_S, Change, bucket_of
from airworthy.recorder.traces.span import Span, SpanKind

# The sender's words, each of the root if it says it, else of the first span in time that does.
LABELS: Final = ("agent", "release", "session", "user", "feature", "outcome", "name")
ERROR: Final = "error"  # Of the root, else of the span that ended last with one.
FACETS: Final = ("agent", "release", "session", "user", "feature", "outcome")
COUNTS: Final = (
    "steps", "model_calls", "tool_calls", "errors", "tokens_in", "tokens_out", "cost_nano", "priced", "unpriced",
)  # fmt: skip
CALLS: Final = frozenset({SpanKind.MODEL, SpanKind.EMBEDDING})
OUTCOMES: Final = frozenset({"answered", "declined", "escalated", "dead_lettered", "cancelled"})
FINE_S: Final = min(WIDTHS_S)
# Periods of FINE_S that a trace's usage is told apart by: 3.5 days. What is later counts where the trace began.
PERIODS_MAX: Final = 1_000
# Values of single spans (tools, models, errors) are noted of this many; a trace of more is found by its first ones.
VALUED_SPANS_MAX: Final = 10_000

Series = tuple[str, str, str]  # agent, release, feature
Rank = tuple[int, int, str]  # The least says it: 0 for a root, then time, then the span's id.
_COST, _PRICED = COUNTS.index("cost_nano"), COUNTS.index("priced")
_NONE: Final = (0,) * len(COUNTS)


@dataclass(slots=True)
class Trace:
    """A trace from elsewhere, as its row says it.

    `root`: start, id and whether it failed. `said`: who said a label, where it was not the root. `spread`: usage in
    periods other than that of `at_us`.
    """

    id: str
    origin: str
    at_us: int
    started_us: int
    ended_us: int | None = None
    duration_us: int | None = None
    labels: dict[str, str] = field(default_factory=dict)
    counts: tuple[int, ...] = _NONE  # by COUNTS
    root: tuple[int, str, bool] | None = None
    said: dict[str, Rank] = field(default_factory=dict)
    spread: dict[int, tuple[int, ...]] = field(default_factory=dict)

    @property
    def series(self) -> Series:
        get = self.labels.get
        return get("agent", ""), get("release", ""), get("feature", "")

    @property
    def cost_nano(self) -> int | None:
        """Of the calls that have a price; None when none has."""
        return self.counts[_COST] if self.counts[_PRICED] else None


@dataclass(slots=True)
class Folded:
    """The trace with the new spans, and what differs: `gone` and `new` are facets, `sums` what to add where."""

    trace: Trace
    gone: list[tuple[str, str]]
    new: list[tuple[str, str]]
    sums: list[tuple[int, Series, Change]]


def fold(trace: Trace | None, id_: str, origin: str, spans: Sequence[Span], received_us: int) -> Folded:
    """`spans`: at least one, none of which was heard before.

    `trace`: what is known of it; None at the first hearing.
    """
    if trace is None:
        started_us = min(span.started_us for span in spans)
        before = None
        after = Trace(id_, origin, max(0, min(started_us, received_us)), started_us)
    else:
        before = trace
        after = Trace(
            trace.id, trace.origin, trace.at_us, trace.started_us, trace.ended_us, trace.duration_us,
            dict(trace.labels), trace.counts, trace.root, dict(trace.said), dict(trace.spread),
        )  # fmt: skip
    ranks = _ranks(after)
    for span in spans:
        _hear(after, ranks, span)
    _settle(after, ranks)
    usage = _usage(after.at_us, spans, received_us)
    _count(after, usage)
    gone, new = _facets(before, after, spans)
    return Folded(after, gone, new, _sums(before, after, usage))


def valued(spans: Iterable[Span], *, errors: bool) -> set[tuple[str, str]]:
    """What single spans can be asked for by. Their errors are told of traces only: of a task, its journal tells."""
    found = set()
    for span in spans:
        if span.tool:
            found.add(("tool", span.tool))
        if span.model:
            found.add(("model", span.model))
        if errors and span.error_type:
            found.add(("error", span.error_type))
    return found


def heard(trace: Trace) -> bytes:
    """What its columns do not say, to be stored beside them."""
    kept: dict[str, Any] = {}
    if trace.root is not None:
        kept["root"] = trace.root
    if trace.said:
        kept["said"] = trace.said
    if trace.spread:
        kept["spread"] = list(trace.spread.items())
    return orjson.dumps(kept)


def recall(trace: Trace, body: bytes) -> None:
    """Puts back what `heard` told."""
    kept = orjson.loads(body)
    root = kept.get("root")
    trace.root = None if root is None else (root[0], root[1], root[2])
    trace.said = {label: (rank[0], rank[1], rank[2]) for label, rank in kept.get("said", {}).items()}
    trace.spread = {bucket: tuple(counts) for bucket, counts in kept.get("spread", ())}


def _ranks(trace: Trace) -> dict[str, Rank]:
    """Of every label that was said, by the root too."""
    if trace.root is None:
        return dict(trace.said)
    by_root = (0, trace.root[0], trace.root[1])
    ranks = {label: by_root for label, value in trace.labels.items() if value and label != ERROR}
    if trace.root[2]:
        ranks[ERROR] = by_root
    return ranks | trace.said


def _hear(trace: Trace, ranks: dict[str, Rank], span: Span) -> None:
    started_us = span.started_us
    trace.started_us = min(trace.started_us, started_us)
    rank = (1 if span.parent_id else 0, started_us, span.span_id)
    for label in LABELS:
        value = getattr(span, label)
        if value and (label not in ranks or rank < ranks[label]):
            ranks[label] = rank
            trace.labels[label] = value
    if span.error_type:
        # The root's own, else the last one; among roots the first root's, as with everything else of it.
        last = rank if not span.parent_id else (1, -span.ended_us, span.span_id)
        if ERROR not in ranks or last < ranks[ERROR]:
            ranks[ERROR] = last
            trace.labels[ERROR] = span.error_type
    if not span.parent_id and (trace.root is None or rank[1:] < trace.root[:2]):
        trace.root = (started_us, span.span_id, bool(span.error_type))
        trace.ended_us = max(span.ended_us, started_us)
        trace.duration_us = trace.ended_us - started_us


def _settle(trace: Trace, ranks: dict[str, Rank]) -> None:
    by_root = None if trace.root is None else (0, trace.root[0], trace.root[1])
    trace.said = {label: rank for label, rank in ranks.items() if rank != by_root}


def _usage(at_us: int, spans: Iterable[Span], received_us: int) -> dict[int, list[int]]:
    """By period: counts in the order of COUNTS. Never before the trace's own place nor after it was heard of."""
    found: dict[int, list[int]] = {}
    for span in spans:
        bucket = bucket_of(max(at_us, min(span.started_us, received_us)), FINE_S)
        counts = found.get(bucket)
        if counts is None:
            counts = found[bucket] = [0] * len(COUNTS)
        counts[0] += 1
        if span.error_type:
            counts[3] += 1
        if span.kind in CALLS:
            counts[1] += 1
            counts[4] += span.tokens_in or 0
            counts[5] += span.tokens_out or 0
            if span.cost_nano is None:
                counts[8] += 1
            else:
                counts[6] += span.cost_nano
                counts[7] += 1
        elif span.kind is SpanKind.TOOL:
            counts[2] += 1
    return found


def _count(trace: Trace, usage: dict[int, list[int]]) -> None:
    """Takes the usage into the trace; moves what would be a period too many to where the trace began."""
    home = bucket_of(trace.at_us, FINE_S)
    trace.counts = _sum([trace.counts, *usage.values()])
    for bucket in [bucket for bucket in usage if bucket != home]:
        if bucket in trace.spread or len(trace.spread) < PERIODS_MAX:
            trace.spread[bucket] = _sum([trace.spread.get(bucket, _NONE), usage[bucket]])
        else:
            usage[home] = list(_sum([usage.get(home, _NONE), usage.pop(bucket)]))


def _sum(counts: Iterable[Sequence[int]]) -> tuple[int, ...]:
    return tuple(sum(column) for column in zip(*counts, strict=True))


def _facets(
    before: Trace | None, after: Trace, spans: Sequence[Span]
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    gone, new = [], []
    if before is None:
        new.append(("origin", after.origin))
    known = before.labels if before is not None else {}
    for name in FACETS:
        was, is_ = known.get(name, ""), after.labels.get(name, "")
        if was != is_:
            if was:
                gone.append((name, was))
            if is_:
                new.append((name, is_))
    if (before.counts[0] if before is not None else 0) < VALUED_SPANS_MAX:
        new.extend(sorted(valued(spans, errors=True)))
    return gone, new


def _sums(
    before: Trace | None, after: Trace, usage: dict[int, list[int]]
) -> list[tuple[int, Series, Change]]:
    home = bucket_of(after.at_us, FINE_S)
    if before is None or before.series == after.series:
        found = {bucket: _change(counts) for bucket, counts in usage.items()}
        place = found.setdefault(home, Change())
        if before is not None:
            _stand(place, before, -1)
        _stand(place, after, 1)
        _cancel(place)
        return [(bucket, after.series, change) for bucket, change in found.items()]
    moved = []
    for trace, times in ((before, -1), (after, 1)):
        for bucket, counts in _where(trace, home).items():
            change = _change([times * count for count in counts])
            if bucket == home:
                _stand(change, trace, times)
            moved.append((bucket, trace.series, change))
    return moved


def _where(trace: Trace, home: int) -> dict[int, Sequence[int]]:
    elsewhere = _sum([_NONE, *trace.spread.values()])
    here = [total - other for total, other in zip(trace.counts, elsewhere, strict=True)]
    return {home: here, **trace.spread}


def _change(counts: Sequence[int]) -> Change:
    return Change({name: count for name, count in zip(COUNTS, counts, strict=True) if count})


def _stand(change: Change, trace: Trace, times: int) -> None:
    """What a trace counts for as a whole."""
    change.add("opened", times)
    if trace.root is None or trace.duration_us is None:
        return
    change.add("ended", times)
    change.add("duration_us", times * trace.duration_us)
    outcome = trace.labels.get("outcome", "")
    if outcome in OUTCOMES:
        change.add(outcome, times)
    elif not outcome and trace.root[2]:
        change.add("failed", times)
    change.values += [("duration", trace.duration_us, times), ("steps", trace.counts[0], times)]
    if trace.cost_nano is not None:
        change.values.append(("cost", trace.cost_nano, times))


def _cancel(change: Change) -> None:
    """What was taken back and put again is no change."""
    change.counts = {name: count for name, count in change.counts.items() if count}
    left: dict[tuple[str, int], int] = {}
    for measure, value, times in change.values:
        left[measure, value] = left.get((measure, value), 0) + times
    change.values = [(measure, value, times) for (measure, value), times in left.items() if times]
