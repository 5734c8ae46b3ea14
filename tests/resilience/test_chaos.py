"""Faults as call policies: which try they meet, and what the caller sees of them."""

import asyncio

import pytest

from airworthy.core.errors import ConfigError
from airworthy.resilience.chaos import KINDS, Chaos, Fault


class Counting:
    def __init__(self) -> None:
        self.done = 0

    async def __call__(self) -> int:
        self.done += 1
        return self.done


async def test_once_lets_the_next_try_through_and_always_lets_none() -> None:
    call = Counting()
    once, always = Chaos[int](Fault("reset_before")), Chaos[int](Fault("reset_before", "always"))

    with pytest.raises(ConnectionResetError):
        await once.run(call)
    assert await once.run(call) == 1
    for _ in range(3):
        with pytest.raises(ConnectionResetError):
            await always.run(call)
    assert call.done == 1


async def test_a_connection_lost_after_the_act_looks_like_one_lost_before_it() -> None:
    before, after = Counting(), Counting()

    with pytest.raises(ConnectionResetError) as early:
        await Chaos[int](Fault("reset_before")).run(before)
    with pytest.raises(ConnectionResetError) as late:
        await Chaos[int](Fault("reset_after")).run(after)

    assert (before.done, after.done) == (0, 1)
    assert str(early.value) == str(late.value)


async def test_a_fault_of_time_ends_with_the_guard_around_it() -> None:
    call = Counting()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(Chaos[int](Fault("timeout")).run(call), 0.001)
    assert call.done == 0
    assert await Chaos[int](Fault("slow", seconds=0.001)).run(call) == 1


async def test_what_depends_on_the_call_must_be_told() -> None:
    with pytest.raises(ConfigError, match="depends on what is called"):
        await Chaos[int](Fault("http_500")).run(Counting())

    async def strike(fault: Fault, call: object) -> int:
        return len(fault.kind)

    assert await Chaos[int](Fault("http_500"), strike).run(Counting()) == len("http_500")


def test_every_kind_of_the_matrix_is_there_and_no_other_can_be_asked_for() -> None:
    assert len(KINDS) == 19
    assert all(kind.about and kind.on for kind in KINDS.values())
    with pytest.raises(ConfigError, match="There is no fault 'http_418'"):
        Fault("http_418")
