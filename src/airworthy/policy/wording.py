"""Validation results in plain words: what is wrong with a value, and how to write it instead."""

import difflib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from reprlib import Repr
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from airworthy.policy.chars import printable
from airworthy.policy.flaws import FLAW, Flaw, KeyPath
from airworthy.policy.model import Policy

_BARE = re.compile(r"[A-Za-z0-9_-]+")
# A value there may be a secret somebody put in the wrong place; errors end up in logs.
_SECRET_KEYS: Final = frozenset(
    {
        "api_key_env", "api_key_file", "base_url", "url_env", "url_file", "secret_env", "secret_file",
        "previous_secret_env", "previous_secret_file",
    }
)  # fmt: skip
_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 80
_SHORT.maxlist = _SHORT.maxdict = _SHORT.maxlevel = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem by its key path, before its line is known."""

    path: KeyPath
    says: str
    mend: str
    secret: bool = False


def findings(error: ValidationError, model: type[BaseModel] = Policy) -> list[Finding]:
    """All problems of a failed validation of `model`, contradictions of a section unpacked."""
    found: list[Finding] = []
    for detail in error.errors(include_url=False):
        path = _plain_path(detail["loc"])
        context: Mapping[str, Any] = detail.get("ctx", {})
        if detail["type"] == FLAW:
            flaws: tuple[Flaw, ...] = context["flaws"]
            found += [_finding((*path, *flaw.key), flaw.says, flaw.mend) for flaw in flaws]
        elif detail["type"] == "extra_forbidden":
            found.append(Finding(path, "is not a known key.", _nearest_key(path, model), secret=True))
        elif detail["type"] == "missing":
            found.append(_finding(path, "is missing.", f"Add it: {path[-1]} = ..."))
        else:
            found.append(_finding(path, *_words(detail, context)))
    return found


def key_text(path: KeyPath) -> str:
    """The dotted key as it could be written in TOML; entries of lists count from 1, as people do."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            text += ("." if text else "") + (part if _BARE.fullmatch(part) else printable(json.dumps(part)))
    return text


