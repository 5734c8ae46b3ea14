"""Numbers of a policy in the words people use; knows no policy."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

_SPANS: Final = ((86_400, "day"), (3_600, "hour"), (60, "minute"))
_SIZES: Final = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (10**9, "GB"), (10**6, "MB"), (10**3, "KB"))


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def duration(seconds: float) -> str:
    """Exact, in the largest unit that divides it: 300 is "5 minutes", 90 is "90 seconds"."""
    if 0 < seconds < 1:
        return f"{seconds * 1000:g} milliseconds"
    for length, name in _SPANS:
        if seconds >= length and seconds % length == 0:
            return count(int(seconds // length), name)
    return f"{seconds:g} second{'' if seconds == 1 else 's'}"


def size(number: int) -> str:
    for unit, name in _SIZES:
        if number >= unit and number % unit == 0:
            return f"{number // unit:,} {name}"
    return count(number, "byte")


def money(usd: float) -> str:
    """At least cents, and as many places as it takes to be exact."""
    exact = Decimal(str(usd))
    exponent = exact.normalize().as_tuple().exponent
    places = max(2, -exponent) if isinstance(exponent, int) else 2
    return f"{exact:,.{places}f} USD"


def amount(number: float) -> str:
    """An amount whose currency only the tool knows."""
    exact = Decimal(str(number)).normalize()
    return f"{exact:,f}"


def listed(entries: Sequence[str], last: str = "and") -> str:
    if len(entries) <= 1:
        return "".join(entries)
    return f"{', '.join(entries[:-1])} {last} {entries[-1]}"
