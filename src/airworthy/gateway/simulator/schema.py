"""The part of JSON Schema that tools and answers are described with: does a value fit, what would."""

import re
from functools import lru_cache

from airworthy.gateway.simulator.conversation import Json, as_dict, as_list, as_text

# References may be circular; no schema written by hand nests deeper.
DEPTH_MAX = 8
# A schema may ask for any length; the simulator fills up to these.
ITEMS_MAX = 100
TEXT_CHARS_MAX = 10_000
FORMATS: dict[str, re.Pattern[str]] = {
    "email": re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    "date": re.compile(r"\d{4}-\d{2}-\d{2}"),
    "date-time": re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?"),
    "time": re.compile(r"\d{1,2}:\d{2}(?::\d{2})?"),
    "uri": re.compile(r"https?://[^\s<>\"')]+"),
    "uuid": re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
}
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def resolved(schema: Json, root: dict[str, Json]) -> dict[str, Json]:
    """The schema with its reference followed and its `allOf` merged."""
    found = as_dict(schema)
    for _ in range(DEPTH_MAX):
        pointer = as_text(found.get("$ref"))
        if not pointer.startswith("#"):
            break
        target: Json = root
        for part in filter(None, pointer.lstrip("#/").split("/")):
            target = as_dict(target).get(part.replace("~1", "/").replace("~0", "~"))
        found = as_dict(target) | {key: value for key, value in found.items() if key != "$ref"}
    for piece in as_list(found.get("allOf")):
        found = as_dict(piece) | found
        found = {key: value for key, value in found.items() if key != "allOf"}
        if "$ref" in found:
            return resolved(found, root)
    return found


def options(schema: Json, root: dict[str, Json]) -> list[dict[str, Json]]:
    """The alternatives of `anyOf`/`oneOf` and of a list of types; a plain schema is its own only one."""
    found = resolved(schema, root)
    for key in ("anyOf", "oneOf"):
        if as_list(found.get(key)):
            shared = {name: value for name, value in found.items() if name not in {key, "default", "title"}}
            return [shared | resolved(part, root) for part in as_list(found[key])]
    kinds = as_list(found.get("type"))
    return [found | {"type": kind} for kind in kinds] or [found]


def kind_of(schema: dict[str, Json]) -> str:
    """The one JSON type of a schema without alternatives; untyped schemas are read by what they mention."""
    kind = as_text(schema.get("type"))
    if kind:
        return kind
    if "properties" in schema:
        return "object"
    if "items" in schema:
        return "array"
    return "any"


def accepts(value: Json, schema: Json, root: dict[str, Json], depth: int = 0) -> bool:
    if depth > DEPTH_MAX:
        return True
    return any(_fits(value, option, root, depth) for option in options(schema, root))


def _fits(value: Json, schema: dict[str, Json], root: dict[str, Json], depth: int) -> bool:
    kind = kind_of(schema)
    if kind in _TYPES and (
        not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind in {"integer", "number"})
    ):
        return False
    if "enum" in schema and value not in as_list(schema["enum"]):
        return False
    if "const" in schema and value != schema["const"]:
        return False
    if isinstance(value, str):
        return _text_fits(value, schema)
    if isinstance(value, bool):
        return True
    if isinstance(value, int | float):
        return _number_fits(value, schema)
    if isinstance(value, list):
        low, high = schema.get("minItems", 0), schema.get("maxItems", len(value))
        return bool(isinstance(low, int) and isinstance(high, int) and low <= len(value) <= high) and all(
            accepts(item, schema.get("items", {}), root, depth + 1) for item in value
        )
    if isinstance(value, dict):
        properties = as_dict(schema.get("properties"))
        if any(as_text(name) not in value for name in as_list(schema.get("required"))):
            return False
        if schema.get("additionalProperties") is False and not value.keys() <= properties.keys():
            return False
        return all(
            accepts(value[name], part, root, depth + 1) for name, part in properties.items() if name in value
        )
    return True


