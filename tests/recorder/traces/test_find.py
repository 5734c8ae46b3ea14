"""What is found is what a plain look at every trace finds, in the same order, page by page."""

import functools
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airworthy.recorder.traces.query import Amount, Labels, Moment, Query, Value, Words, asked
from airworthy.recorder.traces.search import BOUNDS, Bounds, search
from airworthy.store import MemoryDatabase
from tests.recorder.traces.stored import Made, expected, population, stored

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
def _all() -> tuple[list[Made], MemoryDatabase]:
    made = population(11, TRACES)
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
@settings(max_examples=400, **_SETTINGS)
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
