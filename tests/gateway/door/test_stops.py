"""A stop is final: official SDKs told to try five times ask once, and what falls over to other models sees no error.

Slow, because the SDKs and the gateway are real and talk over sockets.
"""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from airworthy.gateway.budget import KeyBudgets
from airworthy.gateway.simulator import Simulator
from tests.gateway.server.whole import LARGE, SMALL, Whole, whole

pytestmark = pytest.mark.slow
openai = pytest.importorskip("openai")
anthropic = pytest.importorskip("anthropic")

HELLO = [{"role": "user", "content": "hello"}]
POOR = KeyBudgets(total_usd=0.000_000_1)
Ask = Callable[[str, str, bool], str]


def chat(url: str, key: str, streams: bool) -> str:
    with openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=5) as client:
        made = client.chat.completions.create(model=LARGE, messages=HELLO, stream=streams)
        if not streams:
            assert made.choices[0].finish_reason == "stop"
            return str(made.choices[0].message.content)
        return "".join(chunk.choices[0].delta.content or "" for chunk in made if chunk.choices)


def chat_accumulated(url: str, key: str, streams: bool) -> str:
    with (
        openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=5) as client,
        client.chat.completions.stream(model=LARGE, messages=HELLO) as events,
    ):
        return str(events.get_final_completion().choices[0].message.content)


def responses(url: str, key: str, streams: bool) -> str:
    with openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=5) as client:
        if not streams:
            made = client.responses.create(model=LARGE, input="hello")
            assert made.status == "completed"
            return str(made.output_text)
        with client.responses.stream(model=LARGE, input="hello") as events:
            return str(events.get_final_response().output_text)


def messages(url: str, key: str, streams: bool) -> str:
    with anthropic.Anthropic(base_url=url, api_key=key, max_retries=5) as client:
        if not streams:
            made = client.messages.create(model=SMALL, max_tokens=100, messages=HELLO)
            assert made.stop_reason == "end_turn"
            return str(made.content[0].text)
        with client.messages.stream(model=SMALL, max_tokens=100, messages=HELLO) as events:
            return str(events.get_final_message().content[0].text)


def asynchronous(url: str, key: str, streams: bool) -> str:
    async def main() -> str:
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=5) as client:
            made = await client.chat.completions.create(model=LARGE, messages=HELLO, stream=streams)
            if not streams:
                return str(made.choices[0].message.content)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in made if chunk.choices])

    return asyncio.run(main())


WAYS: list[Ask] = [chat, chat_accumulated, responses, messages, asynchronous]


@pytest.fixture(scope="module", params=["message", "error"])
def stopping(request: pytest.FixtureRequest) -> Iterator[tuple[Whole, str, str]]:
    """The gateway, the form of its stops, and a key without money."""
    with whole(more=f'on_stop = "{request.param}"') as gateway:
        yield gateway, request.param, gateway.new_key(budgets=POOR)


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("ask", WAYS)
def test_a_stop_is_asked_for_once(stopping: tuple[Whole, str, str], ask: Ask, streams: bool) -> None:
    gateway, form, key = stopping
    before = gateway.simulator.calls
    metrics = asked(gateway)

    if form == "message":
        assert ask(gateway.url, key, streams).startswith("Stopped: The next model call may cost")
    else:
        with pytest.raises((openai.APIStatusError, anthropic.APIStatusError)) as caught:
            ask(gateway.url, key, streams)
        assert caught.value.status_code == 402
        assert "may cost" in str(caught.value)

    assert gateway.simulator.calls == before
    assert asked(gateway) == metrics + 1


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("ask", [chat, responses, messages])
def test_what_falls_over_to_other_models_on_any_error_sees_none(ask: Ask, streams: bool) -> None:
    """As agent frameworks do: the next model, the next client, at last a retry of all of it."""
    simulator = Simulator()
    with whole(simulator) as gateway:
        key = gateway.new_key(budgets=POOR)
        errors: list[Exception] = []

        def falling_over() -> str:
            for _ in range(3):
                for _ in range(2):
                    try:
                        return ask(gateway.url, key, streams)
                    except Exception as error:  # The framework's own habit.
                        errors.append(error)
            raise AssertionError

        text = falling_over()

    assert text.startswith("Stopped: ")
    assert errors == []
    assert simulator.calls == 0
    assert [(each[0], each[1]) for each in gateway.records] == [("stopped", "budget")]


@pytest.mark.parametrize("ask", [chat, messages])
def test_a_run_that_is_over_stays_over(ask: Ask) -> None:
    simulator = Simulator()
    with whole(simulator, "[limits]\nsteps = 2\nidentical_calls = 2\ntool_calls = 2") as gateway:
        texts = [ask(f"{gateway.url}/run/r1", gateway.key, False) for _ in range(4)]
        by_key = ask(gateway.url, f"{gateway.key}.r1", False)
        other = ask(f"{gateway.url}/run/r2", gateway.key, False)

    assert not texts[0].startswith("Stopped")
    assert texts[2].startswith("Stopped")
    assert by_key.startswith("Stopped")
    assert not other.startswith("Stopped")
    assert simulator.calls == 3


def asked(gateway: Whole) -> int:
    """Calls that reached the gateway's door, by its own count."""
    import urllib.request

    with urllib.request.urlopen(f"{gateway.url}/metrics") as response:
        lines = response.read().decode().splitlines()
    return sum(
        int(float(line.rsplit(" ", 1)[1]))
        for line in lines
        if line.startswith("airworthy_gateway_calls_total")
    )
