"""What a conversation states, by parameter: the user's words and the fields of the tools' results."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from itertools import islice

from airworthy.gateway.simulator.conversation import (
    Conversation,
    Json,
    Tool,
    ToolUse,
    as_dict,
    as_list,
    as_text,
)
from airworthy.gateway.simulator.schema import FORMATS, accepts, coerced, compiled, kind_of, options

# `ORD-1042`, `W2378156`, `INV-EU-77`, `mia_li_3668`; a leading `#` is not part of it.
IDENTIFIER = re.compile(
    r"(?<![\w@.-])#?([A-Z][A-Za-z]{0,9}[-_]?\d{3,}(?:[-_]\w+)*"
    r"|[A-Z]{2,}(?:-[A-Z]+)*-\d+|[a-z]+(?:_[a-z]+)*_\d{2,})\b(?!@)"
)
_QUOTED = re.compile(r"\"([^\"\n]{1,200})\"|“([^”\n]{1,200})”|(?<!\w)'([^'\n]{1,200})'(?!\w)")
_NUMBER = re.compile(r"(?<![\w.-])(\d{1,18}(?:\.\d+)?)(?![\w-]|\.\d)")
_PLACE = re.compile(r"\b(?:in|to|for|at|from|near)\s+([A-Z][\w'-]+(?:\s+[A-Z][\w'-]+){0,3})")
_PERSON = re.compile(r"\b(?:[Mm]y name is|I am|I'm|[Tt]his is)\s+([A-Z][\w'-]+(?:\s+[A-Z][\w'-]+){0,3})")
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_ID_WORDS = {
    "id", "ids", "number", "numbers", "no", "nr", "num", "code", "ref", "reference", "key", "sku",
    "identifier",
}  # fmt: skip
_PLACE_WORDS = {"city", "location", "place", "country", "town", "region", "destination", "origin"}
_PERSON_WORDS = {"name", "customer", "person", "user"}
_QUERY_WORDS = {
    "query", "q", "question", "text", "search", "keywords", "keyword", "term", "prompt", "input", "topic",
    "message", "request", "description", "reason",
}  # fmt: skip
# A longer conversation is read from its end; older text no longer decides a call.
TEXT_CHARS_MAX = 20_000
FIELDS_MAX = 2_000
# Values tried for one parameter, and those kept of them.
CANDIDATES_MAX = 100
VALUES_MAX = 16


class Strength(IntEnum):
    """How sure it is that a value is meant for a parameter."""

    GUESSED = 1
    REPORTED = 2
    SAID = 3


@dataclass(frozen=True, slots=True)
class Found:
    value: Json
    strength: Strength


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a tool result; `around` are the words of the tool and of the objects it sits in."""

    words: tuple[str, ...]
    around: frozenset[str]
    value: Json


