"""Agents in this process ask in one form; a model served in another protocol answers them all the same."""

import json
from typing import Any

import pytest

from airworthy.gateway import ModelRequest
from airworthy.testing import FaultPlan, SimulatedModel, Simulator
from tests.gateway.kit import FIRST, SECOND, kit, model

ASK = {"role": "user", "content": "What is the weather in Paris?"}
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather", "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}  # fmt: skip
FORM: dict[str, Any] = {
    "type": "json_schema",
    "json_schema": {
        "name": "report", "strict": True,
        "schema": {
            "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
            "additionalProperties": False,
        },
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "bound"),
    [
        ("gpt-5-2025-08-07", "max_completion_tokens"),
        ("openai/gpt-5-2025-08-07", "max_completion_tokens"),
        ("openai/o3-2025-04-16", "max_completion_tokens"),
        (FIRST, "max_tokens"),
        ("local/gpt-oss-5", "max_tokens"),
    ],
)
def test_a_reasoning_model_gets_the_name_of_the_bound_that_it_takes(name: str, bound: str) -> None:
    body = json.loads(ModelRequest([ASK]).body(model(name)))

    assert {key for key in body if key.startswith("max_")} == {bound}


def _anthropic(name: str = FIRST) -> Any:
    return model(name, provider="anthropic")


async def test_a_model_behind_the_anthropic_protocol_answers_with_text_usage_and_price() -> None:
    k = kit(SimulatedModel(Simulator()), _anthropic())

    reply = await k.run().ask(ASK)

    (step,) = k.steps()
    assert reply.text
    assert reply.usage.known
    assert step.facts.cost_nano == reply.usage.tokens_in * 1000 + reply.usage.tokens_out * 4000


async def test_it_proposes_tool_calls_that_can_be_answered_in_the_next_turn() -> None:
    k = kit(SimulatedModel(Simulator()), _anthropic())
    run = k.run()
    first = await run.ask(ASK, tools=[WEATHER])
    (call,) = first.tool_calls
    result = {"role": "tool", "tool_call_id": call.id, "content": "21 degrees and sunny"}

    second = await run.ask(ASK, first.message(), result, tools=[WEATHER])

    assert call.name == "get_weather"
    assert "21 degrees" in second.text


async def test_a_structured_answer_comes_as_text_although_the_protocol_has_only_tools_for_it() -> None:
    k = kit(SimulatedModel(Simulator()), _anthropic())

    reply = await k.run().ask(ASK, response_format=FORM)

    assert reply.tool_calls == ()
    assert reply.text.startswith('{"city":')


async def test_a_conversation_with_tools_goes_on_at_a_fallback_of_the_other_protocol() -> None:
    simulator = Simulator(faults=FaultPlan.at({2: "http_500"}))
    k = kit(SimulatedModel(simulator), model(FIRST, attempts=1), _anthropic(SECOND))
    run = k.run()
    first = await run.ask(ASK, tools=[WEATHER])
    (call,) = first.tool_calls
    result = {"role": "tool", "tool_call_id": call.id, "content": "21 degrees and sunny"}

    second = await run.ask(ASK, first.message(), result, tools=[WEATHER])

    assert (first.pin, second.pin) == (FIRST, SECOND)
    assert "21 degrees" in second.text


async def test_a_replay_gives_the_translated_reply_without_a_call() -> None:
    simulator = Simulator()
    k = kit(SimulatedModel(simulator), _anthropic())
    first = await k.run().ask(ASK, tools=[WEATHER])

    again = await k.run().ask(ASK, tools=[WEATHER])

    assert again == first
    assert simulator.calls == 1


@pytest.mark.parametrize("kind", ["azure", "gemini", "mistral", "groq", "compatible"])
async def test_other_providers_are_asked_in_the_protocol_they_share(kind: str) -> None:
    k = kit(SimulatedModel(Simulator()), model(FIRST, provider=kind, base_url="http://localhost:1/v1"))

    assert (await k.run().ask(ASK)).text
