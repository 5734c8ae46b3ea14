"""One attack as any of the tools tells it, and the case that is made of it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from airworthy.core.canonical import digest
from airworthy.core.chars import quoted
from airworthy.core.errors import InputError
from airworthy.evals.case import Case, Severity
from airworthy.evals.suites.building import built

TEXT_CHARS_MAX: Final = 200_000
CASES_MAX: Final = 5_000
TRIGGERS_MAX: Final = 20
TRIGGER_CHARS_MAX: Final = 500
# An attack is met by any explicit end; what must not be is an effect, or the words that would show it worked.
_OUTCOMES: Final = ("answered", "declined", "escalated")


class NoAttacks(InputError):
    """The file is none of the tool it is said to be of, or holds nothing to import."""

    code: ClassVar[str] = "cannot_import"


@dataclass(frozen=True, slots=True)
class Attack:
    """`family`: the tool's own name for the kind. `triggers`: texts whose appearance in an answer shows that it worked.
    `expect`: more that the tool expects, by the keys of a case. `place`: where it stands, as line or number.
    """

    text: str
    family: str
    place: str = ""
    goal: str = ""
    triggers: tuple[str, ...] = ()
    expect: Mapping[str, Any] = field(default_factory=dict)
    severity: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """How an attack's text becomes an input of this agent. `like`: a case whose input is taken, with the text in place
    of `at` (dotted; empty: of the whole). Without `like`, `at` names the one field of a mapping.
    """

    at: str = ""
    like: Case | None = None

    def input_of(self, text: str) -> Any:
        """Raises: NoAttacks when the like case has no such field."""
        if not self.at:
            return text
        if self.like is None:
            made: Any = text
            for part in reversed(self.at.split(".")):
                made = {part: made}
            return made
        return _put(self.like.input, self.at.split("."), text, self.at)


@dataclass(frozen=True, slots=True)
class Imported:
    """`skipped`: what was not taken, with its place and why, in sentences."""

    cases: tuple[Case, ...]
    skipped: tuple[str, ...] = ()


def cases_of(attacks: Iterable[Attack], tool: str, shape: Shape) -> Imported:
    """The same text twice is one case; ids are the same at the next import of the same text."""
    cases: dict[str, Case] = {}
    skipped: list[str] = []
    for attack in attacks:
        if len(cases) >= CASES_MAX:
            skipped.append(f"More than {CASES_MAX} attacks: the rest was left out.")
            break
        if not attack.text.strip():
            skipped.append(f"{attack.place}: it has no text.")
            continue
        if len(attack.text) > TEXT_CHARS_MAX:
            skipped.append(
                f"{attack.place}: it has {len(attack.text)} characters; {TEXT_CHARS_MAX} are taken."
            )
            continue
        raw = _raw(attack, tool, shape)
        known = cases.get(raw["id"])
        # An attempt may stand there twice, from its beginning and from its end, which says more.
        if known is not None and len(known.expect.not_facts) >= len(raw["expect"]["not_facts"]):
            continue
        case, wrong = built(raw, {})
        if case is None or wrong:
            # The tool's expectation may be none that an agent can meet; the attack itself is worth having all the same.
            case, _ = built({**raw, "expect": {"outcome": list(_OUTCOMES), "no_acts": True}}, {})
            skipped.append(
                f"{attack.place}: its expectation cannot be used ({wrong[0].says if wrong else 'unknown'})."
            )
        if case is not None:
            cases[case.id] = case
    return Imported(tuple(cases.values()), tuple(skipped))


def _raw(attack: Attack, tool: str, shape: Shape) -> dict[str, Any]:
    # Text of any sort may stand there, halves of characters too.
    text = attack.text.encode("utf-8", "replace").decode()
    family = re.sub(r"[^a-z0-9]+", "-", attack.family.lower()).strip("-")[:50] or "attack"
    triggers = [text for text in attack.triggers if text.strip() and len(text) <= TRIGGER_CHARS_MAX][
        :TRIGGERS_MAX
    ]
    goal = f"Goal: {quoted(attack.goal, 300)}." if attack.goal else ""
    severity = attack.severity if attack.severity in set(Severity) else "major"
    raw: dict[str, Any] = {
        "id": f"{tool}-{family}-{digest(family.encode(), text.encode()).hex()[:8]}",
        "input": shape.input_of(text),
        "severity": severity,
        "tags": ["adversarial", "edge", tool],
        "expect": {
            "outcome": list(_OUTCOMES),
            "no_acts": True,
            "not_facts": [_literal(each) for each in triggers],
        },
        "note": " ".join(part for part in (goal, attack.note) if part),
        "origin": f"{tool} {quoted(attack.family, 100)} {attack.place}".strip(),
    }
    raw["expect"] = {**raw["expect"], **attack.expect}
    if shape.like is not None:
        raw.update(
            user=shape.like.user,
            session=shape.like.session,
            feature=shape.like.feature,
            source=shape.like.source,
        )
    return raw


def _literal(text: str) -> str:
    """A trigger in slashes would be taken for a pattern."""
    return f"/{re.escape(text)}/" if len(text) > 2 and text.startswith("/") and text.endswith("/") else text


def _put(value: Any, path: list[str], text: str, at: str) -> Any:
    if not path:
        return text
    head, *rest = path
    if isinstance(value, Mapping) and head in value:
        return {**value, head: _put(value[head], rest, text, at)}
    if isinstance(value, list) and head.isascii() and head.isdigit() and int(head) < len(value):
        copy = list(value)
        copy[int(head)] = _put(copy[int(head)], rest, text, at)
        return copy
    raise NoAttacks(f"The input of the case has no field {at!r}.", mend="Name one that it has: --at FIELD.")
