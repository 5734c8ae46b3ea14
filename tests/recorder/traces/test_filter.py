"""The filter language: what is typed is understood, or told with what is wrong and where; and has one spelling."""

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airworthy.recorder.traces.filter import AGO_US_MAX, CHARS_MAX, NUMBER_MAX, TERMS_MAX, FilterError, parse
from airworthy.recorder.traces.query import (
    ABOUT,
    AMOUNTS,
    COMPARISONS,
    KEYS,
    LABELS,
    STATES,
    Amount,
    Labels,
    Moment,
    Query,
    Value,
    Words,
    asked,
    chips,
    text_of,
    without_term,
)

NOW_US = 1_764_072_000_000_000
WHOLE = (
    "agent:support release:abc session:s1 user:u-7 feature:billing outcome:declined,escalated error:timeout"
    " -tool:refund model:gpt-5* origin:otlp is:error is:open is:unpriced cost>0.05 duration>30s steps>=20 since:24h"
    ' until:2026-11-20 "free text" words'
)


def test_everything_at_once_keeps_its_spelling() -> None:
    assert text_of(parse(WHOLE, NOW_US)) == WHOLE


@pytest.mark.parametrize(
    ("typed", "spelled"),
    [
        ("  user:u1   agent:a ", "agent:a user:u1"),
        ("Agent:a", "agent:a"),
        ("outcome:b,a,b", "outcome:a,b"),
        ("agent:a agent:a", "agent:a"),
        ("steps:20", "steps=20"),
        ("cost:>0.05", "cost>0.05"),
        ("cost>$0.050usd", "cost>0.05"),
        ("cost>.5", "cost>0.5"),
        ("duration>1500ms", "duration>1500ms"),
        ("duration<=0.5h", "duration<=30m"),
        ("since:1440m", "since:24h"),
        ("since:2w", "since:14d"),
        ("since:2026-11-20T00:00:00Z", "since:2026-11-20"),
        ("since:2026-11-20T09:00+01:00", "since:2026-11-20T08:00:00Z"),
        ('since:"2026-11-20 08:00:00.25"', "since:2026-11-20T08:00:00.25Z"),
        ("until:2026-11-21T00:00:00Z", "until:2026-11-20"),
        ('agent:"a b",c*', 'agent:"a b",c*'),
        ('tool:"x*"', 'tool:"x*"'),
        ("user:*", "user:*"),
        ('"agent:a"', '"agent:a"'),
        ("-refund*", "-refund*"),
        ('say "a \\"b\\" \\\\ c"', 'say "a \\"b\\" \\\\ c"'),
        ("退款 résumé don't", "退款 résumé don't"),
        ("", ""),
        (" \t\n ", ""),
    ],
)
def test_what_is_asked_alike_is_spelled_alike(typed: str, spelled: str) -> None:
    query = parse(typed, NOW_US)

    assert text_of(query) == spelled
    assert parse(spelled, NOW_US) == query


