"""What the texts and the keys of a result look like: known formats, names of fields, codes. Keeps no value itself."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from airworthy.core.canonical import digest
from airworthy.core.redact import find

NAME_CHARS_MAX = 64
CODE_CHARS_MAX = 32
FORMAT_CHARS_MAX = 2_048  # None of the formats is longer.

_DAY = r"\d{4}-\d\d-\d\d"
# No text has two of these.
_FORMATS: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    ("number", re.compile(r"[-+]?\d{1,64}(?:\.\d{1,64})?")),
    ("date", re.compile(_DAY)),
    (
        "date-time",
        re.compile(_DAY + r"[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[-+]\d\d:?\d\d)?"),
    ),
    ("time", re.compile(r"\d\d:\d\d(?::\d\d)?")),
    ("uuid", re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")),
    ("e-mail", re.compile(r"[^\s@<>\":/]{1,64}@[^\s@<>\":/]{1,190}\.[A-Za-z]{2,24}")),
    ("url", re.compile(r"https?://[^\s\"<>]{1,2000}")),
)
MATCH: Final[dict[str, Callable[[str], object]]] = {name: shape.fullmatch for name, shape in _FORMATS}
EMPTY, PLAIN, JSON = "empty", "plain", "json"

_CODE = re.compile(rf"(?!.*\d{{3}})[A-Za-z][A-Za-z0-9_.-]{{0,{CODE_CHARS_MAX - 1}}}")
_VARIES = re.compile(r"\d{4}|@|^[-\d.:/ ]*$|^[0-9A-Fa-f-]{16,}$")


def format_of(text: str) -> str:
    """`json` is decided elsewhere, because it takes reading it."""
    if not text:
        return EMPTY
    if len(text) > FORMAT_CHARS_MAX:
        return PLAIN
    for name, matches in MATCH.items():
        if matches(text):
            return name
    return PLAIN


def may_be_json(text: str) -> bool:
    return len(text) >= 2 and (text[0], text[-1]) in (("{", "}"), ("[", "]"))


def is_name(key: str) -> bool:
    """Whether a key names a field. What varies from object to object (ids, days, addresses) or is a secret does not,
    and is never kept.
    """
    return len(key) <= NAME_CHARS_MAX and _is_name(key)


@lru_cache(maxsize=4_096)
def _is_name(key: str) -> bool:
    return key.isprintable() and _VARIES.search(key) is None and not find(key)


def code_of(text: str) -> str | None:
    """A fingerprint of what may be one of few fixed values, as `in_transit`; None for any other text.

    Four bytes: enough to know a value again, too few to tell which it was.
    """
    return _code_of(text) if len(text) <= CODE_CHARS_MAX else None


@lru_cache(maxsize=4_096)
def _code_of(text: str) -> str | None:
    return digest(text.encode()).hex()[:8] if _CODE.fullmatch(text) else None


_ERROR_KEYS = frozenset(
    {"error", "errors", "message", "code", "status", "detail", "details", "ok", "success"}
)


def is_error(value: object) -> bool:
    """A result that says in itself that the call failed: it says nothing about the shape of results."""
    if isinstance(value, dict):
        if value.get("isError") is True:  # As MCP says it.
            return True
        return bool(value.get("error") or value.get("errors")) and value.keys() <= _ERROR_KEYS
    return isinstance(value, str) and value[:5].lower() == "error"
