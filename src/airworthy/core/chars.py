"""Which characters may reach a reader's eyes; every text from outside passes here before it is shown or quoted."""

import unicodedata
from typing import Final

# Joiners that real scripts and emoji need; every other format character can hide or reorder what is read.
_JOINERS: Final = frozenset("\u200c\u200d")
_HIDING: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def hides(char: str) -> bool:
    """Whether a character is invisible, moves the cursor, or turns the direction of reading."""
    return unicodedata.category(char) in _HIDING and char not in _JOINERS


def printable(text: str) -> str:
    """Text for a terminal or a sentence: on one line, what hides is spelled out."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(ascii(char)[1:-1] if hides(char) else char for char in text)


def quoted(text: str, chars_max: int) -> str:
    """The beginning of a text as part of a sentence of ours: white space is one blank, nothing hides."""
    line = printable(" ".join(text[: 4 * chars_max].split()))
    return line if len(line) <= chars_max else line[: chars_max - 1] + "…"
