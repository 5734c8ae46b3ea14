"""How much went out in the last minute, in slots of a second; never says less than was sent."""

from airworthy.core.clock import US_PER_S

MINUTE_SLOTS = 60
SLOTS_MIN = 3  # A burst of a second says nothing about a minute.
_RING = MINUTE_SLOTS + 1  # An amount leaves a minute after its slot has ended, so no minute holds too much.


class Minute:
    """Amounts by the second they were spent in. Mutable: it is asked before every call."""

    __slots__ = ("_first", "_newest", "_slots", "total")

    def __init__(self) -> None:
        self._slots = [0] * _RING
        self._newest = 0
        self._first = 0
        self.total = 0

    def at(self, now_us: int) -> int:
        """The amount of the minute that ends now."""
        second = now_us // US_PER_S
        if second > self._newest:
            self._move(second)
        return self.total

    def per_min(self, now_us: int) -> int:
        """The amount of a minute at the pace since the first of it came: a young count is not a slow one."""
        total = self.at(now_us)
        return total * MINUTE_SLOTS // min(MINUTE_SLOTS, max(SLOTS_MIN, self._newest - self._first + 1))

    def add(self, now_us: int, amount: int) -> None:
        if not self.at(now_us):
            self._first = self._newest
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

    def wait_us(self, now_us: int, amount: int, bound: int) -> int:
        """How long until `amount` more fits; whole minutes for what is more than the bound."""
        minutes, rest = divmod(max(0, amount - 1), bound)
        rest += 1
        over = self.at(now_us) + rest - bound
        wait_us = self.free_us(now_us, over) - now_us if over > 0 else 0
        return wait_us + minutes * 60 * US_PER_S
