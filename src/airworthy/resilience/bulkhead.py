"""At most so many calls at a time, in order of arrival: one slow dependency cannot take every worker."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import ClassVar

from airworthy.core.clock import US_PER_S, Clock
from airworthy.core.errors import ConfigError
from airworthy.resilience.refused import Refused

_HELD_S_UNKNOWN = 1.0
_HELD_WEIGHT = 0.2  # How much the newest call counts in the running mean of how long calls take.


@dataclass(frozen=True, slots=True)
class Bulkhead:
    """`concurrency` calls run, `queue_max` more wait; the next is refused."""

    concurrency: int = 8
    queue_max: int = 64

    def __post_init__(self) -> None:
        if self.concurrency < 1 or self.queue_max < 0:
            raise ConfigError(
                f"{self} lets nothing through.", mend="Set concurrency >= 1 and queue_max >= 0."
            )


class Full(Refused):
    """Every place and the queue are taken, or the deadline came first."""

    code: ClassVar[str] = "full"


class Compartment:
    """The places of one bulkhead. For one event loop."""

    def __init__(self, policy: Bulkhead, clock: Clock, *, name: str = "bulkhead") -> None:
        self.policy = policy
        self.name = name
        self.running = 0
        self._clock = clock
        self._queue: deque[asyncio.Future[None]] = deque()
        self._held_s = _HELD_S_UNKNOWN

    @property
    def waiting(self) -> int:
        return len(self._queue)

    @contextlib.asynccontextmanager
    async def hold(self, deadline_us: int | None = None) -> AsyncIterator[None]:
        """One place for the length of the block. Raises: Full."""
        await self.take(deadline_us)
        started_us = self._clock.now_us()
        try:
            yield
        finally:
            held_s = (self._clock.now_us() - started_us) / US_PER_S
            self._held_s += _HELD_WEIGHT * (held_s - self._held_s)
            self.give_back()

    def try_take(self) -> bool:
        """A place at once or not at all; hand it to `give_back`. Nobody who waits is passed by."""
        if self.running < self.policy.concurrency:  # Then nobody waits: places are handed over, not freed.
            self.running += 1
            return True
        return False

    async def take(self, deadline_us: int | None = None) -> None:
        """Waits for a place, which then belongs to the caller until `give_back`. Raises: Full."""
        left_s = None if deadline_us is None else (deadline_us - self._clock.now_us()) / US_PER_S
        if left_s is not None and left_s <= 0:
            raise self._full("the deadline has passed")
        if self.try_take():
            return
        if len(self._queue) >= self.policy.queue_max:
            raise self._full(f"{self.running} calls run and {len(self._queue)} wait")
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(place)
        try:
            await asyncio.wait({place}, timeout=left_s)
        except asyncio.CancelledError:
            # The place may have been handed over in the same turn: it goes to the next in line.
            self._withdraw(place)
            raise
        if not place.done():
            self._withdraw(place)
            raise self._full("the deadline came before a place did")

    def _withdraw(self, place: asyncio.Future[None]) -> None:
        if place.done():
            self.give_back()
        else:
            self._queue.remove(place)

    def give_back(self) -> None:
        if self._queue:
            # Handed over, not freed: nobody who comes later can take it in between.
            self._queue.popleft().set_result(None)
        else:
            self.running -= 1

    def _full(self, why: str) -> Full:
        wait_s = self._held_s * (len(self._queue) + 1) / self.policy.concurrency
        return Full(f"The bulkhead {self.name!r} took no more calls: {why}.", retry_after_s=wait_s)
