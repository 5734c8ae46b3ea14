"""Few notices go one by one, many go together; what is critical does not wait while the hour has room."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airworthy.core.clock import US_PER_S
from airworthy.review.storm import BURST, Lately, Plan, Singly, Together, Wait, Waiting, plan

NOW = 1_000_000 * US_PER_S
QUIET = Lately(0, None)


def _s(seconds: float) -> int:
    return NOW + round(seconds * US_PER_S)


@pytest.mark.parametrize(
    ("why", "waiting", "lately", "expected"),
    [
        ("one that has gathered goes", Waiting(1, _s(-2), critical=False), QUIET, Singly()),
        ("one that is new waits for company", Waiting(1, _s(-1), critical=False), QUIET, Wait(_s(1))),
        ("a critical one does not", Waiting(1, _s(0), critical=True), QUIET, Singly()),
        ("a burst is one message", Waiting(BURST + 1, _s(-2), critical=False), QUIET, Together()),
        ("one fewer is not", Waiting(BURST, _s(-2), critical=False), QUIET, Singly()),
        ("in a storm few wait too", Waiting(1, _s(-5), critical=False), Lately(0, _s(-100)), Wait(_s(500))),
        ("after it they go one by one", Waiting(1, _s(-5), critical=False), Lately(0, _s(-600)), Singly()),
        ("or together", Waiting(9, _s(-5), critical=False), Lately(0, _s(-600)), Together()),
        ("the hour is full: gathered", Waiting(1, _s(-5), critical=False), Lately(20, None), Wait(_s(595))),
        ("and then sent", Waiting(1, _s(-600), critical=False), Lately(20, None), Together()),
        ("a critical one passes a storm", Waiting(1, _s(0), critical=True), Lately(0, _s(-1)), Singly()),
        ("a full hour holds even that", Waiting(1, _s(0), critical=True), Lately(20, _s(-1)), Wait(_s(599))),
        ("many critical ones are one message", Waiting(99, _s(0), critical=True), QUIET, Together()),
    ],
)
def test_plan(why: str, waiting: Waiting, lately: Lately, expected: Plan) -> None:
    assert plan(waiting, lately, 20, 600.0, NOW) == expected, why


@given(
    st.integers(1, 10_000), st.integers(0, 100_000), st.booleans(), st.integers(0, 50),
    st.none() | st.integers(0, 100_000), st.integers(1, 30), st.floats(1, 3_600),
)  # fmt: skip
def test_nothing_waits_longer_than_a_digest_and_nothing_goes_beyond_the_hour(
    things: int,
    age_s: int,
    critical: bool,
    singles: int,
    digest_age_s: int | None,
    per_hour: int,
    digest_s: float,
) -> None:
    waiting = Waiting(things, _s(-age_s), critical)
    lately = Lately(singles, None if digest_age_s is None else _s(-digest_age_s))

    made = plan(waiting, lately, per_hour, digest_s, NOW)

    if isinstance(made, Singly):
        assert singles + things <= per_hour
        assert things <= BURST
    if isinstance(made, Wait):
        assert NOW < made.until_us <= NOW + round(max(digest_s, 2) * US_PER_S)
