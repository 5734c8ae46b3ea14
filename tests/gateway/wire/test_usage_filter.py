"""The usage event that we asked for does not reach a caller who did not; everything else does, to the byte."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airworthy.gateway.wire.usage_filter import HELD_BYTES_MAX, UsageFilter
from tests.gateway.wire.kit import CHAT_STREAM, DONE, USAGE, USAGE_ONLY, chunk, event, pieces


def filtered(chunks: list[bytes]) -> bytes:
    usage_filter = UsageFilter()
    return b"".join([*[usage_filter.feed(piece) for piece in chunks], usage_filter.end()])


@settings(deadline=None)  # The machine may be busy.
@given(
    seed=st.integers(0, 10_000),
    ending=st.sampled_from([b"\n", b"\r\n"]),
    spaced=st.booleans(),
    tail=st.booleans(),
)
def test_only_the_usage_event_is_taken_out_however_the_stream_is_cut(
    seed: int, ending: bytes, spaced: bool, tail: bool
) -> None:
    usage = USAGE_ONLY.replace(b'"choices":[]', b'"choices": []') if spaced else USAGE_ONLY
    parts = [usage if part is USAGE_ONLY else part for part in CHAT_STREAM]
    parts = [b": hello\n\n", *parts, *([b"odd tail"] if tail else [])]
    raw = b"".join(parts).replace(b"\n", ending)
    left = b"".join(part for part in parts if part is not usage).replace(b"\n", ending)

    assert filtered(pieces(raw, seed)) == left


PASSES = [
    (event({"choices": [], "prompt_filter_results": []}), "Azure's opening"),
    (event({"choices": [], "usage": None}), "no usage in it"),
    (chunk({}, "stop", usage=USAGE), "usage beside a choice"),
    (chunk({"content": '"choices":[]'}), "a text that looks like it"),
    (event({"choices": [], "usage": USAGE, "error": {"code": 500}}), "an error"),
    (b'data: {"choices":[], broken\n\n', "no JSON"),
    (DONE, "the end"),
]


@pytest.mark.parametrize(("piece", "why"), PASSES)
def test_what_looks_like_it_passes(piece: bytes, why: str) -> None:
    assert filtered([piece]) == piece, why


def test_a_whole_event_is_handed_on_at_once() -> None:
    usage_filter = UsageFilter()

    assert usage_filter.feed(CHAT_STREAM[1]) == CHAT_STREAM[1]
    assert usage_filter.feed(USAGE_ONLY) == b""


def test_a_usage_event_at_the_very_end_without_a_blank_line_is_taken_out() -> None:
    assert filtered([CHAT_STREAM[1], USAGE_ONLY.rstrip()]) == CHAT_STREAM[1]


@pytest.mark.parametrize("size", [1, 1000, HELD_BYTES_MAX, HELD_BYTES_MAX + 1])
def test_an_event_too_long_to_be_held_goes_on_as_it_is(size: int) -> None:
    long = chunk({"content": "x" * (2 * HELD_BYTES_MAX)})
    raw = long + USAGE_ONLY + DONE
    cut = [raw[start : start + size] for start in range(0, len(raw), size)] if size > 1 else pieces(raw, 1)

    assert filtered(cut) == long + DONE


def test_it_may_begin_in_the_middle_of_an_event() -> None:
    assert filtered([CHAT_STREAM[1][20:] + USAGE_ONLY, DONE]) == CHAT_STREAM[1][20:] + DONE
