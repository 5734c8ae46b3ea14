"""A recording's pattern is kept at another rate, and files of times are read as they come."""

from itertools import pairwise

import pytest

from airworthy.core.errors import ConfigError
from airworthy.preflight.arrivals import arrivals, burst, read_times

EVEN = tuple(float(n) for n in range(0, 600, 6))
BURSTS = tuple(float(minute * 600 + n) for minute in range(20) for n in range(10))


@pytest.mark.parametrize("times", [(), EVEN, BURSTS], ids=["chance", "even", "bursts"])
@pytest.mark.parametrize("count", [2, 50, 150, 400])
def test_the_mean_rate_is_as_asked(times: tuple[float, ...], count: int) -> None:
    found = arrivals(times, count, 3600.0, seed=7)

    assert len(found) == count
    assert found[0] == 0.0
    assert found == tuple(sorted(found))
    assert found[-1] == pytest.approx(count, rel=0.01)


def test_bursts_stay_bursts_and_clocks_stay_clocks() -> None:
    assert burst(arrivals(EVEN, 80, 3600.0, seed=7)) < 0.01
    assert burst(arrivals(BURSTS, 150, 3600.0, seed=7)) > 2.0
    assert burst(arrivals(BURSTS, 400, 3600.0, seed=7)) > 2.0
    assert 0.6 < burst(arrivals((), 400, 3600.0, seed=7)) < 1.4


def test_of_a_long_recording_the_busiest_stretch_is_taken() -> None:
    quiet_then_busy = (*(float(n * 100) for n in range(50)), *(5000.0 + n for n in range(60)))

    gaps = [later - earlier for earlier, later in pairwise(arrivals(quiet_then_busy, 40, 3600.0, seed=7))]

    assert max(gaps) == pytest.approx(min(gaps))


def test_the_same_seed_gives_the_same_times() -> None:
    assert arrivals(BURSTS, 400, 60.0, seed=1) == arrivals(BURSTS, 400, 60.0, seed=1)
    assert arrivals(BURSTS, 400, 60.0, seed=1) != arrivals(BURSTS, 400, 60.0, seed=2)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("\n".join(f"{n}.5,x" for n in range(12)), "bare columns"),
        ("user,at\n" + "\n".join(f"u,{n}.5" for n in range(12)), "a named column"),
        ("\n".join(f'{{"tokens": 5, "at": {n}.5}}' for n in range(12)), "JSON lines"),
        ("created_us\n" + "\n".join(str(n * 1_000_000 + 500_000) for n in range(12)), "microseconds"),
        ("n,t_ms\n" + "\n".join(f"9,{n * 1000 + 500}" for n in range(12)), "milliseconds"),
        ("time\n" + "\n".join(f"1970-01-01T00:00:{n:02}.5Z" for n in range(12)), "ISO 8601"),
    ],
)
def test_times_are_read_as_they_come(text: str, why: str) -> None:
    assert read_times(text) == tuple(n + 0.5 for n in range(12)), why


@pytest.mark.parametrize(
    "text", ["", "1\n2\n3", "at\n" + "soon\n" * 20, '{"at": 1}\nnone\n', '{"at": null}\n' * 20]
)
def test_what_cannot_be_read_is_refused_with_what_to_do(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_times(text, "times.csv")

    assert "times.csv" in refused.value.message
    assert refused.value.mend
