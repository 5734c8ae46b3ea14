"""Results that nobody recorded, made up from the shape that a tool declares. Pure."""

from collections.abc import Mapping
from typing import Any, Final

_DEPTH_MAX: Final = 8
_TEXTS: Final[Mapping[str, str]] = {
    "date-time": "2026-01-01T00:00:00Z", "date": "2026-01-01", "time": "00:00:00Z", "email": "someone@example.com",
    "uri": "https://example.com/", "uuid": "00000000-0000-4000-8000-000000000000",
}  # fmt: skip


def made_up(schema: Mapping[str, Any] | None, arguments: Mapping[str, Any]) -> Any:
    """The smallest value that fits, with the call's own values where a field is called like an argument."""
    if schema is None:
        return {"done": True}
    return _of(schema, schema.get("$defs", {}), arguments, 0)


def _of(schema: Mapping[str, Any], defs: Mapping[str, Any], arguments: Mapping[str, Any], depth: int) -> Any:
    if depth > _DEPTH_MAX:
        return None
    if "$ref" in schema:
        return _of(defs.get(str(schema["$ref"]).rsplit("/", 1)[-1], {}), defs, arguments, depth + 1)
    for fixed in ("const", "default"):
        if fixed in schema:
            return schema[fixed]
    if schema.get("enum"):
        return schema["enum"][0]
    for choice in ("anyOf", "oneOf", "allOf"):
        if schema.get(choice):
            return _of(schema[choice][0], defs, arguments, depth + 1)
    kind = schema.get("type")
    match kind[0] if isinstance(kind, list) else kind:
        case "object":
            properties = schema.get("properties", {})
            return {
                name: arguments[name] if name in arguments else _of(each, defs, arguments, depth + 1)
                for name, each in properties.items()
                if name in schema.get("required", ()) or name in arguments
            }
        case "array":
            return [_of(schema.get("items", {}), defs, arguments, depth + 1)] * int(schema.get("minItems", 0))
        case "string":
            text = _TEXTS.get(str(schema.get("format")), "ok")
            return text.ljust(int(schema.get("minLength", 0)), ".")
        case "integer":
            return int(schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1))
        case "number":
            return float(schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1))
        case "boolean":
            return True
        case _:
            return None
