"""Takes personal data out of what other programs told, before it is written: no run of ours is answered from it."""

from collections.abc import Iterable
from typing import Final

from airworthy.core.personal import Personal
from airworthy.recorder.traces.span import Score, Span

_TEXTS: Final = ("name", "error_text", "session", "user", "text")


def clean(personal: Personal, spans: Iterable[Span], scores: Iterable[Score]) -> int:
    """In place, after the secrets are out; how many payloads and texts changed.

    With pseudonyms a user stays one user in every list. With plain redaction all who are named by an address are one.
    """
    if not personal:
        return 0
    changed = 0
    for span in spans:
        payload, count = personal.redact_json(span.payload)
        if count:
            span.payload = payload
            changed += 1
        changed += sum(_text(personal, span, name) for name in _TEXTS)
    for score in scores:
        changed += _text(personal, score, "explanation")
    return changed


def _text(personal: Personal, of: Span | Score, name: str) -> bool:
    before: str = getattr(of, name)
    after = personal.redact_text(before) if before else before
    if after != before:
        setattr(of, name, after)
    return after != before
