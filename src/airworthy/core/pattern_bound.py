"""Whether a pattern that somebody wrote can be searched for in any text without taking for ever. Searches nothing.

Python's engine backtracks, so a pattern is taken only while the ways to match at one place can be counted and are
few: repetitions have an upper bound, none stands inside another, and the product of their choices is small.
"""

import re
import warnings
from typing import Any, Final

WIDTH_MAX: Final = 512  # characters that one match may have
WAYS_MAX: Final = 5_000  # to match at one place, as an upper bound
PATTERN_CHARS_MAX: Final = 500


class Unbounded(ValueError):
    """Says what about the pattern cannot be bounded."""


def bounded(pattern: str) -> re.Pattern[str]:
    """Compiles it. Raises: Unbounded, also for what is no pattern, or one that matches nothing at all (`x*`)."""
    if len(pattern) > PATTERN_CHARS_MAX:
        raise Unbounded(f"it has {len(pattern)} characters, and at most {PATTERN_CHARS_MAX} are read")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            compiled = re.compile(pattern)
            tree: Any = getattr(re, "_parser").parse(pattern)  # noqa: B009  # the parser has no public name, nor types
    except (re.error, RecursionError, OverflowError, Warning) as error:
        raise Unbounded(f"it is no pattern: {error}") from error
    least, most = tree.getwidth()
    if least == 0:
        raise Unbounded("it also matches where nothing stands")
    if most > WIDTH_MAX:
        raise Unbounded(f"a match may be longer than {WIDTH_MAX} characters; write {{1,64}} for + and *")
    ways = _ways(tree, inside=False)
    if ways > WAYS_MAX:
        raise Unbounded(f"it can match in up to {ways} ways at one place, and {WAYS_MAX} is the bound")
    return compiled


def _ways(tree: Any, *, inside: bool) -> int:
    """How many ways there are to match from one place, at most. `inside`: of a repetition."""
    ways = 1
    for op, argument in tree:
        ways = min(ways * _ways_of(str(op), argument, inside=inside), 10**9)
    return ways


def _ways_of(op: str, argument: Any, *, inside: bool) -> int:
    match op:
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            least, most, body = argument
            inner = _ways(body, inside=True)
            if inner > 1 and int(most) > 1:
                raise Unbounded("a choice or a repetition stands inside a repetition")
            if inside and least != most:
                raise Unbounded("a repetition stands inside a repetition")
            return (int(most) - int(least) + 1) * inner
        case "BRANCH":
            return sum(_ways(branch, inside=inside) for branch in argument[1])
        case "SUBPATTERN":
            return _ways(argument[3], inside=inside)
        case "ASSERT" | "ASSERT_NOT":
            return _ways(argument[1], inside=inside)
        case "ATOMIC_GROUP":
            return _ways(argument, inside=inside)
        case "GROUPREF" | "GROUPREF_EXISTS" | "GROUPREF_IGNORE":
            raise Unbounded("it refers to what it matched before")
        case _:
            return 1