@pytest.mark.parametrize(
    ("typed", "at", "message", "mend"),
    [
        ("user:a outcom:x", 7, "There is no key 'outcom'", "Did you mean outcome?"),
        ("see http://x", 4, "There is no key 'http'", "Put text in quotes"),
        ("agent:", 6, "A value of agent is missing", "agent:*"),
        ("agent:a,", 8, "A value of agent is missing", "agent:VALUE"),
        ("agent>a", 0, "agent is no number", "agent:VALUE"),
        ("is:opne", 3, "Nothing is 'opne'", "Did you mean open?"),
        ("is:op*", 3, "Nothing is 'op'", "open, error, unpriced"),
        ("cost>cheap", 5, "'cheap' is no number", "cost>0.05"),
        ("cost>5EUR", 5, "has the unit 'eur'", "USD"),
        ("cost>0.0000000001", 5, "finer than a billionth", "fewer digits"),
        ("duration>30", 9, "'30' has no unit", "duration>30s"),
        ("steps>1.5", 6, "finer than one step", "fewer digits"),
        ("steps>=1e9", 7, "'1e9' is no number", "steps>=20"),
        ("steps>" + "9" * 40, 6, "more than there can be", "smaller"),
        ("-cost>1", 0, "cost cannot be negated", "round"),
        ("-since:1h", 0, "since cannot be negated", "until"),
        ("since>1h", 6, "since takes a colon", "since:24h"),
        ("since:yesterday", 6, "'yesterday' is no time", "since:24h"),
        ("since:2026-13-01", 6, "is no time", "2026-11-20"),
        ("since:1969-12-31", 6, "is out of reach", "1970"),
        ("until:9999-12-31", 6, "is out of reach", "1970"),
        ("since:101000d", 6, "too long ago", "100 years"),
        ('say "hello', 4, "A quote is not closed", "closing"),
        ('user:"a"b', 8, "Something follows", "space"),
        ('a"b', 1, "A quote stands inside", "quotes"),
        ("tool:a*b", 6, "A star stands only at the end", "quotes"),
        ("a - b", 2, "nothing to search for in '-'", "letters"),
        ("😀", 0, "nothing to search for", "letters"),
        ("*", 0, "nothing to search for", "letters"),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_a_mend(
    typed: str, at: int, message: str, mend: str
) -> None:
    with pytest.raises(FilterError) as caught:
        parse(typed, NOW_US)

    assert caught.value.at == at
    assert message in caught.value.message
    assert caught.value.message.endswith(f", at character {at + 1}.")
    assert mend in caught.value.mend


def test_bounds_hold_on_both_sides() -> None:
    parse("a" * CHARS_MAX, NOW_US)
    parse(" ".join("a" * TERMS_MAX), NOW_US)
    parse("user:" + ",".join(map(str, range(100))), NOW_US)
    for typed in (
        "a" * (CHARS_MAX + 1),
        " ".join("a" * (TERMS_MAX + 1)),
        "user:" + ",".join(map(str, range(101))),
    ):
        with pytest.raises(FilterError):
            parse(typed, NOW_US)


def test_relative_times_are_counted_from_now_and_a_day_alone_has_all_its_hours() -> None:
    terms = parse("since:24h until:2025-11-24", NOW_US).terms

    assert terms == (
        Moment("since", NOW_US - 86_400_000_000, 86_400_000_000),
        Moment("until", 1_764_028_800_000_000),
    )


def test_chips_take_away() -> None:
    query = parse("since:7d refund agent:support", NOW_US)

    assert text_of(query) == "agent:support since:7d refund"
    assert [(chip.text, chip.without) for chip in chips(query)] == [
        ("agent:support", "since:7d refund"),
        ("since:7d", "agent:support refund"),
        ("refund", "agent:support since:7d"),
    ]
    assert without_term(query, Labels("agent", (Value("support"),))) == parse("since:7d refund", NOW_US)


def test_rights_only_ever_shrink_and_are_no_part_of_the_text() -> None:
    query = parse("refund", NOW_US).only(None).only({"a", "b"}).only({"b", "c"})

    assert query.agents == frozenset({"b"})
    assert text_of(query) == "refund"
    with pytest.raises(dataclasses.FrozenInstanceError):
        query.agents = None  # type: ignore[misc]


def test_the_guide_names_every_key() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "how-to" / "find-traces.md").read_text(encoding="utf-8")
    table = guide[guide.index("| key | what it is |") : guide.index("What cannot be read")]

    assert set(KEYS) == set(ABOUT)
    assert [key for key in KEYS if f"`{key}`" not in table] == []


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
_LABELS = st.builds(
    Labels,
    st.sampled_from([key for key in LABELS if key != "is"]),
    st.lists(
        st.builds(Value, _TEXT) | st.builds(Value, _TEXT | st.just(""), st.just(True)), min_size=1, max_size=3
    ).map(tuple),
    st.booleans(),
)
_STATES = st.builds(
    Labels, st.just("is"), st.sampled_from(STATES).map(lambda one: (Value(one),)), st.booleans()
)
_AMOUNTS = st.builds(
    Amount, st.sampled_from(AMOUNTS), st.sampled_from(COMPARISONS), st.integers(0, NUMBER_MAX)
)
_AGO = st.integers(0, AGO_US_MAX)
_MOMENTS = st.builds(
    lambda key, ago: Moment(key, NOW_US - ago, ago), st.sampled_from(["since", "until"]), _AGO
) | st.builds(Moment, st.sampled_from(["since", "until"]), st.integers(86_400_000_000, 2**51))
_WORDS = st.builds(
    Words, _TEXT.filter(lambda text: any(map(str.isalnum, text))), st.booleans(), st.booleans()
)


@given(st.lists(st.one_of(_LABELS, _STATES, _AMOUNTS, _MOMENTS, _WORDS), max_size=6).map(asked))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_every_query_is_read_back_from_its_text(query: Query) -> None:
    """slow: whatever a query holds, its URL must lead back to it."""
    assert parse(text_of(query), NOW_US) == query


_PIECES = st.sampled_from([*' ",:*-><=\\\0abc1.退😀\u202e\ud800', *KEYS, "7d", "2026-11-20"])


@given(st.lists(_PIECES, max_size=20).map("".join) | st.text(max_size=30))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_whatever_is_typed_is_read_or_refused_in_words(typed: str) -> None:
    try:
        query = parse(typed, NOW_US)
    except FilterError as error:
        refused = error
    else:
        assert parse(text_of(query), NOW_US) == query
        return
    assert refused.message
    assert refused.mend
    assert 0 <= refused.at <= len(typed.encode("utf-8", "backslashreplace"))
