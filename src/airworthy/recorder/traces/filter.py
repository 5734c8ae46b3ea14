"""The filter language: from what somebody typed to a query, or to what is wrong with it, and where. Pure.

`agent:support outcome:escalated,declined -tool:refund model:gpt-5* cost>0.05 since:24h "words of a text"`: a comma is
any of, a minus is none of, a star at the end is whatever begins so; terms are joined by and. The same in commands, the
API and the console.
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from difflib import get_close_matches
from typing import ClassVar, Final

from airworthy.core.errors import InputError, storable_text
from airworthy.core.money import NANO_PER_USD
from airworthy.recorder.traces.query import (
    AMOUNTS,
    COMPARISONS,
    KEYS,
    LABELS,
    STATES,
    UNITS_US,
    US_PER_DAY,
    Amount,
    Comparison,
    Labels,
    Moment,
    Query,
    Term,
    Value,
    Words,
    asked,
)

CHARS_MAX: Final = 4_000
TERMS_MAX: Final = 32
VALUES_MAX: Final = 100
NUMBER_MAX: Final = 2**62  # of nano-USD, microseconds or steps; what a column holds
AGO_US_MAX: Final = 100 * 366 * US_PER_DAY
_KEY: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]*)(:|>=|<=|>|<|=)")
_NUMBER: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([A-Za-z$]*)")
_TIME: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt ]([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)([Zz]|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EXAMPLES: Final = {"cost": "cost>0.05", "duration": "duration>30s", "steps": "steps>=20"}


class FilterError(InputError):
    """The text is no filter. `at`: the character, from 0, where it stops being one."""

    code: ClassVar[str] = "filter"

    def __init__(self, message: str, at: int, *, mend: str) -> None:
        super().__init__(f"{message}, at character {at + 1}.", mend=mend)
        self.at = at


def parse(text: str, now_us: int) -> Query:
    """Relative times are counted from `now_us`. Raises: FilterError."""
    text = storable_text(text)
    if len(text) > CHARS_MAX:
        raise FilterError(
            f"The filter has {len(text)} characters", CHARS_MAX, mend=f"Write at most {CHARS_MAX}."
        )
    terms: list[Term] = []
    reader = _Reader(text, now_us)
    while reader.more():
        if len(terms) == TERMS_MAX:
            raise FilterError(
                "There are too many terms",
                reader.at,
                mend=f"Write at most {TERMS_MAX}; values may be joined by commas.",
            )
        terms.append(reader.term())
    return asked(terms)


class _Reader:
    """The text, and how far it has been read."""

    def __init__(self, text: str, now_us: int) -> None:
        self.text = text
        self.at = 0
        self._now_us = now_us

    def more(self) -> bool:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1
        return self.at < len(self.text)

    def term(self) -> Term:
        began = self.at
        negated = self.text[self.at] == "-"
        self.at += negated
        named = _KEY.match(self.text, self.at)
        if named is None:
            return self._words(began, negated=negated)
        key, sign = named.group(1).lower(), named.group(2)
        if key not in KEYS:
            raise self._unknown(named.group(1), self.at)
        self.at = named.end()
        if key in LABELS:
            if sign != ":":
                raise FilterError(
                    f"{key} is no number, so {sign} says nothing of it", began, mend=f"Write {key}:VALUE."
                )
            return Labels(key, self._values(key), negated)
        if negated:
            raise FilterError(
                f"{key} cannot be negated",
                began,
                mend="Turn the comparison round: > becomes <=, since becomes until.",
            )
        return self._amount(key, sign) if key in AMOUNTS else self._moment(key, sign)

    def _words(self, began: int, *, negated: bool) -> Words:
        value = self._value(words=True)
        if not any(sign.isalnum() for sign in value.text):
            shown = self.text[began : self.at][:40]
            raise FilterError(
                f"There is nothing to search for in {shown!r}", began, mend="Words have letters or digits."
            )
        return Words(value.text, value.prefix, negated)

    def _values(self, key: str) -> tuple[Value, ...]:
        values: list[Value] = []
        while True:
            at = self.at
            value = self._value()
            if not value.text and not value.prefix:
                raise FilterError(
                    f"A value of {key} is missing", at, mend=f"Write {key}:VALUE, or {key}:* for any."
                )
            if key == "is" and (value.prefix or value.text not in STATES):
                raise FilterError(
                    f"Nothing is {value.text!r}",
                    at,
                    mend=f"{_nearest(value.text, STATES)}It can be {', '.join(STATES)}.",
                )
            if len(values) == VALUES_MAX:
                raise FilterError(f"{key} has too many values", at, mend=f"Write at most {VALUES_MAX}.")
            values.append(value)
            if not self.text.startswith(",", self.at):
                return tuple(values)
            self.at += 1

    def _value(self, *, words: bool = False) -> Value:
        """Up to white space, or to a comma that joins values; quotes keep both in."""
        if self.text.startswith('"', self.at):
            text = self._quoted()
            prefix = self.text.startswith("*", self.at)
            self.at += prefix
            if self.at < len(self.text) and not (
                self.text[self.at].isspace() or (self.text[self.at] == "," and not words)
            ):
                raise FilterError(
                    "Something follows the closing quote",
                    self.at,
                    mend='Put a space after it, or write \\" for a quote inside.',
                )
            return Value(text, prefix)
        began = self.at
        while self.at < len(self.text) and not self.text[self.at].isspace():
            sign = self.text[self.at]
            if sign == "," and not words:
                break
            if sign == '"':
                raise FilterError(
                    "A quote stands inside a word", self.at, mend="Put the whole of it in quotes."
                )
            self.at += 1
        text = self.text[began : self.at]
        prefix = text.endswith("*")
        text = text.removesuffix("*")
        if "*" in text:
            raise FilterError(
                "A star stands only at the end",
                began + text.index("*"),
                mend="Put it in quotes if the star itself is meant.",
            )
        return Value(text, prefix)

    def _quoted(self) -> str:
        began = self.at
        self.at += 1
        signs: list[str] = []
        while self.at < len(self.text):
            sign = self.text[self.at]
            self.at += 1
            if sign == '"':
                return "".join(signs)
            if sign == "\\" and self.text[self.at : self.at + 1] in {'"', "\\"}:
                sign = self.text[self.at]
                self.at += 1
            signs.append(sign)
        raise FilterError("A quote is not closed", began, mend='Add the closing ".')

    def _amount(self, key: str, sign: str) -> Amount:
        comparison: Comparison | None = next((each for each in COMPARISONS if each == sign), None)
        if comparison is None:  # A colon: cost:>0.05 and steps:20 are what others write.
            comparison = next((each for each in COMPARISONS if self.text.startswith(each, self.at)), None)
            self.at += len(comparison or "")
        at, word = self.at, self._word()
        return Amount(key, comparison or "=", _number(key, word, at))

    def _moment(self, key: str, sign: str) -> Moment:
        at = self.at
        if sign != ":":
            raise FilterError(f"{key} takes a colon", at, mend=f"Write {key}:24h or {key}:2026-11-20.")
        value = self._quoted() if self.text.startswith('"', self.at) else self._word()
        ago_us = _span_us(value)
        if ago_us is not None:
            if ago_us > AGO_US_MAX:
                raise FilterError(f"{value} ago is too long ago", at, mend="Ask for at most 100 years.")
            return Moment(key, self._now_us - ago_us, ago_us)
        return Moment(key, _absolute_us(key, value, at))

    def _word(self) -> str:
        began = self.at
        while self.at < len(self.text) and not self.text[self.at].isspace():
            self.at += 1
        return self.text[began : self.at]

    def _unknown(self, key: str, at: int) -> FilterError:
        mend = (
            f"{_nearest(key.lower(), KEYS)}Known keys: {', '.join(KEYS)}. Put text in quotes that is no key."
        )
        return FilterError(f"There is no key {key[:40]!r}", at, mend=mend)


def _nearest(word: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(word[:40], known, n=1, cutoff=0.6)
    return f"Did you mean {near[0]}? " if near else ""


def _number(key: str, word: str, at: int) -> int:
    read = _NUMBER.fullmatch(word.removeprefix("$") if key == "cost" else word)
    if read is None:
        raise FilterError(f"{word[:40]!r} is no number", at, mend=f"Write it as {_EXAMPLES[key]}.")
    unit = read.group(2).lower()
    factor = {
        "cost": NANO_PER_USD if unit in {"", "usd"} else None,
        "duration": UNITS_US.get(unit),
        "steps": 1 if not unit else None,
    }[key]
    if factor is None:
        wanted = {"cost": "USD", "duration": ", ".join(UNITS_US), "steps": "no unit"}[key]
        told = f"has the unit {unit[:20]!r}" if unit else "has no unit"
        raise FilterError(f"{word[:40]!r} {told}", at, mend=f"{key} takes {wanted}, as in {_EXAMPLES[key]}.")
    exact = Decimal(read.group(1)) * factor if len(read.group(1)) <= 30 else Decimal(NUMBER_MAX) + 1
    if exact > NUMBER_MAX:
        raise FilterError(f"{word[:40]} is more than there can be", at, mend="Write a smaller number.")
    number = int(exact)
    if number != exact:
        finest = {"cost": "a billionth of a USD", "duration": "a microsecond", "steps": "one step"}[key]
        raise FilterError(f"{word[:40]} is finer than {finest}", at, mend="Write fewer digits.")
    return number


def _span_us(word: str) -> int | None:
    """None: it is no distance such as 24h. What is finer than a microsecond is cut."""
    read = _NUMBER.fullmatch(word)
    unit = read.group(2).lower() if read is not None else ""
    if read is None or unit not in {*UNITS_US, "w"}:
        return None
    factor = 7 * US_PER_DAY if unit == "w" else UNITS_US[unit]
    return int(min(Decimal(read.group(1)) * factor, Decimal(NUMBER_MAX)))


def _absolute_us(key: str, word: str, at: int) -> int:
    read = _TIME.fullmatch(word)
    try:
        if read is None:
            raise ValueError
        zone = (read.group(3) or "Z").upper().replace("Z", "+00:00")
        moment = datetime.fromisoformat(f"{read.group(1)}T{read.group(2) or '00:00'}{zone}")
        since_epoch = moment - _EPOCH
    except (ValueError, OverflowError):
        raise FilterError(
            f"{word[:40]!r} is no time",
            at,
            mend=f"Write {key}:24h, {key}:7d, {key}:2026-11-20 or {key}:2026-11-20T08:00:00Z.",
        ) from None
    at_us = since_epoch // timedelta(microseconds=1)
    if read.group(2) is None and key == "until":
        at_us += US_PER_DAY  # The day is meant with all its hours.
    if not 0 <= at_us < NUMBER_MAX or moment.year > 9_990:
        raise FilterError(f"{word[:40]} is out of reach", at, mend="Times begin with 1970.")
    return at_us
