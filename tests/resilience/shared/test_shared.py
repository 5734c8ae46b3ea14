"""Breakers shared by several processes: they open together, probe one at a time, and obey a person."""

import asyncio
import contextlib
import random

import pytest

from airworthy.core.clock import US_PER_S
from airworthy.resilience import Breaker, BreakerState, CircuitOpen, Mode, Permit, breaker
from airworthy.resilience._window import Window
from airworthy.resilience.shared import Hand, UnknownBreaker, decide, listing
from airworthy.resilience.shared.rows import News, exchange, merged, told
from tests.resilience.shared.world import NAME, POLICY, World, fail


def _modes(world: World) -> list[Mode]:
    return [circuit.state.mode for circuit in world.circuits]


async def test_what_one_process_opens_is_open_in_all_within_a_second() -> None:
    async with World(4).running() as world:
        fail(world.circuits[2], 8)

        await asyncio.sleep(1)

        assert _modes(world) == [Mode.OPEN] * 4
        (row,) = world.database.read_now(listing)
        assert (row.name, row.by_whom, row.state.reason) == (NAME, "w2", "8 of 8 calls failed within 10 s")
        with pytest.raises(CircuitOpen, match="8 of 8 calls failed"):
            world.circuits[0].enter()


async def test_failures_of_four_workers_add_up() -> None:
    """Three each would never open any of them alone."""
    async with World(4).running() as world:
        for circuit in world.circuits:
            fail(circuit, 3)

        await asyncio.sleep(1.5)

        assert _modes(world) == [Mode.OPEN] * 4


async def test_successes_elsewhere_outweigh_failures_here() -> None:
    async with World(2).running() as world:
        healthy, ill = world.circuits
        for _ in range(40):
            healthy.leave(healthy.enter(), "ok")
        await asyncio.sleep(1)
        fail(ill, 4)
        await asyncio.sleep(1.5)
        fail(ill, 6)
        await asyncio.sleep(1.5)

        assert _modes(world) == [Mode.CLOSED] * 2
        assert ill.state.window.counts(world.clock.now_us(), POLICY.window_s) == (40, 10)


async def test_a_healthy_dependency_costs_no_write() -> None:
    async with World(3).running() as world:
        await asyncio.sleep(1)
        before = world.database.writes
        for _ in range(100):
            for circuit in world.circuits:
                circuit.leave(circuit.enter(), "ok")
            await asyncio.sleep(0.3)

        assert world.database.writes == before


@pytest.mark.parametrize("seed", range(60))
async def test_there_is_never_more_than_one_probe_among_all_processes(seed: int) -> None:
    """Slow stores, crashes, cancelled callers, late results, in any order."""
    chance = random.Random(seed)
    world = World(4)
    world.database.delay_s = lambda: chance.choice([0.0, 0.0, 0.01, 0.3, 1.5])
    live: dict[int, int] = {}  # by number of the call: when it is given up
    probes = 0

    async def one_call(number: int) -> None:
        nonlocal probes
        circuit = chance.choice(world.circuits)
        try:
            permit = circuit.enter() if chance.random() < 0.3 else await circuit.admit()
        except CircuitOpen:
            return
        if permit.probe is not None:
            probes += 1
            now_us = world.clock.now_us()
            others = {other for other, until_us in live.items() if until_us > now_us}
            assert not others, f"seed {seed}: call {number} and {others} probe at once"
            (row,) = world.database.read_now(listing)
            assert row.state.probe == permit.probe, f"seed {seed}: the store knows of another probe"
            live[number] = row.state.probe_until_us
        try:
            await asyncio.sleep(chance.choice([0.0, 0.1, 2.0, 40.0]) if permit.probe else 0.1)
        except asyncio.CancelledError:
            live.pop(number, None)
            circuit.leave(permit, "neutral")
            raise
        if (
            chance.random() < 0.9
        ):  # Else the process died with it, and nobody knows whether it is still on its way.
            live.pop(number, None)
            circuit.leave(permit, chance.choice(["ok", "failure", "failure", "failure", "neutral"]))

    async with world.running():
        calls = []
        for number in range(400):
            calls.append(asyncio.create_task(one_call(number)))
            await asyncio.sleep(chance.choice([0.0, 0.0, 0.1, 1.0]))
            if chance.random() < 0.1:
                chance.choice(calls).cancel()
        for done in await asyncio.gather(*calls, return_exceptions=True):
            if isinstance(done, Exception):
                raise done
        await asyncio.sleep(5)

    assert probes


async def _open(world: World) -> None:
    fail(world.circuits[0], 8)
    await world.tick()
    await world.tick()
    assert set(_modes(world)) == {Mode.OPEN}
    await asyncio.sleep(POLICY.open_s)