class Facts:
    """Reads a conversation once; `find` is asked for each parameter."""

    def __init__(self, conversation: Conversation) -> None:
        self.last = conversation.user[-TEXT_CHARS_MAX:]
        self.earlier = "\n".join(reversed(conversation.users[:-1]))[:TEXT_CHARS_MAX]
        self.fields = [field for use in reversed(conversation.uses) for field in fields_of(use)][:FIELDS_MAX]
        self._tokens: dict[str, list[str]] = {}
        self._stems = {
            word
            for tool in conversation.tools
            for name in as_dict(tool.parameters.get("properties"))
            if is_identifier(name)
            for word in stem(words(name))
        }

    def find(self, name: str, schema: Json, tool: Tool) -> Found | None:
        return next(self._fitting(name, schema, tool), None)

    def all(self, name: str, schema: Json, tool: Tool) -> list[Found]:
        """The fitting values, the likeliest first."""
        return list(islice(self._fitting(name, schema, tool), VALUES_MAX))

    def _fitting(self, name: str, schema: Json, tool: Tool) -> Iterator[Found]:
        """Lazily: for most parameters the first value found decides."""
        root = tool.parameters
        seen: list[Json] = []
        for candidate in self._candidates(name, schema, tool):
            value = candidate.value
            fitting = coerced(value, schema, root) if isinstance(value, str) else value
            if fitting not in seen:
                seen.append(fitting)
                if accepts(fitting, schema, root):
                    yield Found(fitting, candidate.strength)
            if len(seen) > CANDIDATES_MAX:
                return

    def _candidates(self, name: str, schema: Json, tool: Tool) -> Iterator[Found]:
        for option in options(schema, tool.parameters):
            if kind_of(option) == "array":
                yield from self._lists(name, option, tool)
                continue
            for value in self._said(self.last, name, option, tool):
                yield Found(value, Strength.SAID)
        for field in self.fields:
            if names_same(words(name), stem(words(name)) or stem(words(tool.name)[1:]), field):
                yield Found(field.value, Strength.REPORTED)
        for option in options(schema, tool.parameters):
            if kind_of(option) not in {"array", "object"}:
                for value in self._said(self.earlier, name, option, tool):
                    yield Found(value, Strength.REPORTED)
                for value in self._guessed(name, option):
                    yield Found(value, Strength.GUESSED)

    def _lists(self, name: str, schema: dict[str, Json], tool: Tool) -> Iterator[Found]:
        single = name[:-1] if name.endswith("s") else name
        for option in options(schema.get("items", {}), tool.parameters):
            values = list(dict.fromkeys(self._said(self.last, single, option, tool)))
            if values:
                yield Found([coerced(value, option, tool.parameters) for value in values], Strength.SAID)

    def _said(self, text: str, name: str, schema: dict[str, Json], tool: Tool) -> Iterator[str]:
        """Values the text gives for this parameter, by its choices, its format, its name or its pattern."""
        lowered = text.lower()
        for choice in as_list(schema.get("enum")):
            spoken = as_text(choice).replace("_", " ").lower()
            if spoken and re.search(rf"(?<!\w){re.escape(spoken)}(?!\w)", lowered):
                yield as_text(choice)
        if "enum" in schema:
            return
        parts = words(name)
        shape = FORMATS.get(as_text(schema.get("format"))) or _shape_by_name(parts)
        if shape is not None:
            yield from (match.group().rstrip(".,;") for match in shape.finditer(text))
            return
        pattern = compiled(as_text(schema.get("pattern")))
        if pattern is not None:
            yield from (token for token in re.findall(r"[\w@.+#-]*\w", text) if pattern.search(token))
            return
        yield from self._named(text, name, schema)
        if is_identifier(name):
            wanted = stem(parts) or stem(words(tool.name)[1:])
            for token in self._identifiers(text):
                if not stem(parts) or claims(token, wanted):
                    yield token

    def _named(self, text: str, name: str, schema: dict[str, Json]) -> Iterator[str]:
        """`order number 12345`, `quantity: 3`, `3 items`."""
        numeric = kind_of(schema) in {"integer", "number"}
        with_digits = numeric or is_identifier(name)
        for word in stem(words(name)) or words(name):
            for match in _after_word(word).finditer(text):
                value = next(group for group in match.groups() if group is not None)
                if with_digits == bool(re.search(r"\d", value)) and not self._is_of_another(value, name):
                    yield value.rstrip(".,;")
            if numeric:
                yield from re.findall(
                    rf"(?<![\w.-])(\d+(?:\.\d+)?)\s+{re.escape(word)}s?\b", text, re.IGNORECASE
                )

    def _identifiers(self, text: str) -> list[str]:
        """Each once, in the order of the text; remembered, because every parameter asks."""
        if text not in self._tokens:
            self._tokens[text] = list(dict.fromkeys(match.group(1) for match in IDENTIFIER.finditer(text)))
        return self._tokens[text]

    def _is_of_another(self, value: str, name: str) -> bool:
        """`the customer of ORD-1042` names an order, though the id follows the word customer."""
        own = stem(words(name))
        return is_identifier(name) and not claims(value, own) and claims(value, self._stems.difference(own))

    def _guessed(self, name: str, schema: dict[str, Json]) -> Iterator[str]:
        parts = set(words(name))
        match kind_of(schema):
            case "integer" | "number":
                numbers = _NUMBER.findall(self.last)
                if len(numbers) == 1:
                    yield numbers[0]
            case "string" if is_identifier(name):
                free = [token for token in self._identifiers(self.last) if not claims(token, self._stems)]
                if len(free) == 1:
                    yield free[0]
            case "string" if "enum" not in schema:
                if parts & _PLACE_WORDS:
                    yield from _PLACE.findall(self.last)
                if parts & _PERSON_WORDS:
                    yield from _PERSON.findall(self.last)
                if parts & _QUERY_WORDS:
                    yield self.last[: _length_max(schema)].strip()
                elif not as_text(schema.get("format")) and _shape_by_name(words(name)) is None:
                    for match in _QUOTED.finditer(self.last):
                        yield next(group for group in match.groups() if group is not None)
            case _:
                return