def _text_fits(value: str, schema: dict[str, Json]) -> bool:
    low, high = schema.get("minLength", 0), schema.get("maxLength", len(value))
    if not (isinstance(low, int) and isinstance(high, int) and low <= len(value) <= high):
        return False
    pattern = compiled(as_text(schema.get("pattern")))
    if pattern is not None and not pattern.search(value):
        return False
    shape = FORMATS.get(as_text(schema.get("format")))
    return shape is None or shape.fullmatch(value) is not None


def _number_fits(value: float, schema: dict[str, Json]) -> bool:
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    step = schema.get("multipleOf")
    return (
        (not isinstance(low, int | float) or value >= low)
        and (not isinstance(high, int | float) or value <= high)
        and (isinstance(above, bool) or not isinstance(above, int | float) or value > above)
        and (isinstance(below, bool) or not isinstance(below, int | float) or value < below)
        and (not isinstance(step, int | float) or not step or abs(value / step - round(value / step)) < 1e-9)
    )


@lru_cache(maxsize=256)
def compiled(pattern: str) -> re.Pattern[str] | None:
    """JSON Schema patterns are ECMA's; the few that Python cannot read are treated as absent."""
    if not pattern:
        return None
    try:
        return re.compile(pattern)
    except re.error:
        return None


def coerced(text: str, schema: Json, root: dict[str, Json]) -> Json:
    """Text from a conversation as the type the schema asks for; text that cannot become it stays text."""
    for option in options(schema, root):
        match kind_of(option):
            case "integer" if re.fullmatch(r"-?\d{1,18}", text):
                return int(text)
            case "number" if re.fullmatch(r"-?\d{1,18}(?:\.\d+)?", text):
                return float(text) if "." in text else int(text)
            case "boolean" if text.lower() in {"true", "false", "yes", "no"}:
                return text.lower() in {"true", "yes"}
            case "string":
                return text
            case _:
                continue
    return text


def sample(schema: Json, root: dict[str, Json], depth: int = 0) -> Json:
    """Some value that fits, made of nothing but the schema; patterns are not solved for."""
    option = options(schema, root)[0]
    if "const" in option:
        return option["const"]
    if "default" in option:
        return option["default"]
    choices = as_list(option.get("enum"))
    if choices:
        return choices[0]
    match kind_of(option):
        case "integer" | "number" as kind:
            return _sample_number(option, whole=kind == "integer")
        case "boolean":
            return False
        case "null":
            return None
        case "array":
            count = option.get("minItems")
            item = sample(option.get("items", {}), root, depth + 1) if depth < DEPTH_MAX else None
            return [item] * (min(count, ITEMS_MAX) if isinstance(count, int) else 0)
        case "object":
            if depth >= DEPTH_MAX:
                return {}
            properties = as_dict(option.get("properties"))
            required = [as_text(name) for name in as_list(option.get("required"))]
            return {name: sample(properties.get(name, {}), root, depth + 1) for name in required}
        case _:
            return _sample_text(option)


_FORMAT_SAMPLES = {
    "email": "someone@example.com",
    "date": "2026-11-02",
    "date-time": "2026-11-02T09:00:00Z",
    "time": "09:00:00",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def _sample_text(schema: dict[str, Json]) -> str:
    text = _FORMAT_SAMPLES.get(as_text(schema.get("format")), "not available")
    return fitted(text, schema)


def fitted(text: str, schema: dict[str, Json]) -> str:
    """The text cut or filled up to the schema's lengths."""
    high, low = schema.get("maxLength"), schema.get("minLength")
    if isinstance(high, int):
        text = text[:high]
    return text.ljust(min(low, TEXT_CHARS_MAX), ".") if isinstance(low, int) else text


def _sample_number(schema: dict[str, Json], *, whole: bool) -> int | float:
    """The smallest magnitude that the bounds allow, searched in steps from a bound."""
    step = schema.get("multipleOf")
    step = step if isinstance(step, int | float) and step else (1 if whole else 0.5)
    edges = [schema.get(key) for key in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")]
    starts = [0, *(edge for edge in edges if isinstance(edge, int | float))]
    for start in starts:
        near = round(start / step) * step
        for value in (near, near + step, near - step, start):
            candidate = int(value) if whole or float(value).is_integer() else value
            if _number_fits(candidate, schema):
                return candidate
    return 0