async def test_the_losers_of_a_probe_stay_refused_until_it_is_back() -> None:
    world = World(3)
    await _open(world)

    answers = await asyncio.gather(*(circuit.admit() for circuit in world.circuits), return_exceptions=True)

    won = [n for n, answer in enumerate(answers) if isinstance(answer, Permit)]
    assert len(won) == 1
    assert sum(isinstance(answer, CircuitOpen) for answer in answers) == 2
    permit = answers[won[0]]
    assert isinstance(permit, Permit)
    world.circuits[won[0]].leave(permit, "ok")
    await world.tick()
    await world.tick()
    assert _modes(world) == [Mode.CLOSED] * 3


async def test_a_probe_lost_in_a_crash_is_given_up_and_its_late_result_ignored() -> None:
    world = World(2)
    await _open(world)
    lost = await world.circuits[0].admit()
    await asyncio.sleep(POLICY.probe_s_max - 0.1)
    with pytest.raises(CircuitOpen):
        await world.circuits[1].admit()
    await asyncio.sleep(0.1)

    second = await world.circuits[1].admit()
    world.circuits[0].leave(lost, "ok")
    await world.tick()
    await world.tick()

    assert _modes(world) == [Mode.HALF_OPEN] * 2
    world.circuits[1].leave(second, "ok")
    await world.tick()
    await world.tick()
    assert _modes(world) == [Mode.CLOSED] * 2


async def test_a_caller_cancelled_while_it_claims_gives_the_probe_back() -> None:
    world = World(2)
    await _open(world)
    world.database.delay_s = lambda: 0.2
    claiming = asyncio.create_task(world.circuits[0].admit())
    await asyncio.sleep(0.3)
    claiming.cancel()
    await asyncio.wait({claiming})
    await asyncio.sleep(0.5)
    await world.tick()

    assert (await world.circuits[1].admit()).probe is not None


async def test_who_cannot_wait_gets_the_probe_that_was_claimed_for_it() -> None:
    async with World(2).running() as world:
        fail(world.circuits[0], 8)
        await asyncio.sleep(POLICY.open_s + 0.1)
        with pytest.raises(CircuitOpen) as refused:
            world.circuits[1].enter()
        assert refused.value.retry_after_s == 0.5

        await asyncio.sleep(0.6)

        permit = world.circuits[1].enter()
        assert permit.probe is not None
        world.circuits[1].leave(permit, "ok")
        await asyncio.sleep(1)
        assert _modes(world) == [Mode.CLOSED] * 2


async def test_opened_by_a_person_it_is_open_everywhere_whatever_the_calls_say() -> None:
    async with World(3).running() as world:
        await asyncio.sleep(1)
        permits = [circuit.enter() for circuit in world.circuits]
        hand = Hand(opens=True, reason="vendor is migrating", by_whom="dana")
        world.database.write_now(lambda tx: decide(tx, NAME, hand, world.clock.now_us()))
        for circuit, permit in zip(world.circuits, permits, strict=True):
            circuit.leave(permit, "ok")
        with contextlib.suppress(CircuitOpen):
            fail(world.circuits[0], 20)  # Opens by itself before it hears of the decision.

        await asyncio.sleep(100)

        for circuit in world.circuits:
            with pytest.raises(CircuitOpen, match="opened by hand: vendor is migrating"):
                await circuit.admit()
        (row,) = world.database.read_now(listing)
        assert row.by_whom == "dana"
        world.database.write_now(
            lambda tx: decide(tx, NAME, Hand(opens=False, reason="", by_whom="dana"), world.clock.now_us())
        )
        await asyncio.sleep(1)
        assert _modes(world) == [Mode.CLOSED] * 3


async def test_a_hand_in_one_process_is_obeyed_in_all() -> None:
    async with World(2).running() as world:
        await asyncio.sleep(1)
        world.circuits[0].force_open("incident 7", "lee")
        assert world.circuits[0].state.forced

        await asyncio.sleep(1)

        assert world.circuits[1].state.forced
        (row,) = world.database.read_now(listing)
        assert (row.by_whom, row.state.reason) == ("lee", "opened by hand: incident 7")


async def test_without_the_store_each_process_goes_on_alone_and_tells_later() -> None:
    async with World(2).running() as world:
        await asyncio.sleep(1)
        world.database.down = True
        fail(world.circuits[0], 8)
        await asyncio.sleep(3)
        assert _modes(world) == [Mode.OPEN, Mode.CLOSED]
        await asyncio.sleep(POLICY.open_s)
        probe = world.circuits[0].enter()
        assert probe.probe is not None
        world.circuits[0].leave(probe, "failure")

        world.database.down = False
        await asyncio.sleep(1.5)

        assert _modes(world) == [Mode.OPEN, Mode.OPEN]
        assert world.circuits[1].state.reason == "a probe failed"


