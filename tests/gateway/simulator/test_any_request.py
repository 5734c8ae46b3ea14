"""Whatever is sent, the simulator answers or refuses; whatever form is asked for, the answer has it."""

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from airworthy.gateway.simulator import MODELS, FaultPlan, Simulator
from airworthy.gateway.simulator.conversation import BadRequest
from airworthy.gateway.simulator.misconduct import KINDS
from airworthy.gateway.simulator.schema import accepts
from tests.gateway.simulator.conversations import AFTER_LOOKUP, QUESTION, calls, message, request, tool, user

WORDS = st.sampled_from(
    ["order_id", "total", "answer", "status", "state", "eta", "email", "confidence", "tags", "id"]
)
ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
SCALAR_SCHEMAS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({"type": "boolean"}),
    st.just({"type": ["string", "null"]}),
    st.just({"type": "string", "format": "date"}),
    st.just({"enum": ["open", "closed"]}),
    st.just({"const": 4}),
    st.builds(
        lambda low, size: {"type": "integer", "minimum": low, "maximum": low + size},
        st.integers(-9, 9),
        st.integers(0, 9),
    ),
    st.builds(lambda low: {"type": "number", "exclusiveMinimum": low}, st.integers(-9, 9)),
    st.builds(
        lambda low, size: {"type": "string", "minLength": low, "maxLength": low + size},
        st.integers(0, 9),
        st.integers(0, 9),
    ),
)
SCHEMAS = st.recursive(
    SCALAR_SCHEMAS,
    lambda inner: st.one_of(
        st.builds(
            lambda item, low: {"type": "array", "items": item, "minItems": low}, inner, st.integers(0, 2)
        ),
        st.builds(lambda parts: {"anyOf": parts}, st.lists(inner, min_size=1, max_size=2)),
        st.dictionaries(WORDS, inner, max_size=4).map(
            lambda parts: {
                "type": "object",
                "properties": parts,
                "required": list(parts),
                "additionalProperties": False,
            }
        ),
    ),
    max_leaves=6,
)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.dictionaries(WORDS, SCHEMAS, max_size=4), st.booleans())
def test_a_typed_answer_fits_its_schema(properties: dict[str, Any], informed: bool) -> None:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    messages = AFTER_LOOKUP if informed else (user("Hello"),)

    value = orjson.loads(message(Simulator(), request(*messages, response_format=form))["content"])

    assert accepts(value, schema, schema)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.dictionaries(WORDS, SCHEMAS, max_size=4))
def test_a_call_of_a_tool_fits_the_schema_of_the_tool(properties: dict[str, Any]) -> None:
    offered: dict[str, Any] = tool("find_order", "Orders.", **properties)

    for _, arguments in calls(Simulator(), request(user(QUESTION), tools=[offered])):
        parameters = offered["function"]["parameters"]
        assert accepts(arguments, parameters, parameters)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.data())
def test_odd_requests_are_answered_or_refused_but_never_fail(data: st.DataObject) -> None:
    body = request(*AFTER_LOOKUP)
    body |= data.draw(
        st.dictionaries(st.sampled_from(["messages", "tools", "tool_choice", "response_format", "n"]), ODD)
    )
    body["tools"] = data.draw(
        st.sampled_from([body["tools"], [{"function": {"name": "t", "parameters": None}}]])
    )
    odd = {"type": "object", "properties": {"answer": data.draw(ODD)}, "required": data.draw(ODD), "enum": []}
    if data.draw(st.booleans()):
        body["response_format"] = {"type": "json_schema", "json_schema": {"schema": odd | {"anyOf": []}}}
    kind = data.draw(st.sampled_from([None, *sorted(KINDS)]))
    simulator = Simulator(faults=FaultPlan.of({kind: 1.0}) if kind else None)

    try:
        answered = orjson.loads(simulator.answer(orjson.dumps(body)).body)
    except BadRequest:
        return
    assert answered["model"] == MODELS[0]
