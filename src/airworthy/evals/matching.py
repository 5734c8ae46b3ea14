"""Whether a text or a value is what a case expects of it. Patterns run in linear time, whatever text they meet."""

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from airworthy.core.canonical import NotSerialisable, decode, encode

PATTERN_CHARS_MAX: Final = 1_000
TEXT_CHARS_MAX: Final = 2_000_000  # of an answer that facts are looked for in; what follows is not read
_DEPTH_MAX: Final = 40


class BadPattern(ValueError):
    """The text says what is wrong with it."""


def is_pattern(expected: str) -> bool:
    return len(expected) > 2 and expected.startswith("/") and expected.endswith("/")


@lru_cache(maxsize=4_096)
def pattern(expected: str) -> Callable[[str], bool]:
    """Of a text in slashes; looks for it anywhere, in any case (`(?-i)` turns that off). Raises: BadPattern, also for
    what only engines that backtrack can do (look-around, references to what matched before).
    """
    from typing import Annotated

    from pydantic import StringConstraints, TypeAdapter, ValidationError
    from pydantic_core import SchemaError

    inner = expected[1:-1]
    if len(inner) > PATTERN_CHARS_MAX:
        raise BadPattern(f"it has {len(inner)} characters, and at most {PATTERN_CHARS_MAX} are read")
    try:
        adapter = TypeAdapter(Annotated[str, StringConstraints(pattern=f"(?i){inner}")])
    except SchemaError as error:
        raise BadPattern(" ".join(str(error).split())[-160:]) from error

    def found(text: str) -> bool:
        if not text.isascii():
            # Half a character is no text to this engine, and would make every pattern miss.
            text = text.encode("utf-8", "replace").decode()
        try:
            adapter.validate_python(text)
        except ValidationError:
            return False
        return True

    return found


def readable(value: Any) -> str:
    """A value as the text that facts are looked for in: a text as it is; else its texts and its JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value[:TEXT_CHARS_MAX]
    plain = as_data(value)
    whole = encode(plain).decode()
    parts = [*_texts(plain, 0), whole, whole.replace('":', '": ').replace(',"', ', "')]
    return "\n".join(parts)[:TEXT_CHARS_MAX]


def as_data(value: Any) -> Any:
    """Plain JSON data, or what it says of itself when it has no JSON form."""
    try:
        return decode(encode(value))
    except NotSerialisable:
        return f"{type(value).__name__} without a JSON form"


def _texts(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth < _DEPTH_MAX and isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each, depth + 1)
    elif depth < _DEPTH_MAX and isinstance(value, list):
        for each in value:
            yield from _texts(each, depth + 1)


def folded(text: str) -> str:
    """As it is compared: compatible characters made one, no difference of case or white space."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def holds(text: str, fact: str, plain: str | None = None) -> bool:
    """Whether a text holds a fact. A number at either end of the fact must be the whole number: `42` is not in `142`,
    nor `19` in `19.90`. `plain`: the text already folded, when many facts are looked for in it.
    """
    if is_pattern(fact):
        return pattern(fact)(text)
    wanted, inside = folded(fact), folded(text) if plain is None else plain
    if not wanted:
        return True
    at = inside.find(wanted)
    while at >= 0:
        end = at + len(wanted)
        if not _cuts_number(inside, at, end):
            return True
        at = inside.find(wanted, at + 1)
    return False


def _cuts_number(text: str, at: int, end: int) -> bool:
    before, after = text[max(0, at - 2) : at], text[end : end + 2]
    if text[at].isdigit() and before and (before[-1].isdigit() or _joins(before[::-1])):
        return True
    return text[end - 1].isdigit() and bool(after) and (after[0].isdigit() or _joins(after))


def _joins(two: str) -> bool:
    """A point or comma with a digit behind it: the number goes on."""
    return len(two) == 2 and two[0] in ".," and two[1].isdigit()


def is_range(expected: Any) -> bool:
    return isinstance(expected, Mapping) and bool(expected) and set(expected) <= {"min", "max"}


def fits(actual: Any, expected: Any) -> bool:
    """Whether an argument is as expected: those fields that are named; a text in slashes is a pattern, a mapping of
    min and max a range, both ends included.
    """
    if isinstance(expected, str) and is_pattern(expected):
        return pattern(expected)(actual if isinstance(actual, str) else readable(actual))
    if is_range(expected):
        number = as_number(actual)
        least, most = expected.get("min"), expected.get("max")
        if number is None:
            return False
        return (least is None or number >= float(least)) and (most is None or number <= float(most))
    if isinstance(expected, Mapping):
        return isinstance(actual, Mapping) and all(
            key in actual and fits(actual[key], value) for key, value in expected.items()
        )
    if isinstance(expected, Sequence) and not isinstance(expected, str):
        return (
            isinstance(actual, Sequence)
            and not isinstance(actual, str)
            and len(actual) == len(expected)
            and all(fits(one, other) for one, other in zip(actual, expected, strict=True))
        )
    if isinstance(actual, bool) is not isinstance(expected, bool):
        return False
    return bool(actual == expected)


def as_number(value: Any) -> float | None:
    """Also of a number that travels as text, as amounts of money do; never of true and false."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    try:
        return float(value) if isinstance(value, str) and len(value) <= 40 else None
    except ValueError:
        return None
