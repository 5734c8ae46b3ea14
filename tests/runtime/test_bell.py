"""How soon a worker looks: at once for its own, in turn for what all hear, and rarely where somebody tells."""

import asyncio
from collections.abc import Callable, Iterable

import pytest

from airworthy.runtime.bell import AT_ONCE, IDLE_S, POLL_S, Bell, Turn
from airworthy.store import MemoryDatabase


class Ear:
    alive = True

    def close(self) -> None:
        self.alive = False


class Telling(MemoryDatabase):
    """Its test rings."""

    ear = Ear()

    def listen(self, topics: Iterable[str], heard: Callable[[str], None]) -> Ear:  # type: ignore[override]
        self.ring = lambda: heard("wakes support")
        self.ear = Ear()
        return self.ear


@pytest.mark.parametrize(
    ("turn", "after_s", "why"),
    [
        (Turn(held=9, rank=9), 0.0, "nobody else could look"),
        (Turn(alone=False), 0.0, "the first in line with nothing to do"),
        (Turn(held=3, alone=False), 0.006, "who has less to do looks first"),
        (Turn(rank=5, alone=False), 0.01, "of those who have as much to do, one after the other"),
        (Turn(held=900, rank=900, alone=False), POLL_S, "never later than by looking again and again"),
        (Turn(futile=1), 0.005, "somebody was quicker"),
        (Turn(futile=4), 0.04, "time and again"),
        (Turn(futile=4000), POLL_S, "at last as rarely as by looking again and again"),
    ],
)
def test_one_looks_after_what_all_hear(turn: Turn, after_s: float, why: str) -> None:
    assert turn.after_s == pytest.approx(after_s), why


async def _waited(bell: Bell, s_max: float = IDLE_S, turn: Turn = AT_ONCE) -> float:
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    await bell.wait(s_max, turn)
    return loop.time() - began_s


async def test_where_nobody_tells_it_is_looked_at_again_and_again() -> None:
    bell = Bell()
    bell.listen(MemoryDatabase(), ["wakes support"])

    assert not bell.hears
    assert await _waited(bell) == pytest.approx(POLL_S)


async def test_where_somebody_tells_a_wait_is_long_and_a_ring_ends_it_when_its_turn_has_come() -> None:
    database, bell, loop = Telling(), Bell(), asyncio.get_running_loop()
    bell.listen(database, ["wakes support"])

    assert await _waited(bell) == pytest.approx(IDLE_S)
    loop.call_later(1.0, database.ring)
    assert await _waited(bell) == pytest.approx(1.0)
    loop.call_later(1.0, database.ring)
    loop.call_later(1.02, database.ring)
    assert await _waited(bell, turn=Turn(held=30, alone=False)) == pytest.approx(1.06, abs=0.002)


async def test_what_happened_in_this_process_waits_for_no_turn() -> None:
    database, bell, loop = Telling(), Bell(), asyncio.get_running_loop()
    bell.listen(database, ["wakes support"])
    loop.call_later(1.0, database.ring)
    loop.call_later(1.01, bell.nudge)

    assert await _waited(bell, turn=Turn(held=90, alone=False)) == pytest.approx(1.01)


async def test_a_deaf_one_looks_again_and_again_and_a_closed_one_is_deaf() -> None:
    database, bell = Telling(), Bell()
    bell.listen(database, ["wakes support"])
    database.ear.alive = False

    assert await _waited(bell) == pytest.approx(POLL_S)
    bell.close()
    assert not bell.hears
