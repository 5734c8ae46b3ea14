"""A shared breaker of one process does what a lone one does, with its store and without."""

import asyncio
import random

import pytest

from airworthy.core.halt import Suspend
from airworthy.resilience import Circuit, CircuitOpen, Mode, Permit, Result
from airworthy.resilience.shared import SharedCircuit
from tests.resilience.shared.world import NAME, POLICY, World, admit

RESULTS: list[Result] = ["ok", "failure", "failure", "failure", "neutral"]


@pytest.mark.parametrize("down", [False, True], ids=["store", "store down"])
@pytest.mark.parametrize("seed", range(40))
async def test_any_use_is_answered_as_by_a_lone_breaker(seed: int, down: bool) -> None:
    chance = random.Random(seed)
    world = World(1)
    world.database.down = down
    (shared,) = world.circuits
    lone = Circuit(POLICY, world.clock, name=NAME)
    permits: list[tuple[Permit, Permit]] = []
    opened = 0
    await world.tick()

    for _ in range(150):
        match chance.choice(["enter"] * 8 + ["leave"] * 8 + ["wait", "hand"]):
            case "enter":
                answers = [await _answer(lone), await _answer(shared)]
                assert isinstance(answers[0], Permit) == isinstance(answers[1], Permit), answers
                if isinstance(answers[0], Permit) and isinstance(answers[1], Permit):
                    permits.append((answers[0], answers[1]))
                else:
                    assert answers[0] == answers[1]
            case "leave" if permits:
                one, other = permits.pop(chance.randrange(len(permits)))
                result = chance.choice(RESULTS)
                lone.leave(one, result)
                shared.leave(other, result)
            case "wait":
                await asyncio.sleep(chance.choice([0.1, 0.1, 1, 5, 31]))
            case "hand" if chance.random() < 0.2:
                for circuit in (lone, shared):
                    circuit.force_open("test") if seed % 2 else circuit.force_close("test")
        await world.tick()
        assert (shared.state.mode, shared.state.reason) == (lone.state.mode, lone.state.reason)
        now_us = world.clock.now_us()
        assert shared.state.window.counts(now_us, 10) == lone.state.window.counts(now_us, 10)
        opened += lone.state.mode is Mode.OPEN

    assert opened, "the seed shows something"


async def _answer(circuit: Circuit | SharedCircuit) -> Permit | tuple[str, float]:
    try:
        return await admit(circuit)
    except CircuitOpen as refused:
        return refused.message, refused.retry_after_s


async def test_cancelled_and_halted_calls_say_nothing_about_the_dependency() -> None:
    world = World(1)
    (circuit,) = world.circuits
    for stop in (asyncio.CancelledError, lambda: Suspend("approval")):
        for _ in range(20):
            with pytest.raises((asyncio.CancelledError, Suspend)):
                async with circuit.guard():
                    raise stop()
    await world.tick()

    assert circuit.state.window.counts(world.clock.now_us(), 10) == (0, 0)


@pytest.mark.parametrize(("judged", "mode"), [("neutral", Mode.CLOSED), ("failure", Mode.OPEN)])
async def test_a_guarded_call_that_fails_counts_by_its_judge(judged: Result, mode: Mode) -> None:
    world = World(1)
    (circuit,) = world.circuits

    for _ in range(8):
        with pytest.raises(KeyError):
            async with circuit.guard(lambda _: judged):
                raise KeyError

    assert circuit.state.mode is mode
