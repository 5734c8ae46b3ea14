"""The pacer against a provider in virtual time: nothing is lost, nobody is starved, a hold is a hold."""

import asyncio
import itertools
import random

import pytest

from airworthy.core.clock import US_PER_S
from airworthy.core.errors import ConfigError
from airworthy.gateway.pacing import HOLD_S_MAX, Limits, PaceFull, Pacer, Pacing
from tests.gateway.pacing.provider import Bucket, Crowd, FixedWindow, jain
from tests.virtual import LoopClock


def _pacer(policy: Pacing | None = None) -> tuple[Pacer, LoopClock]:
    clock = LoopClock()
    return Pacer(policy or Pacing(queue_max=10_000), clock, name="model"), clock


async def _turns(pacer: Pacer, clock: LoopClock, count: int, tokens: int = 1, key: str = "k") -> list[float]:
    """When each of `count` callers got its turn, in seconds from now."""
    began_us = clock.now_us()
    times: list[float] = []

    async def one() -> None:
        await pacer.take(tokens, caller_key=key)
        times.append(round((clock.now_us() - began_us) / US_PER_S, 3))

    await asyncio.gather(*(one() for _ in range(count)))
    return times


async def test_without_any_knowledge_nobody_waits() -> None:
    pacer, clock = _pacer()

    assert await _turns(pacer, clock, 100) == [0.0] * 100
    assert all(pacer.try_take(10**9) for _ in range(100))


@pytest.mark.parametrize("provider", [Bucket, FixedWindow])
@pytest.mark.parametrize("tells", [True, False], ids=["headers", "no headers"])
@pytest.mark.parametrize("seed", range(3))
async def test_ten_times_the_limit_loses_nothing_and_is_refused_in_one_spell(
    provider: type[Bucket], tells: bool, seed: int
) -> None:
    """600 calls in the first minute on 60 a minute; with headers the limit is known after one spell of refusals."""
    chance = random.Random(seed)
    pacer, clock = _pacer()
    crowd = Crowd(clock, provider(clock, 60, tells), pacer, latency_s=0.5)
    deadline_us = clock.now_us() + 1800 * US_PER_S

    async def late(key: str) -> None:
        await asyncio.sleep(chance.choice([0.0, 0.0, 0.0, chance.uniform(0, 60)]))
        await crowd.call(key, deadline_us=deadline_us)

    await asyncio.gather(*(late(f"k{n % 7}") for n in range(600)))

    assert len(crowd.answered) == 600
    assert crowd.turned_away == 0
    minutes = (crowd.answered[-1][0] - crowd.answered[0][0]) / US_PER_S / 60
    if tells:
        assert crowd.spells() == 1, "one spell of refusals teaches the limit"
        assert minutes < 12, "the allowance is used well"
    else:
        assert minutes < 20
        assert len(crowd.refused_us) < 540 + 2 * minutes


@pytest.mark.parametrize("provider", [Bucket, FixedWindow])
async def test_declared_limits_are_kept_from_the_first_call_on(provider: type[Bucket]) -> None:
    pacer, clock = _pacer(Pacing(requests_per_min=60, queue_max=1000))
    crowd = Crowd(clock, provider(clock, 60, tells=False), pacer)

    await asyncio.gather(*(crowd.call() for _ in range(300)))

    assert crowd.refused_us == []
    assert crowd.answered[-1][0] - crowd.answered[0][0] <= 5 * 61 * US_PER_S


async def test_declared_tokens_hold_in_any_minute_and_unused_ones_are_given_back() -> None:
    pacer, clock = _pacer(Pacing(tokens_per_min=1000))
    assert pacer.try_take(900)
    assert not pacer.try_take(200)

    pacer.returned(900, 300, sent_us=clock.now_us())

    assert pacer.try_take(200)
    assert pacer.try_take(500)
    assert not pacer.try_take(1)
    (waited,) = await _turns(pacer, clock, 1, tokens=400)
    assert 59 <= waited <= 61


async def test_a_call_larger_than_the_limit_goes_when_the_minute_is_free() -> None:
    pacer, clock = _pacer(Pacing(tokens_per_min=1000))
    assert pacer.try_take(10)

    (waited,) = await _turns(pacer, clock, 1, tokens=5000)

    assert 59 <= waited <= 61


