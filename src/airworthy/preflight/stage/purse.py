"""The money of a whole preflight: the worst case is reserved before a call, the bill settled after it."""

import math
import threading

from airworthy.core.errors import AirworthyError, InputError
from airworthy.core.money import NANO_PER_USD


class CapReached(AirworthyError):
    """The preflight's money is used up: the next call could pass the cap, so it was not made."""

    code = "preflight_cap_reached"


def cap_of(usd: float) -> int:
    """In billionths. Raises: InputError for what bounds nothing."""
    if not math.isfinite(usd) or usd < 0:
        raise InputError(f"A budget of {usd} USD is no bound.", mend="Give a number, such as 5.00.")
    return round(usd * NANO_PER_USD)


class Purse:
    """Shared by all trials, whatever thread they run in. `cap_nano` None: without an end."""

    def __init__(self, cap_nano: int | None = None, spent_nano: int = 0) -> None:
        """`spent_nano`: what the same preflight had paid before it was stopped."""
        self.cap_nano = cap_nano
        self.calls = 0
        self.unpriced = 0
        self._settled_nano = spent_nano
        self._reserved_nano = 0
        self._turn = threading.Lock()

    @property
    def spent_nano(self) -> int:
        """Calls whose bill nobody knows count with their worst case."""
        return self._settled_nano

    @property
    def taken_nano(self) -> int:
        """With the worst case of calls that are under way: what a later sitting must count as spent."""
        return self._settled_nano + self._reserved_nano

    def reserve(self, bound_nano: int) -> None:
        """Raises: CapReached."""
        with self._turn:
            taken = self._settled_nano + self._reserved_nano
            if self.cap_nano is not None and taken + bound_nano > self.cap_nano:
                cap, spent = self.cap_nano / NANO_PER_USD, taken / NANO_PER_USD
                raise CapReached(
                    f"{spent:.4f} of {cap:.2f} USD are used; the next call may cost {bound_nano / NANO_PER_USD:.4f}.",
                    mend="Allow more with --budget; what was run is kept, and answers are used again.",
                )
            self._reserved_nano += bound_nano

    def settle(self, bound_nano: int, bill_nano: int | None) -> None:
        """`bill_nano` None: nobody knows, so all of it counts."""
        with self._turn:
            self.calls += 1
            self.unpriced += bill_nano is None
            self._reserved_nano -= bound_nano
            self._settled_nano += bound_nano if bill_nano is None else bill_nano

    def release(self, bound_nano: int) -> None:
        """Nothing was sent."""
        with self._turn:
            self._reserved_nano -= bound_nano
