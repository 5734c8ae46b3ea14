"""When tasks come: times taken from a recording, and the same pattern at another rate. Pure, but for one read."""

import csv
import math
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

import orjson

from airworthy.core.clock import US_PER_S
from airworthy.core.errors import ConfigError
from airworthy.store import Tx

TIMES_MAX: Final = 100_000
TIMES_MIN: Final = 10  # Fewer show no pattern.
BLOCK: Final = (
    10  # Gaps that are kept together when a recording is too short: bursts are what a pattern is about.
)
_COLUMNS: Final = (
    "created_us", "created", "timestamp", "time", "at", "at_us", "arrived", "ts", "t", "seconds", "at_ms", "t_ms",
)  # fmt: skip
_SHARES_OF_S: Final = {"_us": US_PER_S, "_ms": 1_000}


def recorded_times(tx: Tx, agent: str, limit: int = TIMES_MAX) -> tuple[float, ...]:
    """Seconds at which the agent's own tasks were handed in, the latest `limit`, oldest first."""
    rows = tx.rows(
        "SELECT created_us FROM tasks WHERE agent = ? AND fork_of IS NULL ORDER BY created_us DESC LIMIT ?",
        (agent, limit),
    )
    return tuple(sorted(row[0] / US_PER_S for row in rows))


def read_times(text: str, origin: str = "the file of arrivals") -> tuple[float, ...]:
    """From CSV with a header or without, or JSON lines: a column or key that names a time, else the first.

    Times are seconds, of a `_us` or `_ms` column micro- or milliseconds, or ISO 8601. Raises: ConfigError.
    """
    lines = [line for line in text.splitlines() if line.strip()][: TIMES_MAX + 1]
    values = _of_json(lines, origin) if lines and lines[0].lstrip().startswith("{") else _of_csv(lines)
    try:
        times = sorted(_seconds(value, name) for name, value in values)
    except ValueError as error:
        raise ConfigError(
            f"{origin} holds a time that cannot be read: {error}.",
            mend="Give seconds, or times like 2026-11-26T12:00:00Z, in the first column.",
        ) from error
    if len(times) < TIMES_MIN:
        raise ConfigError(
            f"{origin} holds {len(times)} times; {TIMES_MIN} are the fewest that show a pattern.",
            mend="Give more, or leave `arrivals` out.",
        )
    return tuple(times)


def arrivals(times_s: Sequence[float], count: int, per_hour: float, seed: int) -> tuple[float, ...]:
    """So many arrivals from 0 on, at this mean rate, in the pattern of `times_s`; without it as chance has them.

    Of a long recording its busiest stretch of `count` is taken, so that its burst is in it; a short one is drawn from
    in blocks of gaps (a moving block bootstrap, Künsch 1989), which keeps bursts and loses what is slower than a block.
    """
    gaps = [later - earlier for earlier, later in pairwise(sorted(times_s))]
    chance = random.Random(f"arrivals of {seed}")  # noqa: S311 -- a repeatable pattern, nothing secret
    wanted = count - 1
    if len(gaps) < TIMES_MIN - 1 or sum(gaps) <= 0:
        chosen = [-math.log(1.0 - chance.random()) for _ in range(wanted)]
    elif len(gaps) >= wanted:
        chosen = _busiest(gaps, wanted)
    else:
        chosen = _drawn(gaps, wanted, chance)
    whole_s = count / per_hour * 3600
    total = sum(chosen)
    scale = whole_s / total if total > 0 else 0.0
    at, found = 0.0, [0.0]
    for gap in chosen:
        at += gap * scale
        found.append(at)
    return tuple(found)


def burst(times_s: Sequence[float]) -> float:
    """How uneven the gaps are: their standard deviation over their mean. As chance has them: 1; like a clock: 0."""
    gaps = [later - earlier for earlier, later in pairwise(times_s)]
    if not gaps or sum(gaps) <= 0:
        return 0.0
    mean = sum(gaps) / len(gaps)
    return math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) / mean


def _busiest(gaps: Sequence[float], count: int) -> list[float]:
    spent = sum(gaps[:count])
    least, at = spent, 0
    for end in range(count, len(gaps)):
        spent += gaps[end] - gaps[end - count]
        if spent < least and spent > 0:
            least, at = spent, end - count + 1
    return list(gaps[at : at + count])


def _drawn(gaps: Sequence[float], count: int, chance: random.Random) -> list[float]:
    found: list[float] = []
    while len(found) < count:
        begin = chance.randrange(max(1, len(gaps) - BLOCK + 1))
        found += gaps[begin : begin + BLOCK]
    return found[:count]


def _of_json(lines: Sequence[str], origin: str) -> list[tuple[str, Any]]:
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise ConfigError(
                f"{origin}, line {number}, is no JSON: {error}.", mend="Write one object a line."
            ) from error
        if not isinstance(row, dict) or not row:
            raise ConfigError(f"{origin}, line {number}, is no object.", mend='Write {"at": 12.5}.')
        name = next((name for name in _COLUMNS if name in row), next(iter(row)))
        found.append((name, row[name]))
    return found


def _of_csv(lines: Sequence[str]) -> list[tuple[str, Any]]:
    rows = list(csv.reader(lines))
    if not rows:
        return []
    header = [cell.strip().lower() for cell in rows[0]]
    at = next((header.index(name) for name in _COLUMNS if name in header), None)
    if at is None:
        return [("", row[0]) for row in rows if row]
    return [(header[at], row[at]) for row in rows[1:] if len(row) > at]


def _seconds(value: Any, name: str) -> float:
    if isinstance(value, bool) or value is None:
        raise ValueError(repr(value))
    try:
        number = float(value)
    except ValueError:
        then = datetime.fromisoformat(str(value).strip())
        return (then if then.tzinfo is not None else then.replace(tzinfo=UTC)).timestamp()
    if not math.isfinite(number):
        raise ValueError(repr(value))
    return number / _SHARES_OF_S.get(name[-3:], 1)