async def test_headers_replace_what_was_declared() -> None:
    pacer, clock = _pacer(Pacing(requests_per_min=1))
    assert pacer.try_take(1)
    pacer.learn(Limits(600, 599, 0.1), status=200, sent_us=clock.now_us())
    pacer.returned(1, 1, sent_us=clock.now_us())

    assert sum(pacer.try_take(1) for _ in range(700)) == 599


async def test_the_last_calls_before_the_limit_are_spread_before_it_is_hit() -> None:
    pacer, clock = _pacer()
    assert pacer.try_take(1)
    pacer.learn(Limits(60, 2, 58.0), status=200, sent_us=clock.now_us())
    pacer.returned(1, 1, sent_us=clock.now_us())

    assert await _turns(pacer, clock, 5) == [0.0, 0.0, 1.0, 2.0, 3.0]


async def test_a_limit_by_the_day_is_known_by_its_long_reset() -> None:
    """10,000 a day, told after one call: 8.64 s until all is back."""
    pacer, clock = _pacer()
    assert pacer.try_take(1)
    pacer.learn(Limits(10_000, 9_999, 8.64), status=200, sent_us=clock.now_us())

    assert pacer.view().requests_per_min == pytest.approx(10_000 / 1440)


async def test_tokens_that_others_used_are_seen_in_the_headers() -> None:
    pacer, clock = _pacer()
    assert pacer.try_take(100)
    pacer.learn(
        Limits(tokens_limit=6000, tokens_remaining=100, tokens_reset_s=59.0),
        status=200,
        sent_us=clock.now_us(),
        taken=100,
    )
    pacer.returned(100, 100, sent_us=clock.now_us())

    assert not pacer.try_take(200)
    assert await _turns(pacer, clock, 1, tokens=200) == [pytest.approx(1.0, abs=0.02)]


async def test_nobody_sends_inside_a_hold_and_then_they_go_in_order_and_paced() -> None:
    pacer, clock = _pacer()
    began_us = clock.now_us()
    pacer.hold_until(began_us + 30 * US_PER_S)
    gone: list[tuple[int, float]] = []

    async def one(number: int) -> None:
        await pacer.take(1, caller_key="k")
        gone.append((number, (clock.now_us() - began_us) / US_PER_S))

    assert not pacer.try_take(1)
    await asyncio.gather(*(one(number) for number in range(10)))

    assert [number for number, _ in gone] == list(range(10))
    times = [at for _, at in gone]
    assert times[0] == pytest.approx(30, abs=0.001)
    assert all(later - before > 0.3 for before, later in itertools.pairwise(times))


async def test_a_hold_is_never_shortened_and_never_longer_than_its_bound() -> None:
    pacer, clock = _pacer()
    pacer.hold_until(clock.now_us() + 86_400 * US_PER_S)
    pacer.hold_until(clock.now_us() + US_PER_S)

    assert pacer.view().held_s == HOLD_S_MAX
    assert await _turns(pacer, clock, 1) == [HOLD_S_MAX]


async def test_who_cannot_wait_for_the_end_of_a_hold_is_refused_at_once() -> None:
    pacer, clock = _pacer(Pacing(requests_per_min=1))
    assert pacer.try_take(1)
    began_us = clock.now_us()
    waiting = asyncio.create_task(pacer.take(1, caller_key="k", deadline_us=began_us + 90 * US_PER_S))
    await asyncio.sleep(1)

    pacer.hold_until(began_us + 100 * US_PER_S)

    with pytest.raises(PaceFull) as refused:
        await waiting
    assert clock.now_us() - began_us == US_PER_S
    assert refused.value.retry_after_s == 99
    with pytest.raises(PaceFull):
        await pacer.take(1, caller_key="k", deadline_us=began_us + 90 * US_PER_S)
    assert pacer.waiting == 0


async def test_a_turn_that_cannot_come_in_time_is_refused_with_the_time_it_would_take() -> None:
    pacer, clock = _pacer()
    assert pacer.try_take(1)
    pacer.learn(Limits(60, 0, 60.0), status=200, sent_us=clock.now_us())
    others = [asyncio.create_task(pacer.take(1, caller_key="k")) for _ in range(20)]
    await asyncio.sleep(0)

    with pytest.raises(PaceFull) as refused:
        await pacer.take(1, caller_key="k", deadline_us=clock.now_us() + 10 * US_PER_S)

    assert refused.value.retry_after_s == pytest.approx(21, abs=0.5)
    await asyncio.gather(*others)


