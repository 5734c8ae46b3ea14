"""What is wrong with a raw case, in plain words, from what pydantic says of it."""

import difflib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from airworthy.core.chars import quoted
from airworthy.evals.case import Case, Expect, Number, ToolExpect

_MODELS: Final[dict[str, type[BaseModel]]] = {
    "expect": Expect, "tools": ToolExpect, "acts": ToolExpect, "times": Number,
    "steps": Number, "cost_usd": Number, "seconds": Number,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wrong:
    """By the key's path within the case, before its line is known."""

    path: tuple[str | int, ...]
    says: str
    mend: str = ""


def wrongs(error: ValidationError) -> list[Wrong]:
    return [_wrong(detail) for detail in error.errors(include_url=False)]


def key_text(path: Iterable[str | int]) -> str:
    """Entries of lists count from 1, as people do."""
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f"{'.' if text else ''}{quoted(part, 60)}"
    return text


def did_you_mean(word: str, known: Iterable[str]) -> str:
    options = list(known)
    near = difflib.get_close_matches(word[:80].lower(), options, n=1, cutoff=0.6)
    if near:
        return f"Did you mean {near[0]}?"
    return f"Use one of: {', '.join(options)}."


def _wrong(detail: ErrorDetails) -> Wrong:
    path = detail["loc"]
    kind = detail["type"]
    if kind == "extra_forbidden":
        return Wrong(path, "This key is not known.", _nearest_key(path))
    if kind == "missing":
        return Wrong(path, f"The key {path[-1]} is missing.", f"Add it: {path[-1]}: ...")
    if kind in {"literal_error", "enum"}:
        choices = re.findall(r"'([^']*)'", str(detail.get("ctx", {}).get("expected", "")))
        return Wrong(
            path,
            f"{_shown(detail['input'])} is not one of the known words.",
            did_you_mean(str(detail["input"]), choices),
        )
    if kind == "string_pattern_mismatch" and path == ("id",):
        return Wrong(
            path,
            f"{_shown(detail['input'])} cannot be an id.",
            'Use letters, digits, "-", "_" and ".", at most 100.',
        )
    if path and path[-1] in {"steps", "cost_usd", "seconds", "times"}:
        return Wrong(
            path, f"{_shown(detail['input'])} is no range.", "Write {max: 8}, {min: 1} or {min: 1, max: 8}."
        )
    if kind == "tuple_type":
        return Wrong(
            path,
            f"{_shown(detail['input'])} is no list.",
            "Write [one, two], or a line with - for each entry.",
        )
    if kind in {"mapping_type", "dict_type", "model_type"}:
        return Wrong(
            path,
            f"{_shown(detail['input'])} is no mapping.",
            "Write its keys below it, indented, as key: value.",
        )
    if kind == "string_type":
        return Wrong(path, f"{_shown(detail['input'])} is not text.", 'Put it in quotes: "..."')
    return Wrong(path, f"{_shown(detail['input'])} is not acceptable: {quoted(detail['msg'], 160)}.")


def _nearest_key(path: tuple[int | str, ...]) -> str:
    wrong = str(path[-1])
    around = next((str(part) for part in reversed(path[:-1]) if isinstance(part, str)), "")
    known = list(_MODELS.get(around, Case).model_fields)
    if wrong not in known:
        for home, model in (("expect", Expect), ("the case", Case)):
            if wrong in model.model_fields:
                return f"It belongs in {home}."
    return did_you_mean(wrong, known)


def _shown(value: Any) -> str:
    try:
        return quoted(json.dumps(value, ensure_ascii=False), 80)
    except (TypeError, ValueError, RecursionError):
        return f"A value of type {type(value).__name__}"
