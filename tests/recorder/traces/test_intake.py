"""The way in is bounded, shares commits, answers after them, and loses nothing without counting it."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pytest

from airworthy.core.clock import ManualClock
from airworthy.recorder.traces.gather import Batch, gather
from airworthy.recorder.traces.intake import COMMIT_SPANS_MAX, Intake, IntakeBounds, IntakeFull
from airworthy.recorder.traces.read import intake_counts
from airworthy.recorder.traces.write import Written
from airworthy.store import StoreBusy, StoreFull, Tx
from tests.database import Before
from tests.recorder.traces import kit
from tests.recorder.traces.kit import NOON_US, span, store

T = TypeVar("T")


class Gated(Before):
    """A store whose writes wait until they are let through, or fail."""

    def __init__(self) -> None:
        super().__init__(store())
        self.open = asyncio.Event()
        self.error: Exception | None = None
        self.commits = 0

    async def write(self, op: Callable[[Tx], T], *, fence: Any = None, beside: bool = False) -> T:
        await self.open.wait()
        if self.error is not None:
            raise self.error
        self.commits += 1
        return self.inner.write_now(op)


def batch(number: int, spans: int = 1) -> Batch:
    return gather([span(n, trace_id=f"{number:032x}") for n in range(1, spans + 1)], [], NOON_US)


async def offered(intake: Intake, batches: Sequence[Batch]) -> list[asyncio.Task[Written]]:
    tasks = [asyncio.create_task(intake.offer(each)) for each in batches]
    await asyncio.sleep(0)
    return tasks


async def test_nothing_is_answered_before_it_is_stored() -> None:
    gated = Gated()
    intake = Intake(gated, ManualClock())
    (task,) = await offered(intake, [batch(1)])
    await asyncio.sleep(10)
    before = task.done()
    gated.open.set()

    assert not before
    assert await task == Written(1, 0, 0)
    assert kit.counts(gated.inner, "spans") == 1


async def test_what_waits_shares_a_commit_up_to_a_bound() -> None:
    gated = Gated()
    intake = Intake(gated, ManualClock())
    first = await offered(intake, [batch(1), batch(2)])
    waiting = await offered(intake, [batch(n, COMMIT_SPANS_MAX // 4) for n in range(3, 8)])
    gated.open.set()
    await asyncio.gather(*first, *waiting)

    assert gated.commits == 3  # the first two, then four of the five, then the last
    assert intake.spans_held == 0


async def test_what_does_not_fit_is_turned_away_and_what_waits_is_kept() -> None:
    gated = Gated()
    intake = Intake(gated, ManualClock(), IntakeBounds(spans_max=10, bytes_max=100_000))
    tasks = await offered(intake, [batch(1, 6), batch(2, 4)])
    with pytest.raises(IntakeFull):
        await intake.offer(batch(3))
    gated.open.set()
    await asyncio.gather(*tasks)

    assert await intake.offer(batch(3)) == Written(1, 0, 0)
    assert kit.counts(gated.inner, "spans") == 11


async def test_a_request_larger_than_the_room_is_taken_when_nothing_else_waits() -> None:
    gated = Gated()
    gated.open.set()
    intake = Intake(gated, ManualClock(), IntakeBounds(spans_max=2, bytes_max=10_000))
    with intake.held(50_000) as held:
        held.grow(60_000)
        with pytest.raises(IntakeFull), intake.held(1):
            pass

        assert await intake.offer(batch(1, 5)) == Written(5, 0, 0)
    assert intake.bytes_held == 0


async def test_a_request_that_grows_beyond_the_room_beside_others_is_turned_away() -> None:
    intake = Intake(Gated(), ManualClock(), IntakeBounds(bytes_max=20_000))
    with intake.held(10_000), intake.held(5_000) as second:
        second.grow(10_000)
        with pytest.raises(IntakeFull):
            second.grow(10_001)
    assert intake.bytes_held == 0


@pytest.mark.parametrize("error", [StoreFull("No room."), StoreBusy("Locked.")])
async def test_a_store_that_cannot_be_written_is_told_to_everybody_who_waits(error: Exception) -> None:
    gated = Gated()
    intake = Intake(gated, ManualClock())
    tasks = await offered(intake, [batch(1), batch(2), batch(3), batch(4)])
    gated.error = error
    gated.open.set()
    told = await asyncio.gather(*tasks, return_exceptions=True)

    assert told == [error] * 4
    assert intake.spans_held == 0
    gated.error = None
    assert await intake.offer(batch(1)) == Written(1, 0, 0)


async def test_one_request_that_cannot_be_written_takes_no_other_along() -> None:
    gated = Gated()
    intake = Intake(gated, ManualClock())
    broken = gather([span(1, trace_id="d" * 32, name="\ud800")], [], NOON_US)
    tasks = await offered(intake, [batch(1), batch(2), batch(3), broken, batch(4)])
    gated.open.set()
    told = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(each) for each in told] == [Written, Written, Written, UnicodeEncodeError, Written]


async def test_who_goes_away_has_it_stored_all_the_same() -> None:
    gated = Gated()
    intake = Intake(gated, ManualClock())
    gone, stays = await offered(intake, [batch(1), batch(2)])
    gone.cancel()
    gated.open.set()
    await stays
    await intake.settle()

    assert kit.counts(gated.inner, "spans") == 2


async def test_what_was_refused_is_counted_as_soon_as_the_store_takes_it() -> None:
    gated = Gated()
    gated.open.set()
    gated.error = StoreFull("No room.")
    intake = Intake(gated, ManualClock(NOON_US))
    intake.note("turned_away", 2)
    await asyncio.sleep(30)
    gated.error = None
    await asyncio.sleep(2)
    intake.note("malformed")
    await intake.settle()

    (counts,) = gated.inner.read_now(intake_counts).values()
    assert counts == {"malformed": 1, "turned_away": 2}
