"""Finds personal data in text and JSON and writes over it, by rules that are on; knows no setting and no store.

What a run needs to go on is never handed to this: see docs/how-to/privacy.md for what is.
"""

import hmac
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, Literal, NamedTuple

import orjson

from airworthy.core import personal_shapes as shapes
from airworthy.core.pattern_bound import bounded

Writing = Literal["redact", "pseudonym"]

PSEUDONYM_HEX: Final = 8
NESTED_MAX: Final = 4  # JSON in a string of JSON is read so deep
ROUNDS_MAX: Final = 4
_WRITTEN = re.compile(r"\[(?:redacted:[\w-]{1,64}|[\w-]{1,64}:[0-9a-f]{8})\]", re.ASCII)
_ESCAPE = re.compile(r"\\(?:[nrtbf]|u[0-9A-Fa-f]{4})")


class Hit(NamedTuple):
    """`text[start:end]` is the value; `kind` is what is written for it, `rule` what found it."""

    rule: str
    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class PersonalRule:
    """`hits` and `misses` are its documented examples, which tests hold it to. `hint`: whether to look at all."""

    name: str
    kind: str
    find: Callable[[str], Iterable[tuple[int, int]]]
    what: str
    hits: tuple[str, ...] = ()
    misses: tuple[str, ...] = ()
    hint: shapes.Hint = shapes.always


def own_rule(name: str, pattern: str) -> PersonalRule:
    """A rule that somebody wrote. Raises: Unbounded, when searching for it could take too long."""
    compiled = bounded(pattern)

    def find(text: str) -> Iterator[tuple[int, int]]:
        return (match.span() for match in compiled.finditer(text))

    return PersonalRule(name, name, find, f"your own: {pattern}")


_COUNTRIES: Final = {
    "be": ("Belgian national number, with its dots", "93.05.18-223.61", "93.05.18-223.62"),
    "br": ("Brazilian CPF, with its dots", "529.982.247-25", "529.982.247-26"),
    "es": ("Spanish DNI or NIE", "12345678Z", "12345678A"),
    "fi": ("Finnish personal identity code", "131052-308T", "131052-308U"),
    "fr": ("French social security number", "2 55 08 14 168 025 38", "2 55 08 14 168 025 39"),
    "gb": ("British NHS number, in groups", "943 476 5919", "943 476 5918"),
    "it": ("Italian codice fiscale", "RSSMRA85T10A562S", "RSSMRA85T10A562T"),
}

BUILT_IN: Final[tuple[PersonalRule, ...]] = (
    PersonalRule(
        "email",
        "email",
        shapes.emails,
        "An e-mail address, in any letters.",
        ("ada@example.org", "o'neil+shop@mail.example.co.uk", "jürgen@müller.example"),
        ("@ada", "ada@localhost", "a @ b.example", "meet me @ 12.30"),
        hint=shapes.with_at,
    ),
    PersonalRule(
        "phone",
        "phone",
        shapes.phones,
        "A phone number with + or 00 and its country, or as North America writes it.",
        ("+49 30 901820", "+1 (555) 010-9999", "0044 20 7946 0958", "555-234-5678", "(555) 234-5678"),
        ("order 8812", "2026-11-26", "12345678", "030 901820", "+12"),
        hint=shapes.with_run,
    ),
    PersonalRule(
        "card",
        "card",
        shapes.cards,
        "A payment card of a known network whose last digit is right (Luhn).",
        ("4111 1111 1111 1111", "5555555555554444", "3782-822463-10005"),
        ("4111 1111 1111 1112", "1234567812345670", "0000000000000000", "order 4111-1111"),
        hint=shapes.with_run,
    ),
    PersonalRule(
        "iban",
        "iban",
        shapes.ibans,
        "A bank account of a country that has IBANs, of the right length and checksum (mod 97).",
        ("DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432", "NO9386011117947"),
        ("DE89 3704 0044 0532 0130 01", "XX89370400440532013000", "DE89"),
        hint=shapes.with_run,
    ),
    *(
        PersonalRule(
            f"national_id_{code}",
            "national_id",
            shapes.NATIONAL_IDS[code],
            f"{what}.",
            (hit,),
            (miss,),
            hint=shapes.with_fiscal if code == "it" else shapes.with_run,
        )
        for code, (what, hit, miss) in _COUNTRIES.items()
    ),
    PersonalRule(
        "ip",
        "ip",
        shapes.addresses,
        "An address of the internet, of either version, but for this machine's own.",
        ("203.0.113.7", "2001:db8::8a2e:370:7334"),
        ("127.0.0.1", "256.1.1.1", "12:30:45", "1.2.3"),
        hint=shapes.with_address,
    ),
)  # fmt: skip
KINDS: Final = tuple(dict.fromkeys(rule.kind for rule in BUILT_IN))


