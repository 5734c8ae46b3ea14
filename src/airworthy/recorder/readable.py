"""A payload as text for people: text as it is, all else as JSON with its lines. Not yet safe to print."""

import json
from typing import Any, Final

import orjson

TOO_DEEP: Final = "(nested too deep to be shown)"


def readable(value: Any, *, sort_keys: bool = False) -> str:
    """Empty for nothing. What other programs send may be nested deeper than can be written out again."""
    return _written(value, orjson.OPT_INDENT_2 | (orjson.OPT_SORT_KEYS if sort_keys else 0), indent=2)


def in_brief(value: Any) -> str:
    """On one line."""
    return _written(value, 0, indent=None)


def _written(value: Any, options: int, *, indent: int | None) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    try:
        return orjson.dumps(value, option=options).decode()
    except TypeError as error:
        if "Recursion" in str(error):
            return TOO_DEEP
    try:
        return json.dumps(
            value, ensure_ascii=True, indent=indent, default=str
        )  # A number beyond 64 bits, say.
    except (RecursionError, ValueError):
        return TOO_DEEP
