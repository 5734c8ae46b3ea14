"""Tries the rules of redaction on a text, and lists them, as recorder.toml of a folder has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from airworthy.app.privacy import rules_of
from airworthy.app.recorder_settings import load_recorder_settings
from airworthy.app.redact_settings import RedactRule
from airworthy.core.errors import InputError
from airworthy.core.personal import BUILT_IN, Personal, PersonalRule
from airworthy.core.redact import Redactor
from airworthy.core.secret_examples import secret_examples


@dataclass(frozen=True, slots=True)
class TriedHit:
    """`start` and `end` count characters of the text that was given."""

    rule: str
    kind: str
    start: int
    end: int
    written: str


@dataclass(frozen=True, slots=True)
class Tried:
    """`written`: the text as it would be stored."""

    hits: tuple[TriedHit, ...]
    written: str


@dataclass(frozen=True, slots=True)
class Listed:
    """`here`: always, off, redact or pseudonym."""

    rule: str
    kind: str
    here: str
    what: str
    example: str


def tried(folder: Path, text: str, only: Sequence[str] = (), *, every: bool = False) -> Tried:
    """`only`: rules by name, also such as are off. Raises: InputError for a rule that is none; PolicyError."""
    settings = load_recorder_settings(folder).redact
    personal = _personal(settings, only, every=every)
    secrets = {each.kind for each in secret_examples()}
    unknown = sorted(set(only) - secrets - {rule.name for rule in personal.rules})
    if unknown:
        raise InputError(f"There is no rule {unknown[0]!r}.", mend="List them: airworthy redact rules")
    found = [hit for hit in Redactor().find(text) if not only or hit.kind in only]
    hits = [TriedHit(kind, kind, start, end, f"[redacted:{kind}]") for kind, start, end in found]
    taken = [(hit.start, hit.end) for hit in hits]
    hits += [
        TriedHit(hit.rule, hit.kind, hit.start, hit.end, personal.written(hit, text))
        for hit in personal.find(text)
        # Secrets are out before personal data is looked for.
        if not any(start < hit.end and hit.start < end for start, end in taken)
    ]
    hits.sort(key=lambda hit: hit.start)
    return Tried(tuple(hits), _written(text, hits))


def listed(folder: Path) -> list[Listed]:
    """Raises: PolicyError, ConfigError."""
    settings = load_recorder_settings(folder).redact
    rules, kinds = rules_of(settings)
    built_in = [
        Listed(rule.name, rule.kind, kinds.get(rule.kind, "off"), rule.what, rule.hits[0])
        for rule in BUILT_IN
    ]
    known = {rule.name for rule in BUILT_IN}
    own = [
        Listed(rule.name, rule.kind, kinds.get(rule.kind, "redact"), rule.what, "")
        for rule in rules
        if rule.name not in known
    ]
    secrets = [Listed(each.kind, each.kind, "always", each.what, each.hits[0]) for each in secret_examples()]
    return [*built_in, *own, *secrets]


def _personal(settings: RedactRule, only: Sequence[str], *, every: bool) -> Personal:
    rules, kinds = rules_of(settings)
    named: dict[str, PersonalRule] = {rule.name: rule for rule in rules}
    if only or every:
        named = {**{rule.name: rule for rule in BUILT_IN}, **named}
    chosen = [rule for rule in named.values() if not only or rule.name in only or rule.kind in only]
    # A pseudonym's key is the database's; here a passing one will do.
    key = b"for this trial only" if "pseudonym" in kinds.values() else b""
    return Personal(chosen, kinds, key)


def _written(text: str, hits: Sequence[TriedHit]) -> str:
    parts, at = list[str](), 0
    for hit in hits:
        parts += [text[at : hit.start], hit.written]
        at = hit.end
    return "".join([*parts, text[at:]])
