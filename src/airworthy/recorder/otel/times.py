"""When a span began and ended, from what a sender wrote: nanoseconds, or by mistake another unit, or nothing."""

from dataclasses import dataclass, field
from typing import Final

_NS_FROM: Final = 10**17  # 1973 in nanoseconds; the year 5138 in microseconds
_US_FROM: Final = 10**14
_MS_FROM: Final = 10**11
_S_FROM: Final = 10**8


@dataclass(slots=True)
class Mended:
    """UTC microseconds, and a sentence for each thing that was not as it should be."""

    started_us: int
    ended_us: int
    notes: list[str] = field(default_factory=list)


def plain(start: int | float, end: int | float, now_us: int) -> bool:
    """Nanoseconds, in order, and not ahead of now: nothing to mend. Nearly every span."""
    return _NS_FROM <= start <= end <= now_us * 1_000


def mended(start: int | float, end: int | float, now_us: int, ahead_us_max: int) -> Mended:
    """Units are told by size, as all that matters lies between 1973 and 5138. `now_us`: when it was heard of."""
    notes: list[str] = []
    started_us, ended_us = _read("start", start, notes), _read("end", end, notes)
    if started_us is None and ended_us is None:
        notes.append(
            "It says neither when it began nor when it ended: the time of its arrival stands for both."
        )
        return Mended(now_us, now_us, notes)
    if started_us is None:
        assert ended_us is not None
        started_us = ended_us
        notes.append("It does not say when it began: its end stands for it.")
    elif ended_us is None:
        ended_us = started_us
        notes.append("It does not say when it ended: its start stands for it.")
    if ended_us < started_us:
        notes.append(f"It ended {started_us - ended_us} us before it began: it counts as having no duration.")
        ended_us = started_us
    if started_us > now_us + ahead_us_max:
        notes.append(
            f"It began {started_us - now_us} us after it was heard of: it counts as having ended then."
        )
        duration = min(ended_us - started_us, now_us)
        started_us, ended_us = now_us - duration, now_us
    elif ended_us > now_us + ahead_us_max:
        notes.append(
            f"It ended {ended_us - now_us} us after it was heard of: it counts as having ended then."
        )
        ended_us = max(started_us, now_us)
    elif ended_us > now_us:
        notes.append(f"Its clock is at least {ended_us - now_us} us ahead of ours.")
    return Mended(started_us, ended_us, notes)


def at(value: int | float, fallback_us: int) -> int:
    """Of an event: where it says nothing of use, `fallback_us`."""
    read = _read("time", value, [])
    return fallback_us if read is None else read


def _read(what: str, value: int | float, notes: list[str]) -> int | None:
    if value == 0:
        return None
    if not 0 < value < 1e22:  # NaN too
        notes.append(f"Its {what} was sent as {value}, which is no time.")
        return None
    if value >= _NS_FROM:
        return int(value) // 1_000
    for unit, from_, factor in (("microseconds", _US_FROM, 1), ("milliseconds", _MS_FROM, 1_000)):
        if value >= from_:
            notes.append(f"Its {what} was sent as {value}, read as {unit}.")
            return int(value * factor)
    if value >= _S_FROM:
        notes.append(f"Its {what} was sent as {value}, read as seconds.")
        return int(value * 1_000_000)
    notes.append(f"Its {what} was sent as {value}, which is no time.")
    return None
