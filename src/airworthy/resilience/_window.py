"""Two counts over a rolling window, as a value; the window moves in tenths, so that its size is bounded."""

from dataclasses import dataclass

from airworthy.core.clock import US_PER_S

SLOTS = 10

Slot = tuple[int, int, int]  # number of the slot since 1970, first count, second count


@dataclass(frozen=True, slots=True)
class Window:
    """Counts of the running slot and the nine before it: between 0.9 and 1 window length."""

    slots: tuple[Slot, ...] = ()

    def add(self, now_us: int, window_s: float, *, first: int = 0, second: int = 0) -> "Window":
        number = _number(now_us, window_s)
        kept = self._kept(number)
        if kept and kept[-1][0] >= number:
            # A clock of another process may be a little behind; its counts go into the newest slot.
            newest, first_before, second_before = kept[-1]
            return Window((*kept[:-1], (newest, first_before + first, second_before + second)))
        return Window((*kept, (number, first, second)))

    def counts(self, now_us: int, window_s: float) -> tuple[int, int]:
        """(first, second) within the window that ends at `now_us`."""
        kept = self._kept(_number(now_us, window_s))
        return sum(slot[1] for slot in kept), sum(slot[2] for slot in kept)

    def _kept(self, number: int) -> tuple[Slot, ...]:
        if not self.slots or self.slots[0][0] > number - SLOTS:
            return self.slots
        return tuple(slot for slot in self.slots if slot[0] > number - SLOTS)


def _number(now_us: int, window_s: float) -> int:
    return now_us // max(1, int(window_s * US_PER_S) // SLOTS)
