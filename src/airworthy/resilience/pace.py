"""At most so many calls in any window of time, first come first served; the counting is pyrate-limiter's."""

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from airworthy.core.clock import US_PER_S, Clock
from airworthy.core.errors import ConfigError
from airworthy.resilience.refused import Refused

if TYPE_CHECKING:
    from pyrate_limiter import InMemoryBucket

    from airworthy.resilience.shared import Allowance

_RATE = re.compile(r"([1-9]\d{0,8})/([1-9]\d{0,5})?(s|min|h|d)", re.ASCII)
_UNIT_S = {"s": 1, "min": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class Pace:
    """A rate such as "10/s", "100/min", "5/10s"; `queue_max` callers may wait for their turn."""

    rate: str = "10/s"
    queue_max: int = 1000

    def __post_init__(self) -> None:
        if _RATE.fullmatch(self.rate) is None:
            raise ConfigError(
                f"{self.rate!r} is not a rate.",
                mend='Write calls/time, as "10/s", "100/min", "1000/h" or "5/10s".',
            )

    @property
    def calls(self) -> int:
        return int(self.rate.partition("/")[0])

    @property
    def window_s(self) -> int:
        per = self.rate.partition("/")[2]
        unit = per.lstrip("0123456789")
        return int(per.removesuffix(unit) or 1) * _UNIT_S[unit]


class TooFast(Refused):
    """The call's turn would come after its deadline, or too many callers wait already."""

    code: ClassVar[str] = "too_fast"


class Pacer:
    """What a pace remembers: the starts within the window. For one event loop."""

    def __init__(
        self, policy: Pace, clock: Clock, *, name: str = "pace", shared: "Allowance | None" = None
    ) -> None:
        """`shared`: what other processes may start counts, too."""
        self.policy = policy
        self.name = name
        self._shared = shared
        self._clock = clock
        self._bucket = _bucket(policy)
        self._window_us = policy.window_s * US_PER_S
        self._calls = policy.calls
        self._turn = asyncio.Lock()
        self.waiting = 0

    async def wait(self, deadline_us: int | None = None) -> None:
        """Returns when the call may start, which then counts as started. Cancelled callers leave no trace.

        A caller whose turn cannot come before `deadline_us` is refused at once. Raises: TooFast.
        """
        self._check(deadline_us, position=self.waiting)
        if self.waiting >= self.policy.queue_max:
            raise self._too_fast(f"{self.waiting} callers wait", self.waiting)
        self.waiting += 1
        try:
            async with self._turn:
                self._check(deadline_us, position=0)
                await self._lent(deadline_us)
                while not self._start():
                    await asyncio.sleep(self._wait_us(0) / US_PER_S)
                    self._check(deadline_us, position=0)
        finally:
            self.waiting -= 1

    async def _lent(self, deadline_us: int | None) -> None:
        """One start of those that all processes share."""
        shared = self._shared
        if shared is None:
            return
        while not shared.has():
            self._check(deadline_us, position=0)
            left_us = None if deadline_us is None else max(0, deadline_us - self._clock.now_us())
            try:
                async with asyncio.timeout(None if left_us is None else left_us / US_PER_S):
                    await shared.more(self.waiting)
            except TimeoutError:
                raise self._too_fast("others used it up until the deadline", 0) from None
        shared.spend()

    def _start(self) -> bool:
        from pyrate_limiter import RateItem

        now_us = self._clock.now_us()
        self._bucket.leak(now_us)
        return self._bucket.put(RateItem(self.name, now_us))

    def _check(self, deadline_us: int | None, position: int) -> None:
        if deadline_us is None:
            return
        if self._clock.now_us() + self._wait_us(position) > deadline_us:
            raise self._too_fast("the turn would come after the deadline", position)

    def _wait_us(self, position: int) -> int:
        """At least how long until the caller with `position` callers before it may start."""
        windows, place = divmod(position, self._calls)
        # The start that must leave the window first, counted from the newest: `place` more fit before it.
        blocking = self._bucket.peek(self._calls - 1 - place)
        now_us = self._clock.now_us()
        wait_us = 0 if blocking is None else blocking.timestamp + self._window_us + 1 - now_us
        if self._shared is not None:
            wait_us = max(wait_us, self._shared.wait_us(now_us))
        return max(0, wait_us) + windows * (self._window_us + 1)

    def _too_fast(self, why: str, position: int) -> TooFast:
        return TooFast(
            f"The pace {self.name!r} of {self.policy.rate} is used up: {why}.",
            retry_after_s=self._wait_us(position) / US_PER_S,
        )


def _bucket(policy: Pace) -> "InMemoryBucket":
    # Late: the import costs 150 ms. The bucket alone, without the library's limiter, which reads a clock of
    # its own, starts a thread, and sleeps for itself. Its unit of time is whatever the stamps are in.
    from pyrate_limiter import InMemoryBucket, Rate

    return InMemoryBucket([Rate(policy.calls, policy.window_s * US_PER_S)])
