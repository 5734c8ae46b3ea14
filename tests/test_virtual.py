"""The claims tests rely on when they run in virtual time."""

import asyncio
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airworthy.core.clock import Clock
from tests.virtual import (
    START_US,
    Deadlock,
    LeakedTasks,
    LoopClock,
    TooLong,
    Unhandled,
    VirtualLoop,
    run_virtual,
    wait_external,
)


def _work(seconds: float) -> str:
    """Waits for real without sleeping; a stand-in for a slow disk or a slow peer."""
    threading.Event().wait(seconds)
    return "answer"


async def test_a_day_passes_in_no_time() -> None:
    started_s = time.monotonic()
    loop = asyncio.get_running_loop()

    await asyncio.sleep(3 * 86_400.5)

    assert loop.time() == 3 * 86_400.5
    assert time.monotonic() - started_s < 1


async def test_timers_fire_in_order_and_at_their_exact_time() -> None:
    loop = asyncio.get_running_loop()
    seen: list[float] = []

    async def at(delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        seen.append(loop.time())

    await asyncio.gather(at(0.3), at(0.1), at(7200), at(0.2))

    assert seen == [0.1, 0.2, 0.3, 7200]


async def test_asyncio_timeouts_follow_virtual_time() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(60):
            await asyncio.sleep(61)

    assert asyncio.get_running_loop().time() == 60


async def test_work_in_a_thread_wins_over_a_timer() -> None:
    async with asyncio.timeout(0.001):
        assert await asyncio.to_thread(_work, 0.05) == "answer"

    assert asyncio.get_running_loop().time() == 0


async def test_a_thread_at_work_is_seen_without_a_hook(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()

    def busy() -> None:
        with (tmp_path / "f").open("wb") as file:
            ends_s = time.monotonic() + 0.05
            while time.monotonic() < ends_s:
                file.write(b"x")
        loop.call_soon_threadsafe(answer.set_result, "answer")

    threading.Thread(target=busy, daemon=True).start()

    assert await asyncio.wait_for(answer, 0.001) == "answer"


async def test_a_declared_answer_wins_over_a_timer_even_from_an_idle_thread() -> None:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()
    threading.Timer(0.05, lambda: loop.call_soon_threadsafe(answer.set_result, "answer")).start()

    async def wait() -> str:
        return await asyncio.wait_for(answer, 0.001)

    assert await wait_external(wait()) == "answer"


async def test_an_idle_thread_does_not_hold_time_up() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait, daemon=True)
    thread.start()
    started_s = time.monotonic()

    for _ in range(10):
        await asyncio.sleep(3600)

    stop.set()
    thread.join()
    assert time.monotonic() - started_s < 1


def test_patience_with_a_thread_that_never_answers_is_bounded() -> None:
    stop = threading.Event()

    async def main() -> float:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.to_thread(stop.wait), 5)
        stop.set()
        return asyncio.get_running_loop().time()

    assert run_virtual(main(), loop=VirtualLoop(patience_s=0.02)) == 5


async def test_sockets_answer_before_timers() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hello\n")
        async with asyncio.timeout(0.01):
            assert await reader.readline() == b"hello\n"
        writer.close()
        await writer.wait_closed()


def test_a_deadlock_is_an_error_that_names_who_waits() -> None:
    async def waits_for_ever() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Deadlock, match="waits_for_ever"):
        run_virtual(waits_for_ever(), loop=VirtualLoop(stuck_s=0.02))


def test_a_test_that_takes_too_many_virtual_seconds_fails() -> None:
    with pytest.raises(TooLong):
        run_virtual(asyncio.sleep(11), seconds_max=10)


def test_a_task_left_running_fails_the_test() -> None:
    async def main() -> asyncio.Task[None]:
        return asyncio.create_task(asyncio.sleep(1), name="forgotten")

    with pytest.raises(LeakedTasks, match="forgotten"):
        run_virtual(main())


def test_a_task_cancelled_last_has_not_leaked() -> None:
    async def main() -> None:
        task = asyncio.create_task(asyncio.sleep(1))
        await asyncio.sleep(0)
        task.cancel()

    run_virtual(main())


def test_an_exception_nobody_hears_fails_the_test() -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        await asyncio.sleep(1)

    with pytest.raises(Unhandled):
        run_virtual(main())


def test_the_error_of_the_test_itself_comes_through() -> None:
    async def main() -> None:
        left = asyncio.create_task(asyncio.sleep(1))
        raise KeyError(left)

    with pytest.raises(KeyError):
        run_virtual(main())


async def test_the_loop_clock_follows_the_loop() -> None:
    clock: Clock = LoopClock()

    await asyncio.sleep(1.5)

    assert clock.now_us() == START_US + 1_500_000


@given(delay_s=st.integers(0, 100))
@settings(max_examples=5)
async def test_drawn_examples_each_get_a_loop_of_their_own(delay_s: int) -> None:
    await asyncio.sleep(delay_s)

    assert asyncio.get_running_loop().time() == delay_s