def fields_of(use: ToolUse) -> Iterator[Field]:
    """Every field of the result, outer before inner."""
    level: list[tuple[Json, frozenset[str]]] = [(use.value, frozenset(words(use.name)))]
    seen = 0
    while level and seen < FIELDS_MAX:
        below: list[tuple[Json, frozenset[str]]] = []
        for value, around in level:
            if isinstance(value, list):
                below.extend((item, around) for item in value)
            for name, inner in as_dict(value).items():
                seen += 1
                yield Field(words(name), around, inner)
                if isinstance(inner, dict | list):
                    below.append((inner, around | set(words(name))))
        level = below


def names_same(asked: tuple[str, ...], about: tuple[str, ...], field: Field) -> bool:
    """`order_id` is `orderId`, and the `id` inside an `order`; `id` of `get_order` is an `order_id`."""
    if singular(asked) == singular(field.words):
        return len(field.words) > 1 or field.words[0] not in _ID_WORDS or _is_about(about, field)
    if field.words and field.words[-1] in _ID_WORDS and asked[-1] in _ID_WORDS:
        inner = stem(field.words)
        return singular(about) == singular(inner) if inner else _is_about(about, field)
    return len(asked) == 1 and asked[0] in {"email", "phone"} and field.words[-1:] == asked


def _is_about(about: tuple[str, ...], field: Field) -> bool:
    around = {word.rstrip("s") for word in field.around}
    return bool(about) and all(word.rstrip("s") in around for word in about)


@lru_cache(maxsize=1024)
def words(name: str) -> tuple[str, ...]:
    """`orderId`, `order_id` and `Order ID` are the same two words."""
    return text_words(name)


def text_words(text: str) -> tuple[str, ...]:
    return tuple(word.lower() for word in _WORD.findall(text))


def singular(parts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        part[:-1] if part == "ids" or (part.endswith("s") and len(part) > 3) else part for part in parts
    )


def stem(parts: tuple[str, ...]) -> tuple[str, ...]:
    """What an identifier is of: `order_id` is of an order; `id` says nothing."""
    return tuple(part for part in parts if part not in _ID_WORDS)


def is_identifier(name: str) -> bool:
    parts = words(name)
    return bool(parts) and parts[-1] in _ID_WORDS


def claims(token: str, wanted: tuple[str, ...] | set[str]) -> bool:
    """`ORD-1042` belongs to an `order`, `INV7731` to an `invoice`: the letters abbreviate the word."""
    letters = re.match(r"[A-Za-z]+", token)
    prefix = letters.group().lower() if letters else ""
    return any(prefix and word[0] == prefix[0] and _in_order(prefix, word) for word in wanted if word)


def _in_order(short: str, word: str) -> bool:
    rest = iter(word)
    return word.startswith(short) or short.startswith(word) or all(letter in rest for letter in short)


def _shape_by_name(parts: tuple[str, ...]) -> re.Pattern[str] | None:
    if "email" in parts:
        return FORMATS["email"]
    if "url" in parts or "uri" in parts or "link" in parts:
        return FORMATS["uri"]
    if parts and parts[-1] in {"date", "day"}:
        return FORMATS["date"]
    return None


@lru_cache(maxsize=1024)
def _after_word(word: str) -> re.Pattern[str]:
    glue = r"[\s:=#]+(?:(?:id|number|no|nr|code|is|was|named|called|of)\b[\s:=#.]*){0,3}"
    value = r"(?:\"([^\"\n]{1,200})\"|'([^'\n]{1,200})'|([A-Za-z]{0,10}[-_]?\d[\w.+-]*)|(?-i:([A-Z][\w'-]+)))"
    return re.compile(rf"\b{re.escape(word)}s?\b{glue}#?{value}", re.IGNORECASE)


def _length_max(schema: dict[str, Json]) -> int:
    high = schema.get("maxLength")
    return high if isinstance(high, int) else 500
