"""What a sender is promised: from what was seen of the last minute, never nonsense."""

import pytest

from airworthy.core.clock import US_PER_S
from airworthy.policy import Rate
from airworthy.runtime.admission.bounds import after_start
from airworthy.runtime.admission.drain import RETRY_AFTER_S_MAX, RETRY_AFTER_S_MIN, Drain, retry_after_s

START = 1_764_000_000 * US_PER_S


def after(*seconds: float) -> Drain:
    drain = Drain(0, 0, 0)
    for at_s in seconds:
        drain = drain.after_start(START + round(at_s * US_PER_S))
    return drain


@pytest.mark.parametrize(
    ("starts", "at_s", "per_s", "why"),
    [
        ((), 0, 0.0, "nothing has begun"),
        ((0.0,), 0, 1.0, "one at this moment: at most one a second is known"),
        (tuple(range(60)), 59.5, 1.0, "one a second for a minute"),
        (tuple(range(150)), 150, 1.0, "over the end of a minute"),
        (tuple(n / 10 for n in range(100)), 10, 10.0, "ten seconds of ten a second"),
        (tuple(range(60)), 90, 0.5, "nothing for half of the last minute"),
        (tuple(range(60)), 200, 0.0, "nothing for two minutes"),
    ],
)
def test_the_pace_is_that_of_the_last_minute(
    starts: tuple[float, ...], at_s: float, per_s: float, why: str
) -> None:
    assert after(*starts).per_s(START + round(at_s * US_PER_S)) == pytest.approx(per_s, rel=0.05), why


@pytest.mark.parametrize(
    ("ahead", "per_s", "next_s", "promised", "why"),
    [
        (1, 1.0, 0.0, 1.0, "one place, one a second"),
        (1, 100.0, 0.0, RETRY_AFTER_S_MIN, "never less than a second"),
        (30, 0.5, 0.0, 60.0, "thirty at one in two seconds"),
        (1, 0.0, 0.0, 60.0, "nobody knows"),
        (1, 10.0, 45.0, 45.0, "the rate lets none begin before"),
        (10**6, 0.1, 0.0, RETRY_AFTER_S_MAX, "never more than an hour"),
    ],
)
def test_a_promise_has_bounds(ahead: int, per_s: float, next_s: float, promised: float, why: str) -> None:
    assert retry_after_s(ahead, per_s, next_s) == promised, why


@pytest.mark.parametrize(
    ("at_s", "next_s", "why"),
    [
        (-60.0, 0.0, "it has just left the window"),
        (-59.0, 1.0, "it leaves in a second"),
        (0.0, 60.0, "it was just now"),
        (0.5, 60.5, "by a clock half a second ahead"),
        (4000.0, 0.0, "by a clock that has been set back since: it must not stop the queue"),
    ],
)
def test_a_start_leaves_the_window_after_its_period(at_s: float, next_s: float, why: str) -> None:
    found = after_start(START + round(at_s * US_PER_S), Rate(calls=1, per_s=60.0), START)

    assert found == START + round(next_s * US_PER_S), why