async def test_the_line_is_bounded() -> None:
    pacer, _ = _pacer(Pacing(requests_per_min=1, queue_max=3))
    assert pacer.try_take(1)
    waiting = [asyncio.create_task(pacer.take(1, caller_key="k")) for _ in range(3)]
    await asyncio.sleep(0)

    with pytest.raises(PaceFull) as refused:
        await pacer.take(1, caller_key="other")

    assert "3 calls wait" in str(refused.value)
    assert refused.value.retry_after_s > 0
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)


@pytest.mark.parametrize("policy", [{"requests_per_min": 0}, {"tokens_per_min": -1}, {"queue_max": 0}])
def test_a_pacing_that_lets_nothing_through_is_refused_when_built(policy: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        Pacing(**policy)


async def test_a_thousand_calls_of_one_caller_do_not_delay_the_one_call_of_another() -> None:
    pacer, clock = _pacer()
    assert pacer.try_take(1)
    pacer.learn(Limits(60, 0, 60.0), status=200, sent_us=clock.now_us())
    crowd = [asyncio.create_task(pacer.take(1, caller_key="big")) for _ in range(1000)]
    await asyncio.sleep(5.5)

    (waited,) = await _turns(pacer, clock, 1, key="small")

    assert waited <= 2
    for task in crowd:
        task.cancel()
    await asyncio.wait(crowd)
    assert pacer.waiting == 0


async def _shares(pacer: Pacer, keys: dict[str, tuple[int, int, float]], seconds: float) -> dict[str, int]:
    """Tokens each caller got; `keys`: calls queued, tokens of each, weight."""
    got = dict.fromkeys(keys, 0)

    async def one(key: str, tokens: int, weight: float) -> None:
        await pacer.take(tokens, caller_key=key, weight=weight)
        got[key] += tokens

    tasks = [
        asyncio.create_task(one(key, tokens, weight))
        for key, (calls, tokens, weight) in keys.items()
        for _ in range(calls)
    ]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    return got


async def _learnt(requests: int, tokens: int) -> Pacer:
    pacer, clock = _pacer()
    assert pacer.try_take(1)
    pacer.learn(Limits(requests, 0, 60.0, tokens, 0, 60.0), status=200, sent_us=clock.now_us())
    return pacer


async def test_callers_get_equal_shares_however_much_they_queue() -> None:
    pacer = await _learnt(600, 10**9)

    got = await _shares(pacer, {f"k{n}": (40 + 100 * n, 1, 1.0) for n in range(8)}, 20)

    assert jain([float(share) for share in got.values()]) > 0.99


async def test_large_calls_count_for_the_tokens_they_take() -> None:
    pacer = await _learnt(600, 60_000)

    got = await _shares(pacer, {"large": (200, 1000, 1.0), "small": (2000, 100, 1.0)}, 120)

    assert jain([float(share) for share in got.values()]) > 0.98


async def test_a_weight_of_two_gets_two_shares() -> None:
    pacer = await _learnt(600, 10**9)

    got = await _shares(pacer, {"plain": (500, 1, 1.0), "double": (500, 1, 2.0)}, 30)

    assert got["double"] / got["plain"] == pytest.approx(2, rel=0.05)


async def test_a_larger_priority_goes_first_and_a_smaller_one_does_not_starve() -> None:
    pacer = await _learnt(60, 10**9)
    gone: list[int] = []

    async def one(priority: int) -> None:
        await pacer.take(1, caller_key="k", priority=priority)
        gone.append(priority)

    tasks = [asyncio.create_task(one(priority)) for priority in [0] * 10 + [5] * 60]
    await asyncio.sleep(45.5)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)

    assert gone[:9] == [5] * 9
    assert 3 <= gone.count(0) <= 5


@pytest.mark.parametrize("seed", range(20))
async def test_cancelled_callers_leave_no_trace(seed: int) -> None:
    """Whoever is left gets every turn there is, at the rate there was."""
    chance = random.Random(seed)
    pacer = await _learnt(60, 10**9)
    before = pacer.view().under_way
    tasks = [
        asyncio.create_task(pacer.take(1, caller_key=f"k{chance.randrange(4)}", priority=chance.randrange(2)))
        for _ in range(40)
    ]
    for task in chance.sample(tasks, 30):
        await asyncio.sleep(chance.choice([0, 0, 0.3, 1.0]))
        task.cancel()
    await asyncio.wait(tasks)

    taken = sum(not task.cancelled() for task in tasks)
    assert pacer.waiting == 0
    assert pacer.view().under_way == before + taken
    assert len(pacer._deadlines) == 0
    clock = LoopClock()
    assert (await _turns(pacer, clock, 3))[-1] <= 3.1


