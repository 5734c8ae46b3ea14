"""The kinds of value a policy key may hold, each checked strictly; knows no key by name."""

import re
import warnings
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from airworthy.policy.chars import hides
from airworthy.policy.flaws import Flaw, flaw_error, flaw_of_value
from airworthy.policy.units import BadUnit, bytes_from, rate_from, seconds_from

SENTENCE_CHARS_MAX = 600
PATTERN_CHARS_MAX = 1_000
ENTRIES_MAX = 500
SECONDS_MAX = 366 * 86_400.0
BYTES_MAX = 4 * 2**30
USD_MAX = 10_000_000.0
COUNT_MAX = 1_000_000
TOKENS_MAX = 1_000_000_000


class Section(BaseModel):
    """A frozen table of the policy: unknown keys and wrong types are errors, values never change."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, hide_input_in_errors=True
    )

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Self:
        error = flaw_error(self.contradictions())
        if error is not None:
            raise error
        return self

    def contradictions(self) -> list[Flaw]:
        """Values that are fine one by one and impossible together."""
        return []

    def says(self, key: str) -> bool:
        """Whether the file set the key itself; a default must not contradict what somebody wrote."""
        return key in self.model_fields_set


class Rate(BaseModel):
    """So many calls in any period of so many seconds."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)

    calls: int
    per_s: float

    def __str__(self) -> str:
        names = {1.0: "second", 60.0: "minute", 3600.0: "hour", 86_400.0: "day"}
        return f"{self.calls} per {names.get(self.per_s, f'{self.per_s:g} seconds')}"


def unprintable(text: str) -> str | None:
    """The name of the first character that could hide or reorder text on a page or a terminal."""
    for char in text:
        if hides(char) and char not in "\n\r\t":
            return f"U+{ord(char):04X}"
    return None


def _sentence(text: str) -> str:
    hidden = unprintable(text)
    if hidden is not None:
        raise flaw_of_value(f"holds the invisible character {hidden}.", "Delete it, and type the text anew.")
    text = " ".join(text.split())
    if not text:
        raise flaw_of_value("is empty.", "Say it in a sentence, or leave the key out.")
    if len(text) > SENTENCE_CHARS_MAX:
        raise flaw_of_value(
            f"has {len(text)} characters.", f"Keep it to {SENTENCE_CHARS_MAX}, so that people read it."
        )
    return text


def _pattern(text: str) -> str:
    if len(text) > PATTERN_CHARS_MAX:
        raise flaw_of_value(
            f"has {len(text)} characters.", f"Keep a pattern to {PATTERN_CHARS_MAX}, or split it."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # A pattern Python warns of will mean something else one day.
            compiled = re.compile(text)
    except (re.error, Warning, OverflowError, RecursionError) as error:
        raise flaw_of_value(
            f"is not a regular expression: {error}.",
            "Mend the pattern; in TOML, single quotes spare you from doubling backslashes.",
        ) from error
    if compiled.search("") is not None:
        raise flaw_of_value(
            "matches the empty text, so it would match everything.", "Make at least one character necessary."
        )
    return text


def _seconds(value: object) -> float:
    try:
        return seconds_from(value)
    except BadUnit as error:
        raise flaw_of_value(error.says, error.mend) from error


def _bytes(value: object) -> int:
    try:
        return bytes_from(value)
    except BadUnit as error:
        raise flaw_of_value(error.says, error.mend) from error


def _rate(value: object) -> object:
    if isinstance(value, Rate):
        return value
    try:
        calls, per_s = rate_from(value)
    except BadUnit as error:
        raise flaw_of_value(error.says, error.mend) from error
    return {"calls": calls, "per_s": per_s}


def _no_twins(entries: tuple[str, ...]) -> tuple[str, ...]:
    for position, entry in enumerate(entries):
        if entry in entries[:position]:
            raise flaw_of_value(f"names {entry!r} twice.", "Delete one of the two.")
    return entries


def _zero(value: float) -> float:
    return value + 0.0  # -0.0 and 0.0 must be one value, or equal policies would hash differently.


Sentence = Annotated[str, AfterValidator(_sentence)]
Place = Annotated[str, Field(max_length=100), AfterValidator(_sentence)]
Pattern = Annotated[str, Field(min_length=1), AfterValidator(_pattern)]
Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
MediaType = Annotated[str, Field(pattern=r"^[a-z]+/([a-z0-9][a-z0-9.+-]{0,100}|\*)$")]
ToolName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.:/-]{0,127}$")]  # Of dependencies too.
Argument = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,127}$")]
Recipients = Annotated[str, Field(pattern=r"^[!-~\u00a1-\ud7ff]{1,254}$")]

Seconds = Annotated[float, BeforeValidator(_seconds), Field(gt=0, le=SECONDS_MAX)]
SecondsOrNone = Annotated[float, BeforeValidator(_seconds), Field(ge=0, le=SECONDS_MAX)]
Bytes = Annotated[int, BeforeValidator(_bytes), Field(gt=0, le=BYTES_MAX)]
Usd = Annotated[float, Field(gt=0, le=USD_MAX), AfterValidator(_zero)]
UsdOrZero = Annotated[float, Field(ge=0, le=USD_MAX), AfterValidator(_zero)]
Count = Annotated[int, Field(ge=1, le=COUNT_MAX)]
CountOrZero = Annotated[int, Field(ge=0, le=COUNT_MAX)]
Tokens = Annotated[int, Field(ge=1, le=TOKENS_MAX)]
Amount = Annotated[float, Field(ge=0, le=1e15), AfterValidator(_zero)]
Share = Annotated[float, Field(gt=0, le=1)]
RateText = Annotated[Rate, BeforeValidator(_rate)]

# TOML arrays arrive as lists; a tuple keeps the policy immutable. Strictness still holds for each entry.
Sentences = Annotated[
    tuple[Sentence, ...], Field(strict=False, max_length=ENTRIES_MAX), AfterValidator(_no_twins)
]
Patterns = Annotated[
    tuple[Pattern, ...], Field(strict=False, max_length=ENTRIES_MAX), AfterValidator(_no_twins)
]
Words = Annotated[tuple[Word, ...], Field(strict=False, max_length=ENTRIES_MAX), AfterValidator(_no_twins)]
Languages = Annotated[
    tuple[Language, ...], Field(strict=False, max_length=ENTRIES_MAX), AfterValidator(_no_twins)
]
MediaTypes = Annotated[
    tuple[MediaType, ...],
    Field(strict=False, min_length=1, max_length=ENTRIES_MAX),
    AfterValidator(_no_twins),
]
Arguments = Annotated[
    tuple[Argument, ...], Field(strict=False, max_length=ENTRIES_MAX), AfterValidator(_no_twins)
]
Stems = Annotated[
    tuple[Annotated[str, Field(pattern=r"^[^\W\d_][\w' -]{0,49}$")], ...],
    Field(strict=False, max_length=ENTRIES_MAX),
    AfterValidator(_no_twins),
]
AllowList = Annotated[
    tuple[Recipients, ...],
    Field(strict=False, min_length=1, max_length=ENTRIES_MAX),
    AfterValidator(_no_twins),
]
