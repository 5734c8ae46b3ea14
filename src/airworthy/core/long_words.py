"""Where in a text a secret with a long run of letters can stand; knows no secret by its form."""

from typing import Final

LONG: Final = "a" * 16  # every provider's key holds 16 letters, digits, - or _ in a row; prose does not
WORD_CHARS_MAX: Final = 4096
BEFORE_CHARS: Final = 12  # "Bearer" and four spaces


def near_long(folded: str, runs: str) -> str:
    """The words that hold a long run, each with a little before it: where the anchor of a secret with one can stand.
    `runs`: `folded` with every letter, digit, - and _ as `a`, and the rest as spaces. In `folded` quotes are spaces.

    Names of models and ids of replies are such runs too, so nearly every payload has one, and searching all of it for
    each anchor would be most of the work.
    """
    parts: list[str] = []
    done, at = 0, runs.find(LONG)
    while at >= 0:
        low = max(done, at - WORD_CHARS_MAX)
        start = folded.rfind(" ", low, at)
        if start < 0:
            if low > done:
                return folded  # A word so long that its begin is not looked for.
            start = low
        end = runs.find(" ", at)
        end = len(folded) if end < 0 else end
        parts.append(folded[max(0, start - BEFORE_CHARS) : end])
        done, at = end, runs.find(LONG, end)
    return "\n".join(parts)
