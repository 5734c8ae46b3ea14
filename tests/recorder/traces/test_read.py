"""A trace is read back whole or in pieces, in order of time, and arranged as it ran."""

import random
from functools import partial

import pytest

from airworthy.recorder.traces import read
from airworthy.recorder.traces.chunk import pack, unpack, words_in
from airworthy.recorder.traces.read import SpanRow, arranged, intake_counts, scores_of, span_of, spans_of
from airworthy.recorder.traces.span import Score, SpanKind
from tests.recorder.traces.kit import NOON_US, TRACE, put, span, store


def test_what_was_written_is_read_back() -> None:
    database = store()
    sent = span(
        2, kind=SpanKind.MODEL, name="chat", error_type="E", model="m", tokens_in=1, tokens_out=2, cost_nano=3,
        payload=b'{"input":"x"}',
    )  # fmt: skip
    put(database, [sent, span(1)])
    page = database.read_now(lambda tx: spans_of(tx, TRACE))

    assert (page.total, page.after) == (2, None)
    assert page.spans[1] == SpanRow(
        TRACE, sent.span_id, sent.parent_id, "model", "chat", sent.started_us, sent.ended_us, "E", "m", 1, 2, 3,
        b'{"input":"x"}',
    )  # fmt: skip


def test_a_large_trace_is_read_in_pieces_in_order_of_time_and_each_span_once() -> None:
    database = store()
    spans = [span(n, started_us=NOON_US + n // 3, payload=b"%d" % n) for n in range(1, 101)]
    random.Random(3).shuffle(spans)
    for start in range(0, 100, 9):
        put(database, spans[start : start + 9])
    read_back: list[SpanRow] = []
    after = None
    while True:
        page = database.read_now(partial(spans_of, trace_id=TRACE, limit=7, after=after))
        assert page.total == 100
        assert len(page.spans) <= 7
        read_back += page.spans
        if (after := page.after) is None:
            break

    assert [row.place for row in read_back] == sorted((span.started_us, span.span_id) for span in spans)
    assert {row.span_id: row.payload for row in read_back} == {span.span_id: span.payload for span in spans}


def test_payloads_that_are_too_much_at_once_are_left_out_and_can_be_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The bound is made small."""
    monkeypatch.setattr(read, "PAYLOAD_BYTES_MAX", 10)
    database = store()
    for number in (1, 2):
        put(database, [span(number, payload=b'"twelve bytes"')])
    page = database.read_now(lambda tx: spans_of(tx, TRACE))
    missing = page.spans[1]
    one = database.read_now(lambda tx: span_of(tx, TRACE, missing.span_id))

    assert [row.payload for row in page.spans] == [b'"twelve bytes"', None]
    assert one is not None
    assert one.payload == b'"twelve bytes"'
    assert database.read_now(lambda tx: span_of(tx, TRACE, "e" * 16)) is None


def node(id_: str, parent: str, at: int) -> SpanRow:
    return SpanRow(TRACE, id_, parent, "step", id_, at, at, "", "", None, None, None, None)


@pytest.mark.parametrize(
    ("nodes", "shown", "why"),
    [
        ([("a", "", 1), ("c", "a", 3), ("b", "a", 2)], ["a", " b", " c"], "children in order of time"),
        ([("a", "", 1), ("b", "a", 2), ("d", "", 3), ("c", "b", 4)], ["a", " b", "  c", "d"], "depth first"),
        (
            [("b", "a", 1), ("a", "", 2)],
            ["a", " b"],
            "a clock that goes wrong moves no child before its parent",
        ),
        ([("b", "gone", 1), ("a", "", 2)], ["b", "a"], "a parent that never came"),
        (
            [("a", "b", 1), ("b", "a", 2), ("c", "c", 3)],
            ["c", "a", " b"],
            "parents of each other, and of itself",
        ),
    ],
)
def test_a_waterfall_is_arranged(nodes: list[tuple[str, str, int]], shown: list[str], why: str) -> None:
    found = arranged([node(*each) for each in nodes])

    assert [" " * depth + row.span_id for depth, row in found] == shown, why


def test_ten_thousand_spans_in_one_line_of_descent_are_arranged_without_recursion() -> None:
    nodes = [node(str(n), str(n - 1), n) for n in range(10_000)]

    assert arranged(nodes)[-1][0] == 9_999


def test_scores_and_counts_are_read_back() -> None:
    database = store()
    scores = [
        Score(TRACE, "", "b", None, "good", "", NOON_US + 1),
        Score(TRACE, "1" * 16, "a", 0.5, "", "", NOON_US),
    ]
    put(database, [span(1)], scores=scores)

    assert database.read_now(lambda tx: scores_of(tx, TRACE)) == [scores[1], scores[0]]
    (counts,) = database.read_now(intake_counts).values()
    assert counts == {"accepted": 1, "scores": 2}


@pytest.mark.parametrize(
    ("payloads", "words"), [([], ""), ([b""], ""), ([b"{}", b"\x00" * 9_000], "ü" * 3), ([b"{}"], "x\x01y")]
)
def test_a_chunk_gives_back_what_was_packed(payloads: list[bytes], words: str) -> None:
    body = pack(payloads, words)

    assert (unpack(body), words_in(body)) == (payloads, words)
