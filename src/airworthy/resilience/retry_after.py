"""How long a server asks us to wait, out of its response headers."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from airworthy.core.clock import US_PER_S

_NUMBER = re.compile(r"\d{1,12}(\.\d{1,9})?", re.ASCII)
_DURATION = re.compile(
    r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9}(?:\.\d{1,9})?)s)?(?:(\d{1,9})ms)?", re.ASCII
)
_DURATION_UNITS_S = (86_400.0, 3600.0, 60.0, 1.0, 0.001)
_EPOCH_FROM_S = 1_000_000_000  # A reset of more than thirty years is a date.


def parse_retry_after(headers: Mapping[str, str], now_us: int) -> float | None:
    """Seconds to wait, at least 0; None when the headers do not say or cannot be read.

    In this order: `retry-after-ms`; `retry-after` in seconds or as an HTTP date; the latest reset of the
    limits (`x-ratelimit-reset-requests: 6m0s`, `ratelimit-reset: 30`, `anthropic-ratelimit-tokens-reset:
    2026-01-01T00:00:00Z`) whose `remaining` is 0, or of all limits when none says what remains.

    A date is held against the reply's own `date` where it has one: the two clocks need not agree. No bound is set
    here; whoever waits sets one.
    """
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    now_us = _server_now_us(lower.get("date", ""), now_us)
    milliseconds = _number(lower.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    asked_s = _wait(lower.get("retry-after", ""), now_us)
    if asked_s is not None:
        return asked_s
    return _reset(lower, now_us)


def date_us(date: str) -> int | None:
    """What time it was for the server, by its `date` header; None where that cannot be read."""
    at_s = _date(date) if date else None
    return None if at_s is None else round(at_s * US_PER_S)


def _server_now_us(date: str, now_us: int) -> int:
    at_us = date_us(date)
    return now_us if at_us is None else at_us


def _reset(lower: Mapping[str, str], now_us: int) -> float | None:
    exhausted: list[float] = []
    unknown: list[float] = []
    for name, value in lower.items():
        if "ratelimit" not in name or "reset" not in name:
            continue
        wait_s = _wait(value, now_us)
        if wait_s is None:
            continue
        remaining = _number(lower.get(name.replace("reset", "remaining"), ""))
        if remaining is None:
            unknown.append(wait_s)
        elif remaining == 0:
            exhausted.append(wait_s)
    return max(exhausted or unknown, default=None)


def _wait(value: str, now_us: int) -> float | None:
    seconds = _number(value)
    if seconds is not None:
        return seconds if seconds < _EPOCH_FROM_S else max(0.0, seconds - now_us / US_PER_S)
    seconds = _duration(value)
    if seconds is not None:
        return seconds
    at_s = _date(value)
    return None if at_s is None else max(0.0, at_s - now_us / US_PER_S)


def _number(value: str) -> float | None:
    return float(value) if _NUMBER.fullmatch(value) else None


def _duration(value: str) -> float | None:
    found = _DURATION.fullmatch(value)
    if not value or found is None:
        return None
    return sum(
        float(part) * unit for part, unit in zip(found.groups(), _DURATION_UNITS_S, strict=True) if part
    )


def _date(value: str) -> float | None:
    """Seconds since 1970; a date without a zone is taken for UTC."""
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            at = parse(value)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue  # Text from outside: whatever cannot be read says nothing.
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
    return None