def value_text(value: object) -> str:
    """A value in the spelling of TOML, shortened, on one line and without control characters."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        short = value if len(value) <= 80 else f"{value[:60]}...{value[-10:]}"
        return printable(json.dumps(short, ensure_ascii=False))
    if isinstance(value, int | float | list):
        return printable(_SHORT.repr(value))
    return printable(str(value))


def _finding(path: KeyPath, says: str, mend: str) -> Finding:
    secret = any(part in _SECRET_KEYS for part in path)
    return Finding(path, says, mend, secret=secret)


def _plain_path(loc: tuple[int | str, ...]) -> KeyPath:
    return tuple(part for part in loc if part != "[key]")


def _words(detail: ErrorDetails, context: Mapping[str, Any]) -> tuple[str, str]:
    kind = detail["type"]
    if kind == "tuple_type" and isinstance(detail["input"], dict):
        return "is one table and must be a list of them.", f"Write [[{detail['loc'][-1]}]] with two brackets."
    if kind in _TYPES:
        return _TYPES[kind]
    if kind in _BOUNDS:
        says, mend = _BOUNDS[kind](context)
        return says, mend
    if kind == "literal_error":
        choices = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        nearest = difflib.get_close_matches(str(detail["input"])[:80], choices, n=1, cutoff=0.6)
        listed = ", ".join(json.dumps(choice) for choice in choices)
        mend = f'Did you mean "{nearest[0]}"? ' if nearest else ""
        return "is not one of the known words.", f"{mend}Write one of: {listed}."
    if kind == "string_pattern_mismatch":
        return "is not written as this key needs it.", _spelling(detail["loc"])
    return f"is not acceptable: {detail['msg']}.", "Look the key up in the policy reference."


_TYPES: Final[dict[str, tuple[str, str]]] = {
    "string_type": ("is not text.", 'Put it in quotes: "...".'),
    "int_type": ("is not a whole number.", "Write a whole number without quotes, such as 20."),
    "int_parsing_size": ("is too large a number.", "Write a smaller number."),
    "float_type": ("is not a number.", "Write a number without quotes, such as 0.5."),
    "finite_number": ("is not a finite number.", "Write an ordinary number; no bound means no limit here."),
    "bool_type": ("is neither true nor false.", "Write true or false, without quotes."),
    "date_type": ("is not a date.", "Write a date without quotes: 2026-11-01."),
    "date_from_datetime_inexact": ("is not a date.", "Write a date without a time: 2026-11-01."),
    "tuple_type": (
        "is not a list.",
        'Put the entries in brackets: ["one", "two"].',
    ),
    "model_type": ("is not a table.", "Write its keys in a table: [name] and then key = value lines."),
    "mapping_type": ("is not a table.", "Write one table for each entry: [tools.name]."),
    "dict_type": ("is not a table.", "Write one table for each entry: [tools.name]."),
    "string_unicode": ("is not Unicode text.", "Type the text anew."),
}

_BOUNDS: Final[dict[str, Callable[[Mapping[str, Any]], tuple[str, str]]]] = {
    "greater_than": lambda c: ("is too small.", f"Write a value above {c['gt']:,g}."),
    "greater_than_equal": lambda c: ("is too small.", f"Write at least {c['ge']:,g}."),
    "less_than": lambda c: ("is too large.", f"Write a value below {c['lt']:,g}."),
    "less_than_equal": lambda c: ("is too large.", f"Write at most {c['le']:,.12g}."),
    "string_too_short": lambda _: ("is empty.", "Write something, or leave the key out."),
    "string_too_long": lambda c: ("is too long.", f"Keep it to {c['max_length']} characters."),
    "too_short": lambda _: ("is empty.", "List at least one entry, or leave the key out for the default."),
    "too_long": lambda c: ("has too many entries.", f"Keep it to {c['max_length']} entries."),
}

_SPELLINGS: Final[dict[str, str]] = {
    "agent": 'Use small letters, digits and "-", a letter first, at most 63: "support-mail".',
    "name": "Write the model's name as its provider spells it, without spaces.",
    "base_url": "Write http:// or https://, host and path, without user, password or query.",
    "api_key_env": "Name the environment variable that holds the key, in capitals; never the key itself.",
    "url_env": "Name the environment variable that holds the address, in capitals; never the address itself.",
    "secret_env": "Name the environment variable that holds the secret, in capitals; never the secret itself.",
    "previous_secret_env": "Name the environment variable that holds the secret, in capitals; never the secret itself.",
    "api_key_file": "Name the file that holds the key, on one line.",
    "aliases": "Write each name as a caller spells it, without spaces.",
    "languages": 'Write ISO 639 codes in small letters: "en", "de".',
    "formats": 'Write media types: "text/plain", "application/pdf", "image/*".',
    "amount_arg": "Write the argument's name as the tool declares it.",
    "recipient_arg": "Write the argument's name as the tool declares it.",
    "recipients": 'Write addresses or names, with "*" for any characters: "*@example.com".',
    "tools": 'Name the tool as the code does: letters, digits and "_", ".", "-", ":", "/".',
}


def _spelling(loc: tuple[int | str, ...]) -> str:
    if loc[0] == "tools" and loc[-1] == "[key]":
        return _SPELLINGS["tools"]
    for part in reversed(loc):
        if part in _SPELLINGS:
            return _SPELLINGS[str(part)]
    return 'Use small letters, digits, "_" and "-", a letter first.'


def _nearest_key(path: KeyPath, model: type[BaseModel]) -> str:
    known = _known_keys(path[:-1], model)
    wrong = str(path[-1])
    nearest = difflib.get_close_matches(wrong[:80], known, n=1, cutoff=0.6)
    homes = sorted({f"[{part}]" for part in model.model_fields if wrong in _known_keys((part,), model)})
    if homes:
        return f"It belongs in {' or '.join(homes)}."  # A key spelled right beats one spelled alike.
    if nearest:
        return f"Did you mean {nearest[0]}?"
    return f"Delete it, or use one of: {', '.join(known)}."


def _known_keys(path: KeyPath, model: type[BaseModel]) -> list[str]:
    """The keys of the section at a path, by walking the model's annotations."""
    kind: Any = model
    for part in path:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            field = kind.model_fields.get(str(part))
            kind = field.annotation if field else None
        else:
            arguments = [entry for entry in get_args(kind) if entry is not Ellipsis]
            kind = arguments[-1] if arguments else None
        kind = _bare_kind(kind)
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else []


def _bare_kind(kind: Any) -> Any:
    while get_origin(kind) in {Annotated, Union, UnionType}:
        kind = get_args(kind)[0]
    return kind
