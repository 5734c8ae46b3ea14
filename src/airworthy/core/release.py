"""A release: an immutable version of an agent under one hash, and what differs between two. Reads no file."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from airworthy.core.canonical import decode, encode

SHORT_CHARS: Final = 12
# In the order in which people ask: what runs, under what rules, with what.
PARTS: Final = ("code", "prompts", "policy", "models", "tools", "knowledge", "libraries")


@dataclass(frozen=True, slots=True)
class Release:
    """`parts`: for each of PARTS the names in it with a fingerprint or a value, all as text. `hash` is over `agent` and
    `parts` alone: the same wherever the same code runs under the same versions.

    `policy_hash`: of the policy as it stood, stage included; the stage is where a release stands, not what it is.
    """

    agent: str
    parts: Mapping[str, Mapping[str, str]]
    policy_hash: str = ""

    @property
    def hash(self) -> str:
        """64 hex digits."""
        return sha256(encode({"agent": self.agent, "parts": self.parts})).hexdigest()

    @property
    def short(self) -> str:
        return self.hash[:SHORT_CHARS]


@dataclass(frozen=True, slots=True)
class Change:
    """`before` or `after` empty: it is new, or gone. Both as stored: a value, or a fingerprint."""

    part: str
    name: str
    before: str
    after: str

    def __str__(self) -> str:
        if not self.before:
            return f"{self.part}: {self.name} is new{_value(self.after)}"
        if not self.after:
            return f"{self.part}: {self.name} is gone"
        fields = _fields(self.before, self.after)
        if fields:
            return f"{self.part}: {self.name} changed in {', '.join(fields)}"
        if _is_print(self.before) or _is_print(self.after):
            return f"{self.part}: {self.name} changed"
        return f"{self.part}: {self.name} was {self.before}, is {self.after}"


def diff(before: Release, after: Release) -> list[Change]:
    """What differs, part by part; names in order."""
    found: list[Change] = []
    for part in (*PARTS, *sorted({*before.parts, *after.parts} - set(PARTS))):
        old, new = before.parts.get(part, {}), after.parts.get(part, {})
        names = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
        if part == "policy" and len(names) > 1:
            # It changes with every key; alone it tells that only a default changed its meaning.
            names = [name for name in names if name != "meaning"]
        found += [Change(part, name, old.get(name, ""), new.get(name, "")) for name in names]
    return found


def _fields(before: str, after: str) -> list[str]:
    """Of two JSON objects, the keys that differ; of anything else, none."""
    if not (before.startswith("{") and after.startswith("{")):
        return []
    try:
        old, new = decode(before.encode()), decode(after.encode())
    except ValueError:
        return []
    return [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]


def _is_print(text: str) -> bool:
    return text.startswith("sha256:")


def _value(text: str) -> str:
    return "" if _is_print(text) or text.startswith("{") else f": {text}"
