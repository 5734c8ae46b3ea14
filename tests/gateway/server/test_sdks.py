"""The official SDKs against the gateway: what their users do, whichever protocol the model speaks.

Slow, because SDKs, gateway and provider are all real and talk over sockets.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from airworthy.gateway.simulator import FaultPlan, Simulator
from tests.gateway.server.whole import LARGE, SMALL, Whole, whole

pytestmark = pytest.mark.slow
openai = pytest.importorskip("openai")
anthropic = pytest.importorskip("anthropic")

HELLO = [{"role": "user", "content": "hello"}]
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
ASKS = [{"role": "user", "content": "What is the weather in Paris? Use get_weather for the city Paris."}]
MODELS = [LARGE, SMALL]  # The one speaks OpenAI's protocol, the other Anthropic's.


@pytest.fixture(scope="module")
def gateway() -> Iterator[Whole]:
    with whole() as made:
        yield made


@pytest.fixture
def client(gateway: Whole) -> Iterator[Any]:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key) as made:
        yield made


@pytest.fixture
def claude(gateway: Whole) -> Iterator[Any]:
    with anthropic.Anthropic(base_url=gateway.url, api_key=gateway.key) as made:
        yield made


@pytest.mark.parametrize("model", MODELS)
def test_openai_chat(client: Any, model: str) -> None:
    made = client.chat.completions.create(model=model, messages=HELLO)

    assert made.choices[0].message.content
    assert made.choices[0].finish_reason == "stop"
    assert made.usage.total_tokens == made.usage.prompt_tokens + made.usage.completion_tokens > 0
    assert made._request_id.startswith("call_")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("usage", [True, False])
def test_openai_chat_streamed(client: Any, model: str, usage: bool) -> None:
    options = {"stream_options": {"include_usage": True}} if usage else {}
    text, counted = "", []
    for chunk in client.chat.completions.create(model=model, messages=HELLO, stream=True, **options):
        text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
        counted += [chunk.usage] if chunk.usage else []
    whole_ = client.chat.completions.create(model=model, messages=HELLO)

    assert text == whole_.choices[0].message.content
    assert [one.completion_tokens for one in counted] == ([whole_.usage.completion_tokens] if usage else [])


def test_openai_async_and_many_at_once(gateway: Whole) -> None:
    async def main() -> list[Any]:
        async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key) as client:

            async def one(number: int) -> str:
                if number % 2:
                    made = await client.chat.completions.create(model=LARGE, messages=HELLO)
                    return str(made.choices[0].message.content)
                stream = await client.chat.completions.create(model=LARGE, messages=HELLO, stream=True)
                return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

            return await asyncio.gather(*(one(number) for number in range(20)))

    texts = asyncio.run(main())

    assert len(set(texts)) == 1
    assert texts[0]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("stream", [True, False])
def test_openai_tools(client: Any, model: str, stream: bool) -> None:
    tools = [
        {
            "type": "function",
            "function": {"name": "get_weather", "description": "Weather.", "parameters": WEATHER},
        }
    ]
    asked = {"model": model, "messages": ASKS, "tools": tools, "tool_choice": "required"}
    if stream:
        with client.chat.completions.stream(**asked) as events:
            first = events.get_final_completion()
    else:
        first = client.chat.completions.create(**asked)
    (call,) = first.choices[0].message.tool_calls
    answer = {"role": "tool", "tool_call_id": call.id, "content": '{"sky": "clear"}'}
    mine = {"role": "assistant", "tool_calls": [{
        "id": call.id, "type": "function",
        "function": {"name": call.function.name, "arguments": call.function.arguments},
    }]}  # fmt: skip
    second = client.chat.completions.create(model=model, messages=[*ASKS, mine, answer], tools=tools)

    assert call.function.name == "get_weather"
    assert "city" in call.function.arguments
    assert first.choices[0].finish_reason == "tool_calls"
    assert second.choices[0].message.content


class City(BaseModel):
    name: str
    people: int


@pytest.mark.parametrize("model", MODELS)
def test_openai_structured_output(client: Any, model: str) -> None:
    made = client.chat.completions.parse(model=model, messages=HELLO, response_format=City)

    assert isinstance(made.choices[0].message.parsed, City)


@pytest.mark.parametrize("model", MODELS)
def test_openai_responses(client: Any, model: str) -> None:
    made = client.responses.create(model=model, input="hello")
    kinds = []
    with client.responses.stream(model=model, input="hello") as events:
        kinds = [event.type for event in events]
        streamed = events.get_final_response()

    assert made.output_text
    assert streamed.output_text == made.output_text
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"


def test_openai_embeddings(client: Any) -> None:
    made = client.embeddings.create(model=LARGE, input=["one", "two"])

    assert [len(one.embedding) > 0 for one in made.data] == [True, True]


def test_openai_models(client: Any) -> None:
    assert [model.id for model in client.models.list()] == [LARGE, "large", SMALL, "small"]
    assert client.models.retrieve("large").id == "large"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-9")


def test_openai_errors_are_of_the_right_class_and_not_retried(gateway: Whole, client: Any) -> None:
    wrong = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="aw_" + "x" * 32)
    with wrong, pytest.raises(openai.AuthenticationError):
        wrong.chat.completions.create(model=LARGE, messages=HELLO)
    with pytest.raises(openai.NotFoundError, match="not in the policy"):
        client.chat.completions.create(model="gpt-9", messages=HELLO)
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model=LARGE, messages="none")
    with pytest.raises(openai.NotFoundError, match="/v1/chat/completions"):
        client.with_options(base_url=gateway.url).chat.completions.create(model=LARGE, messages=HELLO)


@pytest.mark.parametrize("model", MODELS)
def test_anthropic_messages(claude: Any, model: str) -> None:
    made = claude.messages.create(model=model, max_tokens=100, messages=HELLO)

    assert made.content[0].text
    assert made.stop_reason == "end_turn"
    assert made.usage.output_tokens > 0
    assert made._request_id.startswith("call_")


@pytest.mark.parametrize("model", MODELS)
def test_anthropic_streamed(claude: Any, model: str) -> None:
    with claude.messages.stream(model=model, max_tokens=100, messages=HELLO) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()

    assert text == final.content[0].text
    assert final.stop_reason == "end_turn"
    assert final.usage.output_tokens > 0


def test_anthropic_async(gateway: Whole) -> None:
    async def main() -> str:
        async with (
            anthropic.AsyncAnthropic(base_url=gateway.url, auth_token=gateway.key) as client,
            client.messages.stream(model=SMALL, max_tokens=100, messages=HELLO) as stream,
        ):
            return "".join([text async for text in stream.text_stream])

    assert asyncio.run(main())


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("stream", [True, False])
def test_anthropic_tools(claude: Any, model: str, stream: bool) -> None:
    tools = [{"name": "get_weather", "description": "Weather.", "input_schema": WEATHER}]
    asked = {
        "model": model,
        "max_tokens": 200,
        "messages": ASKS,
        "tools": tools,
        "tool_choice": {"type": "any"},
    }
    if stream:
        with claude.messages.stream(**asked) as events:
            first = events.get_final_message()
    else:
        first = claude.messages.create(**asked)
    (call,) = [block for block in first.content if block.type == "tool_use"]
    answer = {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "clear"}],
    }
    mine = {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in first.content]}
    second = claude.messages.create(model=model, max_tokens=200, messages=[*ASKS, mine, answer], tools=tools)

    assert (call.name, first.stop_reason) == ("get_weather", "tool_use")
    assert "city" in call.input
    assert second.content


def test_anthropic_counts_tokens_and_lists_models(claude: Any) -> None:
    assert claude.messages.count_tokens(model=SMALL, messages=HELLO).input_tokens > 0
    assert [model.id for model in claude.models.list()] == [LARGE, "large", SMALL, "small"]


def test_anthropic_errors_are_of_the_right_class(gateway: Whole, claude: Any) -> None:
    with (
        anthropic.Anthropic(base_url=gateway.url, api_key="wrong") as wrong,
        pytest.raises(anthropic.AuthenticationError),
    ):
        wrong.messages.create(model=SMALL, max_tokens=10, messages=HELLO)
    with pytest.raises(anthropic.NotFoundError, match="not in the policy"):
        claude.messages.create(model="claude-9", max_tokens=10, messages=HELLO)
    with pytest.raises(anthropic.BadRequestError):
        claude.messages.create(model=SMALL, max_tokens=10, messages="none")
    with pytest.raises(anthropic.NotFoundError, match="adds it twice"):
        claude.with_options(base_url=f"{gateway.url}/v1").messages.create(
            model=SMALL, max_tokens=10, messages=HELLO
        )


@pytest.mark.parametrize("form", ["message", "error"])
def test_a_spent_budget_is_asked_for_once_by_either_sdk(form: str) -> None:
    simulator = Simulator()
    made: list[Any] = []
    with whole(simulator, f'on_stop = "{form}"\n[budgets]\nday_usd = 0.0000001') as gateway:
        for client in _both(gateway):
            try:
                made.append(_asked(client))
            except (openai.APIStatusError, anthropic.APIStatusError) as error:
                made.append(error.status_code)
    calls = gateway.records

    assert simulator.calls == 0
    if form == "message":
        assert all("Stopped" in text for text in made)
    else:
        assert made == [402, 402]
    assert calls == [("stopped", "budget", 200 if form == "message" else 402)] * 2


@pytest.mark.parametrize(
    "fault", ["stream_cut:late", "stream_cut:reset", "stream_error:late", "stream_no_end:no_finish"]
)
def test_a_stream_that_breaks_is_an_error_in_either_sdk(fault: str) -> None:
    with whole(Simulator(faults=FaultPlan.of({fault: 1.0}))) as gateway:
        for client in _both(gateway):
            with pytest.raises((openai.APIError, anthropic.APIError)):
                _asked(client, stream=True)


def _both(gateway: Whole) -> Iterator[Any]:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key) as one:
        yield one
    with anthropic.Anthropic(base_url=gateway.url, api_key=gateway.key) as two:
        yield two


def _asked(client: Any, *, stream: bool = False) -> str:
    if isinstance(client, openai.OpenAI):
        made = client.chat.completions.create(model=LARGE, messages=HELLO, stream=stream)
        return str(list(made)) if stream else str(made.choices[0].message.content)
    made = client.messages.create(model=SMALL, max_tokens=100, messages=HELLO, stream=stream)
    return str(list(made)) if stream else str(made.content[0].text)
