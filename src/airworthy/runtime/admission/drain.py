"""How fast a queue empties, and what a sender is told when it is full. Pure."""

from dataclasses import dataclass
from typing import Final

from airworthy.core.clock import US_PER_S
from airworthy.core.errors import InputError

MINUTE_US: Final = 60 * US_PER_S
RETRY_AFTER_S_MIN: Final = 1.0
RETRY_AFTER_S_MAX: Final = 3600.0
RETRY_AFTER_S_UNKNOWN: Final = 60.0  # Nothing has begun of late: nobody knows.


class QueueFull(InputError):
    """Nothing was stored. `retry_after_s`: when a place in the queue is to be expected, as things go now."""

    code = "queue_full"

    def __init__(self, message: str, *, retry_after_s: float, mend: str = "") -> None:
        super().__init__(message, mend=mend)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Drain:
    """Starts in the running minute, which began at `minute_us`, and in the one before."""

    minute_us: int
    begun: int
    before: int

    def after_start(self, now_us: int) -> "Drain":
        moved = self.at(now_us)
        return Drain(moved.minute_us, moved.begun + 1, moved.before)

    def at(self, now_us: int) -> "Drain":
        passed = (now_us - self.minute_us) // MINUTE_US
        if passed <= 0:
            return self
        if passed == 1:
            return Drain(self.minute_us + MINUTE_US, 0, self.begun)
        return Drain(now_us, 0, 0)

    def per_s(self, now_us: int) -> float:
        """Over the last minute; since the first start, where that is less. 0: nothing has begun of late."""
        now = self.at(now_us)
        elapsed_s = max(1.0, (now_us - now.minute_us) / US_PER_S)
        if now.before == 0:
            return now.begun / elapsed_s
        return (now.begun + now.before * max(0.0, 1 - elapsed_s / 60)) / 60


def retry_after_s(ahead: int, per_s: float, next_start_s: float) -> float:
    """Until `ahead` tasks have begun, and not before the rate lets the next begin; within the bounds above."""
    wait_s = ahead / per_s if per_s > 0 else RETRY_AFTER_S_UNKNOWN
    return round(min(RETRY_AFTER_S_MAX, max(RETRY_AFTER_S_MIN, wait_s, next_start_s)), 3)
