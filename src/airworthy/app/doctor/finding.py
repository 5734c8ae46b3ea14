"""What the doctor says, and one thing it can look at, as values."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

# broken: something does not work now, or will not. caution: it works, and somebody should know. skipped: not looked at.
Level = Literal["broken", "caution", "skipped", "ok"]
LEVELS: tuple[Level, ...] = ("broken", "caution", "skipped", "ok")


@dataclass(frozen=True, slots=True)
class Finding:
    """`subject` is what it is about: a file, an agent, a dependency. `text` says what is so, with its value."""

    level: Level
    subject: str
    text: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """`look` may block, hang and crash: each has a thread of its own, and its end is waited for in bounds only."""

    subject: str
    look: Callable[[], Iterable[Finding]]


def ok(subject: str, text: str) -> Finding:
    return Finding("ok", subject, text)


def broken(subject: str, text: str, mend: str) -> Finding:
    return Finding("broken", subject, text, mend)


def caution(subject: str, text: str, mend: str = "") -> Finding:
    return Finding("caution", subject, text, mend)


def skipped(subject: str, text: str) -> Finding:
    return Finding("skipped", subject, text)
