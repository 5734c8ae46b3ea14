"""What is found is what a plain look at every trace finds, in the same order, page by page."""

import functools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airworthy.core.errors import InputError
from airworthy.recorder.traces.filter import parse
from airworthy.recorder.traces.find import Cursor, NoSuchTrace, alike, count, find, get
from airworthy.recorder.traces.hints import hints
from airworthy.recorder.traces.query import Amount, Labels, Moment, Query, Value, Words, asked
from airworthy.recorder.traces.search import BOUNDS, Bounds, search
from airworthy.store import Database
from tests.database import lasting
from tests.recorder.traces.kit import emptied, store
from tests.recorder.traces.stored import Made, add, expected, population, row, stored

NOW_US = 10_000_000
TRACES = 240
# Each way through the lists, on few traces: one by one, merged, in stretches, with values that are not told apart.
WAYS = (
    BOUNDS,
    Bounds(listed=0, stretches=(7, 30, 10_000)),
    Bounds(listed=0, singly=0, stretches=(3, 3, 3, 10_000), expanded=1),
    Bounds(listed=10_000, singly=0, stretches=(5, 10_000), expanded=2),
    Bounds(listed=10_000, singly=10_000, stretches=(1, 10_000), expanded=1),
    Bounds(listed=40, singly=5, stretches=(2, 20, 10_000)),
)
_VALUES: dict[str, list[str]] = {
    "agent": ["support", "billing", "Ünï cöde", "a,b", "nobody"], "outcome": ["answered", "escalated", "declined"],
    "origin": ["otlp", "task", "import"], "tool": ["look", "refund", "refuse", "mail"], "error": ["timeout", "rate"],
    "model": ["gpt-5-a", "gpt-5-b", "gpt-50", "sonnet"], "user": ["u-3", "u-77"], "session": ["s1", "s39"],
    "feature": ["f1", "f2"], "release": ["r0", "r3"], "check": ["none"], "id": ["0" * 17, "0"],
}  # fmt: skip
_BEGINNINGS = ["", "s", "u-", "u-1", "gpt-5", "gpt-5-", "ref", "a", "0", "zz"]
_WORDS = ["refund", "refunds", "teapot", "order late", "the", "x1", "nobody", "THE refund", "absent"]


@functools.cache
def _all() -> tuple[list[Made], Database]:
    made = population(11, TRACES)
    with lasting():
        return made, stored(made)


def _labels() -> st.SearchStrategy[Labels]:
    def of(key: str) -> st.SearchStrategy[Labels]:
        whole = st.builds(Value, st.sampled_from(_VALUES[key]))
        begun = st.builds(Value, st.sampled_from(_BEGINNINGS), st.just(True))
        values = st.lists(whole | begun, min_size=1, max_size=3).map(tuple)
        return st.builds(Labels, st.just(key), values, st.booleans())

    states = st.lists(st.sampled_from(["open", "error", "unpriced"]).map(Value), min_size=1, max_size=2).map(
        tuple
    )
    return st.sampled_from(sorted(_VALUES)).flatmap(of) | st.builds(
        Labels, st.just("is"), states, st.booleans()
    )


_AMOUNTS = st.builds(
    Amount, st.just("cost"), st.sampled_from([">", ">=", "<", "<=", "="]), st.sampled_from([0, 1_000])
) | st.builds(
    Amount,
    st.sampled_from(["duration", "steps"]),
    st.sampled_from([">", ">=", "<", "<=", "="]),
    st.integers(0, 40),
)
_TIMES = st.integers(1_000_000, 1_000_000 + TRACES // 2 * 1_000)
_TERMS = st.one_of(
    _labels(), _labels(), _AMOUNTS, st.builds(Moment, st.sampled_from(["since", "until"]), _TIMES),
    st.builds(Words, st.sampled_from(_WORDS), st.booleans(), st.booleans()),
)  # fmt: skip
_AGENTS = st.none() | st.frozensets(st.sampled_from(["support", "billing", "", "a,b"]), max_size=3)
QUERIES = st.builds(asked, st.lists(_TERMS, max_size=5), _AGENTS)
_SETTINGS: Any = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow], "derandomize": True}


