"""One call is counted once, however many libraries report it, and in whichever order their spans come."""

import itertools
from collections.abc import Sequence

import pytest

from airworthy.recorder.otel import Nesting
from airworthy.recorder.traces.span import Span, SpanKind

TRACE = "ab" * 16


def made(
    number: int,
    parent: int,
    kind: SpanKind = SpanKind.MODEL,
    usage: tuple[int, int] | None = (100, 20),
    cost: int | None = None,
) -> Span:
    tokens_in, tokens_out = usage if usage is not None and kind is SpanKind.MODEL else (None, None)
    return Span(
        TRACE, f"{number:016x}", f"{parent:016x}" if parent else "", kind, f"span {number}", 1, 2,
        tokens_in=tokens_in, tokens_out=tokens_out, cost_nano=cost,
    )  # fmt: skip


def counted(spans: Sequence[Span]) -> tuple[int, int, int]:
    """Tokens in, tokens out, and model calls."""
    return (
        sum(span.tokens_in or 0 for span in spans),
        sum(span.tokens_out or 0 for span in spans),
        sum(span.kind is SpanKind.MODEL for span in spans),
    )


STEP, TOOL, AGENT = SpanKind.STEP, SpanKind.TOOL, SpanKind.AGENT


@pytest.mark.parametrize(
    ("spans", "total", "why"),
    [
        ([(1, 0), (2, 1)], (100, 20, 1), "a wrapper and the call beneath it"),
        ([(1, 0), (2, 1), (3, 2)], (100, 20, 1), "two wrappers"),
        ([(1, 0), (2, 1, STEP), (3, 2)], (100, 20, 1), "a step between"),
        ([(1, 0), (2, 1, TOOL), (3, 2)], (200, 40, 2), "what a tool spends is spending of its own"),
        ([(1, 0), (2, 1, AGENT), (3, 2)], (200, 40, 2), "so is what an agent spends"),
        ([(1, 9, AGENT), (2, 1), (3, 1)], (200, 40, 2), "calls beside each other"),
        ([(1, 0, SpanKind.MODEL, (200, 40)), (2, 1), (3, 1)], (200, 40, 2), "a wrapper of two calls"),
        ([(1, 0, SpanKind.MODEL, (250, 40)), (2, 1), (3, 1, SpanKind.MODEL, None)], (250, 40, 3),
         "a wrapper that knows what one call did not say"),
        ([(1, 0, SpanKind.MODEL, None), (2, 1)], (100, 20, 1), "a wrapper that says nothing"),
        ([(1, 0), (2, 1, SpanKind.MODEL, None)], (100, 20, 1), "a call that says nothing beneath one that does"),
    ],
)  # fmt: skip
def test_the_larger_of_a_call_and_of_what_is_beneath_it_counts(
    spans: list[tuple[int, int]], total: tuple[int, int, int], why: str
) -> None:
    inner_first = [made(*about) for about in reversed(spans)]
    Nesting().settle(inner_first)

    assert counted(inner_first)[:2] == total[:2], why


def test_a_wrapper_is_no_model_call() -> None:
    spans = [made(3, 2), made(2, 1), made(1, 0, SpanKind.AGENT)]
    Nesting().settle(spans)

    assert [span.kind for span in spans] == [SpanKind.MODEL, SpanKind.STEP, SpanKind.AGENT]
    assert spans[1].cost_nano is None


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
@pytest.mark.parametrize("one_request", [True, False])
def test_the_total_is_the_same_in_every_order_and_over_requests(
    order: tuple[int, ...], one_request: bool
) -> None:
    spans = [made(1, 0), made(2, 1), made(3, 2)]
    nesting = Nesting()
    arrived = [spans[place] for place in order]
    for batch in [arrived] if one_request else [[each] for each in arrived]:
        nesting.settle(batch)

    came_too_late = not one_request and order[-1] == 1  # the one between; what is stored cannot be taken back
    assert counted(spans) == ((200, 40, 2) if came_too_late else (100, 20, 1))


def test_a_request_that_is_sent_again_is_counted_as_the_first_time() -> None:
    nesting = Nesting()
    for _ in range(3):
        spans = [made(2, 1), made(1, 0)]
        nesting.settle(spans)

        assert counted(spans) == (100, 20, 1)


def test_two_prices_of_one_call_do_not_make_a_second_call() -> None:
    spans = [made(2, 1, cost=1_000), made(1, 0, cost=1_001)]
    Nesting().settle(spans)

    assert [span.cost_nano for span in spans] == [1_000, None]


def test_a_cost_that_only_the_wrapper_knows_is_kept() -> None:
    spans = [made(2, 1), made(1, 0, cost=5_000)]
    Nesting().settle(spans)

    assert sum(span.cost_nano or 0 for span in spans) == 5_000


def test_parents_in_a_circle_and_a_full_memory_end() -> None:
    nesting = Nesting(remembered_max=10)
    nesting.settle([made(1, 2), made(2, 1)])
    nesting.settle([made(number, number + 1) for number in range(3, 1_000)])
    nesting.settle([made(number, number + 1, SpanKind.STEP) for number in range(3, 1_000)])

    assert nesting.remembered <= 20
