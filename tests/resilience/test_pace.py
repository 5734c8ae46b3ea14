"""The pace: never more than the rate in any window, in order, and cancelled callers leave no trace."""

import asyncio
import random

import pytest

from airworthy.core.clock import US_PER_S
from airworthy.core.errors import ConfigError
from airworthy.resilience import Pace, Pacer, TooFast
from tests.virtual import LoopClock


def _most_in_any_window(starts_us: list[int], window_us: int) -> int:
    return max(len([at for at in starts_us if first <= at < first + window_us]) for first in starts_us)


@pytest.mark.parametrize(
    ("rate", "calls", "window_s"),
    [("10/s", 10, 1), ("100/min", 100, 60), ("5/10s", 5, 10), ("7/h", 7, 3600), ("1/2d", 1, 172_800)],
)
def test_a_rate_reads_as_written(rate: str, calls: int, window_s: int) -> None:
    assert (Pace(rate).calls, Pace(rate).window_s) == (calls, window_s)


@pytest.mark.parametrize(
    "rate", ["", "10", "0/s", "10/0s", "-1/s", "10/m", "1.5/s", "10 / s", "10/s ", "١/s"]
)
def test_anything_else_is_refused_when_built(rate: str) -> None:
    with pytest.raises(ConfigError):
        Pace(rate)


async def test_a_burst_passes_up_to_the_rate_and_the_rest_in_order_as_room_appears() -> None:
    clock = LoopClock()
    pacer = Pacer(Pace("10/s"), clock)
    starts: list[tuple[int, int]] = []

    async def call(number: int) -> None:
        await pacer.wait()
        starts.append((number, clock.now_us()))

    await asyncio.gather(*(call(number) for number in range(40)))

    assert [number for number, _ in starts] == list(range(40))
    assert _most_in_any_window([at for _, at in starts], US_PER_S) == 10
    assert 3 <= asyncio.get_running_loop().time() < 3.001


@pytest.mark.parametrize("seed", range(10))
async def test_never_more_in_any_window_under_random_arrivals_and_cancelling(seed: int) -> None:
    draw = random.Random(seed)
    clock = LoopClock()
    pacer = Pacer(Pace("5/2s"), clock)
    starts: list[int] = []

    async def call() -> None:
        await asyncio.sleep(draw.random() * 20)
        await pacer.wait(clock.now_us() + 4 * US_PER_S if draw.random() < 0.3 else None)
        starts.append(clock.now_us())

    tasks = [asyncio.create_task(call()) for _ in range(80)]
    for task in draw.sample(tasks, 20):
        await asyncio.sleep(draw.random())
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert len(starts) > 30
    assert _most_in_any_window(starts, 2 * US_PER_S) <= 5
    assert pacer.waiting == 0


async def test_a_turn_after_the_deadline_is_refused_at_once_with_the_wait() -> None:
    clock = LoopClock()
    pacer = Pacer(Pace("2/10s"), clock)
    await pacer.wait()
    await pacer.wait()

    with pytest.raises(TooFast) as refused:
        await pacer.wait(clock.now_us() + 5 * US_PER_S)

    assert asyncio.get_running_loop().time() == 0
    assert refused.value.retry_after_s == pytest.approx(10, abs=0.001)


async def test_the_deadline_counts_those_who_wait_before() -> None:
    clock = LoopClock()
    pacer = Pacer(Pace("2/10s"), clock)
    before = [asyncio.create_task(pacer.wait()) for _ in range(5)]
    await asyncio.sleep(0)

    with pytest.raises(TooFast) as refused:
        await pacer.wait(clock.now_us() + 19 * US_PER_S)
    in_time = asyncio.create_task(pacer.wait(clock.now_us() + 21 * US_PER_S))

    assert refused.value.retry_after_s == pytest.approx(20, abs=0.001)
    await asyncio.gather(*before, in_time)
    assert asyncio.get_running_loop().time() == pytest.approx(20, abs=0.001)


async def test_the_deadline_is_held_against_the_start_that_makes_room_for_this_caller() -> None:
    clock = LoopClock()
    pacer = Pacer(Pace("3/10s"), clock)
    for _ in range(3):
        await pacer.wait()
        await asyncio.sleep(3)
    before = asyncio.create_task(pacer.wait())  # At 9 s; the starts of 0, 3 and 6 s leave at 10, 13 and 16 s.
    second = asyncio.create_task(pacer.wait())
    await asyncio.sleep(0)

    with pytest.raises(TooFast) as refused:
        await pacer.wait(clock.now_us() + 6 * US_PER_S)

    assert refused.value.retry_after_s == pytest.approx(7, abs=0.001)
    await asyncio.gather(before, second)
    assert asyncio.get_running_loop().time() == pytest.approx(13, abs=0.001)


async def test_starts_that_left_the_window_are_forgotten() -> None:
    pacer = Pacer(Pace("5/s"), LoopClock())
    for _ in range(100):
        await pacer.wait()

    assert pacer._bucket.count() <= 6


async def test_a_cancelled_caller_uses_no_turn() -> None:
    pacer = Pacer(Pace("1/10s"), LoopClock())
    await pacer.wait()
    first = asyncio.create_task(pacer.wait())
    second = asyncio.create_task(pacer.wait())
    await asyncio.sleep(5)

    first.cancel()
    await second

    assert asyncio.get_running_loop().time() == pytest.approx(10, abs=0.001)


async def test_the_queue_is_bounded() -> None:
    pacer = Pacer(Pace("1/s", queue_max=2), LoopClock())
    await pacer.wait()
    waiting = [asyncio.create_task(pacer.wait()) for _ in range(2)]
    await asyncio.sleep(0)

    with pytest.raises(TooFast, match="2 callers wait"):
        await pacer.wait()

    await asyncio.gather(*waiting)
