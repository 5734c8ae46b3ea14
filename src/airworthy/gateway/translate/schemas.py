"""JSON schemas as the providers' strict modes take them."""

from collections.abc import Mapping

_DEPTH_MAX = 64  # Deeper than any schema a provider takes; what is deeper is not strict.


def fits_strict(schema: object, depth: int = 0) -> bool:
    """OpenAI's strict mode wants every object closed and every property required; Anthropic's lets some be optional."""
    if depth > _DEPTH_MAX:
        return False
    if isinstance(schema, list):
        return all(fits_strict(entry, depth + 1) for entry in schema)
    if not isinstance(schema, Mapping):
        return True
    properties = schema.get("properties")
    if schema.get("type") == "object" or properties is not None:
        names = set(properties) if isinstance(properties, Mapping) else set()
        required = schema.get("required")
        if schema.get("additionalProperties") is not False:
            return False
        if names != set(required if isinstance(required, list) else ()):
            return False
    below = [
        *(properties.values() if isinstance(properties, Mapping) else ()),
        *(_values(schema.get("$defs"))),
        *(_values(schema.get("definitions"))),
        *(schema.get(key) for key in ("items", "anyOf", "allOf", "oneOf")),
    ]
    return all(fits_strict(entry, depth + 1) for entry in below)


def _values(mapping: object) -> list[object]:
    return list(mapping.values()) if isinstance(mapping, Mapping) else []
