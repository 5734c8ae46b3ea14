"""The time, in one place. Waiting is asyncio's own; this file only tells what time it is."""

import time
from datetime import UTC, datetime
from typing import Protocol

US_PER_S = 1_000_000


def iso(at_us: int | None) -> str | None:
    """For JSON: RFC 3339 in UTC, to the microsecond."""
    if at_us is None:
        return None
    seconds, micros = divmod(at_us, US_PER_S)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Clock(Protocol):
    def now_us(self) -> int:
        """UTC, in integer microseconds since 1970; never smaller than an earlier answer of the same clock."""
        ...


class SystemClock:
    """The machine's clock, made safe against jumping back.

    Going back would reorder records and revive leases, so within a process the answer moves on with the
    monotonic clock while the wall clock is behind it.
    """

    def __init__(self) -> None:
        self._offset_ns = time.time_ns() - time.monotonic_ns()

    def now_us(self) -> int:
        monotonic_ns = time.monotonic_ns()
        wall_ns = time.time_ns()
        if wall_ns > self._offset_ns + monotonic_ns:
            self._offset_ns = wall_ns - monotonic_ns
        return (self._offset_ns + monotonic_ns) // 1000


class ManualClock:
    """A clock that moves only when told to; ships for tests."""

    def __init__(self, start_us: int = 1_764_000_000 * US_PER_S) -> None:
        self._now_us = start_us

    def now_us(self) -> int:
        return self._now_us

    def advance(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError("a clock only moves forward")
        self._now_us += round(seconds * US_PER_S)
