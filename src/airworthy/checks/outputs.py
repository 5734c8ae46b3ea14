"""Checks of what goes out: an answer one of them blocks waits for a person."""

from pydantic import ValidationError

from airworthy.checks.check import Answered, CheckContext, blocked, check
from airworthy.checks.text import compiled, size_of, text_of
from airworthy.core.canonical import encode
from airworthy.core.redact import find

_HELD = "The answer is being looked at by a person before we send it."
SEARCHED_CHARS_MAX = 200_000
PLACES_MAX = 20


@check(on="output", inline=True)
def schema(value: object, context: CheckContext) -> Answered:
    """The decoded answer has the declared type; `settings.validate` raises when it has not."""
    try:
        context.settings.validate(value)
    except ValidationError as error:
        # Places and kinds only: the messages quote the answer.
        places = [
            f"{'.'.join(map(str, each['loc'])) or 'answer'}: {each['type']}"
            for each in error.errors(include_input=False, include_url=False, include_context=False)
        ]
        return blocked(
            _HELD,
            detail=f"The answer is not {error.title}: {'; '.join(places[:PLACES_MAX])}.",
            evidence={"places": places[:PLACES_MAX], "count": error.error_count()},
        )
    except (ValueError, TypeError, AssertionError) as error:
        return blocked(_HELD, detail=f"The answer is not of the declared type ({type(error).__name__}).")
    return None


@check(on="output", name="bytes", inline=True)
def bytes_limit(value: object, context: CheckContext) -> Answered:
    size = size_of(value)
    if size <= context.settings.bytes_max:
        return None
    return blocked(
        _HELD,
        detail=f"The answer has {size} bytes; bytes_max is {context.settings.bytes_max}.",
        evidence={"bytes": size, "bytes_max": context.settings.bytes_max},
    )


@check(on="output")
def forbidden_patterns(value: object, context: CheckContext) -> Answered:
    text = text_of(value)[:SEARCHED_CHARS_MAX]
    for pattern in context.settings.forbid_patterns:
        if compiled(pattern).search(text):
            return blocked(
                _HELD,
                detail=f"The answer matches the forbidden pattern {pattern!r}.",
                evidence={"pattern": pattern},
            )
    return None


@check(on="output", inline=True)
def secrets(value: object, context: CheckContext) -> Answered:  # noqa: ARG001 - every check takes both
    text = value if isinstance(value, str) else encode(value).decode()
    found = find(text)
    if not found:
        return None
    kinds = sorted({each.kind for each in found})
    return blocked(
        _HELD,
        detail=f"The answer holds {len(found)} secrets: {', '.join(kinds)}.",
        evidence={
            "places": [{"kind": kind, "start": start, "end": end} for kind, start, end in found[:PLACES_MAX]]
        },
    )
