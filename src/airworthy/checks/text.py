"""How a value reads as text, for checks that look at words; judges nothing."""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from pydantic import BaseModel

from airworthy.checks.check import BadCheck
from airworthy.core.canonical import encode

DEPTH_MAX = 64


def text_of(value: object) -> str:
    """Text itself; bytes as UTF-8 with U+FFFD for what is none; of anything else every text and number, one a line."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "\n".join(_parts(value, 0))


def size_of(value: object) -> int:
    """Bytes, as the value is stored: text in UTF-8, anything structured as JSON."""
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass"))
    return len(encode(value))


@lru_cache(maxsize=512)
def compiled(pattern: str) -> re.Pattern[str]:
    """Case does not matter, `^` and `$` meet at lines."""
    return re.compile(pattern, re.IGNORECASE | re.MULTILINE)


def _parts(value: object, depth: int) -> Iterator[str]:
    if depth > DEPTH_MAX:
        raise BadCheck(f"The value is nested deeper than {DEPTH_MAX} levels.", mend="Send flatter data.")
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
    match value:
        case None | bool():
            return
        case str() | int() | float():
            yield str(value)
        case bytes():
            yield value.decode("utf-8", "replace")
        case Mapping():
            for inner in value.values():
                yield from _parts(inner, depth + 1)
        case list() | tuple() | set() | frozenset():
            for inner in value:
                yield from _parts(inner, depth + 1)
        case _:
            yield str(value)
