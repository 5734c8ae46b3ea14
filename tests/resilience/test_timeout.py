"""Timeouts: the work ends, or is left behind and reported; the loop and its threads live on."""

import asyncio
import contextvars
import gc
import subprocess
import sys
import threading
import weakref

import pytest

from airworthy.core.halt import Suspend
from airworthy.resilience import Abandoned, Ended, TimedOut, WorkCrashed, bounded, bounded_in_thread
from tests.virtual import wait_external

WHO: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")


class Custom(BaseException):
    """What a library might raise to end its own loop."""


CRASHES = [SystemExit(1), KeyboardInterrupt(), GeneratorExit(), Custom("x"), asyncio.CancelledError()]


async def test_work_in_time_gives_its_value() -> None:
    async def work() -> str:
        await asyncio.sleep(4.9)
        return "done"

    assert await bounded(work, 5) == "done"


async def test_late_work_is_really_cancelled_at_the_moment() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            ended.append("cleaned up")

    with pytest.raises(TimedOut) as raised:
        await bounded(work, 5)

    assert not raised.value.abandoned
    assert ended == ["cleaned up"]
    assert asyncio.get_running_loop().time() == 5


async def test_work_that_ignores_its_end_is_abandoned_reported_and_its_late_result_kept() -> None:
    abandoned: list[Abandoned] = []
    late: list[Ended[str]] = []

    async def stubborn() -> str:
        while True:
            try:
                await asyncio.sleep(50)
                return "paid"
            except asyncio.CancelledError:
                continue

    with pytest.raises(TimedOut) as raised:
        await bounded(stubborn, 5, name="pay", grace_s=2, on_abandoned=abandoned.append, late=late.append)
    assert raised.value.abandoned
    assert abandoned == [Abandoned("pay", "task", 5, 2)]
    assert asyncio.get_running_loop().time() == 7
    assert late == []

    await asyncio.sleep(100)

    assert late == [Ended("paid")]


async def test_abandoned_work_is_not_lost_to_the_garbage_collector() -> None:
    late: list[Ended[str]] = []
    waits_for: list[weakref.ref[asyncio.Future[str]]] = []

    async def stubborn() -> str:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            pass
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        waits_for.append(weakref.ref(answer))
        return await answer

    with pytest.raises(TimedOut):
        await bounded(stubborn, 5, late=late.append)

    gc.collect()
    answer = waits_for[0]()
    assert answer is not None
    answer.set_result("paid")
    await asyncio.sleep(1)
    assert late == [Ended("paid")]


async def test_work_that_finishes_within_the_grace_is_late_not_abandoned() -> None:
    late: list[Ended[str]] = []

    async def finishes() -> str:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            await asyncio.sleep(0.5)
        return "rolled back"

    with pytest.raises(TimedOut) as raised:
        await bounded(finishes, 5, late=late.append)

    assert not raised.value.abandoned
    assert late == [Ended("rolled back")]


@pytest.mark.parametrize("crash", CRASHES, ids=lambda crash: type(crash).__name__)
async def test_a_crash_in_async_work_is_an_ordinary_error(crash: BaseException) -> None:
    async def work() -> None:
        raise crash

    with pytest.raises(WorkCrashed) as raised:
        await bounded(work, 5)

    assert type(raised.value.original) is type(crash)


@pytest.mark.parametrize("crash", [*CRASHES, StopIteration(3)], ids=lambda crash: type(crash).__name__)
async def test_a_crash_in_a_thread_is_an_ordinary_error(crash: BaseException) -> None:
    def work() -> None:
        raise crash

    with pytest.raises(WorkCrashed) as raised:
        await wait_external(bounded_in_thread(work, 5))

    assert raised.value.original is crash


async def test_an_ordinary_error_comes_through_as_it_is() -> None:
    error = ValueError("mine")

    async def work() -> None:
        raise error

    def plain_work() -> None:
        raise error

    for waiting in (bounded(work, 5), bounded_in_thread(plain_work, 5)):
        with pytest.raises(ValueError, match="mine") as raised:
            await wait_external(waiting)
        assert raised.value is error


async def test_a_halt_of_the_run_passes_through() -> None:
    async def work() -> None:
        raise Suspend("approval")

    def plain_work() -> None:
        raise Suspend("approval")

    with pytest.raises(Suspend):
        await bounded(work, 5)
    with pytest.raises(Suspend):
        await wait_external(bounded_in_thread(plain_work, 5))


async def test_cancelling_the_caller_cancels_the_work_and_propagates() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    task = asyncio.create_task(bounded(work, 50))
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.wait({task})

    assert task.cancelled()
    assert ended == ["cancelled"]


