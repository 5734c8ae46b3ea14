"""The heart of writing traces: whatever the order, the split and the repetition, the same spans make the same trace."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airworthy.core.clock import US_PER_S
from airworthy.recorder.traces.span import Span, SpanKind
from airworthy.store import Database
from tests.database import lasting
from tests.recorder.traces import kit
from tests.recorder.traces.kit import NOON_US

WORDS = st.sampled_from(["", "", "one", "two"])
LATE_US = NOON_US + 3_600 * US_PER_S


@st.composite
def traces(draw: st.DrawFn) -> list[Span]:
    """Spans of two traces, some without parents, some with parents that never come."""
    made = []
    for number in range(1, draw(st.integers(1, 7)) + 1):
        kind = draw(st.sampled_from([SpanKind.MODEL, SpanKind.TOOL, SpanKind.AGENT]))
        started_us = NOON_US + draw(st.integers(0, 4)) * 400 * US_PER_S
        said: dict[str, Any] = {
            label: draw(WORDS) for label in ("agent", "release", "session", "user", "feature")
        }
        said["outcome"] = draw(st.sampled_from(["", "", "", "answered", "a word of their own"]))
        said["error_type"] = draw(st.sampled_from(["", "", "Timeout", "Refused"]))
        if kind is SpanKind.MODEL:
            said |= {"model": draw(WORDS), "tokens_in": draw(st.sampled_from([None, 7])), "tokens_out": 3}
            said["cost_nano"] = draw(st.sampled_from([None, 5, 11]))
        elif kind is SpanKind.TOOL:
            said["tool"] = draw(WORDS)
        made.append(
            kit.span(
                number,
                trace_id=draw(st.sampled_from(["a" * 32, "b" * 32])),
                parent_id=draw(st.sampled_from(["", f"{1:016x}", "f" * 16])),
                kind=kind,
                started_us=started_us,
                ended_us=started_us + draw(st.integers(0, 3)) * US_PER_S,
                **said,
            )
        )
    return made


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Span], list[list[Span]]]:
    """Some spans, and a way for them to arrive: in any order and split, some of them twice or more."""
    spans = draw(traces())
    again = draw(st.lists(st.sampled_from(spans), max_size=4))
    order = draw(st.permutations([*spans, *again]))
    cuts = sorted(draw(st.sets(st.integers(0, len(order)), max_size=5)))
    pieces = [order[a:b] for a, b in zip([0, *cuts], [*cuts, len(order)], strict=True)]
    return spans, [piece for piece in pieces if piece]


@pytest.fixture(scope="module")
def stores() -> tuple[Database, Database]:
    with lasting():
        return kit.another(), kit.another()


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(delivery=deliveries())
def test_any_split_order_and_repetition_of_the_same_spans_makes_the_same_traces(
    stores: tuple[Database, Database], delivery: tuple[list[Span], list[list[Span]]]
) -> None:
    """Slow: 150 deliveries, each written twice."""
    spans, pieces = delivery
    at_once, in_pieces = stores
    kit.emptied(at_once)
    kit.emptied(in_pieces)
    kit.put(at_once, spans, LATE_US)
    for number, piece in enumerate(pieces):
        kit.put(in_pieces, piece, LATE_US + number)

    for trace_id in {span.trace_id for span in spans}:
        one, many = (kit.row(database, trace_id) for database in (at_once, in_pieces))
        # What was heard first gives the trace its place, and with it the period that it is counted in.
        for each in (one, many):
            assert each.pop("at_us") >= each["started_us"]
            each.pop("heard")
        assert one == many
        assert kit.facets(at_once, trace_id) == kit.facets(in_pieces, trace_id)
    assert kit.sums(at_once) == kit.sums(in_pieces)
    assert kit.sums(at_once, 3_600) == kit.sums(in_pieces, 3_600) == kit.sums(at_once)
    assert kit.counts(at_once, "spans") == kit.counts(in_pieces, "spans") == len(spans)
