"""What a provider's answers teach about one of its limits (calls, or tokens), and how much of it is left now.

Two kinds are met. A bucket fills all the time: its reset is when it will be full, and moves away with each call. A
fixed window fills at once: its reset stands still. The kind is told by that; until it is, a bucket is assumed.
"""

from dataclasses import dataclass
from typing import Literal

from airworthy.core.clock import US_PER_S

Kind = Literal["unknown", "bucket", "window"]
WINDOW_S = 60.0  # What limits are counted over unless their resets say otherwise.
TELLING_SHARE = (
    0.1  # At least three calls, and so much of a limit must go before its reset says anything about its kind.
)
STANDS_US = US_PER_S  # Resets come rounded to the second.
MOVED_US = 3 * US_PER_S
RESET_TELLS_S = 5.0  # A shorter reset says more about rounding than about the rate.
NEARLY_WHOLE = 0.95
LITTLE_USED = 0.9


@dataclass(frozen=True, slots=True)
class Seen:
    """A reset as one reply told it: how much was used, and when all of it will be back."""

    used: int
    reset_us: int


def kind_after(kind: Kind, moved_us: int) -> Kind:
    """By how far the reset moved while a telling share of the limit was used."""
    if abs(moved_us) <= STANDS_US:
        return "window"
    return "bucket" if moved_us >= MOVED_US else kind


def rate_after(rate: float, kind: Kind, limit: int, used: int, reset_s: float | None) -> float:
    """What comes back each second: all that was used, by the reset. A limit of a day shows by its long reset."""
    usual = limit / WINDOW_S
    if reset_s is None or used < 1 or reset_s < RESET_TELLS_S:
        return rate or usual
    told = used / reset_s
    # A window near its end would look like a very quick bucket.
    return told if kind == "bucket" else min(told, usual)


class Learnt:
    """One limit as far as it is known; `limit` 0: not yet. `left` is a guess that every reply corrects."""

    __slots__ = (
        "_at_us",
        "_began_us",
        "_heard_us",
        "_reset_us",
        "_seen",
        "kind",
        "known_us",
        "left",
        "limit",
        "rate",
    )

    def __init__(self) -> None:
        self.limit = 0
        self.left = 0.0
        self.rate = 0.0
        self.kind: Kind = "unknown"
        self.known_us = 0
        self._at_us = 0
        self._heard_us = 0  # When the call was sent whose answer is the newest so far.
        self._reset_us = 0
        self._began_us = 0  # When a fixed window's allowance was whole last.
        self._seen = Seen(0, 0)

    def has(self, now_us: int, amount: float) -> bool:
        """More than the whole limit goes when nearly all of it is there, and is paid off afterwards."""
        if self.left >= amount:  # What has come back since can only add to it.
            return True
        self._fill(now_us)
        return self.left >= amount or (amount > self.limit and self.left >= NEARLY_WHOLE * self.limit)

    def wait_us(self, now_us: int, amount: float) -> int:
        """How long until `amount` has come back; for what is more than the limit, over several windows."""
        self._fill(now_us)
        lacking = amount - self.left
        if lacking <= 0:
            return 0
        if self.kind == "window":
            windows = int(max(0.0, amount - self.limit) / self.limit)
            return max(1, self._reset_us - now_us) + round(windows * WINDOW_S * US_PER_S)
        return int(lacking / self.rate * US_PER_S) + 1

    def give_back(self, amount: float) -> None:
        self.left = min(float(self.limit), self.left + amount)

    def learn(
        self,
        limit: int | None,
        remaining: int | None,
        reset_s: float | None,
        under_way: float,
        sent_us: int,
        now_us: int,
    ) -> None:
        """`under_way`: spent by calls that have no answer yet, which the provider may or may not have counted.

        So what is left lies between `remaining` less those, and `remaining` plus what came back since the call was
        sent; within that the own count is the better one, being newer.
        """
        if limit == self.limit and remaining is not None and remaining > LITTLE_USED * limit:
            if remaining - under_way <= self.left <= remaining:
                self._heard_us = max(self._heard_us, sent_us)
                return  # As counted, and far from the limit: nothing to learn.
        elif limit is None:
            limit = max(self.limit, remaining or 0)
        if limit <= 0:
            return
        self._fill(now_us)
        if sent_us < self._began_us and (reset_s is None or reset_s < WINDOW_S / 2):
            return  # It tells of the window before this one: of this one, most is still to come.
        first = self.limit == 0
        self.limit = limit
        if remaining is None:
            self.rate = self.rate or limit / WINDOW_S
            left = limit - under_way if first else self.left
        else:
            used = limit - remaining if remaining < limit else 0
            if reset_s is not None:
                self._see(used, now_us + int(reset_s * US_PER_S) + 1, now_us)
            self.rate = rate = rate_after(self.rate, self.kind, limit, used, reset_s)
            least, most = remaining - under_way, float(remaining)
            if self.kind != "window" and now_us > sent_us:
                most += rate * (now_us - sent_us) / US_PER_S
            # An answer overtaken by that of a later call does not count that call, nor is it under way any more.
            left = least if first or (self.left < least and sent_us > self._heard_us) else self.left
            left = min(left, most)
            self._heard_us = max(self._heard_us, sent_us)
        self.left = left if left < limit else float(limit)
        if first:
            self.known_us = now_us

    def empty(self) -> None:
        """The provider refused a call that this count had room for."""
        self.left = min(self.left, 0.0)

    def _see(self, used: int, reset_us: int, now_us: int) -> None:
        before = self._seen
        since = used - before.used
        if since < 0 or now_us > before.reset_us:
            self._seen = Seen(used, reset_us)  # Another spell of use.
        elif since >= 3 and since >= TELLING_SHARE * self.limit:
            self.kind = kind_after(self.kind, reset_us - before.reset_us)
            self._seen = Seen(used, reset_us)
        self._reset_us = reset_us

    def _fill(self, now_us: int) -> None:
        passed_us = now_us - self._at_us
        if passed_us <= 0:
            return
        self._at_us = now_us
        if self.kind != "window":
            left = self.left + self.rate * passed_us / US_PER_S
            self.left = left if left < self.limit else float(self.limit)
        elif now_us >= self._reset_us:
            self.left = float(self.limit)
            self._began_us = now_us
            # Unless the next reply says better: without any, it must not stay empty for ever.
            self._reset_us = now_us + round(WINDOW_S * US_PER_S)
