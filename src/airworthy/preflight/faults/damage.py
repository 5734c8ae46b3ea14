"""What becomes of an answer on its way: JSON data in, damaged data out, by its schema and a seed. Pure."""

import copy
import random
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any, Final

import orjson

from airworthy.core.canonical import encode

PAGE: Final = (
    "<!doctype html><html><head><title>Service notice</title></head><body><h1>We will be back soon</h1>"
    "<p>This page is shown while the service is being worked on.</p></body></html>"
)
EXTRA_NAME, EXTRA_VALUE = "x_trace", "added by the other side"
HUGE_BYTES: Final = 2 * 1024 * 1024
STALE_DAYS: Final = 90
DEPTH_MAX: Final = 12

Path = tuple[str | int, ...]
_DAY = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_DECIMAL = re.compile(r"(?<!\d)\d+\.\d{2}\b")
_NOT_A_QUANTITY = re.compile(r"(?:^|_)(?:id|no|number|code|key|zip|year|phone|version)$", re.IGNORECASE)


class Inapplicable(ValueError):
    """This answer cannot be damaged in this way: a number has no field to leave out."""


def damaged(
    kind: str,
    result: Any,
    schema: Mapping[str, Any] | None,
    chance: random.Random,
    huge_bytes: int = HUGE_BYTES,
) -> Any:
    """The answer that comes instead. The same result, schema and seed give the same. Raises: Inapplicable."""
    match kind:
        case "empty":
            return ""
        case "truncated":
            return _half(result)
        case "wrong_content_type":
            return PAGE
        case "missing_field":
            return _without(result, schema, chance)
        case "null":
            return _changed(result, schema, chance, lambda _: None)
        case "wrong_type":
            return _changed(result, schema, chance, _of_another_type)
        case "extra_field":
            return _with_more(result)
        case "huge":
            return _grown(result, huge_bytes)
        case "stale":
            return aged(result)
        case _:
            raise Inapplicable(f"{kind} damages no answer")


def applies(kind: str, result: Any, schema: Mapping[str, Any] | None, seed: int) -> bool:
    try:
        # Whether it can grow does not depend on how far.
        return bool(
            damaged(kind, result, schema, random.Random(seed), huge_bytes=len(encode(result)) + 64) != result  # noqa: S311
        )
    except Inapplicable:
        return False


def _half(result: Any) -> str:
    """Cut in the middle: a text as text, anything else as the JSON text that it travelled as."""
    text = result if isinstance(result, str) else encode(result).decode()
    if len(text) < 2:
        raise Inapplicable("too short to be cut")
    return str(text[: len(text) // 2])


def _without(result: Any, schema: Mapping[str, Any] | None, chance: random.Random) -> Any:
    """Fields that the schema asks for are left out before any others: those a guard can miss."""
    fields = [path for path, _ in _places(result) if path and isinstance(path[-1], str)]
    if not fields:
        raise Inapplicable("no field to leave out")
    asked = [path for path in fields if _required(schema, path)]
    path = chance.choice(asked or fields)
    changed = copy.deepcopy(result)
    del _at(changed, path[:-1])[path[-1]]
    return changed


def _changed(
    result: Any, schema: Mapping[str, Any] | None, chance: random.Random, change: Callable[[Any], Any]
) -> Any:
    places = [
        path for path, value in _places(result) if value is not None and not isinstance(value, dict | list)
    ]
    if not places:
        places = [path for path, value in _places(result) if value is not None]
    if not places:
        raise Inapplicable("no value to change")
    asked = [path for path in places if _required(schema, path)]
    path = chance.choice(asked or places)
    if not path:
        return change(result)
    changed = copy.deepcopy(result)
    holder = _at(changed, path[:-1])
    holder[path[-1]] = change(holder[path[-1]])
    return changed


def _of_another_type(value: Any) -> Any:
    """None that a lenient reader would turn into what it was."""
    match value:
        case bool():
            return "perhaps"
        case int() | float():
            return f"about {value}"
        case str():
            return {"text": value}
        case list():
            return {"items": value}
        case _:
            return "see elsewhere"


def _with_more(result: Any) -> Any:
    objects = [path for path, value in _places(result) if isinstance(value, dict)]
    if not objects:
        raise Inapplicable("no object to add a field to")
    changed = copy.deepcopy(result)
    _at(changed, objects[0])[EXTRA_NAME] = EXTRA_VALUE
    return changed


def _grown(result: Any, size: int) -> Any:
    """As its own shape allows: a longer list, a longer text, else one more field."""
    grown = copy.deepcopy(result)
    places = list(_places(grown))
    for path, value in places:
        if isinstance(value, list) and value:
            more = [*value, *([value[-1]] * (size // len(encode(value[-1])) + 1))]
            return _put(grown, path, more)
    for path, value in places:
        if isinstance(value, str) and value:
            return _put(grown, path, f"{value} " * (size // (len(value) + 1) + 1))
    for path, value in places:
        if isinstance(value, dict):
            _at(grown, path)["padding"] = "0" * size
            return grown
    raise Inapplicable("nothing that could be longer")


def aged(result: Any) -> Any:
    """As it stood some months ago: days are earlier; without any, amounts are others. Raises: Inapplicable."""
    days = orjson.loads(_DAY.sub(lambda found: _earlier(found[0]), encode(result).decode()))
    if days != result:
        return days
    old = _lower(result, "")
    if old == result:
        raise Inapplicable("nothing in it that changes with time")
    return old


def _earlier(day: str) -> str:
    try:
        return (date.fromisoformat(day) - timedelta(days=STALE_DAYS)).isoformat()
    except (ValueError, OverflowError):
        return day


def _lower(value: Any, name: str, depth: int = 0) -> Any:
    if depth > DEPTH_MAX or _NOT_A_QUANTITY.search(name):
        return value
    match value:
        case bool():
            return value
        case int():
            return value - max(1, value // 10) if value > 1 else value
        case float():
            return round(value * 0.9, 2)
        case str():
            return _DECIMAL.sub(lambda found: f"{float(found[0]) * 0.9:.2f}", value)
        case dict():
            return {key: _lower(each, key, depth + 1) for key, each in value.items()}
        case list():
            return [_lower(each, name, depth + 1) for each in value]
        case _:
            return value


def _places(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value with its way there, the outermost first. Of a list only the first entry is looked into."""
    yield path, value
    if len(path) >= DEPTH_MAX:
        return
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _places(each, (*path, key))
    elif isinstance(value, list) and value:
        yield from _places(value[0], (*path, 0))


def _at(value: Any, path: Path) -> Any:
    for part in path:
        value = value[part]
    return value


def _put(value: Any, path: Path, new: Any) -> Any:
    if not path:
        return new
    _at(value, path[:-1])[path[-1]] = new
    return value


def _required(schema: Mapping[str, Any] | None, path: Path) -> bool:
    """Whether every name along the way is one that the schema asks for."""
    here: Any = schema
    for part in path:
        here = _resolved(schema, here)
        if not isinstance(here, Mapping):
            return False
        if isinstance(part, int):
            here = here.get("items")
        else:
            if part not in here.get("required", ()):
                return False
            here = here.get("properties", {}).get(part)
    return bool(path) and schema is not None


def _resolved(root: Mapping[str, Any] | None, node: Any) -> Any:
    for _ in range(DEPTH_MAX):
        if not isinstance(node, Mapping) or "$ref" not in node or root is None:
            return node
        node = root.get("$defs", {}).get(str(node["$ref"]).rpartition("/")[2])
    return node