@given(query=QUERIES, bounds=st.sampled_from(WAYS), limit=st.sampled_from([1, 7, 1_000]))
@settings(max_examples=250, **_SETTINGS)
def test_every_way_finds_what_looking_at_all_finds(query: Query, bounds: Bounds, limit: int) -> None:
    """slow: the one proof that the fast ways are right, so it asks much."""
    made, database = _all()

    found = database.read_now(lambda tx: search(tx, query, None, limit, bounds))

    assert [id_ for _, id_ in found.places] == expected(made, query)[:limit]
    assert found.stopped_us is None


@given(query=QUERIES, bounds=st.sampled_from(WAYS), limit=st.integers(1, 40))
@settings(max_examples=60, **_SETTINGS)
def test_pages_leave_no_gap_and_repeat_nothing(query: Query, bounds: Bounds, limit: int) -> None:
    made, database = _all()
    seen: list[str] = []
    before = None
    while True:
        found = database.read_now(lambda tx: search(tx, query, before, limit, bounds))  # noqa: B023
        seen += [id_ for _, id_ in found.places]
        if len(found.places) < limit:
            break
        before = found.places[-1]

    assert seen == expected(made, query)


@functools.cache
def _shared() -> Database:
    return store()


def _ids(made: list[Made], asked_for: str, **more: Any) -> list[int]:
    database = _shared()
    emptied(database)
    add(database, made)
    found = database.read_now(lambda tx: find(tx, parse(asked_for, NOW_US), **more))
    return [int(one.id, 16) for one in found.rows]


def test_pages_stay_as_they_are_while_traces_come_in() -> None:
    """What is newer stands on no later page; what is older is found when its page comes; nothing twice."""
    database = stored([Made(row(place, place * 10)) for place in range(1, 31)])
    seen: list[int] = []
    before = None
    for number in range(20):
        place = before
        page = database.read_now(lambda tx: find(tx, parse("agent:support", NOW_US), before=place, limit=4))  # noqa: B023
        seen += [int(one.id, 16) for one in page.rows]
        if page.next is None:
            break
        before = Cursor.of(str(page.next))
        add(database, [Made(row(1_000 + number, 400 + number)), Made(row(2_000 + number, 5 + number))])

    assert len(seen) == len(set(seen))
    assert [one for one in seen if one < 1_000] == list(range(30, 0, -1))
    assert not [one for one in seen if 1_000 <= one < 2_000]
    assert [one for one in seen if one >= 2_000]


def test_traces_of_one_moment_are_parted_between_pages_by_their_ids() -> None:
    database = stored([Made(row(place, 7), texts=("same",)) for place in range(1, 8)])
    seen: list[int] = []
    before = None
    while True:
        place = before
        page = database.read_now(lambda tx: find(tx, parse("same", NOW_US), before=place, limit=2))  # noqa: B023
        seen += [int(one.id, 16) for one in page.rows]
        before = page.next
        if before is None:
            break

    assert seen == [7, 6, 5, 4, 3, 2, 1]


def test_a_search_that_would_look_at_too_many_stops_and_goes_on_where_it_was() -> None:
    made = [Made(row(place, place, steps=99 if place in (3, 90) else 1)) for place in range(1, 101)]
    database = stored(made)
    query, bounds = parse("steps=99", NOW_US), Bounds(listed=0, stretches=(5, 20))

    first = database.read_now(lambda tx: search(tx, query, None, 10, bounds))
    rest: list[int] = []
    stopped, rounds = first.stopped_us, 0
    while stopped is not None:
        place = (stopped, "")
        found = database.read_now(lambda tx: search(tx, query, place, 10, bounds))  # noqa: B023
        rest += [at_us for at_us, _ in found.places]
        stopped, rounds = found.stopped_us, rounds + 1

    assert [at_us for at_us, _ in first.places] == [90]
    assert (rest, rounds) == ([3], 3)


