"""What nobody will wake is found: in one sweep for all processes, and of the dead as soon as their lease is over."""

import asyncio

import pytest

from airworthy.core.clock import US_PER_S
from airworthy.runtime import Run, State, sweeping
from airworthy.runtime.engines import engine_of
from airworthy.runtime.lifecycle import Lifecycle
from airworthy.runtime.presence import OVER_S, RANK_S, Presence
from airworthy.runtime.sweeping import SWEEP_S, missed, my_turn, sweep
from airworthy.store import Tx
from airworthy.store import lease as leases
from airworthy.store.lease import LEASE_S, Owner
from tests.runtime.kit import Bench, bench


async def echo(run: Run) -> str:
    return run.text


def forgotten(on: Bench, *tasks: str) -> None:
    """Their wake-ups are lost."""
    lifecycle = Lifecycle(engine_of(on.app.database), on.app.payloads)
    for task in tasks:
        on.app.database.write_now(lambda tx, task=task: lifecycle.engine.forget(tx, task))  # type: ignore[misc]


def swept(on: Bench, now_us: int) -> int:
    lifecycle = Lifecycle(engine_of(on.app.database), on.app.payloads)

    def op(tx: Tx) -> int:
        return sweep(tx, lifecycle, now_us, missed(tx, lifecycle.engine, now_us))

    return on.app.database.write_now(op)


async def test_one_of_all_who_ask_sweeps_and_the_next_when_it_is_time() -> None:
    on = bench(echo)
    asked = [0.0, 0.0, SWEEP_S - 1, SWEEP_S, SWEEP_S]
    begin_us = on.app.clock.now_us()

    mine = [
        on.app.database.write_now(lambda tx, at_s=at_s: my_turn(tx, begin_us + round(at_s * US_PER_S)))  # type: ignore[misc]
        for at_s in asked
    ]

    assert mine == [True, False, False, True, False]


async def test_a_clock_that_is_set_back_stops_no_sweep() -> None:
    on = bench(echo)
    now_us = on.app.clock.now_us()
    on.app.database.write_now(lambda tx: my_turn(tx, now_us + 3600 * US_PER_S))

    assert on.app.database.write_now(lambda tx: my_turn(tx, now_us))


async def test_many_are_looked_at_bit_by_bit_and_after_the_last_from_the_first_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sweeping, "SWEPT_MAX", 2)  # Ten thousand tasks take a second to make.
    on = bench(echo)
    tasks = sorted(on.submit(str(number)) for number in range(5))
    forgotten(on, tasks[0], tasks[4])
    now_us = on.app.clock.now_us()

    found = [swept(on, now_us) for _ in range(3)]
    forgotten(on, tasks[0])
    found.append(swept(on, now_us))

    assert found == [1, 0, 1, 1]


async def test_a_task_that_waits_for_later_is_not_looked_for_before_it_is_due() -> None:
    async def sleeper(run: Run) -> str:
        await run.sleep(100)
        return "awake"

    on = bench(sleeper)
    task = on.submit()
    worker = on.worker()
    working = asyncio.create_task(worker.run())
    await asyncio.sleep(1)
    forgotten(on, task)
    worker.stop()
    await working
    row = on.task(task)
    assert row.wake_us is not None

    assert row.state is State.WAITING
    assert swept(on, row.wake_us - 1) == 0
    assert swept(on, row.wake_us) == 1


async def test_what_has_been_taken_up_since_it_was_seen_is_left_alone() -> None:
    on = bench(echo)
    task = on.submit()
    forgotten(on, task)
    lifecycle = Lifecycle(engine_of(on.app.database), on.app.payloads)
    now_us = on.app.clock.now_us()
    seen = on.app.database.read_now(lambda tx: missed(tx, lifecycle.engine, now_us))
    on.app.operations.cancel(task, "dana", "")

    assert seen.tasks == (task,)
    assert on.app.database.write_now(lambda tx: sweep(tx, lifecycle, now_us, seen)) == 0


@pytest.mark.parametrize("survivors", [1, 3])
async def test_what_a_dead_process_held_is_taken_over_when_its_lease_is_over(survivors: int) -> None:
    on = bench(echo)
    task = on.submit()
    database, clock, loop = on.app.database, on.app.clock, asyncio.get_running_loop()
    lifecycle = Lifecycle(engine_of(database), on.app.payloads)

    def claim(tx: Tx) -> None:
        leases.join(tx, Owner("wkr_0_dead", "", 1, ""), clock.now_us())
        lifecycle.engine.take(tx, ["support"], clock.now_us(), 1)
        assert lifecycle.claim(tx, task, "wkr_0_dead", clock.now_us(), {"support": 3}) is not None

    database.write_now(claim)
    began_s = loop.time()
    keeping: list[asyncio.Task[None]] = []
    for number in range(survivors):
        presence = Presence(database, clock, Owner(f"wkr_{number + 1}", "", 1, ""), lifecycle)
        database.write_now(presence.join)
        keeping.append(asyncio.create_task(presence.keep(_nothing, _swept)))
    while database.read_now(lambda tx: lifecycle.engine.next_us(tx, ["support"])) is None:
        await asyncio.sleep(0.01)
    took_s = loop.time() - began_s
    for each in keeping:
        each.cancel()
    await asyncio.gather(*keeping, return_exceptions=True)

    assert LEASE_S < took_s <= LEASE_S + OVER_S + RANK_S + 0.02


def _nothing() -> None:
    return


async def _swept(_: int) -> None:
    return
