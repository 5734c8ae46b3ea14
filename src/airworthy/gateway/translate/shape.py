"""Looking into parsed JSON that may have any shape; knows no protocol."""

import json
import math
from collections.abc import Iterable, Mapping

import orjson

from airworthy.gateway.translate.findings import Findings

_SAFE_DIGITS = 18  # Fewer digits always fit into 64 bits, which is what orjson can hold.


def entries(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def members(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def text(value: object) -> str:
    return value if isinstance(value, str) else ""


def whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def sift(
    value: Mapping[str, object],
    where: str,
    known: Iterable[str],
    dropped: Mapping[str, str],
    findings: Findings,
) -> None:
    """Every key is known, dropped for a reason, null, or blocks the translation. `where` empty: the top level."""
    for key, held in value.items():
        if held is None or key in known:
            continue
        name = f"{where}.{key}" if where else key
        if key not in dropped:
            findings.block(name)
        elif held not in ([], {}, "", False):
            findings.note(_everywhere(name), dropped[key])


def _everywhere(name: str) -> str:
    """One note for all messages: `messages[3].name` and `messages[5].name` are told once."""
    return "".join("[]" if i % 2 else part for i, part in enumerate(name.replace("]", "[").split("[")))


def exact(raw: bytes | str) -> object:
    """Parsed JSON whose numbers keep every digit when they are written again.

    Raises: ValueError, which orjson's and json's own errors are.
    """
    return json.loads(raw, parse_int=_integer, parse_float=_real, parse_constant=_constant)


def _integer(digits: str) -> object:
    return int(digits) if len(digits) <= _SAFE_DIGITS else orjson.Fragment(digits)


def _real(digits: str) -> object:
    value = float(digits)
    return value if math.isfinite(value) else orjson.Fragment(digits)


def _constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def whole_characters(value: object) -> object:
    """Parsed JSON that can be written again: escapes may name halves of characters, which UTF-8 cannot hold."""
    match value:
        case str():
            return paired(value)
        case list():
            return [whole_characters(entry) for entry in value]
        case dict():
            return {paired(key): whole_characters(held) for key, held in value.items()}
        case _:
            return value


def paired(words: str) -> str:
    """Text with halves of characters put together where both are there, and replaced where one is missing."""
    return words.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def json_object(arguments: str) -> orjson.Fragment | None:
    """The text as it is, to be written into JSON, if it is a JSON object. Empty text is how some say `{}`."""
    if not arguments.strip():
        return orjson.Fragment(b"{}")
    try:
        parsed = exact(arguments)
    except ValueError:
        return None
    return orjson.Fragment(arguments) if isinstance(parsed, dict) else None


def dumped(value: object) -> str:
    return orjson.dumps(value).decode()
