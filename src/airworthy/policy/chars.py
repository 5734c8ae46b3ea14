"""Which characters may reach a reader's eyes; every text of a policy or of an error passes here."""

import unicodedata
from typing import Final

# Joiners that real scripts and emoji need; every other format character can hide or reorder what is read.
_JOINERS: Final = frozenset("\u200c\u200d")
_HIDING: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def hides(char: str) -> bool:
    """Whether a character is invisible, moves the cursor, or turns the direction of reading."""
    return unicodedata.category(char) in _HIDING and char not in _JOINERS


def printable(text: str) -> str:
    """Text from a file or a path for a terminal: on one line, what hides is spelled out."""
    return "".join(ascii(char)[1:-1] if hides(char) else char for char in text)