async def test_a_process_that_comes_later_finds_what_is_stored() -> None:
    world = World(2)
    fail(world.circuits[0], 8)
    await world.homes[0].tick()

    await world.homes[1].tick()

    assert world.circuits[1].state.mode is Mode.OPEN


async def test_each_change_is_reported_where_it_is_seen() -> None:
    world = World(2)
    seen: list[tuple[Mode, Mode]] = []
    world.homes[1].on_change = lambda change: seen.append((change.before, change.after))
    await _open(world)
    permit = await world.circuits[1].admit()
    world.circuits[1].leave(permit, "ok")

    assert seen == [(Mode.CLOSED, Mode.OPEN), (Mode.OPEN, Mode.HALF_OPEN), (Mode.HALF_OPEN, Mode.CLOSED)]


T0 = 1_764_000_000 * US_PER_S


def _closed(term: int, failures: int) -> BreakerState:
    return BreakerState(term=term, window=Window().add(T0, POLICY.window_s, second=failures))


@pytest.mark.parametrize(
    ("stored", "news", "mode", "term", "why"),
    [
        (_closed(0, 4), News(0, Window().add(T0, 10, second=3)), Mode.CLOSED, 0, "seven are too few"),
        (_closed(0, 4), News(0, Window().add(T0, 10, second=4)), Mode.OPEN, 1, "eight in all open it"),
        (_closed(2, 4), News(0, Window().add(T0, 10, second=4)), Mode.CLOSED, 2, "counts of an earlier term"),
        (_closed(0, 0), News(0, moved=BreakerState(Mode.OPEN, 1)), Mode.OPEN, 1, "opened elsewhere"),
        (
            _closed(2, 0),
            News(0, moved=BreakerState(Mode.OPEN, 1)),
            Mode.CLOSED,
            2,
            "opened in an earlier term",
        ),
        (
            breaker.force_open(POLICY, _closed(0, 0), T0, "x"),
            News(0, moved=BreakerState(Mode.CLOSED, 2)),
            Mode.OPEN,
            1,
            "a person opened it meanwhile",
        ),
        (
            BreakerState(Mode.OPEN, 3),
            News(1, hand=Hand(opens=False, reason="", by_whom="a")),
            Mode.CLOSED,
            4,
            "a hand comes before everything",
        ),
    ],
)
def test_news_is_worked_into_the_stored_state(
    stored: BreakerState, news: News, mode: Mode, term: int, why: str
) -> None:
    state = told(POLICY, stored, news, T0)

    assert (state.mode, state.term) == (mode, term), why


def test_two_windows_add_up_slot_by_slot_and_stay_bounded() -> None:
    chance = random.Random(1)
    one, two, both = Window(), Window(), Window()
    for step in range(400):
        at_us, first = T0 + step * 200_000, chance.random() < 0.5
        both = both.add(at_us, 10, first=int(first), second=int(not first))
        if chance.random() < 0.5:
            one = one.add(at_us, 10, first=int(first), second=int(not first))
        else:
            two = two.add(at_us, 10, first=int(first), second=int(not first))

    end_us = T0 + 400 * 200_000
    assert merged(one, two).counts(end_us, 10) == both.counts(end_us, 10)
    assert merged(one, two) == merged(two, one)
    assert len(merged(one, two).slots) <= 10


async def test_a_decision_about_a_name_that_nobody_uses_is_refused() -> None:
    world = World(1)

    with pytest.raises(UnknownBreaker):
        world.database.write_now(
            lambda tx: decide(tx, "tool:crn", Hand(opens=True, reason="", by_whom="a"), T0)
        )


async def test_an_exchange_without_news_writes_nothing() -> None:
    world = World(1)
    with contextlib.suppress(CircuitOpen):
        await world.tick()
    before = world.database.read_now(listing)

    world.database.write_now(lambda tx: exchange(tx, NAME, POLICY, News(0), "w9", T0))

    assert world.database.read_now(listing) == before
    assert before[0].version == 1


def test_a_row_keeps_the_policy_it_is_judged_by() -> None:
    world_policy = Breaker(calls_min=3)

    async def main() -> None:
        world = World(1, world_policy)
        await world.tick()
        assert world.database.read_now(listing)[0].policy == world_policy

    from tests.virtual import run_virtual

    run_virtual(main())
