"""Spellings of one thing: a strict form that may allow a value, and a loose one that only explains it.

The two must not be mixed up. Folding a Cyrillic letter into a Latin one, or dropping a character of no width, finds
more; whoever allowed what it finds would let a look-alike of a known address through.
"""

import re
import unicodedata
from base64 import b64encode
from collections.abc import Iterator
from typing import Any, Final

DEPTH_MAX: Final = 40  # Deeper data is not looked into, so nothing in it is ever known.
CODE_CHARS_MIN, CODE_DIGITS_MIN, CODE_CHARS_MAX = 6, 4, 64

_SPACES = re.compile(r"\s+")
_CODE = re.compile(r"\+?[0-9A-Za-z][0-9A-Za-z .()\-]*")
_CODE_GAPS: Final = frozenset(" -.()")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_AT = re.compile(r"\s*[\[({]\s*at\s*[\])}]\s*")
_DOT = re.compile(r"\s*[\[({]\s*dot\s*[\])}]\s*")
EMAIL = re.compile(r"[^\s@<>,;:\"'()\[\]]+@[^\s@<>,;:\"'()\[\]]+")
_URL = re.compile(r"(?:https?://|www\.)[^\s<>\"']+", re.IGNORECASE)
_SCHEME = re.compile(r"https?://", re.IGNORECASE)
_IBAN = re.compile(r"\b[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]{4}){2,7}(?: ?[A-Za-z0-9]{1,4})?\b")
_LONG_NUMBER = re.compile(r"(?<![\w.])\+?\d(?:[ \-]?\d){6,18}(?![\w.])")

_HOST = re.compile(r"(?:[\w-]+\.)+[\w-]+(?=/)")
_SEVEN_DIGITS = re.compile(r"\d{2}[0-9A-Za-z \-]{5}")  # No account and no long number is without it.

# Letters of other scripts that look like Latin ones; only for explaining.
_LOOKALIKES: Final = str.maketrans(
    "авсеһіјкмнорԛгѕтуԝхьзαβεηικνορτυχωᴏıɡⅼ",
    "abcehijkmhopqrstuwxb3abehikvoptuxwoigl",
)


def leaves(value: Any) -> list[str | int | float]:
    """Every text and number inside a JSON value, in order; truth values and nothing are left out."""
    return gathered(value)[0]


def gathered(value: Any) -> tuple[list[str | int | float], bool]:
    """`leaves`, and whether something lies deeper than anybody looks."""
    found: list[str | int | float] = []
    return found, _gather(value, found, 0)


def _gather(value: Any, found: list[str | int | float], depth: int) -> bool:
    if isinstance(value, str):
        found.append(value)
        return False
    if isinstance(value, dict | list | tuple):
        if depth >= DEPTH_MAX:
            return True
        deep = False
        for each in value.values() if isinstance(value, dict) else value:
            deep = _gather(each, found, depth + 1) or deep
        return deep
    if isinstance(value, int | float) and not isinstance(value, bool):
        found.append(value)
    return False


def too_deep(value: Any) -> bool:
    return gathered(value)[1]


