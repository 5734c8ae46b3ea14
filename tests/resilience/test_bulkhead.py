"""The bulkhead: never more at a time, in order, and no place is ever lost."""

import asyncio
import random

import pytest

from airworthy.core.clock import US_PER_S
from airworthy.core.errors import ConfigError
from airworthy.resilience import Bulkhead, Compartment, Full
from tests.virtual import LoopClock


async def _use(compartment: Compartment, seconds: float, deadline_us: int | None = None) -> None:
    async with compartment.hold(deadline_us):
        await asyncio.sleep(seconds)


async def test_never_more_than_the_concurrency_and_first_come_first_served() -> None:
    compartment = Compartment(Bulkhead(concurrency=3), LoopClock())
    order: list[int] = []
    running = 0

    async def use(number: int) -> None:
        nonlocal running
        async with compartment.hold():
            order.append(number)
            running += 1
            assert running <= 3
            await asyncio.sleep(1)
            running -= 1

    await asyncio.gather(*(use(number) for number in range(20)))

    assert order == list(range(20))
    assert asyncio.get_running_loop().time() == 7


async def test_a_newcomer_does_not_overtake_who_was_handed_the_place() -> None:
    compartment = Compartment(Bulkhead(concurrency=1), LoopClock())
    order: list[str] = []

    async def use(name: str) -> None:
        async with compartment.hold():
            order.append(name)

    async with compartment.hold():
        waiter = asyncio.create_task(use("waiter"))
        await asyncio.sleep(0)
    await use("newcomer")
    await waiter

    assert order == ["waiter", "newcomer"]


async def test_a_full_queue_refuses_with_an_estimate_of_the_wait() -> None:
    compartment = Compartment(Bulkhead(concurrency=2, queue_max=2), LoopClock(), name="crm")
    tasks = [asyncio.create_task(_use(compartment, 10)) for _ in range(4)]
    await asyncio.sleep(0)

    with pytest.raises(Full, match=r"'crm'.*2 calls run and 2 wait") as refused:
        await _use(compartment, 1)

    assert refused.value.retry_after_s > 0
    await asyncio.gather(*tasks)
    await _use(compartment, 1)


async def test_the_estimate_follows_how_long_calls_take() -> None:
    compartment = Compartment(Bulkhead(concurrency=1, queue_max=0), LoopClock())
    for _ in range(40):
        await _use(compartment, 30)

    async with compartment.hold():
        with pytest.raises(Full) as refused:
            await _use(compartment, 1)

    assert refused.value.retry_after_s == pytest.approx(30, rel=0.01)


async def test_waiting_ends_at_the_deadline() -> None:
    clock = LoopClock()
    compartment = Compartment(Bulkhead(concurrency=1), clock)
    long = asyncio.create_task(_use(compartment, 10))
    await asyncio.sleep(0)

    with pytest.raises(Full, match="deadline"):
        await _use(compartment, 1, deadline_us=clock.now_us() + 3 * US_PER_S)

    assert asyncio.get_running_loop().time() == 3
    assert compartment.waiting == 0
    await long
    assert compartment.running == 0


async def test_a_deadline_that_has_passed_is_refused_even_when_there_is_room() -> None:
    clock = LoopClock()

    with pytest.raises(Full, match="has passed"):
        await _use(Compartment(Bulkhead(), clock), 1, deadline_us=clock.now_us())


async def test_cancelled_while_being_handed_the_place_passes_it_on() -> None:
    compartment = Compartment(Bulkhead(concurrency=1), LoopClock())
    async with compartment.hold():
        first = asyncio.create_task(_use(compartment, 1))
        second = asyncio.create_task(_use(compartment, 1))
        await asyncio.sleep(0)
    first.cancel()  # Its place is set, but it has not run yet.
    await asyncio.wait({first, second})

    assert first.cancelled()
    assert second.exception() is None
    assert compartment.running == 0


@pytest.mark.parametrize("seed", range(20))
async def test_no_place_is_lost_under_random_cancelling_deadlines_and_errors(seed: int) -> None:
    draw = random.Random(seed)
    clock = LoopClock()
    compartment = Compartment(Bulkhead(concurrency=3, queue_max=10), clock)
    most = 0

    async def use() -> None:
        nonlocal most
        await asyncio.sleep(draw.randrange(10))
        deadline_us = clock.now_us() + draw.randrange(6) * US_PER_S if draw.random() < 0.5 else None
        async with compartment.hold(deadline_us):
            most = max(most, compartment.running)
            await asyncio.sleep(draw.randrange(4))
            if draw.random() < 0.2:
                raise ValueError

    tasks = [asyncio.create_task(use()) for _ in range(60)]
    while not all(task.done() for task in tasks):
        draw.choice(tasks).cancel()
        await asyncio.sleep(draw.choice([0, 0, 1]))
    await asyncio.gather(*tasks, return_exceptions=True)

    assert most <= 3
    assert (compartment.running, compartment.waiting) == (0, 0)


def test_a_bulkhead_that_lets_nothing_through_is_refused_when_built() -> None:
    with pytest.raises(ConfigError):
        Bulkhead(concurrency=0)
