"""Checks of what comes in: each says politely why it cannot be worked on."""

import unicodedata

from airworthy.checks.check import Answered, CheckContext, blocked, check, flagged
from airworthy.checks.garbled import sign_of_garble
from airworthy.checks.injection import hints
from airworthy.checks.language import guess, is_foreign
from airworthy.checks.text import compiled, size_of, text_of

SEARCHED_CHARS_MAX = 200_000


@check(on="input", inline=True)
def empty(value: object, context: CheckContext) -> Answered:
    """Nothing, or only spaces, punctuation and pictures. A lone digit is an answer, so it counts fully."""
    text = text_of(value)
    chars_min = context.settings.chars_min
    said = sum(1 for char in text if unicodedata.category(char)[0] in "LN")
    digits = any(char.isdigit() for char in text)
    if said and (digits or said >= _letters_min(text, chars_min)):
        return None
    return blocked(
        "Your message seems to be empty. Please tell us what you need.",
        detail=f"{said} letters or digits in {len(text)} characters; chars_min is {chars_min}.",
    )


def _letters_min(text: str, chars_min: int) -> int:
    # One character of a script without capitals can be a word.
    return 1 if any(c.isalpha() and c.lower() == c.upper() for c in text) else max(1, chars_min)


@check(on="input", inline=True)
def too_long(value: object, context: CheckContext) -> Answered:
    size = size_of(value)
    if size <= context.settings.bytes_max:
        return None
    return blocked(
        "Your message is too long for us to work on. Please shorten it or send only the part that matters.",
        detail=f"{size} bytes; bytes_max is {context.settings.bytes_max}.",
        evidence={"bytes": size, "bytes_max": context.settings.bytes_max},
    )


@check(on="input", inline=True)
def garbled(value: object, context: CheckContext) -> Answered:  # noqa: ARG001 - every check takes both
    """Keys struck at random, wrong decodings, control characters, one character over and over."""
    sign = sign_of_garble(text_of(value))
    if sign is None:
        return None
    return blocked(
        "We could not read your message. Please write it again in a few words.",
        detail=f"{sign.name}: {sign.share:.0%} of the text.",
        evidence={"sign": sign.name, "share": round(sign.share, 3)},
    )


@check(on="input", inline=True)
def language(value: object, context: CheckContext) -> Answered:
    """Only where the policy names languages. Too short or too unclear to tell: noted, not blocked."""
    return _in_languages(value, context, "Sorry, we can only answer messages in these languages: {}.")


@check(on="output", inline=True)
def answer_language(value: object, context: CheckContext) -> Answered:
    return _in_languages(value, context, "The answer was not in one of these languages: {}.")


def _in_languages(value: object, context: CheckContext, reason: str) -> Answered:
    allowed = context.settings.languages
    if not allowed:
        return None
    found = guess(text_of(value), allowed)
    if found is None:
        return flagged("The text is too short to tell its language.", detail="Not judged.")
    evidence = {"language": found.language, "score": round(found.score, 3), "allowed": list(allowed)}
    detail = f"{found.language} with score {found.score:.2f}; allowed languages {found.allowed_score:.2f}."
    if is_foreign(found):
        return blocked(reason.format(", ".join(allowed)), detail=detail, evidence=evidence)
    if found.allowed_score < 0.5:
        return flagged("The language of the text is unclear.", detail=detail, evidence=evidence)
    return None


@check(on="input")
def refused_topic(value: object, context: CheckContext) -> Answered:
    text = text_of(value)[:SEARCHED_CHARS_MAX]
    for pattern in context.settings.refuse_patterns:
        if compiled(pattern).search(text):
            return blocked(
                "Sorry, this is something we cannot help with here.",
                detail=f"The input matches the refused pattern {pattern!r}.",
                evidence={"pattern": pattern},
            )
    return None


@check(on="input")
def injection(value: object, context: CheckContext) -> Answered:  # noqa: ARG001 - every check takes both
    """Advisory: it flags, never blocks, since such phrases catch few attacks and some ordinary mails."""
    found = hints(text_of(value))
    if not found:
        return None
    return flagged(
        "The message contains phrases that try to instruct the agent.",
        detail=f"{len(found)} patterns match: {', '.join(found)}.",
        evidence={"patterns": list(found)},
    )
