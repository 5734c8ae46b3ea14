"""Shapes from JSON Schemas: what they hold results to, what they leave out, and which schemas are none."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airworthy.policy import SchemaFile, ToolRule
from airworthy.tools import tool
from airworthy.tools.mcp.remote import RemoteTool
from airworthy.tools.mcp.schema import Checker
from airworthy.tools.shape import Matcher, Shape, differences, of_value
from airworthy.tools.shape.declared import PARTS_MAX, SchemaUnusable, declared_shape
from airworthy.tools.shape.node import packed, unpacked
from airworthy.tools.shape.schema_nodes import LEFT_MAX, PLACES_MAX, STEPS_MAX
from airworthy.tools.shape.telling import lines_of
from tests.tools.shape.kit import size_of, told


@tool
def look(order: str) -> Any:
    """Looks an order up."""
    return order


def shape(schema: Any) -> Shape:
    rule = ToolRule(result_schema=SchemaFile.of("schemas/order.json", json.dumps(schema).encode()))
    made = declared_shape(look, rule)
    assert made is not None
    return made


def left(schema: Any) -> tuple[str, ...]:
    declared = shape(schema).declared
    assert declared is not None
    return declared.left


def fields(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": sorted(properties)}


ORDER = fields(
    id={"type": "integer"},
    total={"type": "number"},
    status={"enum": ["open", "paid"]},
    note={"type": ["string", "null"]},
    lines={"type": "array", "items": {"type": "object", "properties": {"sku": {"type": "string"}}}},
)
GOOD = {"id": 7, "total": 1, "status": "paid", "note": None, "lines": [{"sku": ""}, {}]}

CASES: list[tuple[str, Any, Any, list[tuple[str, str, bool]]]] = [
    ("all of it fits", ORDER, GOOD, []),
    ("a fraction is a number", ORDER, {**GOOD, "total": 1.5}, []),
    ("text for a number", ORDER, {**GOOD, "total": "1"}, [("total", "type", True)]),
    ("null where none is allowed", ORDER, {**GOOD, "id": None}, [("id", "null", True)]),
    ("a required field", ORDER, {k: v for k, v in GOOD.items() if k != "id"}, [("id", "missing", True)]),
    ("a text not listed", ORDER, {**GOOD, "status": "lost"}, [("status", "value", False)]),
    ("a text not listed, with blanks", ORDER, {**GOOD, "status": "not here"}, [("status", "value", False)]),
    ("an item", ORDER, {**GOOD, "lines": [{"sku": 1}]}, [("lines[].sku", "type", True)]),
    ("a field nobody declared", ORDER, {**GOOD, "state": 1}, [("state", "new", False)]),
    ("as many items as there are", ORDER, {**GOOD, "lines": [{"sku": "a"}] * 5_000}, []),
    ("as large as it is", ORDER, {**GOOD, "note": "x" * 50_000}, []),
    ("open", {**ORDER, "additionalProperties": True}, {**GOOD, "state": 1}, []),
    ("closed", {**ORDER, "additionalProperties": False}, {**GOOD, "a": 1}, [("a", "new", False)]),
    ("a map", {"type": "object", "additionalProperties": {"type": "integer"}}, {"usd": 1, "1234": 2}, []),
    ("its entries", {"additionalProperties": {"type": "integer"}}, {"usd": "1", "1234": "2"}, [(".*", "type", True)]),
    ("its own field", {**fields(a={"type": "string"}), "additionalProperties": {"type": "integer"}},
     {"a": 1, "b": 1}, [("a", "type", True)]),
    ("any object", fields(meta={"type": "object"}), {"meta": {"a": 1, "b": [{}]}}, []),
    ("anything", fields(meta={}), {"meta": [1, {"a": None}, "2026-11-26"]}, []),
    ("a date", fields(day={"type": "string", "format": "date"}), {"day": "26.11."}, [("day", "format", True)]),
    ("never empty", fields(a={"type": "string", "minLength": 1}), {"a": ""}, [("a", "empty", False)]),
    ("nullable, as OpenAPI has it", fields(a={"type": "string", "nullable": True}), {"a": None}, []),
    ("one of several kinds", fields(a={"anyOf": [{"type": "string"}, fields(b={"type": "integer"})]}),
     {"a": {"b": "1"}}, [("a.b", "type", True)]),
    ("one of several objects", {"oneOf": [fields(a={"type": "string"}), fields(b={"type": "string"})]}, {"c": 1}, []),
    ("both", {"allOf": [fields(a={"type": "string"}), fields(b={"type": "integer"})]},
     {"a": 1}, [("a", "type", True), ("b", "missing", True)]),
    ("a reference", {"$ref": "#/$defs/o~1k", "$defs": {"o/k": ORDER}}, {**GOOD, "id": "7"}, [("id", "type", True)]),
    ("an anchor", {"$ref": "#o", "$defs": {"x": {**ORDER, "$anchor": "o"}}}, {**GOOD, "id": ""},
     [("id", "type", True)]),
    ("a constant", fields(kind={"const": "order"}), {"kind": "refund"}, [("kind", "value", False)]),
    ("the whole result", {"type": "array", "items": {"type": "string"}}, {"a": 1}, [("", "type", True)]),
]  # fmt: skip


@pytest.mark.parametrize(("why", "schema", "value", "expected"), CASES, ids=[case[0] for case in CASES])
def test_what_a_schema_says_is_what_results_are_held_to(
    why: str, schema: Any, value: Any, expected: list[tuple[str, str, bool]]
) -> None:
    made = shape(schema)

    assert sorted(told(made, value)) == sorted(expected)
    assert Matcher(made).fits(value, min(size_of(value), 60_000)) is (not expected)
    assert unpacked(packed(made)) == made


def test_a_long_list_of_many_known_texts_is_no_change() -> None:
    """More texts than a shape keeps apart."""
    known = [f"state_{letter}" for letter in "abcdefghijkl"]
    made = shape({"type": "array", "items": {"enum": known}})

    assert told(made, known) == []
    assert told(made, ["state_z"]) == [("[]", "value", False)]


@pytest.mark.parametrize(("schema", "what"), [
    (fields(a={"type": "string", "pattern": "^x"}), "a: pattern"),
    (fields(a={"type": "string", "format": "email"}), "a: format email"),
    (fields(a={"type": "string", "minLength": 2}), "a: minLength"),
    (fields(a={"type": "integer", "minimum": 1}), "a: minimum"),
    (fields(a={"enum": [1, 2]}), "a: which of the values of enum or const"),
    (fields(a={"enum": ["in transit", "paid"]}), "a: which of the texts of enum or const"),
    ({"type": "object", "if": {"required": ["a"]}, "then": {"required": ["b"]}}, "the result: if"),
    ({"oneOf": [fields(a={}), fields(b={})]}, "the result: which of several objects"),
    ({"type": "array", "prefixItems": [{"type": "string"}]}, "the result: prefixItems"),
    (fields(**{"2024": {"type": "string"}}), '2024: a name that looks like a value'),
])  # fmt: skip
def test_what_a_shape_cannot_say_is_named(schema: Any, what: str) -> None:
    assert what in left(schema)


def test_what_is_left_out_is_bounded() -> None:
    many = fields(
        **{f"a{letter}": {"type": "string", "pattern": "x"} for letter in "abcdefghijklmnopqrstuvwxyz"}
    )

    assert left(many)[-1] == f"and {26 - LEFT_MAX} more"


def test_a_schema_that_refers_to_itself_is_watched_some_levels_deep() -> None:
    tree = {"$ref": "#/$defs/tree", "$defs": {"tree": {
        "type": "object", "required": ["name"], "additionalProperties": False,
        "properties": {"name": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
    }}}  # fmt: skip
    made = shape(tree)
    deep: Any = {"name": 1}
    for _ in range(30):
        deep = {"name": "x", "children": [deep]}

    assert told(made, {"name": "x", "children": [{"name": 1}]}) == [("children[].name", "type", True)]
    assert told(made, deep) == []
    assert any("refers to itself" in each for each in left(tree))


def test_a_schema_larger_than_a_shape_may_be_is_cut() -> None:
    defs: Any = {"d4": {"type": "string"}}
    for level in range(4):
        below = {"$ref": f"#/$defs/d{level + 1}"}
        defs[f"d{level}"] = {"type": "object", "properties": {f"p{c}": below for c in "abcdefghijklmnop"}}
    wide = {"$ref": "#/$defs/d0", "$defs": defs}

    assert shape(wide).places() <= PLACES_MAX + 100
    assert any("so deep or large a part" in each for each in left(wide))


def test_references_that_double_at_each_step_end() -> None:
    defs = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}

    assert any(
        "refers to itself" in each
        for each in left({"$ref": "#/$defs/d0", "$defs": {**defs, "d40": {"type": "string"}}})
    )


def test_a_schema_that_takes_too_long_to_read_is_none() -> None:
    chain: Any = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(200)}
    many = {f"p{a}{b}": {"$ref": "#/$defs/d0"} for a in "abcdefghijklmnop" for b in "abcdefg"}
    wide = {**fields(**many), "$defs": {**chain, "d200": {}}}

    with pytest.raises(SchemaUnusable, match=f"more than {STEPS_MAX} steps"):
        shape(wide)


def test_a_schema_of_too_many_parts_is_none() -> None:
    assert shape({"allOf": [{}] * (PARTS_MAX - 1)}).declared is not None
    with pytest.raises(SchemaUnusable, match=f"{PARTS_MAX + 1} objects"):
        shape({"allOf": [{}] * PARTS_MAX})


@pytest.mark.parametrize(("schema", "where", "mend"), [
    (fields(a={"type": "strin"}), "at #/properties/a/type: this is no JSON Schema", "Mend the schema there."),
    (fields(a={"$ref": "https://example.com/a.json"}), "at #/properties/a/$ref: 'https://example.com/a.json'", "$defs"),
    (fields(a={"$ref": "other.json"}), "at #/properties/a/$ref: 'other.json' is in another document", "$defs"),
    (fields(a={"$ref": "#/$defs/a"}), "at #/$defs/a: there is no schema", "Add it, or correct the reference."),
    ({"properties": []}, "at #/properties: this is no JSON Schema", "Mend"),
])  # fmt: skip
def test_a_schema_that_cannot_be_used_says_where_and_the_mend(schema: Any, where: str, mend: str) -> None:
    with pytest.raises(SchemaUnusable) as caught:
        shape(schema)

    assert "result_schema of tool 'look', schemas/order.json" in caught.value.message
    assert where in caught.value.message
    assert mend in caught.value.mend


def remote(schema: Mapping[str, Any] | None) -> RemoteTool:
    return RemoteTool(
        look.name,
        "Looks.",
        look.effect,
        keyed=False,
        function=look.function,
        server="crm",
        output_schema=schema,
    )


def test_a_tool_of_an_mcp_server_is_held_to_its_output_schema() -> None:
    made = declared_shape(remote(ORDER), ToolRule())
    assert made is not None
    result = {
        "content": [{"type": "text", "text": "x"}],
        "structuredContent": {**GOOD, "id": "7"},
        "isError": False,
    }

    assert told(made, result) == [("structuredContent.id", "type", True)]
    assert told(made, {"content": [], "resultType": "input_required"}) == []
    assert made.declared is not None
    assert made.declared.place == "the outputSchema of crm"


@pytest.mark.parametrize("schema", [None, {"type": "nonsense"}, {"$ref": "https://example.com/x"}])
def test_a_server_whose_schema_is_none_has_its_results_learnt(schema: Any) -> None:
    assert declared_shape(remote(schema), ToolRule()) is None


def test_a_declared_shape_is_told_place_by_place() -> None:
    said = lines_of(shape({**ORDER, "required": ["id"], "properties": {**ORDER["properties"], "meta": {}}}))

    assert "id: an integer" in said
    assert "total: an integer or a number with a fraction, may be missing" in said
    assert "status: a text, one of 2 values, may be missing" in said
    assert "meta: anything, may be missing" in said


LEAF = st.sampled_from([
    {"type": "string"}, {"type": "integer"}, {"type": "number"}, {"type": ["string", "null"]}, {"enum": ["a", "b"]},
    {"type": "boolean"}, {}, {"const": "a"}, {"type": "string", "minLength": 1},
])  # fmt: skip
NAMES = st.sampled_from(["a", "b", "c"])
SCHEMAS = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.builds(
            lambda properties, required, extra: {
                "type": "object", "properties": properties, "required": required, "additionalProperties": extra,
            },
            st.dictionaries(NAMES, inner, max_size=3), st.lists(NAMES, unique=True, max_size=2),
            st.booleans() | inner,
        ),
        st.builds(lambda items: {"type": "array", "items": items}, inner),
        st.builds(lambda parts: {"anyOf": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda parts: {"allOf": parts}, st.lists(inner, min_size=1, max_size=2)),
    ),
    max_leaves=8,
)  # fmt: skip
VALUES = st.recursive(
    st.sampled_from(["a", "b", "x y", "2026-11-26", 1, 1.5, True, None]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


@given(SCHEMAS, VALUES)
def test_no_valid_result_is_a_change_of_what_is_pinned(schema: Any, value: Any) -> None:
    """A shape may be looser than its schema, never stricter."""
    if Checker(schema).problems(value):
        return
    made = shape(schema)

    assert not differences(made, of_value(value, size_of(value)))
    assert Matcher(made).fits(value, size_of(value))
