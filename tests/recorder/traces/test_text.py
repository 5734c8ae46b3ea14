"""Words find traces, the newest first, and are gone when they are to be."""

import pytest

from airworthy.recorder.traces import text
from airworthy.recorder.traces.read import spans_of
from airworthy.recorder.traces.text import forget, words_of
from tests.recorder.traces import kit
from tests.recorder.traces.kit import NOON_US, TRACE, put, span, store


def test_words_find_traces_the_newest_first() -> None:
    database = store()
    for number, trace in enumerate(("a" * 32, "b" * 32, "c" * 32)):
        started_us = NOON_US + (0, 20, 10)[number]
        put(database, [span(1, trace_id=trace, started_us=started_us, text="Rückerstattung, refund 8812")])

    assert kit.words(database, "refund") == ["b" * 32, "c" * 32, "a" * 32]
    assert kit.words(database, "ruckerstattung") == kit.words(database, "refund")
    assert kit.words(database, "refunds") == []


def test_every_piece_of_a_trace_is_found() -> None:
    database = store()
    put(database, [span(1, text="alpha")])
    put(database, [span(2, text="beta"), span(3, text="")])

    assert kit.words(database, "alpha") == kit.words(database, "beta") == [TRACE]


def test_what_is_forgotten_is_found_no_more_and_the_others_still_are() -> None:
    database = store()
    other = "b" * 32
    put(database, [span(1, text="alpha shared"), span(1, trace_id=other, text="gamma shared")])
    put(database, [span(2, text="beta shared")])

    gone = database.write_now(lambda tx: forget(tx, TRACE))

    assert gone == 2
    assert [kit.words(database, word) for word in ("alpha", "beta", "shared", "gamma")] == [
        [],
        [],
        [other],
        [other],
    ]
    # The index itself has no entry either: whoever takes the place of one is not found by its words.
    assert kit.entries(database, "alpha") + kit.entries(database, "beta") == []


def test_the_text_of_a_task_is_forgotten_by_telling_it_again() -> None:
    database = store()
    put(database, [span(1)])
    doc = text.Doc(TRACE, NOON_US + 1, text.words_of(["order 8812\x00 refunded"]))
    database.write_now(lambda tx: text.index_all(tx, [doc]))
    found = kit.words(database, "refunded")
    database.write_now(lambda tx: forget(tx, TRACE, ["order 8812\x00 refunded"]))

    assert (found, kit.words(database, "refunded")) == ([TRACE], [])


def test_more_entries_of_one_moment_than_there_are_places_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The number of places is made small."""
    monkeypatch.setattr(text, "DOCS_MAX", 2)
    database = store()
    for number in range(3):
        put(database, [span(1, trace_id=f"{number:032x}", text="word")])

    assert len(kit.words(database, "word")) == 2
    assert database.read_now(lambda tx: tx.row("SELECT count FROM intake WHERE what = 'not_indexed'")) == (1,)


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["one\ntwo", "two\nthree"], "one\ntwo\nthree"),
        (["", " "], ""),
        (["a\x00b"], "a b"),
        (["x" * 40_000], "x" * 32_768),
    ],
)
def test_what_is_indexed(texts: list[str], words: str) -> None:
    assert words_of(texts) == words


def test_the_words_stand_in_the_chunk_so_that_a_later_release_can_still_forget_them() -> None:
    database = store()
    put(database, [span(1, text="unlike its payload", payload=b"{}")])
    database.write_now(lambda tx: forget(tx, TRACE))

    assert kit.words(database, "payload") == []
    assert database.read_now(lambda tx: spans_of(tx, TRACE)).spans[0].payload == b"{}"
