"""Text with `{placeholders}` and `{one|of|these}`; knows only a lookup, not where the values come from."""

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, TypeAlias

import orjson

from airworthy.core.errors import ConfigError
from airworthy.gateway.simulator.conversation import Json

_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_PATH = re.compile(r"[A-Za-z_][\w-]*(?:\.[\w-]+)*")


class _Missing(Enum):
    MISSING = "missing"


MISSING: Final = _Missing.MISSING
Missing: TypeAlias = Literal[_Missing.MISSING]
Lookup: TypeAlias = Callable[[tuple[str, ...]], "Json | Missing"]


@dataclass(frozen=True, slots=True)
class Slot:
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """A text compiled once; see `filled`."""

    parts: tuple[str | Slot | Choice, ...]


# The shape of a rule's arguments or JSON reply, with its texts compiled.
Tree: TypeAlias = "Template | bool | int | float | list[Tree] | dict[str, Tree] | None"


def template(text: str, *, where: str) -> Template:
    """Raises: ConfigError naming `where`, for a lone brace or a placeholder that is not a path."""
    parts: list[str | Slot | Choice] = []
    end = 0
    for match in _PART.finditer(text):
        parts.append(text[end : match.start()])
        end = match.end()
        token, inside = match.group(), match.group(1)
        if token in {"{{", "}}"}:
            parts.append(token[0])
        elif inside is not None and "|" in inside:
            parts.append(Choice(tuple(inside.split("|"))))
        elif inside is not None and _PATH.fullmatch(inside):
            parts.append(Slot(tuple(inside.split("."))))
        else:
            raise ConfigError(
                f"{where}: {token!r} is not a placeholder.",
                mend="Write `{name}`, `{tool.field}` or `{one|two}`; double a brace that is meant as text.",
            )
    parts.append(text[end:])
    return Template(tuple(part for part in parts if part != ""))


def tree(value: Json, *, where: str) -> Tree:
    """Compiles every text inside a value."""
    if isinstance(value, str):
        return template(value, where=where)
    if isinstance(value, list):
        return [tree(item, where=where) for item in value]
    if isinstance(value, dict):
        return {name: tree(item, where=f"{where}.{name}") for name, item in value.items()}
    return value


def slots(compiled: Tree) -> Iterator[Slot]:
    if isinstance(compiled, Template):
        yield from (part for part in compiled.parts if isinstance(part, Slot))
    elif isinstance(compiled, list):
        for item in compiled:
            yield from slots(item)
    elif isinstance(compiled, dict):
        for item in compiled.values():
            yield from slots(item)


def filled(compiled: Template, lookup: Lookup, chance: random.Random) -> Json | Missing:
    """A template that is nothing but one placeholder keeps the value's type; otherwise the result is text."""
    if len(compiled.parts) == 1 and isinstance(compiled.parts[0], Slot):
        return lookup(compiled.parts[0].path)
    pieces: list[str] = []
    for part in compiled.parts:
        match part:
            case str():
                pieces.append(part)
            case Choice(options):
                pieces.append(chance.choice(options))
            case Slot(path):
                value = lookup(path)
                # A null would be read out as a word; a rule that needs the value must not match without it.
                if value is MISSING or value is None:
                    return MISSING
                pieces.append(as_words(value))
    return "".join(pieces)


def filled_tree(compiled: Tree, lookup: Lookup, chance: random.Random) -> Json | Missing:
    if isinstance(compiled, Template):
        return filled(compiled, lookup, chance)
    if isinstance(compiled, list):
        items = [filled_tree(item, lookup, chance) for item in compiled]
        present = [item for item in items if item is not MISSING]
        return present if len(present) == len(items) else MISSING
    if isinstance(compiled, dict):
        values: dict[str, Json] = {}
        for name, item in compiled.items():
            value = filled_tree(item, lookup, chance)
            if value is MISSING:
                return MISSING
            values[name] = value
        return values
    return compiled


def as_words(value: Json) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def at_path(value: Json, path: tuple[str, ...]) -> Json | Missing:
    """Follows names through objects and indexes (counted from 0) through lists."""
    for step in path:
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return MISSING
    return value
