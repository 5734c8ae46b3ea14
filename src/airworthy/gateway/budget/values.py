"""What budgets are made of: an amount, a scope with its caps, how a scope stands, and why a call does not fit."""

from dataclasses import dataclass, field
from typing import Literal

from airworthy.core.money import usd_text


@dataclass(slots=True, unsafe_hash=True)  # Not frozen: that costs a microsecond each. Nobody changes one.
class Amount:
    """What a call may use, or has used. Raises: ValueError for less than nothing, which would give money back."""

    nano: int
    tokens: int = 0
    calls: int = 1

    def __post_init__(self) -> None:
        if self.nano < 0 or self.tokens < 0 or self.calls < 0:
            raise ValueError(f"an amount below zero: {self.nano} nano-USD, {self.tokens}, {self.calls}")


NOTHING = Amount(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Scope:
    """One budget a call counts against; None as a cap counts without bounding."""

    name: str
    label: str
    cap_nano: int | None = None
    cap_tokens: int | None = None
    cap_calls: int | None = None
    # Money held under one set of caps must not be given back under another that holds none.
    key: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        bounds = "".join(
            "-" if cap is None else letter
            for letter, cap in (("n", self.cap_nano), ("t", self.cap_tokens), ("c", self.cap_calls))
        )
        object.__setattr__(self, "key", f"{self.name} {bounds}")

    @property
    def capped(self) -> bool:
        return not (self.cap_nano is None and self.cap_tokens is None and self.cap_calls is None)


@dataclass(frozen=True, slots=True)
class Exceeded:
    """Which budget the call does not fit into. Nothing was reserved.

    `passing`: it would fit beside what is spent; only reservations of other calls are in its way, and they end.
    """

    scope: Scope
    text: str
    passing: bool = False
    of: Literal["money", "tokens", "calls"] = "money"


@dataclass(frozen=True, slots=True)
class Standing:
    """A scope's row. `lost` is the part of what is reserved whose bill will never come; it counts as spent.

    `calls` were made or are being made one by one; `reserved_calls` lie in slices, or were lost with one.
    """

    reserved_nano: int = 0
    settled_nano: int = 0
    lost_nano: int = 0
    reserved_tokens: int = 0
    settled_tokens: int = 0
    lost_tokens: int = 0
    reserved_calls: int = 0
    calls: int = 0
    lost_calls: int = 0
    wanted: int = 0

    def left(self, scope: Scope) -> tuple[int | None, int | None, int | None]:
        """What is neither spent nor reserved, of money, tokens and calls; None where nothing bounds it."""
        return (
            None if scope.cap_nano is None else scope.cap_nano - self.reserved_nano - self.settled_nano,
            None
            if scope.cap_tokens is None
            else scope.cap_tokens - self.reserved_tokens - self.settled_tokens,
            None if scope.cap_calls is None else scope.cap_calls - self.reserved_calls - self.calls,
        )

    def exceeded(self, scope: Scope, amount: Amount, missing: Amount | None = None) -> Exceeded | None:
        """`missing`: the part of `amount` that whoever asks does not hold in a slice already; None: all of it."""
        need = amount if missing is None else missing
        if scope.cap_nano is not None:
            gone = self.settled_nano + self.lost_nano
            if self.reserved_nano + self.settled_nano + need.nano > scope.cap_nano:
                return Exceeded(
                    scope,
                    f"The next model call may cost {usd_text(amount.nano)}; of {usd_text(scope.cap_nano)} for "
                    f"{scope.label} {usd_text(gone)} is spent and "
                    f"{usd_text(self.reserved_nano - self.lost_nano)} reserved.",
                    passing=gone + amount.nano <= scope.cap_nano,
                )
        if scope.cap_tokens is not None:
            gone = self.settled_tokens + self.lost_tokens
            if self.reserved_tokens + self.settled_tokens + need.tokens > scope.cap_tokens:
                return Exceeded(
                    scope,
                    f"The next model call may use {amount.tokens} tokens; of {scope.cap_tokens} for {scope.label} "
                    f"{gone} are spent and {self.reserved_tokens - self.lost_tokens} reserved.",
                    passing=gone + amount.tokens <= scope.cap_tokens,
                    of="tokens",
                )
        if scope.cap_calls is not None:
            gone = self.calls + self.lost_calls
            if self.reserved_calls + self.calls + need.calls > scope.cap_calls:
                return Exceeded(
                    scope,
                    f"{gone} model calls were made for {scope.label}; {scope.cap_calls} are allowed.",
                    passing=gone + amount.calls <= scope.cap_calls,
                    of="calls",
                )
        return None


def fits(scope: Scope, amount: Amount) -> Exceeded | None:
    """For a scope that nothing was spent in: a call that is its own task needs no row to be bounded."""
    return Standing().exceeded(scope, amount)
