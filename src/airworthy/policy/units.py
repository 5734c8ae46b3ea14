"""Durations, sizes and rates as people write them, turned into seconds, bytes and calls; knows no policy."""

import math
import re
from decimal import Decimal, InvalidOperation

_NUMBER = r"(\d{1,15}(?:\.\d{1,9})?)"
_DURATION_PART = re.compile(_NUMBER + r"\s*([A-Za-z]+)")
_DURATION = re.compile(rf"\s*(?:{_NUMBER}\s*[A-Za-z]+[\s,]*)+")
_SIZE = re.compile(rf"\s*{_NUMBER}\s*([A-Za-z]+)\s*")
_RATE = re.compile(r"\s*(\d{1,9})\s*/\s*([A-Za-z]+)\s*")

_SECONDS_PER: dict[str, Decimal] = {
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), Decimal("0.001")),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), Decimal(1)),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), Decimal(60)),
    **dict.fromkeys(("h", "hour", "hours"), Decimal(3600)),
    **dict.fromkeys(("d", "day", "days"), Decimal(86_400)),
    **dict.fromkeys(("week", "weeks"), Decimal(604_800)),
}
_BYTES_PER: dict[str, int] = {
    "B": 1,
    "KB": 10**3,
    "kB": 10**3,
    "KiB": 2**10,
    "MB": 10**6,
    "MiB": 2**20,
    "GB": 10**9,
    "GiB": 2**30,
}
_RATE_PERIODS = {"s": 1.0, "sec": 1.0, "min": 60.0, "h": 3600.0, "hour": 3600.0, "day": 86_400.0}


class BadUnit(ValueError):
    """What is wrong with the text, and how to write it instead; becomes a policy problem with its line."""

    def __init__(self, says: str, mend: str) -> None:
        super().__init__(f"{says} {mend}")
        self.says = says
        self.mend = mend


def seconds_from(value: object) -> float:
    """Seconds from a number, or from text such as "500 ms", "2 min", "1 h 30 min", "7 days".

    Raises: BadUnit. "m" is refused, since it may mean minutes or months.
    """
    mend = 'Write seconds as a number, or text with a unit: "500 ms", "30 s", "2 min", "1 h", "7 days".'
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise BadUnit("is not a duration.", mend)
    if isinstance(value, str):
        if not _DURATION.fullmatch(value):
            raise BadUnit("is not a duration.", mend)
        total = Decimal(0)
        for number, unit in _DURATION_PART.findall(value):
            if unit not in _SECONDS_PER:
                raise BadUnit(f"has the unknown unit {unit!r}.", mend)
            total += Decimal(number) * _SECONDS_PER[unit]
        return float(total)
    try:
        seconds = float(value)
    except OverflowError:
        seconds = math.inf
    if not math.isfinite(seconds):
        raise BadUnit("is not a finite number of seconds.", mend)
    return seconds + 0.0  # -0.0 and 0.0 must be one value, or equal policies would hash differently.


def bytes_from(value: object) -> int:
    """Bytes from a whole number, or from text such as "256 KiB" (1024) or "1 MB" (1000 x 1000).

    Raises: BadUnit. Letter case counts: "Mb" would be megabits.
    """
    mend = 'Write bytes as a whole number, or text with one of B, KB, KiB, MB, MiB, GB, GiB: "256 KiB".'
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise BadUnit("is not a size.", mend)
    match = _SIZE.fullmatch(value)
    if match is None:
        raise BadUnit("is not a size.", mend)
    number, unit = match.groups()
    if unit not in _BYTES_PER:
        raise BadUnit(f"has the unknown unit {unit!r}.", mend)
    try:
        size = Decimal(number) * _BYTES_PER[unit]
    except InvalidOperation as error:  # pragma: no cover - the pattern admits no such number
        raise BadUnit("is not a size.", mend) from error
    if size != size.to_integral_value():
        raise BadUnit("is not a whole number of bytes.", mend)
    return int(size)


def rate_from(value: object) -> tuple[int, float]:
    """Calls, and the period in seconds they may fall in: "60/min" is (60, 60.0).

    Raises: BadUnit.
    """
    mend = 'Write calls per period: "10/s", "60/min", "100/h" or "1000/day".'
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise BadUnit("is not a rate.", mend)
    calls, period = match.groups()
    if period not in _RATE_PERIODS:
        raise BadUnit(f"has the unknown period {period!r}.", mend)
    if int(calls) < 1:
        raise BadUnit("allows no call at all.", mend)
    return int(calls), _RATE_PERIODS[period]
