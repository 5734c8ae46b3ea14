"""How soon somebody who waits for work looks again: at once, in turn with others who heard the same, or rarely.

Where the store tells what others have stored, nobody polls but as a safety net; where it cannot, everybody does.
"""

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from airworthy.store import Database, Hearing

POLL_S: Final = 0.2  # How soon what another process stored is noticed where nobody can tell.
MOMENT_S: Final = 0.001  # What is left of a wait and not worth a timer, which might never come to its end.
ORDERS: Final = "orders"  # The topic of what people want done or stopped: told by whoever stores it.
WATCH_S: Final = 0.5  # How soon what rings for nobody is seen: an effect in the outbox that comes due.
IDLE_S: Final = 5.0  # How often it is looked at all the same where somebody tells.


@dataclass(frozen=True, slots=True)
class Turn:
    """When it is one's turn after what everybody hears: who has less to do and comes earlier in line looks first.

    So a task that comes alone is taken by one worker, and the others find it gone without a write.
    """

    held: int = 0
    rank: int = 0
    alone: bool = True
    futile: int = (
        0  # Looks in a row that found nothing: each doubles the pause, so that a crowd comes to rest.
    )

    HELD_S = 0.002
    RANK_S = 0.002
    FUTILE_S = 0.005

    @property
    def after_s(self) -> float:
        turn_s = 0.0 if self.alone else self.held * self.HELD_S + self.rank * self.RANK_S
        pause_s = self.FUTILE_S * 2 ** min(self.futile - 1, 10) if self.futile else 0.0
        return min(POLL_S, max(turn_s, pause_s))


AT_ONCE: Final = Turn()


class Bell:
    """One for each who waits. `nudge` is for what happened in this process; others ring through the store."""

    def __init__(self, poll_s: float = POLL_S) -> None:
        """`poll_s`: how long a wait is at most, while nobody tells what others store."""
        self._poll_s = poll_s
        self._sounded = asyncio.Event()
        self._nudged = False
        self._hearing: Hearing | None = None

    def listen(self, database: Database, topics: Iterable[str]) -> None:
        """From the event loop that will wait."""
        loop = asyncio.get_running_loop()

        def heard(_: str) -> None:
            with contextlib.suppress(RuntimeError):  # The loop is closed: nobody waits any more.
                loop.call_soon_threadsafe(self._sounded.set)

        self.close()
        self._hearing = database.listen(topics, heard)

    def close(self) -> None:
        hearing, self._hearing = self._hearing, None
        if hearing is not None:
            hearing.close()

    @property
    def hears(self) -> bool:
        return self._hearing is not None and self._hearing.alive

    def nudge(self) -> None:
        self._nudged = True
        self._sounded.set()

    async def wait(self, s_max: float, turn: Turn = AT_ONCE) -> None:
        """Until there may be something, at most so long; rung by others, until it is one's turn to look."""
        limit_s = min(s_max, IDLE_S if self.hears else self._poll_s)
        if await self._sound(limit_s) and not self._was_nudged() and turn.after_s > 0:
            loop = asyncio.get_running_loop()
            until_s = loop.time() + turn.after_s
            while not self._was_nudged() and (left_s := until_s - loop.time()) > MOMENT_S:
                self._sounded.clear()
                await self._sound(left_s)
        # What rings from now on is looked at after this look.
        self._sounded.clear()
        self._nudged = False

    def _was_nudged(self) -> bool:
        return self._nudged

    async def _sound(self, s_max: float) -> bool:
        try:
            async with asyncio.timeout(s_max):
                await self._sounded.wait()
        except TimeoutError:
            return False
        return True
