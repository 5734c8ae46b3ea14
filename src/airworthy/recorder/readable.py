"""A payload as text for people: text as it is, all else as JSON with its lines. Not yet safe to print."""

import json
from typing import Any, Final

TOO_DEEP: Final = "(nested too deep to be shown)"


def readable(value: Any, *, sort_keys: bool = False) -> str:
    """Empty for nothing. What other programs send may be nested deeper than can be written out again."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, indent=2, sort_keys=sort_keys)
    except RecursionError:
        return TOO_DEEP


def in_brief(value: Any) -> str:
    """On one line."""
    if value is None or isinstance(value, str):
        return value or ""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        return TOO_DEEP
