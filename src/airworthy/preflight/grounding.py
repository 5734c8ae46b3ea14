"""Facts that a text states (amounts, numbers, dates, addresses) and whether what was heard supports them. Pure.

It is strict about what a reader would act on and says nothing of the rest: a small number without a unit, a name or a
word is no fact here. What can be worked out from one thing that was heard (a sum, a difference, a price times a
count, cents for a price) is supported.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property, partial
from itertools import combinations
from typing import Any, Final

from airworthy.evals.matching import as_data

TEXT_CHARS_MAX: Final = 100_000
WORKED_OUT_MAX: Final = 40  # Of more numbers than these in one place, almost any is the sum of two.
FACTS_MAX: Final = 200

_NUMBER: Final = r"(?<![\d.,])(?:\d{1,3}(?:[ '.,]\d{3}){1,5}(?:[.,]\d{1,2})?|\d{1,18}(?:[.,]\d{1,9})?)(?!\d)"
_MONTHS: Final = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_MONTH: Final = "|".join(f"{name[:3]}(?:{name[3:]})?" for name in _MONTHS)
_CURRENCY: Final = r"[$€£¥]|EUR|USD|GBP|CHF|JPY|euros?|dollars?|pounds?|cents?"
_UNIT: Final = (
    r"(?:business |working |calendar )?(?:days?|weeks?|months?|years?|hours?|minutes?)"
    r"|in stock|left|kg|km"  # What anybody can count, such as items, needs nobody to tell it.
)
# Each is taken out of the text before the next is looked for, so that nothing is counted twice.
_PATTERNS: Final = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        ("address", r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}|https?://[^\s<>\"')]{1,2000}"),
        ("date", r"\b\d{4}-\d{2}-\d{2}(?:T[\d:.]+(?:Z|[+-]\d{2}:?\d{2})?)?\b"),
        ("date", rf"\b\d{{1,2}}(?:st|nd|rd|th)?\.? (?:of )?(?:{_MONTH})\b(?:,? \d{{4}}\b)?"),
        ("date", rf"\b(?:{_MONTH}) \d{{1,2}}(?:st|nd|rd|th)?\b(?:,? \d{{4}}\b)?"),
        ("date", r"\b\d{1,2}[./]\d{1,2}[./]\d{4}\b"),
        ("amount", rf"(?:{_CURRENCY})\s?(?:{_NUMBER})|(?:{_NUMBER})\s?(?:{_CURRENCY})(?!\w)"),
        ("share", rf"(?:{_NUMBER})\s?(?:%|percent\b)"),
        ("count", rf"(?<![\w.,])(?:{_NUMBER})[ -](?:{_UNIT})\b"),
        ("code", r"(?<![\w-])[A-Za-z0-9][\w-]{3,63}(?![\w-])"),
        ("number", r"(?<![\w.,])\d+[.,]\d{2}(?![\w])|(?<![\w.,])\d{3,}(?![\w])"),
    )
)
_DIGITS = re.compile(_NUMBER)
_BARE = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Stated:
    """`value`: what is compared: a number, a (month, day, year or 0), or letters and digits alone."""

    kind: str
    text: str
    value: Any


def texts_of(value: Any) -> Iterator[str]:
    """Every text and number in a value, names of fields apart."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from texts_of(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from texts_of(each)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)


def stated(value: Any) -> list[Stated]:
    """The facts in an answer or in what was sent, each once, in their order."""
    found: dict[tuple[str, Any], Stated] = {}
    for text in texts_of(as_data(value)):
        left = text[:TEXT_CHARS_MAX]
        for kind, pattern in _PATTERNS:
            for match in pattern.finditer(left):
                for fact in _read(kind, match[0]):
                    found.setdefault((fact.kind, fact.value), fact)
            left = pattern.sub(partial(_blank, kind), left)
    return list(found.values())[:FACTS_MAX]


def _read(kind: str, text: str) -> Iterator[Stated]:
    match kind:
        case "date":
            yield from (Stated(kind, text, day) for day in _days(text)[:1])
        case "address":
            yield Stated(kind, text, _plain(text))
        case "code":
            # A word with two digits or more.
            if sum(char.isdigit() for char in text) >= 2 and any(char.isalpha() for char in text):
                yield Stated(kind, text, _plain(text))
        case _:
            digits = _DIGITS.findall(text)
            if digits:
                yield from (Stated(kind, text, value) for value in _values(digits[0])[:1])
            else:  # More digits than any amount has: the number of a parcel or an account, compared as it is written.
                yield Stated("code", text, _plain(text))


def _blank(kind: str, match: re.Match[str]) -> str:
    """In the place of what was read; a word that was looked at as a code and is none stays, for it may be a number."""
    text = match[0]
    taken = kind != "code" or any(True for _ in _read(kind, text))
    return " " * len(text) if taken else text


