"""What a plain function becomes: schemas from its signature, strict arguments, checked results, clear refusals."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from airworthy.core.canonical import NotSerialisable
from airworthy.tools import Tool, ToolDefinitionError, tool
from airworthy.tools.tool import SchemaBroken


class Colour(StrEnum):
    RED = "red"


class Money(BaseModel):
    amount: float
    currency: Literal["EUR", "USD"] = "EUR"


class Aliased(BaseModel):
    order_id: str = Field(alias="orderId")


@dataclass
class Point:
    x: int
    y: int = 0


def declared(function: Callable[..., Any], **facts: Any) -> Tool:
    function.__doc__ = "Does it."
    return tool(**facts)(function)


def test_a_bare_decorator_makes_a_read_that_is_named_and_described_as_the_function_is() -> None:
    @tool
    def lookup(order: str, limit: int = 3) -> str:
        """Finds an order.

        Slowly.
        """
        return order

    assert (lookup.name, lookup.effect, lookup.keyed, lookup.dependency) == (
        "lookup",
        "read",
        False,
        "lookup",
    )
    assert lookup.description == "Finds an order.\n\nSlowly."
    assert lookup.schema() == {
        "type": "object",
        "properties": {"order": {"type": "string"}, "limit": {"type": "integer", "default": 3}},
        "required": ["order"],
        "additionalProperties": False,
    }


def test_the_idempotency_key_is_never_shown_to_a_model_nor_taken_from_one() -> None:
    def send(to: str, *, idempotency_key: str) -> None: ...

    keyed = declared(send, effect="send", keyed=True)

    assert "idempotency_key" not in keyed.schema()["properties"]
    with pytest.raises(SchemaBroken, match="idempotency_key"):
        keyed.read_arguments(b'{"to": "a", "idempotency_key": "mine"}')


def test_parameters_may_be_called_like_methods_of_a_model() -> None:
    def odd(copy: str, json: int, model_config: str, schema: str = "s") -> None: ...

    values, canonical = declared(odd).read_arguments(b'{"copy": "c", "json": 1, "model_config": "m"}')

    assert values == {"copy": "c", "json": 1, "model_config": "m", "schema": "s"}
    assert canonical == b'{"copy":"c","json":1,"model_config":"m","schema":"s"}'


def everything(
    text: str,
    count: int = 1,
    share: float = 0.5,
    on: bool = False,
    day: date | None = None,
    colour: Colour = Colour.RED,
    money: Money | None = None,
    words: list[str] | None = None,
    small: Annotated[int, Field(ge=0, le=9)] = 0,
) -> None: ...


READS = [
    (b'{"text": "a"}', None, "defaults are filled in"),
    (b'{"text": "a", "count": 2, "share": 1}', None, "a whole number is a number"),
    (b'{"text": "a", "day": "2025-11-24", "colour": "red"}', None, "JSON has no dates and no enumerations"),
    (b'{"text": "a", "money": {"amount": 1.5}}', None, "a nested model"),
    (b'{"text": "a", "words": ["x"], "small": 9}', None, "at the bound"),
    (b'{"text": "a", "small": 10}', "small", "above the bound"),
    (b'{"text": 1}', "text", "a number is no text"),
    (b'{"text": "a", "count": "2"}', "count", "text is no number"),
    (b'{"text": "a", "count": 2.5}', "count", "a half is no whole number"),
    (b'{"text": "a", "count": true}', "count", "a truth is no number"),
    (b'{"text": "a", "on": 1}', "on", "a number is no truth"),
    (b'{"text": null}', "text", "nothing is no text"),
    (b'{"count": 1}', "text", "a missing one"),
    (b'{"text": "a", "extra": 1}', "extra", "an unknown one"),
    (b'{"text": "a", "money": {"amount": 1, "tip": 2}}', None, "a nested model decides for itself"),
    (b'{"text": "a", "colour": "blue"}', "colour", "no such colour"),
    (b"[]", "value", "a list is no arguments"),
    (b"null", "value", "nothing"),
    (b"{", "value", "not JSON at all"),
    (b"", "value", "empty"),
    (b'{"text": "\xff"}', "value", "no UTF-8"),
]


@pytest.mark.parametrize(("raw", "where", "why"), READS)
def test_arguments_are_read_strictly(raw: bytes, where: str | None, why: str) -> None:
    broad = declared(everything)

    if where is None:
        broad.read_arguments(raw)
    else:
        with pytest.raises(SchemaBroken, match=where):
            broad.read_arguments(raw)


def test_equal_calls_have_equal_canonical_arguments_however_they_are_written() -> None:
    broad = declared(everything)

    _, first = broad.read_arguments(b'{"text": "a", "count": 1}')
    _, second = broad.read_arguments(b'{ "count":1,\n"text":"\\u0061", "share": 0.5 }')

    assert first == second


def returns(annotation: Any) -> Tool:
    def give() -> Any: ...

    give.__annotations__["return"] = annotation
    return declared(give)


RESULTS = [
    (str, "ok", "ok", "text"),
    (None, None, None, "nothing"),
    (Point, Point(1, 2), Point(1, 2), "a dataclass comes back as one"),
    (Point, {"x": 1}, Point(1, 0), "a dict that fits becomes one"),
    (Money, Money(amount=1), Money(amount=1), "a model"),
    (Aliased, Aliased(orderId="A-1"), Aliased(orderId="A-1"), "a model with other names outside"),
    (dict[str, int], {"a": 1}, {"a": 1}, "a dict"),
    (list[Point], [Point(1)], [Point(1)], "a list of them"),
    (tuple[int, str], (1, "a"), (1, "a"), "a tuple stays one"),
    (Any, {"x": {1, 2}}, {"x": [1, 2]}, "undeclared: plain data"),
]


@pytest.mark.parametrize(("annotation", "given", "read", "why"), RESULTS)
def test_a_result_reads_the_same_on_the_first_run_and_on_every_replay(
    annotation: Any, given: Any, read: Any, why: str
) -> None:
    giver = returns(annotation)

    written = giver.write_result(given)

    assert giver.read_result(written) == read, why
    assert giver.write_result(giver.read_result(written)) == written


@pytest.mark.parametrize(
    ("annotation", "given", "error", "why"),
    [
        (int, "many", SchemaBroken, "not what was declared"),
        (Money, {"amount": "x"}, SchemaBroken, "a field of another type"),
        (Money, None, SchemaBroken, "nothing where something was promised"),
        (Any, object(), NotSerialisable, "undeclared and no data"),
        (dict[str, Any], {"a": object()}, NotSerialisable, "no data inside what is"),
        (str, "\ud800", (SchemaBroken, NotSerialisable), "no Unicode"),
        (Any, "\ud800", NotSerialisable, "no Unicode"),
    ],
)
def test_a_result_that_is_not_what_was_declared_goes_no_further(
    annotation: Any, given: Any, error: Any, why: str
) -> None:
    with pytest.raises(error):
        returns(annotation).write_result(given)


def test_a_result_that_would_read_otherwise_after_a_replay_is_found_at_once() -> None:
    """JSON has no infinity: it is written as null, which is no number."""
    giver = returns(float)

    with pytest.raises(SchemaBroken, match="reads otherwise"):
        giver.read_result(giver.write_result(float("inf")))


def no_type(order) -> str: ...  # type: ignore[no-untyped-def,empty-body]  # that is the point
def many(*orders: str) -> None: ...
def more(**orders: str) -> None: ...
def placed(order: str, /) -> None: ...
def opaque(order: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821
def fine(order: str) -> None: ...
def unkeyed(order: str) -> None: ...
def keyed_read(order: str, idempotency_key: str) -> None: ...


DEFINITIONS = [
    (no_type, {}, "has no type", "a parameter without a type"),
    (many, {}, "no schema can describe", "any number of values"),
    (more, {}, "no schema can describe", "any names"),
    (placed, {}, "no schema can describe", "a parameter without a usable name"),
    (opaque, {}, "cannot be read", "a type that does not exist"),
    (unkeyed, {"effect": "send", "keyed": True}, "takes no idempotency key", "keyed without a key"),
    (keyed_read, {"effect": "read", "keyed": True}, "only reads", "a key for a read"),
    (fine, {"resource": "order:{id}"}, "names 'id': no parameter", "a resource of another argument"),
    (fine, {"name": "send mail!"}, "no name for a tool", "a name no model can say"),
    (fine, {"name": ""}, None, "an empty name is the function's own"),
    (fine, {"resource": "order:{order}"}, None, "fine"),
]


@pytest.mark.parametrize(("function", "facts", "says", "why"), DEFINITIONS)
def test_a_function_that_cannot_be_a_tool_is_refused_where_it_is_defined(
    function: Callable[..., Any], facts: dict[str, Any], says: str | None, why: str
) -> None:
    if says is None:
        declared(function, **facts)
        return
    with pytest.raises(ToolDefinitionError, match=says) as raised:
        declared(function, **facts)
    assert raised.value.mend, why


def test_a_type_without_a_schema_is_refused_as_parameter_and_as_result() -> None:

    class Opaque: ...

    def take(it: Opaque) -> None: ...
    def give() -> Opaque:
        return Opaque()

    for function in (take, give):
        with pytest.raises(ToolDefinitionError, match="schema"):
            declared(function)


def test_a_tool_without_a_docstring_is_refused() -> None:
    with pytest.raises(ToolDefinitionError, match="no docstring"):

        @tool
        def silent() -> None: ...


@pytest.mark.parametrize(
    ("resource", "arguments", "name"),
    [
        (None, {"order": "7"}, None),
        ("order:{order}", {"order": "7"}, "order:7"),
        (lambda arguments: f"o/{arguments['order']}", {"order": "7"}, "o/7"),
        ("order:{order}", {"order": "{order}"}, "order:{order}"),
    ],
)
def test_a_call_names_its_resource(resource: Any, arguments: dict[str, Any], name: str | None) -> None:
    assert declared(fine, resource=resource).resource_of(arguments) == name
