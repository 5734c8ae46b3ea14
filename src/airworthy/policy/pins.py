"""Whether a model's name is one exact version; a table of names, no network and no policy."""

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Pinned:
    """The name means the same weights tomorrow; `by` says which part of it makes that so."""

    by: str


@dataclass(frozen=True, slots=True)
class Floating:
    """The name may mean another model tomorrow."""

    suggestion: str | None
    reason: str


# Only aliases whose dated version is published by the provider; a guess here would pin the wrong model.
ALIASES: Final[dict[str, str]] = {
    "gpt-4o": "gpt-4o-2024-11-20",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "gpt-4.1-mini": "gpt-4.1-mini-2025-04-14",
    "gpt-4.1-nano": "gpt-4.1-nano-2025-04-14",
    "o3": "o3-2025-04-16",
    "o4-mini": "o4-mini-2025-04-16",
    "gpt-5": "gpt-5-2025-08-07",
    "gpt-5-mini": "gpt-5-mini-2025-08-07",
    "claude-3-5-sonnet-latest": "claude-3-5-sonnet-20241022",
    "claude-3-7-sonnet-latest": "claude-3-7-sonnet-20250219",
    "claude-sonnet-4-0": "claude-sonnet-4-20250514",
    "claude-opus-4-0": "claude-opus-4-20250514",
    "claude-opus-4-1": "claude-opus-4-1-20250805",
    "claude-sonnet-4-5": "claude-sonnet-4-5-20250929",
    "claude-haiku-4-5": "claude-haiku-4-5-20251001",
}

_YEAR = r"(?:19|20)\d\d"
_MONTH = r"(?:0[1-9]|1[0-2])"
_DAY = r"(?:0[1-9]|[12]\d|3[01])"
# A date may be followed by words that belong to the version ("-v1:0" of Bedrock), never by "latest".
_TAIL = r"(?:-v\d+(?::\d+)?)?$"
_DATED = (
    (re.compile(rf"[-_.]{_YEAR}-{_MONTH}-{_DAY}{_TAIL}"), "its date"),
    (re.compile(rf"[-_.@]{_YEAR}{_MONTH}{_DAY}{_TAIL}"), "its date"),
    (re.compile(rf"[-_]{_MONTH}-{_YEAR}$"), "its month and year"),
    (re.compile(rf"[-_](?:preview|exp)-{_MONTH}-{_DAY}$"), "its date"),
    (re.compile(r"@sha256:[0-9a-f]{12,64}$"), "its digest"),
    (re.compile(rf"^gpt-.*-{_MONTH}{_DAY}(?:-preview)?$"), "its date"),
    (
        re.compile(
            rf"^(?:mistral|codestral|ministral|pixtral|magistral|devstral|open-mistral)-.*-\d\d{_MONTH}$"
        ),
        "its date",
    ),
    (re.compile(r"[-@]0\d\d$"), "its version number"),
)


def pin_of(name: str) -> Pinned | Floating:
    """Judge by the name alone. A provider's prefix ("azure/", "us.anthropic.") is looked past."""
    bare = name.rsplit("/", 1)[-1]
    alias = ALIASES.get(bare)
    if alias is not None:
        prefix = name[: len(name) - len(bare)]
        return Floating(prefix + alias, f"{name!r} is an alias: its provider moves it to newer versions.")
    for pattern, by in _DATED:
        if pattern.search(bare):
            return Pinned(by)
    if re.search(r"[-:]latest$", bare):
        return Floating(None, f"{name!r} follows the newest version, by its own name.")
    if "preview" in bare or bare.endswith("-exp"):
        return Floating(None, f"{name!r} is a preview without a date.")
    return Floating(None, f"{name!r} carries no date or version number.")