async def test_cancelling_the_caller_of_stubborn_work_takes_no_longer_than_the_grace() -> None:
    abandoned: list[Abandoned] = []
    late: list[Ended[None]] = []

    async def stubborn() -> None:
        for _ in range(2):
            try:
                await asyncio.sleep(50)
            except asyncio.CancelledError:
                pass

    task = asyncio.create_task(bounded(stubborn, 500, on_abandoned=abandoned.append, late=late.append))
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.wait({task})

    assert task.cancelled()
    assert asyncio.get_running_loop().time() == 2
    assert len(abandoned) == 1
    await asyncio.sleep(100)
    assert late == [Ended(None)]


async def test_a_second_cancellation_does_not_wait_for_the_grace() -> None:
    abandoned: list[Abandoned] = []

    async def stubborn() -> None:
        for _ in range(2):
            try:
                await asyncio.sleep(50)
            except asyncio.CancelledError:
                pass

    task = asyncio.create_task(bounded(stubborn, 500, grace_s=40, on_abandoned=abandoned.append))
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.wait({task})

    assert task.cancelled()
    assert asyncio.get_running_loop().time() == 2
    assert len(abandoned) == 1
    await asyncio.sleep(100)


async def test_no_timeout_means_no_timeout() -> None:
    async def work() -> str:
        await asyncio.sleep(86_400)
        return "done"

    assert await bounded(work, None) == "done"


async def test_a_thread_gives_its_value_and_sees_the_callers_context() -> None:
    WHO.set("caller")

    def work() -> tuple[str, bool]:
        return WHO.get(), threading.current_thread().daemon

    assert await wait_external(bounded_in_thread(work, 5)) == ("caller", True)


async def test_a_thread_out_of_time_is_abandoned_and_its_late_result_kept() -> None:
    go_on = threading.Event()
    abandoned: list[Abandoned] = []
    late: asyncio.Future[Ended[str]] = asyncio.get_running_loop().create_future()

    def stuck() -> str:
        go_on.wait()
        return "sent"

    with pytest.raises(TimedOut) as raised:
        await bounded_in_thread(stuck, 5, name="send", on_abandoned=abandoned.append, late=late.set_result)
    assert raised.value.abandoned
    assert abandoned == [Abandoned("send", "thread", 5, 0)]

    go_on.set()

    assert await late == Ended("sent")


async def test_cancelling_the_caller_of_a_thread_propagates_at_once_and_keeps_the_result() -> None:
    go_on = threading.Event()
    abandoned: list[Abandoned] = []
    late: asyncio.Future[Ended[bool]] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(
        bounded_in_thread(go_on.wait, 5, on_abandoned=abandoned.append, late=late.set_result)
    )
    await asyncio.sleep(1)

    task.cancel()
    await asyncio.wait({task})

    assert task.cancelled()
    assert len(abandoned) == 1
    go_on.set()
    assert await late == Ended(value=True)


async def test_a_thread_that_finished_as_its_caller_was_cancelled_is_not_lost() -> None:
    go_on = threading.Event()
    late: list[Ended[bool]] = []
    abandoned: list[Abandoned] = []
    task = asyncio.create_task(
        bounded_in_thread(go_on.wait, 5, name="race", late=late.append, on_abandoned=abandoned.append)
    )
    await asyncio.sleep(1)

    go_on.set()
    for thread in threading.enumerate():
        if thread.name == "airworthy: race":
            thread.join()  # Its answer is queued now; the cancellation comes right behind it.
    asyncio.get_running_loop().call_soon(task.cancel)
    await asyncio.wait({task})

    assert task.cancelled()
    assert late == [Ended(value=True)]
    assert abandoned == []


@pytest.mark.process
@pytest.mark.slow
def test_an_abandoned_thread_does_not_keep_the_interpreter_from_ending() -> None:
    """Slow: starts an interpreter."""
    code = (
        "import asyncio, threading\n"
        "from airworthy.resilience import TimedOut, bounded_in_thread\n"
        "try: asyncio.run(bounded_in_thread(threading.Event().wait, 0.01))\n"
        "except TimedOut: print('timed out')\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "timed out\n", "")


@pytest.mark.process
@pytest.mark.slow
def test_an_abandoned_task_does_not_make_noise_when_the_program_ends() -> None:
    """Slow: starts an interpreter."""
    code = (
        "import asyncio\n"
        "from airworthy.resilience import TimedOut, bounded\n"
        "async def stubborn():\n"
        "    for _ in range(3):\n"
        "        try: await asyncio.sleep(0.05)\n"
        "        except asyncio.CancelledError: pass\n"
        "try: asyncio.run(bounded(stubborn, 0.01, grace_s=0.01))\n"
        "except TimedOut: print('timed out')\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "timed out\n", "")
