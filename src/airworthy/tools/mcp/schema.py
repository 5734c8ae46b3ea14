"""Checks values against a JSON Schema that a stranger wrote: bounded work, no network, no patterns that explode."""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, cast

from airworthy.core.canonical import encode
from airworthy.tools.shape.declared import PARTS_MAX, parts_of

STEPS_MAX: Final = 50_000
SCHEMA_BYTES_MAX: Final = 256 * 1024
PROBLEMS_MAX: Final = 5
_KEPT_MAX: Final = 512

Rule = Callable[[Any, Any, Any, Any], Iterator[Any]]


class SchemaUnusable(ValueError):
    """The schema is none, or means more work than it is worth; the text says which."""


class _TooMuch(Exception):
    pass


class Checker:
    """One schema, made ready. Not checked are `format`, which is no constraint by itself, and `patternProperties`,
    whose patterns could take for ever; a `pattern` is, by an engine in linear time, where that knows its syntax.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        """Raises: SchemaUnusable."""
        from jsonschema import SchemaError
        from referencing import Registry

        if len(encode(schema)) > SCHEMA_BYTES_MAX:
            raise SchemaUnusable(f"It has more than {SCHEMA_BYTES_MAX} bytes.")
        parts = parts_of(schema)
        if parts > PARTS_MAX:
            raise SchemaUnusable(f"It has {parts} objects; at most {PARTS_MAX} are looked at.")
        made = _class()
        plain = cast("dict[str, Any]", _without_dialects(schema, top=True))
        try:
            made.check_schema(plain)
        except (SchemaError, RecursionError) as error:
            raise SchemaUnusable(_words(error)) from error
        # A registry of its own: the default one would fetch a `$ref` to an address from the network.
        self._validator = made(plain, registry=Registry())

    def problems(self, value: Any) -> str:
        """Empty when the value fits. Raises: SchemaUnusable."""
        from referencing.exceptions import Unresolvable

        _steps[0] = STEPS_MAX
        found = []
        try:
            for problem in self._validator.iter_errors(value):
                where = ".".join(str(part) for part in problem.absolute_path) or "value"
                found.append(f"{where}: {problem.message[:200]}")
                if len(found) == PROBLEMS_MAX:
                    break
        except _TooMuch:
            raise SchemaUnusable(f"Checking it takes more than {STEPS_MAX} steps.") from None
        except Unresolvable as error:
            raise SchemaUnusable(f"It refers to what is not in it: {_words(error)}") from error
        except RecursionError as error:
            raise SchemaUnusable("It refers to itself without end.") from error
        return "; ".join(found)


@lru_cache(maxsize=_KEPT_MAX)
def checker(schema: bytes) -> Checker:
    """By the schema's JSON. Raises: SchemaUnusable."""
    import orjson

    return Checker(orjson.loads(schema))


# One event loop, one check at a time: how much work the check under way may still be.
_steps: list[int] = [STEPS_MAX]


@lru_cache(maxsize=1)
def _class() -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    rules: dict[str, Rule | None] = {
        name: _counted(rule) for name, rule in Draft202012Validator.VALIDATORS.items()
    }
    rules["pattern"] = _counted(_pattern)
    rules["patternProperties"] = _counted(_nothing)
    return extend(Draft202012Validator, validators=cast("Any", rules))


def _counted(rule: Any) -> Rule:
    def counted(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        _steps[0] -= 1 + _weight(instance)
        if _steps[0] < 0:
            raise _TooMuch
        # Where patterns say which properties are meant, the rest cannot be told from them.
        if "patternProperties" in schema and value in (
            schema.get("additionalProperties"),
            schema.get("unevaluatedProperties"),
        ):
            return
        yield from rule(validator, value, instance, schema) or ()

    return counted


def _weight(instance: Any) -> int:
    return len(instance) // 16 if isinstance(instance, dict | list) else 0


def _nothing(_validator: Any, _value: Any, _instance: Any, _schema: Any) -> Iterator[Any]:
    return iter(())


def _pattern(_validator: Any, value: Any, instance: Any, _schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if isinstance(instance, str) and isinstance(value, str):
        matches = _matcher(value)
        if matches is not None and not matches(instance):
            yield ValidationError(f"{instance[:100]!r} does not match {value[:100]!r}")


@lru_cache(maxsize=_KEPT_MAX)
def _matcher(pattern: str) -> Callable[[str], bool] | None:
    """None for a pattern whose syntax only engines with backtracking know: the server checks it, we do not."""
    from typing import Annotated

    from pydantic import StringConstraints, TypeAdapter, ValidationError
    from pydantic_core import SchemaError

    try:
        adapter = TypeAdapter(Annotated[str, StringConstraints(pattern=pattern)])
    except SchemaError:
        return None

    def matches(text: str) -> bool:
        try:
            adapter.validate_python(text)
        except ValidationError:
            return False
        return True

    return matches


def _without_dialects(schema: Any, *, top: bool = False) -> Any:
    """`$schema` inside would change the rules on the way; `$id` and anchors would only name what nobody refers to."""
    match schema:
        case dict():
            return {
                key: _without_dialects(each)
                for key, each in schema.items()
                if not (key == "$schema" and isinstance(each, str)) and not (top and key == "$id")
            }
        case list():
            return [_without_dialects(each) for each in schema]
        case _:
            return schema


def _words(error: BaseException) -> str:
    return str(getattr(error, "message", error))[:300]
