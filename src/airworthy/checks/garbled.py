"""Tells text nobody can read from text that is merely short, misspelled, technical or foreign.

Each sign needs most of the text, not a part of it: a mail with one broken apostrophe is a mail.
"""

import itertools
import re
import unicodedata
from typing import NamedTuple

LETTERS_MIN = 8  # below it a mash cannot be told from a name, a code or a greeting
CHARS_LOOKED_AT = 20_000


class Sign(NamedTuple):
    """What makes the text unreadable, and its share of the text, 0..1."""

    name: str
    share: float


# U+FFFD, and the same after one more wrong decoding.
_REPLACEMENT = re.compile("\ufffd|ï¿½")
# UTF-8 read as Windows-1252: a lead byte, then continuation bytes, each as a character.
_CONTINUED = "\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹Œ\u017d‘’“”•–—˜™š›œ\u017eŸ"
_MOJIBAKE = re.compile(f"(?:[Â-ß][{_CONTINUED}]|[à-ï][{_CONTINUED}]{{2}}|ð[{_CONTINUED}]{{3}})")
_ONE_CHAR = re.compile(r"(\w)\1{9,}")
_ONE_UNIT = re.compile(r"(\w{2,4}?)\1{5,}")
_BLOB = re.compile(r"[A-Za-z0-9+/=_-]{256,}")
_TECHNICAL = re.compile(r"[@\\/_.:=<>{}()\[\]#$%|~^`*+0-9]")
_AROUND = ".,;:!?…()[]\"'*_"
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_RULE = re.compile(r"([^\w\s])\1{2,}")
_VOWELS = frozenset("aeiouy")
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEIGHBOURS = frozenset(pair for row in _ROWS for a, b in itertools.pairwise(row) for pair in (a + b, b + a))
# A letter, then those that hardly follow it in languages written in Latin letters. One stands in many words
# (update, football), several close together in none.
_RARE_AFTER = (
    *("bfgkpqwxz", "cbdfgjmpvx", "dbcfpqx", "fbcdghjkpqvwxz", "gbcfjkpqvxz", "hbcdfghjkpqxz", "iwy"),
    *("jbcfghlpqrtvwxyz", "kbcdfgjpqvxz", "ljqrwx", "mghjkqrvxz", "nrx", "pbcdfgjkmqvwxz"),
    *("qbcdefghjklmnopqrstvwxyz", "rjqx", "sbfgjrx", "tbdfgjkpqx", "uqwuy", "vbcfghjmpqwxz", "wfjkpqtuvwxz"),
    *("xbdfgjkmnqrsvwxz", "yfghjqvwxyz", "zfgjpqvx"),
)
_RARE = frozenset(row[0] + second for row in _RARE_AFTER for second in row[1:])
RARE_SHARE_MIN = 0.15  # benign messages reach 0.10, letters drawn at random 0.3: see benchmarks/checks.py
RARE_MIN = 3


def sign_of_garble(text: str) -> Sign | None:
    """The first sign that holds, or None for readable text. Pure; looks at the first 20,000 characters."""
    text = unicodedata.normalize("NFC", text[:CHARS_LOOKED_AT])
    solid = "".join(text.split())
    if not solid:
        return None
    signs = (
        (Sign("control characters", _share(sum(map(_is_control, solid)), solid)), 0.05, 3),
        (Sign("replacement characters", _share(_covered(_REPLACEMENT, solid), solid)), 0.05, 3),
        (Sign("mojibake", _share(_covered(_MOJIBAKE, solid), solid)), 0.35, 6),
        (Sign("one character repeated", _share(_covered(_ONE_CHAR, solid), solid)), 0.6, 10),
        (Sign("a few characters repeated", _share(_covered(_ONE_UNIT, text), solid)), 0.8, 10),
        (Sign("one unbroken block", _share(_covered(_BLOB, text), solid)), 0.8, 256),
        (Sign("symbols only", _symbols(text)), 0.85, 8),
    )
    for sign, share_min, chars_min in signs:
        if sign.share >= share_min and sign.share * len(solid) >= chars_min:
            return sign
    return _mash(text)


def _share(count: int, solid: str) -> float:
    return count / len(solid)


def _covered(pattern: re.Pattern[str], text: str) -> int:
    return sum(len(match[0]) for match in pattern.finditer(text))


def _is_control(char: str) -> bool:
    return unicodedata.category(char) in {"Cc", "Cs", "Co"}  # not Cn: next year's pictures


def _symbols(text: str) -> float:
    """Share of characters that are neither letters, marks, digits nor pictures; ruled lines count once."""
    solid = "".join(_RULE.sub(r"\1", text).split())
    plain = sum(1 for char in solid if unicodedata.category(char)[0] in "PS" and ord(char) < 0x2190)
    return plain / len(solid)


def _mash(text: str) -> Sign | None:
    """Latin letters typed at random. Web addresses, code, numbers and other scripts are set aside."""
    tokens = (token.strip(_AROUND) for token in text.split())
    prose = " ".join(token for token in tokens if not _TECHNICAL.search(token))
    letters = rolled = 0
    pairs: list[str] = []
    for match in _WORD.finditer(prose):
        word = match[0]
        if not word.isascii():
            word = "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))
        letters += len(word)
        if word.isascii() and not _is_short_form(word):
            steps = [a + b for a, b in itertools.pairwise(word.lower())]
            pairs += steps
            rolled += len(word) if _is_rolled(steps) else 0
    if letters < LETTERS_MIN:
        return None
    if rolled >= LETTERS_MIN and rolled >= 0.6 * letters:
        return Sign("keys struck in a row", rolled / letters)
    rare = sum(1 for pair in pairs if pair in _RARE)
    # Letters set aside count as well: one odd word does not spoil a text in another script.
    if rare >= RARE_MIN and rare >= RARE_SHARE_MIN * max(len(pairs), letters // 2):
        return Sign("keys struck at random", rare / len(pairs))
    return None


def _is_short_form(word: str) -> bool:
    """NYPD, iOS, cfg: made of letters of other words, so they follow no language."""
    return word[1:] != word[1:].lower() or (len(word) <= 4 and not _VOWELS.intersection(word.lower()))


def _is_rolled(steps: list[str]) -> bool:
    """Most steps go to the key beside: asdf, poiuy, qwerty."""
    moved = [pair for pair in steps if pair[0] != pair[1]]
    return len(moved) >= 3 and sum(1 for pair in moved if pair in _NEIGHBOURS) >= 0.8 * len(moved)