class Personal:
    """Applying it twice changes nothing more. `key`: of the pseudonyms; the same value and key give the same one.

    `writing`: how each kind is written over; a kind that is not named is redacted.
    """

    def __init__(
        self, rules: Sequence[PersonalRule], writing: dict[str, Writing] | None = None, key: bytes = b""
    ) -> None:
        self.rules = tuple(rules)
        # One hint is the hint of many rules.
        by_hint: dict[shapes.Hint, list[PersonalRule]] = {}
        for rule in self.rules:
            by_hint.setdefault(rule.hint, []).append(rule)
        self._by_hint = tuple(by_hint.items())
        self._writing = writing or {}
        self._key = key
        if not key and "pseudonym" in self._writing.values():
            raise ValueError("pseudonyms without a key could be guessed")

    def __bool__(self) -> bool:
        return bool(self.rules)

    def find(self, text: str) -> list[Hit]:
        """In order and without overlap; what was written over before is left alone."""
        traits = shapes.Traits(text)
        found: list[Hit] = []
        for hint, rules in self._by_hint:
            if hint(traits):
                for rule in rules:
                    found += [
                        Hit(rule.name, rule.kind, _past_escape(text, start), end)
                        for start, end in rule.find(text)
                    ]
        if not found:
            return []
        written = [match.span() for match in _WRITTEN.finditer(text)]
        kept = [
            hit
            for hit in found
            if hit.start < hit.end and not any(s < hit.end and hit.start < e for s, e in written)
        ]
        return _merged(kept)

    def written(self, hit: Hit, text: str) -> str:
        """What stands in the value's place."""
        if self._writing.get(hit.kind, "redact") == "redact":
            return f"[redacted:{hit.kind}]"
        value = "".join(
            char for char in text[hit.start : hit.end].casefold() if char.isalnum() or char in "@._%+'-"
        )
        if hit.kind in {"phone", "card", "iban"}:
            value = "".join(char for char in value if char.isalnum())
        told = hmac.new(
            self._key, f"{hit.kind}\0{value}".encode("utf-8", "surrogatepass"), sha256
        ).hexdigest()
        return f"[{hit.kind}:{told[:PSEUDONYM_HEX]}]"

    def redact_text(self, text: str) -> str:
        return self._text(text)[0]

    def _text(self, text: str) -> tuple[str, int]:
        count = 0
        # What is written makes new edges, beside which something may stand that was part of a longer word before.
        for _ in range(ROUNDS_MAX):
            hits = self.find(text)
            if not hits:
                break
            parts, at = list[str](), 0
            for hit in hits:
                parts += [text[at : hit.start], self.written(hit, text)]
                at = hit.end
            text, count = "".join([*parts, text[at:]]), count + len(hits)
        return text, count

    def redact_json(self, data: bytes) -> tuple[bytes, int]:
        """JSON in, JSON out, and how many values were written over; what is no JSON is read as text.

        A number is only taken for a card, and becomes a string then. Numbers of other kinds are left.
        """
        if not self._may_hold(data):
            return data, 0
        try:
            value = _loaded(data)
        except (ValueError, RecursionError):
            text, count = self._text(data.decode("utf-8", "surrogateescape"))
            return (text.encode("utf-8", "surrogateescape"), count) if count else (data, 0)
        try:
            clean, count = self._value(value, 0)
        except RecursionError:  # Nested deeper than can be walked: nothing of it is kept.
            return b'"[redacted:unreadable]"', 1
        return (_dumped(clean), count) if count else (data, 0)

    def _may_hold(self, data: bytes) -> bool:
        """The way of nearly every payload. An escape may stand for any character, so it is looked behind."""
        if b"\\u" in data:
            return bool(self.rules)
        traits = shapes.Traits(data.decode("latin-1"))
        return any(hint(traits) for hint, _ in self._by_hint)

    def redact_value(self, value: Any) -> Any:
        """The same for decoded JSON."""
        return self._value(value, 0)[0]

    def _value(self, value: Any, nested: int) -> tuple[Any, int]:
        match value:
            case str():
                return self._string(value, nested)
            case dict():
                return self._object(value, nested)
            case list():
                pairs = [self._value(each, nested) for each in value]
                return [each for each, _ in pairs], sum(count for _, count in pairs)
            case bool():
                return value, 0
            case int() if len(digits := str(value)) >= 13:
                hits = [hit for hit in self.find(digits) if hit.kind == "card"]
                return (self.written(hits[0], digits), 1) if hits else (value, 0)
            case _:
                return value, 0

    def _object(self, value: dict[str, Any], nested: int) -> tuple[dict[str, Any], int]:
        made: dict[str, Any] = {}
        count = 0
        for name, each in value.items():
            name, in_name = self._string(name, nested)
            each, in_each = self._value(each, nested)
            unique, again = name, 1
            while unique in made:  # Two people may have become one name.
                again += 1
                unique = f"{name} {again}"
            made[unique] = each
            count += in_name + in_each
        return made, count

    def _string(self, text: str, nested: int) -> tuple[str, int]:
        if nested < NESTED_MAX and text.lstrip()[:1] in {"{", "["}:
            try:
                inner = _loaded(text)
            except (ValueError, RecursionError):
                return self._text(text)
            if isinstance(inner, dict | list):
                clean, count = self._value(inner, nested + 1)
                return (_dumped(clean).decode(), count) if count else (text, 0)
        return self._text(text)


def _loaded(data: bytes | str) -> Any:
    """Raises: ValueError, RecursionError."""
    try:
        return orjson.loads(data)
    except ValueError:  # It takes no integer beyond 64 bits and no half of a character; JSON has both.
        return json.loads(data)


def _dumped(value: Any) -> bytes:
    """Every lone surrogate stays an escape, so that what was valid UTF-8 is."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def _past_escape(text: str, start: int) -> int:
    """A value after a written-out `\\n` does not begin with that n."""
    if start > 0 and text[start - 1] == "\\":
        escape = _ESCAPE.match(text, start - 1)
        if escape is not None:
            return escape.end()
    return start


def _merged(hits: list[Hit]) -> list[Hit]:
    """In order; what overlaps becomes one, under the rule of what began first and went furthest."""
    merged: list[Hit] = []
    for hit in sorted(hits, key=lambda hit: (hit.start, -hit.end)):
        if merged and hit.start < merged[-1].end:
            merged[-1] = merged[-1]._replace(end=max(merged[-1].end, hit.end))
        else:
            merged.append(hit)
    return merged
