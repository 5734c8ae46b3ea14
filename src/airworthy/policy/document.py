"""A short document as values, so that what it says and how it is marked up cannot be mixed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from airworthy.policy.chars import hides

FOREIGN_CHARS_MAX: Final = 600
_BREAKS: Final = frozenset("\r\n\t\v\f\x85\u2028\u2029")


@dataclass(frozen=True, slots=True)
class Strong:
    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """An exact name or number, to be read letter by letter."""

    text: str


Part = str | Strong | Code
Line = tuple[Part, ...]


def codes(entries: Sequence[str], between: str = ", ") -> Line:
    """A list within a line: `a`, `b`, `c`."""
    parts: list[Part] = []
    for position, entry in enumerate(entries):
        parts += [between, Code(entry)] if position else [Code(entry)]
    return tuple(parts)


@dataclass(frozen=True, slots=True)
class Heading:
    level: int
    line: Line


@dataclass(frozen=True, slots=True)
class Paragraph:
    line: Line


@dataclass(frozen=True, slots=True)
class Bullets:
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """Label and value, side by side where there is room."""

    rows: tuple[tuple[str, Line], ...]


Block = Heading | Paragraph | Bullets | Facts


@dataclass(frozen=True, slots=True)
class Document:
    """`agent` titles the page; every text in it is plain and may come from anybody."""

    agent: str
    blocks: tuple[Block, ...]


def plain(text: str) -> str:
    """Foreign text on one line, cut to length, without characters that hide or reorder what is read.

    Both renderers pass every part through it, so a builder cannot forget to.
    """
    # Spaces at the ends are kept: parts of a line are joined as they are.
    beginning = text[: 2 * FOREIGN_CHARS_MAX]
    kept = "".join(
        " " if char in _BREAKS else char for char in beginning if char in _BREAKS or not hides(char)
    )
    return (
        kept
        if len(kept) <= FOREIGN_CHARS_MAX and len(text) == len(beginning)
        else kept[:FOREIGN_CHARS_MAX] + "…"
    )