def _plain(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())


def _values(text: str) -> list[float]:
    """A number's readings, the likelier first: 1,299 is a thousand, and in some places a little more than one."""
    text = re.sub(r"[ ']", "", text).rstrip(".,")
    comma, dot = text.rfind(","), text.rfind(".")
    readings = []
    if comma >= 0 and dot >= 0:
        decimal = "," if comma > dot else "."
        readings = [text.replace("." if decimal == "," else ",", "").replace(",", ".")]
    elif comma >= 0:
        thousands = len(text) - comma == 4 or text.count(",") > 1
        readings = [text.replace(",", "")] if thousands else [text.replace(",", ".")]
        if thousands and text.count(",") == 1:
            readings.append(text.replace(",", "."))
    elif text.count(".") > 1:
        readings = [text.replace(".", "")]
    else:
        readings = [text]
        if dot >= 0 and len(text) - dot == 4:
            readings.append(text.replace(".", ""))
    found = []
    for each in readings:
        try:
            found.append(float(each))
        except ValueError:
            continue
    return found


def _days(text: str) -> list[tuple[int, int, int]]:
    """As (month, day, year), year 0 where none is told; both readings of 3/4/2026."""
    if found := re.match(r"(\d{4})-(\d{2})-(\d{2})", text):
        year, month, day = map(int, found.groups())
        return [(month, day, year)]
    if found := re.match(r"(\d{1,2})[./](\d{1,2})[./](\d{4})", text):
        one, two, year = map(int, found.groups())
        return [(two, one, year), (one, two, year)]
    name = next(
        (number for number, month in enumerate(_MONTHS, 1) if month[:3] in text.casefold()),
        0,
    )
    numbers = [int(each) for each in re.findall(r"\d+", text)]
    day = next((each for each in numbers if each <= 31), 0)
    year = next((each for each in numbers if each > 31), 0)
    return [(name, day, year)] if name and day else []


class Support:
    """What facts may rest on: everything that was read, asked or told, each text by itself."""

    def __init__(self, texts: Iterable[str], days: Iterable[date] = ()) -> None:
        self._texts = [text[:TEXT_CHARS_MAX] for text in texts if text]
        self._days_known = list(days)

    def holds(self, fact: Stated) -> bool:
        match fact.kind:
            case "address" | "code":
                return fact.value in self._letters
            case "date":
                month, day, year = fact.value
                return any(
                    known[:2] == (month, day) and (0 in (year, known[2]) or known[2] == year)
                    for known in self._days
                )
            case _:
                return any(self._holds_number(value) for value in _values(_DIGITS.findall(fact.text)[0]))

    def says_number(self, value: float) -> bool:
        return self._holds_number(float(value))

    def says(self, text: str) -> bool:
        return _plain(text) in self._letters

    def _holds_number(self, value: float) -> bool:
        scaled = (value, round(value * 100, 4), round(value / 100, 4))
        return any(each in self._numbers for each in scaled) or any(
            round(each, 2) in self._worked_out for each in scaled
        )

    @cached_property
    def _letters(self) -> str:
        return "\n".join(_plain(text) for text in self._texts)

    @cached_property
    def _by_text(self) -> list[set[float]]:
        found = []
        for text in self._texts:
            numbers: set[float] = set()
            for digits in _DIGITS.findall(text):
                numbers.update(_values(digits))
            # What looks like one number may be several: [100,200].
            numbers.update(float(digits) for digits in _BARE.findall(text) if len(digits) < 300)
            found.append(numbers)
        return found

    @cached_property
    def _numbers(self) -> set[float]:
        told = {round(value, 4) for numbers in self._by_text for value in numbers}
        return told | {float(day.year) for day in self._days_known}

    @cached_property
    def _worked_out(self) -> set[float]:
        found: set[float] = set()
        for numbers in self._by_text:
            if len(numbers) > WORKED_OUT_MAX:
                continue
            for one, two in combinations(numbers, 2):
                found.update((round(one + two, 2), round(abs(one - two), 2)))
                if min(one, two) <= 20 and min(one, two) == int(min(one, two)):
                    found.add(round(one * two, 2))
        return found

    @cached_property
    def _days(self) -> set[tuple[int, int, int]]:
        found = {(day.month, day.day, day.year) for day in self._days_known}
        for text in self._texts:
            for kind, pattern in _PATTERNS:
                if kind == "date":
                    for match in pattern.finditer(text):
                        found.update(_days(match[0]))
        return found


def day_of(at_us: int) -> date:
    return datetime.fromtimestamp(at_us / 1e6, UTC).date()
