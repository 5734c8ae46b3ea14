"""A shape from a JSON Schema: what is pinned where somebody has written down what a tool returns. Reads no file.

A schema can say more than a shape can: that is left out, which never makes a shape stricter than its schema, and named.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, ClassVar, Final

import orjson

from airworthy.core.canonical import NotSerialisable, encode
from airworthy.core.errors import ConfigError
from airworthy.policy import ToolRule
from airworthy.tools.shape.node import Declared, Node, Shape
from airworthy.tools.shape.schema_nodes import ALWAYS, Unusable, node_of
from airworthy.tools.tool import Tool

PARTS_MAX: Final = 2_000  # Checking a schema takes some tenths of a millisecond for each.
_KEPT_MAX: Final = 512
_NO_SCHEMAS: Final = frozenset({"enum", "const", "default", "examples", "example"})


class SchemaUnusable(ConfigError):
    """A JSON Schema from which no shape can be taken."""

    code: ClassVar[str] = "result_schema"


def declared_shape(tool: Tool, rule: ToolRule) -> Shape | None:
    """What the policy says about the tool's results, else what its MCP server does; None: they are learnt.

    Raises: SchemaUnusable for a file of the policy's. A server's own schema that cannot be used counts as none.
    """
    said = rule.result_schema
    if said is not None:
        return _of_text(said.text, said.name, tool.name, file=True, within=bool(tool.server))
    theirs = tool.output_schema
    if theirs is None:
        return None
    try:
        text = encode(theirs).decode()
        return _of_text(text, f"the outputSchema of {tool.server}", tool.name, file=False, within=True)
    except (SchemaUnusable, NotSerialisable):
        return None


@lru_cache(maxsize=_KEPT_MAX)
def _of_text(text: str, place: str, tool: str, *, file: bool, within: bool) -> Shape:
    """`within`: the schema is of an MCP result's structured content."""
    try:
        root, left = shape_of(orjson.loads(text))
    except Unusable as error:
        raise SchemaUnusable(
            f"The result_schema of tool {tool!r}, {place}, at {error.at}: {error.says}", mend=error.mend
        ) from error
    if within:
        root.absent = ALWAYS  # A server may ask for something before it answers.
        root = Node(kinds={"object": ALWAYS}, fields={"structuredContent": root}, is_open=True)
    return Shape(root, results=ALWAYS, declared=Declared(place, left, file))


def shape_of(schema: Mapping[str, Any]) -> tuple[Node, tuple[str, ...]]:
    """The place of a whole result, and what of the schema is left out. Raises: Unusable."""
    _check(schema)
    return node_of(schema)


def _check(schema: Mapping[str, Any]) -> None:
    from jsonschema import Draft202012Validator, SchemaError
    from jsonschema.validators import validator_for

    parts = parts_of(schema)
    if parts > PARTS_MAX:
        says = f"it has {parts} objects; {PARTS_MAX} are looked at."
        raise Unusable("#", says, "Keep it to what one result holds.")
    try:
        validator_for(schema, default=Draft202012Validator).check_schema(schema)
        refs = list(_refs(schema, "#"))
    except SchemaError as error:
        at = "/".join(["#", *(str(part) for part in error.absolute_path)])
        raise Unusable(
            at, f"this is no JSON Schema: {error.message[:200]}.", "Mend the schema there."
        ) from error
    except RecursionError as error:
        raise Unusable("#", "it is nested too deeply.", "Write it flatter.") from error
    for at, ref in refs:
        if not ref.startswith("#"):
            raise Unusable(
                at, f"{ref!r} is in another document, and none is fetched.",
                'Copy it into "$defs", and refer to "#/$defs/...".',
            )  # fmt: skip


def parts_of(schema: Any) -> int:
    """How many objects it has: what checking it costs."""
    count, left = 0, [schema]
    while left:
        each = left.pop()
        count += isinstance(each, dict)
        left += each.values() if isinstance(each, dict) else each if isinstance(each, list) else ()
    return count


def _refs(schema: Any, at: str) -> Iterator[tuple[str, str]]:
    """Where each reference stands, and to what."""
    match schema:
        case dict():
            for key, value in schema.items():
                if key in ("$ref", "$dynamicRef", "$recursiveRef") and isinstance(value, str):
                    yield f"{at}/{key}", value
                elif key not in _NO_SCHEMAS:
                    yield from _refs(value, f"{at}/{key}")
        case list():
            for number, each in enumerate(schema):
                yield from _refs(each, f"{at}/{number}")