@pytest.mark.parametrize(
    ("text", "asked_for", "found"),
    [
        ("Refund the TEAPOT", "teapot refund", True),
        ("refund the teapot", "tea", False),
        ("refund the teapot", "tea*", True),
        ("résumé of Zoë", "resume zoe", True),
        ("don't-touch_this", "don touch this", True),
        ("a\0b hidden", "hidden", True),
        ("it said NEAR(a b) OR AND NOT words:x", '"NEAR(a b) OR AND NOT words:x"', True),
        ("plain", '"NEAR(plain)"', False),
        ("plain", '"plain\\" OR \\"x"', False),
        ("plain text", "'plain--", True),
        ("wörter", '"wörter*"', True),
        ("😀 smile 🥹", "😀smile", True),
        ("שלום עולם", "עולם", True),
        ("مرحبا بالعالم", "بالعالم", True),
        ("退款失败，订单1001号", "退款", True),
        ("退款失败，订单1001号", "款失", True),
        ("退款失败，订单1001号", "失", True),
        ("退款失败，订单1001号", "败", True),
        ("退款失败，订单1001号", "订单1001", True),
        ("退款失败，订单1001号", "退败", False),
        ("東京都に住む", "京都に", True),
        ("환불을 요청했다", "요청", True),
        ("\U00020000\U00020001 rare", "\U00020000\U00020001", True),
    ],
)
def test_words_are_found_as_data_in_every_script(text: str, asked_for: str, found: bool) -> None:
    made = [Made(row(1, 10), texts=(text,)), Made(row(2, 20), texts=("something else",))]

    assert _ids(made, asked_for) == ([1] if found else [])
    if len(asked_for.split()) == 1 or asked_for.startswith('"'):  # A minus is of one term.
        assert _ids(made, f"-{asked_for}") == ([2] if found else [2, 1])


def test_words_may_stand_in_different_pieces_of_a_trace() -> None:
    made = [Made(row(1, 10), texts=("refund asked", "teapot broken")), Made(row(2, 10), texts=("refund",))]

    assert _ids(made, "refund teapot") == [1]
    assert _ids(made, 'refund -"refund teapot"') == [2]


def test_values_longer_than_what_is_kept_are_found_by_what_is_kept() -> None:
    long = "a" * 250
    assert _ids([Made(row(1, 10, agent=long, user_id=long))], f"agent:{long} user:{long}") == [1]


@pytest.mark.parametrize(
    "text", ["", "x", "MTA", "!!!", "ÄÖ", "LTEuYQ", "MTAu\n", "A" * 400, "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTkuYQ"]
)
def test_a_place_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        Cursor.of(text)


def test_a_place_survives_any_id_in_a_url() -> None:
    for place in (Cursor(10, "tsk_06f2"), Cursor(0, "ü/?&=+ "), Cursor(2**62, "")):
        assert Cursor.of(str(place)) == place
        assert set(str(place)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_one_is_got_by_its_id_and_found_by_a_part_of_it() -> None:
    database = stored([Made(row(0xABCDEF, 10)), Made(row(0xABC000, 20))])
    whole = f"{0xABCDEF:032x}"

    assert database.read_now(lambda tx: get(tx, whole)).at_us == 10
    assert database.read_now(lambda tx: alike(tx, "cdef", 4, 5)) == [whole]
    assert database.read_now(lambda tx: alike(tx, "def", 4, 5)) == []
    with pytest.raises(NoSuchTrace):
        database.read_now(lambda tx: get(tx, "abc"))


def test_counting_ends_where_it_is_told_to() -> None:
    database = stored([Made(row(place, place)) for place in range(1, 51)])

    assert [database.read_now(lambda tx: count(tx, Query(), most)) for most in (10, 50, 99)] == [10, 50, 50]  # noqa: B023


def test_a_value_that_no_trace_has_is_told_to_whoever_may_see_all() -> None:
    database = stored([Made(row(1, 10), (("tool", "refund"),))])
    query = parse("tool:refnd outcome:answered user:u1 -model:x", NOW_US)

    assert database.read_now(lambda tx: hints(tx, query)) == [
        "No trace has user:u1.",
        "No trace has tool:refnd. Did you mean refund?",
    ]
    assert database.read_now(lambda tx: hints(tx, query.only({"support"}))) == []
