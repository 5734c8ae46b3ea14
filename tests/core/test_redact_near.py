"""Looking near long words alone finds what looking everywhere finds."""

import json
from unittest.mock import patch

from hypothesis import example, given, settings
from hypothesis import strategies as st

from airworthy.core import redact
from airworthy.core.secret_examples import secret_examples

HITS = [hit for each in secret_examples() for hit in (*each.hits, *each.misses)]
JWT = next(hit for hit in HITS if "eyJ" in hit)
PIECES = st.sampled_from(
    [
        *HITS,
        "Bearer    ",
        "bearer ",
        " ",
        '"',
        "\\n",
        ".",
        "/",
        "sk-",
        "eyJ",
        "gpt-5-mini-2026-01-01",
        "a" * 15,
        "b" * 16,
    ]
) | st.text("ab-_ .\"'\\/:=1", max_size=20)


@given(st.lists(PIECES, max_size=12))
@settings(max_examples=150, deadline=None)
@example(["x" * 9_000, JWT])
@example(["x." * 5_000, JWT])
@example(["bearer    ", "a1" * 10])
def test_what_is_found_near_long_words_is_all_there_is(pieces: list[str]) -> None:
    text = "".join(pieces)
    found = redact.find(text)
    with patch.object(redact, "near_long", lambda folded, _runs: folded):  # as if everything were near
        everywhere = redact.find(text)

    assert found == everywhere


@given(st.lists(st.lists(PIECES, max_size=4), max_size=6), st.booleans())
@settings(max_examples=150, deadline=None)
@example([["plain"], ["password=hunter2-or-so"], ["plain"]], True)
@example([["plain"], ["x" * 9_000], ["gpt-5-mini-2026-01-01"]], True)
def test_documents_that_are_clean_together_are_clean_each(said: list[list[str]], as_keys: bool) -> None:
    values = ["".join(pieces) for pieces in said]
    documents = [
        json.dumps({value: value, "api_key": value} if as_keys else [value]).encode() for value in values
    ]
    redactor = redact.Redactor(["known-value-1"])
    secrets = [redactor.redact_bytes(document)[1] for document in documents]

    assert redactor.is_clean(documents) == (not any(secrets))
