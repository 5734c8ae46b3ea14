"""How much went out in the last minute, in slots of a second; never says less than was sent."""

from airworthy.core.clock import US_PER_S

MINUTE_SLOTS = 60
_RING = MINUTE_SLOTS + 1  # An amount leaves a minute after its slot has ended, so no minute holds too much.


class Minute:
    """Amounts by the second they were spent in. Mutable: it is asked before every call."""

    __slots__ = ("_newest", "_slots", "total")

    def __init__(self) -> None:
        self._slots = [0] * _RING
        self._newest = 0
        self.total = 0

    def at(self, now_us: int) -> int:
        """The amount of the minute that ends now."""
        second = now_us // US_PER_S
        if second > self._newest:
            self._move(second)
        return self.total

    def add(self, now_us: int, amount: int) -> None:
        self.at(now_us)
        self._slots[self._newest % _RING] += amount
        self.total += amount

    def correct(self, sent_us: int, amount: int) -> None:
        """What was spent at `sent_us` was `amount` more (or less). Forgotten if that is over a minute ago."""
        second = sent_us // US_PER_S
        if not self._newest - _RING < second <= self._newest:
            return
        amount = max(amount, -self._slots[second % _RING])
        self._slots[second % _RING] += amount
        self.total += amount

    def free_us(self, now_us: int, amount: int) -> int:
        """When `amount` will have left the minute if nothing is added."""
        self.at(now_us)
        for age in range(_RING - 1, -1, -1):
            if amount <= 0:
                break
            second = self._newest - age
            amount -= self._slots[second % _RING]
            if amount <= 0:
                return (second + _RING) * US_PER_S
        return now_us

    def _move(self, second: int) -> None:
        for passed in range(self._newest + 1, min(second, self._newest + _RING) + 1):
            place = passed % _RING
            self.total -= self._slots[place]
            self._slots[place] = 0
        self._newest = second
