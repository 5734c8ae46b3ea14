"""Counts a model call once, where one library reports what another, beneath it, reports too.

The rule: what a model span spent and what the model spans beneath it spent together come to the larger of the two.
Beneath means its child, or below a child that is a plain step; what a tool or an agent beneath it spends is spending of
its own. A span of which nothing is left to count is a wrapper: a plain step. Whichever comes first counts first.

A tracer ends and sends the inner span before the outer, both within seconds, so the newest spans are remembered and
no more. What was counted is stored already: where outer and inner came before the span between them, both count.
"""

from dataclasses import dataclass
from typing import Final

from airworthy.recorder.traces.span import Span, SpanKind

REMEMBERED_MAX: Final = 20_000

Usage = tuple[int, int, int, int]  # tokens in, tokens out, nano-USD, calls
_NONE: Final[Usage] = (0, 0, 0, 0)
_LEVELS_MAX: Final = 1_000


@dataclass(slots=True)
class _Seen:
    """`own`: None of a plain step, which hands on what is beneath it. `counted`: what was left to the span itself."""

    parent: str
    own: Usage | None = None
    beneath: Usage = _NONE
    counted: Usage = _NONE


class Nesting:
    """The memory of one receiver; for one thread at a time. `remembered_max`: spans."""

    def __init__(self, remembered_max: int = REMEMBERED_MAX) -> None:
        self._seen: dict[str, _Seen] = {}  # by trace and span
        self._waiting: dict[str, Usage] = {}  # what was counted beneath a span that has not come yet
        self._remembered_max = remembered_max

    @property
    def remembered(self) -> int:
        return len(self._seen) + len(self._waiting)

    def settle(self, spans: list[Span]) -> None:
        """Takes from each what is counted elsewhere; a span that comes again is answered as the first time."""
        for span in _inner_first(spans):
            key = span.trace_id + span.span_id
            parent = span.trace_id + span.parent_id if span.parent_id else ""
            match span.kind:
                case SpanKind.MODEL | SpanKind.EMBEDDING:
                    self._model(span, key, parent)
                case SpanKind.STEP if parent:
                    if key not in self._seen:
                        self._seen[key] = _Seen(parent)
                        beneath = self._waiting.pop(key, None)
                        if beneath is not None:
                            self._counted(parent, beneath)
                case _:
                    self._waiting.pop(key, None)
        for memory in (self._seen, self._waiting):
            while len(memory) > self._remembered_max:
                del memory[next(iter(memory))]

    def _model(self, span: Span, key: str, parent: str) -> None:
        own = (span.tokens_in or 0, span.tokens_out or 0, span.cost_nano or 0, 1)
        seen = self._seen.get(key)
        if seen is None:
            beneath = self._waiting.pop(key, _NONE)
            new = _larger(own, beneath)
            if parent:
                new = self._counted(parent, new)
            counted = own if new == own and beneath is _NONE else _less(new, beneath)
            seen = self._seen[key] = _Seen(parent, own, beneath, counted)
        if seen.counted != own:
            _leave(span, seen.counted, priced_beneath=seen.beneath[2] > 0)

    def _counted(self, key: str, usage: Usage) -> Usage:
        """Something beneath `key` spent `usage`: what of it nothing above has counted yet."""
        for _ in range(_LEVELS_MAX):  # A sender's parents may go round in a circle.
            seen = self._seen.get(key)
            if seen is None:
                self._waiting[key] = _sum(self._waiting.get(key, _NONE), usage)
                return usage
            if seen.own is not None:
                before = _larger(seen.own, seen.beneath)
                seen.beneath = _sum(seen.beneath, usage)
                usage = _less(_larger(seen.own, seen.beneath), before)
            if not seen.parent or usage == _NONE:
                return usage
            key = seen.parent
        return usage


def _inner_first(spans: list[Span]) -> list[Span]:
    """As they are when each comes before its parent, as tracers send them; else the deepest first."""
    parents: dict[str, str] = {}
    in_order = True
    for span in spans:
        in_order = in_order and span.trace_id + span.parent_id not in parents
        parents[span.trace_id + span.span_id] = span.trace_id + span.parent_id
    if in_order:
        return spans
    depths = _depths(parents)
    return sorted(spans, key=lambda span: depths[span.trace_id + span.span_id], reverse=True)


def _depths(parents: dict[str, str]) -> dict[str, int]:
    """How many parents each has here; a circle ends where it was entered."""
    depths: dict[str, int] = {}
    for start in parents:
        key, path = start, []
        while key in parents and key not in depths:
            depths[key] = 0
            path.append(key)
            key = parents[key]
        depth = depths.get(key, 0)
        for each in reversed(path):
            depth += 1
            depths[each] = depth
    return depths


def _leave(span: Span, left: Usage, *, priced_beneath: bool) -> None:
    tokens_in, tokens_out, cost_nano, calls = left
    if not (tokens_in or tokens_out or calls) and (priced_beneath or not cost_nano):
        # Two prices of one call differ by rounding; that is no call of its own.
        span.kind, span.tokens_in, span.tokens_out, span.cost_nano = SpanKind.STEP, None, None, None
        return
    span.tokens_in = tokens_in if span.tokens_in is not None else None
    span.tokens_out = tokens_out if span.tokens_out is not None else None
    span.cost_nano = cost_nano if span.cost_nano is not None else None


def _sum(one: Usage, other: Usage) -> Usage:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2], one[3] + other[3]


def _larger(one: Usage, other: Usage) -> Usage:
    return max(one[0], other[0]), max(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def _less(one: Usage, other: Usage) -> Usage:
    return (
        max(0, one[0] - other[0]), max(0, one[1] - other[1]), max(0, one[2] - other[2]), max(0, one[3] - other[3]),
    )  # fmt: skip