async def test_a_turn_given_to_one_who_was_cancelled_goes_to_the_next() -> None:
    pacer = await _learnt(60, 10**9)
    first = asyncio.create_task(pacer.take(1, caller_key="k"))
    second = asyncio.create_task(pacer.take(1, caller_key="k"))
    await asyncio.sleep(0)

    asyncio.get_running_loop().call_later(1.0000015, first.cancel)
    await second

    assert asyncio.get_running_loop().time() < 2.1


async def test_without_headers_refusals_halve_the_rate_and_time_gives_it_back() -> None:
    pacer, clock = _pacer()
    for _ in range(60):
        pacer.learn(None, status=200, sent_us=clock.now_us())
        await asyncio.sleep(0.5)
        pacer.learn(None, status=200, sent_us=clock.now_us())
        await asyncio.sleep(0.5)
    for _ in range(7):
        pacer.learn(None, status=429, sent_us=clock.now_us())
    pacer.learn(None, status=429, sent_us=clock.now_us() - 1)

    assert pacer.view().throttled_per_min == 60
    await asyncio.sleep(50)
    assert pacer.view().throttled_per_min == pytest.approx(120)
    await asyncio.sleep(600)
    assert pacer.view().throttled_per_min is None


async def test_one_refusal_among_many_answers_is_no_limit() -> None:
    """A server that is overloaded for a moment must not slow everybody down for a minute."""
    pacer, clock = _pacer()
    for _ in range(40):
        pacer.learn(None, status=200, sent_us=clock.now_us())
    pacer.learn(None, status=429, sent_us=clock.now_us())

    assert pacer.view().throttled_per_min is None


async def test_a_young_count_is_not_taken_for_a_slow_one() -> None:
    pacer, clock = _pacer()
    for _ in range(30):
        pacer.learn(None, status=200, sent_us=clock.now_us())
    pacer.hold_until(clock.now_us() + US_PER_S)

    assert (pacer.view().throttled_per_min or 0) > 60


async def test_many_deadlines_do_not_pile_up() -> None:
    pacer, clock = _pacer()
    pacer.hold_until(clock.now_us() + 600 * US_PER_S)
    for _ in range(500):
        task = asyncio.create_task(pacer.take(1, caller_key="k", deadline_us=clock.now_us() + 700 * US_PER_S))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})

    assert len(pacer._deadlines) < 100


async def test_a_waiter_is_refused_at_its_deadline_when_others_go_first() -> None:
    pacer = await _learnt(60, 10**9)
    clock = LoopClock()
    late = asyncio.create_task(pacer.take(1, caller_key="k", deadline_us=clock.now_us() + 5 * US_PER_S))
    await asyncio.sleep(0)
    others = [asyncio.create_task(pacer.take(1, caller_key="k", priority=9)) for _ in range(9)]

    with pytest.raises(PaceFull, match="deadline"):
        await late

    assert asyncio.get_running_loop().time() == pytest.approx(5, abs=0.01)
    await asyncio.gather(*others)


@pytest.mark.parametrize("tells", [True, False], ids=["headers", "no headers"])
@pytest.mark.parametrize("provider", [Bucket, FixedWindow])
async def test_two_processes_with_one_key_come_to_terms(provider: type[Bucket], tells: bool) -> None:
    """Neither knows of the other; each sees only what the provider says."""
    clock = LoopClock()
    one = provider(clock, 60, tells)
    crowds = [Crowd(clock, one, Pacer(Pacing(queue_max=1000), clock)) for _ in range(2)]

    await asyncio.gather(*(crowd.call(f"k{n % 3}") for crowd in crowds for n in range(200)))

    assert [len(crowd.answered) for crowd in crowds] == [200, 200]
    later_us = crowds[0].sent_us[0] + 60 * US_PER_S
    refused = sum(at_us > later_us for crowd in crowds for at_us in crowd.refused_us)
    assert refused < 0.1 * 400
    assert (max(crowd.answered[-1][0] for crowd in crowds) - later_us) / US_PER_S < 60 * 12
