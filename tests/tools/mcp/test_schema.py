"""A stranger's schema is kept to, and cannot hang, fetch or crash what checks it."""

import socket
import time
from typing import Any

import pytest

from airworthy.tools.mcp.schema import Checker, SchemaUnusable
from airworthy.tools.shape.declared import PARTS_MAX


@pytest.mark.parametrize(
    ("schema", "value", "fits"),
    [
        ({"type": "object", "required": ["a"]}, {"a": 1}, True),
        ({"type": "object", "required": ["a"]}, {}, False),
        ({"properties": {"a": {"type": "integer"}}, "additionalProperties": False}, {"a": 1, "b": 2}, False),
        ({"properties": {"a": {"enum": ["x", "y"]}}}, {"a": "z"}, False),
        ({"properties": {"a": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"minimum": 3}}}, {"a": 2}, False),
        ({"properties": {"a": {"pattern": "^[a-z]+$"}}}, {"a": "abc"}, True),
        ({"properties": {"a": {"pattern": "^[a-z]+$"}}}, {"a": "ab1"}, False),
        ({"properties": {"a": {"pattern": "b"}}}, {"a": "abc"}, True),
        ({"properties": {"a": {"pattern": "(?=x)y"}}}, {"a": "abc"}, True),
        ({"patternProperties": {"^x": {"type": "string"}}, "additionalProperties": False}, {"x1": "a"}, True),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}, {}, True),
        ({"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"b": 1}, True),
        ({"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"c": 1}, False),
    ],
)  # fmt: skip
def test_values_are_checked(schema: dict[str, Any], value: Any, fits: bool) -> None:
    assert (Checker(schema).problems(value) == "") is fits


def test_a_problem_says_where() -> None:
    schema = {"properties": {"a": {"items": {"type": "string"}}}}

    assert "a.1:" in Checker(schema).problems({"a": ["x", 2]})


def _doubling(levels: int) -> dict[str, Any]:
    defs: dict[str, Any] = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(levels)}
    defs[f"d{levels}"] = {"type": "object"}
    return {"$defs": defs, "$ref": "#/$defs/d0"}


@pytest.mark.parametrize(
    ("schema", "value", "why"),
    [
        ({"$ref": "#"}, {}, "itself without end"),
        ({"properties": {"a": {"$ref": "#/$defs/none"}}}, {"a": 1}, "what is not there"),
        (_doubling(40), {}, "two to the fortieth"),
        ({"$ref": "https://example.com/schema.json"}, {}, "the network"),
        ({"$ref": "http://169.254.169.254/latest"}, {}, "an address inside"),
        ({"$ref": "file:///etc/passwd"}, {}, "a file"),
    ],
)
@pytest.mark.slow
def test_a_schema_that_would_hang_or_fetch_is_unusable(
    schema: dict[str, Any], value: Any, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slow, because the work is bounded by steps, and all of them are taken."""

    def no_network(*_: object) -> None:
        raise AssertionError("a schema opened a connection")

    monkeypatch.setattr(socket.socket, "connect", no_network)  # Patched, since nothing else would tell of it.
    begun = time.monotonic()

    with pytest.raises(SchemaUnusable):
        Checker(schema).problems(value)

    assert time.monotonic() - begun < 5, why


@pytest.mark.parametrize(
    "schema", [{"type": 7}, {"properties": []}, {"required": "a"}, {"minimum": "x"}, {"pattern": 1}]
)
def test_a_schema_that_is_none_is_unusable(schema: dict[str, Any]) -> None:
    with pytest.raises(SchemaUnusable):
        Checker(schema)


def test_a_pattern_that_explodes_elsewhere_is_quick_here() -> None:
    schema = {"properties": {"a": {"pattern": "^(a+)+$"}}}
    begun = time.monotonic()

    problems = Checker(schema).problems({"a": "a" * 50_000 + "!"})

    assert problems
    assert time.monotonic() - begun < 2


def test_many_values_under_a_costly_rule_end_soon() -> None:
    begun = time.monotonic()

    with pytest.raises(SchemaUnusable):
        Checker({"properties": {"a": {"items": {"type": "integer"}}}}).problems({"a": list(range(1_000_000))})

    assert time.monotonic() - begun < 5


def test_a_schema_of_more_objects_than_are_worth_a_look_is_refused_at_once() -> None:
    schema = {"type": "object", "properties": {f"p{number}": {} for number in range(PARTS_MAX)}}

    with pytest.raises(SchemaUnusable, match="2002 objects"):
        Checker(schema)