def exact(text: str) -> str:
    """One spelling for composed letters and for spaces; nothing else is changed."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return _SPACES.sub(" ", text)


def spelt_out(lowered: str) -> str:
    """`ada (at) example (dot) com` as people write it; for text of the user alone."""
    return _DOT.sub(".", _AT.sub("@", lowered)) if "at" in lowered else lowered


def hides(text: str) -> bool:
    """A character without width, one that turns text around, or a control character."""
    if text.isascii():
        return not text.isprintable()
    return any(unicodedata.category(char) in ("Cf", "Cc", "Co", "Cs", "Cn") for char in text)


def lookalike(text: str) -> bool:
    """Letters of another script among Latin ones, or Latin in another width: one may be taken for the other."""
    if text.isascii():
        return False
    folded = unicodedata.normalize("NFKC", text).lower()
    mixed = any("a" <= char <= "z" for char in folded) and folded.translate(_LOOKALIKES) != folded
    return mixed or unicodedata.normalize("NFC", text) != unicodedata.normalize("NFKC", text)


def loose(text: str) -> str:
    """Letters and digits alone, in one case, width and script."""
    if text.isascii():
        return text.lower().translate(_NOT_ALNUM)
    folded = unicodedata.normalize("NFKC", text).casefold().translate(_LOOKALIKES)
    return "".join(char for char in folded if char.isalnum())


_NOT_ALNUM: Final = {code: None for code in range(128) if not chr(code).isalnum()}


def disguises(value: str) -> Iterator[tuple[str, str]]:
    """How the value may have been written, each in its loose form, with the words for it."""
    plain = loose(value)
    yield plain, ""
    yield loose(value.replace("@", " at ").replace(".", " dot ")), ", spelt out"
    yield plain[::-1], ", written backwards"
    raw = value.encode()
    for length in range(len(raw), max(len(raw) - 3, 0), -1):
        yield loose(b64encode(raw[:length]).decode()), ", as base64"
    yield raw.hex(), ", as hexadecimal digits"


def code_of(value: str) -> str | None:
    """An account, a phone number or another code without its gaps; None for whatever is no code."""
    if len(value) > CODE_CHARS_MAX or _CODE.fullmatch(value) is None:
        return None
    squeezed = "".join(char for char in value if char not in _CODE_GAPS).lower().removeprefix("+")
    digits = sum(char.isdigit() for char in squeezed)
    return squeezed if len(squeezed) >= CODE_CHARS_MIN and digits >= CODE_DIGITS_MIN else None


def squeezed(lowered: str) -> tuple[str, list[int]]:
    """A text without the gaps of codes, and the place of each character that is left."""
    places = [place for place, char in enumerate(lowered) if char not in _CODE_GAPS]
    return "".join(lowered[place] for place in places), places


def numbers(text: str) -> set[float]:
    """Every number in the text, read with a comma and with a point for its fraction."""
    found = set()
    for match in _NUMBER.findall(text):
        for written in (match.replace(",", ""), match.replace(".", "").replace(",", ".")):
            if written.count(".") <= 1:
                found.add(float(written))
    return found


def address(value: str) -> str:
    """A web address without its scheme and last slash, its host in small letters; other text as it is."""
    bare = _SCHEME.sub("", value, count=1) if _SCHEME.match(value) else value
    host, slash, path = bare.partition("/")
    if slash and "." in host and host:
        bare = host.lower() + slash + path
    return bare.rstrip("/") or bare


def with_small_hosts(text: str) -> str:
    return _HOST.sub(lambda host: host[0].lower(), text)


def identifiers(text: str) -> list[str]:
    """What in a text says whereto: mail and web addresses, accounts, long numbers."""
    found = EMAIL.findall(text) if "@" in text else []
    patterns = [_URL] if "://" in text or "www." in text.lower() else []
    patterns += [_IBAN, _LONG_NUMBER] if _SEVEN_DIGITS.search(text) else []
    for pattern in patterns:
        found += (match.group().rstrip(".,;:!?)") for match in pattern.finditer(text))
        text = pattern.sub(" ", text)  # An account's digits are no number of their own.
    return list(dict.fromkeys(found))


def addresses_alone(value: str) -> list[str] | None:
    """The mail addresses of `Ada <ada@example.com>, bob@example.com`; None when anything but names is beside them."""
    if "@" not in value:
        return None
    found = EMAIL.findall(value)
    rest = EMAIL.sub(" ", value)
    return found if found and all(char.isalpha() or char in " ,;<>\"'" for char in rest) else None


def stands_alone(text: str, start: int, end: int) -> bool:
    """Whether `text[start:end]` is a whole word there: `bob@a.com` is none in `jim-bob@a.com.example`."""
    before = text[start - 1] if start else " "
    after = text[end] if end < len(text) else " "
    if _joined(before, text[start]) or _joined(after, text[end - 1]):
        return False
    if before in _LINKS and start > 1 and text[start - 2].isalnum():
        return False
    return not (after in _LINKS_AFTER and end + 1 < len(text) and text[end + 1].isalnum())


_LINKS: Final = frozenset("@._-+/%&=?#~\\")
_LINKS_AFTER: Final = _LINKS | {":"}


def _joined(neighbour: str, edge: str) -> bool:
    # Languages without spaces write an address between their own signs.
    if edge.isascii() and "\u3040" <= neighbour <= "\ud7a3":
        return False
    return neighbour.isalnum()
