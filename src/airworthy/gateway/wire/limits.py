"""What a provider says of its rate limits in the headers of an answer, in one form for all providers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from airworthy.resilience import parse_retry_after


@dataclass(frozen=True, slots=True)
class Window:
    """One limit. None: not said. `reset_s`: until it is whole again."""

    limit: int | None = None
    remaining: int | None = None
    reset_s: float | None = None


NOTHING = Window()
_SHORT = re.compile(r"(\d{1,6}(?:\.\d{1,9})?)(m?s)")


@dataclass(frozen=True, slots=True)
class Limits:
    """`tokens` is of both ways together; some providers bound input and output apart as well."""

    requests: Window = NOTHING
    tokens: Window = NOTHING
    tokens_in: Window = NOTHING
    tokens_out: Window = NOTHING


_Names = tuple[str, str, str]


def _names(pattern: str) -> _Names:
    return pattern.format("limit"), pattern.format("remaining"), pattern.format("reset")


# One header of each family, by which it is known, then what it calls requests and tokens. In order of how common.
_OPENAI = _names("x-ratelimit-{}-requests"), _names("x-ratelimit-{}-tokens")
_MINUTE = _names("x-ratelimit-{}-requests-minute"), _names("x-ratelimit-{}-tokens-minute")
_REQ_MINUTE = _names("x-ratelimit-{}-req-minute"), _names("x-ratelimit-{}-tokens-minute")
_PLAIN = _names("x-ratelimit-{}"), _names("x-tokenlimit-{}")
_STANDARD = _names("ratelimit-{}"), _names("ratelimit-{}-tokens")
_FAMILIES: tuple[tuple[str, tuple[_Names, _Names]], ...] = (
    ("x-ratelimit-remaining-tokens", _OPENAI),
    ("x-ratelimit-remaining-requests", _OPENAI),
    ("x-ratelimit-limit-requests", _OPENAI),
    ("x-ratelimit-limit-tokens", _OPENAI),
    ("x-ratelimit-remaining-req-minute", _REQ_MINUTE),
    ("x-ratelimit-remaining-tokens-minute", _MINUTE),
    ("x-ratelimit-remaining", _PLAIN),
    ("ratelimit-remaining", _STANDARD),
)
_ANTHROPIC = tuple(
    _names(f"anthropic-ratelimit-{what}-{{}}")
    for what in ("requests", "tokens", "input-tokens", "output-tokens")
)
_ANTHROPIC_HAS = (
    "anthropic-ratelimit-requests-remaining",
    "anthropic-ratelimit-tokens-remaining",
    "anthropic-ratelimit-input-tokens-remaining",
)


def read_limits(headers: Mapping[str, str], now_us: int | None = None) -> Limits | None:
    """None when the headers say nothing. Names in small letters; values that cannot be read count as not said.

    Anthropic gives moments, not waits: they are held against `now_us`, or, without it, the answer's own `date`.
    """
    for known, (requests, tokens) in _FAMILIES:
        if known in headers:
            return Limits(_window(headers, requests, now_us), _window(headers, tokens, now_us))
    for known in _ANTHROPIC_HAS:
        if known in headers:
            return Limits(*(_window(headers, names, now_us) for names in _ANTHROPIC))
    return None


def _window(headers: Mapping[str, str], names: _Names, now_us: int | None) -> Window:
    limit, remaining, reset = (headers.get(name) for name in names)
    if limit is None and remaining is None and reset is None:
        return NOTHING
    return Window(_count(limit), _count(remaining), _wait_s(headers, reset, now_us))


def _count(value: str | None) -> int | None:
    if value is None or len(value) > 18:
        return None
    if value.isascii() and value.isdecimal():
        return int(value)
    # Some count in parts of a token, and some say how far over the limit one is.
    try:
        return max(0, int(float(value)))
    except (ValueError, OverflowError):
        return None


def _wait_s(headers: Mapping[str, str], value: str | None, now_us: int | None) -> float | None:
    if value is None or len(value) > 64:
        return None
    short = _SHORT.fullmatch(value)  # What nearly all answers say, without the parser for everything.
    if short is not None:
        return float(short.group(1)) / (1000 if short.group(2) == "ms" else 1)
    if now_us is not None or value[-1:] == "s" or value.replace(".", "", 1).isdecimal():
        return parse_retry_after({"retry-after": value}, now_us or 0)
    date = headers.get("date")
    if date is None:
        return None
    # How far each lies from the beginning of time; the difference is the wait.
    at, now = (parse_retry_after({"retry-after": moment}, 0) for moment in (value, date))
    return max(0.0, at - now) if at is not None and now is not None else None
