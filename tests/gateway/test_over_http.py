"""The gateway against a provider over real HTTP that misbehaves: mended by a retry, by the next model, or told."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from airworthy.gateway import (
    ContextOverflow,
    Endpoint,
    ModelAuthFailed,
    ModelClient,
    ModelError,
    ModelMalformed,
    ModelOutage,
    ModelRateLimited,
    ModelReply,
    ModelTimeout,
    ModelUnknown,
    ModelUnreachable,
    OpenAIClient,
)
from airworthy.gateway.simulator import FaultPlan, Simulator, serving
from airworthy.policy import Limits
from tests.gateway.kit import FIRST, SECOND, Kit, kit, model
from tests.virtual import wait_external

KEY = "key-for-tests-1"


class Mount:
    """An ASGI application that is whatever the test put here: one server serves them all."""

    app: Simulator

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


class Outside:
    """A client over sockets in a loop with virtual time: timers wait until the server has answered."""

    def __init__(self, client: ModelClient) -> None:
        self._client = client

    async def complete(self, body: bytes, timeout_s: float) -> bytes:
        return await wait_external(self._client.complete(body, timeout_s))

    async def aclose(self) -> None:
        await self._client.aclose()


@pytest.fixture(scope="module")
def _server() -> Iterator[tuple[Mount, str]]:
    mount = Mount()
    with serving(mount) as base_url:
        yield mount, f"{base_url}/v1"


Served = Callable[..., Any]


@pytest.fixture
def served(_server: tuple[Mount, str]) -> Served:
    mount, url = _server

    @asynccontextmanager
    async def serve(
        simulator: Simulator, *, key: str = KEY, address: str = url, timeout_s: float = 5.0, **policy: Any
    ) -> AsyncIterator[Kit]:
        mount.app = simulator
        names = policy.pop("names", (FIRST, SECOND))
        clients = {name: Outside(OpenAIClient(Endpoint(address, key))) for name in names}
        attempts = policy.pop("attempts", 2)
        models = [model(name, attempts=attempts, timeout_s=timeout_s) for name in names]
        yield kit(clients, *models, **policy)
        for client in clients.values():
            await client.aclose()

    return serve


FAULTS = [
    ("http_429:0", ModelRateLimited),
    ("http_500", ModelOutage),
    ("http_503", ModelOutage),
    ("connection_reset", ModelTimeout),
    ("truncated", ModelTimeout),
    ("invalid_json", ModelMalformed),
    ("empty:null_content", ModelMalformed),
    ("empty:no_choices", ModelMalformed),
]


@pytest.mark.parametrize(("fault", "error"), FAULTS)
async def test_one_fault_is_mended_by_a_retry(served: Served, fault: str, error: type[ModelError]) -> None:
    async with served(Simulator(faults=FaultPlan.at({1: fault}))) as k:
        reply = await k.run().ask()

    (step,) = k.steps()
    assert reply.text
    assert reply.pin == FIRST
    assert step.facts.attempts == 2
    assert error.__name__ in str(step.facts.notes)


@pytest.mark.parametrize(("fault", "error"), FAULTS)
async def test_a_model_that_keeps_failing_is_replaced_by_the_next(
    served: Served, fault: str, error: type[ModelError]
) -> None:
    async with served(Simulator(faults=FaultPlan.at({1: fault, 2: fault}))) as k:
        reply = await k.run().ask()

    (step,) = k.steps()
    assert reply.pin == reply.model == SECOND
    assert step.facts.model == SECOND
    assert step.facts.attempts == 3
    assert error.__name__ in str(step.facts.notes)


@pytest.mark.parametrize(("fault", "error"), FAULTS)
async def test_when_every_model_fails_the_last_error_is_told_and_recorded(
    served: Served, fault: str, error: type[ModelError]
) -> None:
    simulator = Simulator(faults=FaultPlan.of({fault: 1.0}))
    async with served(simulator) as k:
        with pytest.raises(error):
            await k.run().ask()
        calls = simulator.calls
        with pytest.raises(error):
            await k.run().ask()

    assert simulator.calls == calls == 4


ENDS = [("length", "length"), ("content_filter", "content_filter"), ("refusal", "refusal")]


@pytest.mark.parametrize(("fault", "finish"), ENDS)
async def test_a_cut_a_filter_and_a_refusal_are_answers_of_their_own_kind(
    served: Served, fault: str, finish: str
) -> None:
    async with served(Simulator(faults=FaultPlan.at({1: fault}))) as k:
        reply = await k.run().ask()

    assert reply.finish == finish
    assert k.steps()[0].facts.attempts == 1


async def test_another_model_behind_the_pin_is_noted(served: Served) -> None:
    async with served(Simulator(faults=FaultPlan.at({1: "wrong_model"}))) as k:
        reply = await k.run().ask()

    assert reply.model == SECOND
    assert any(note.get("answered") == SECOND and note["pin"] == FIRST for note in k.steps()[0].facts.notes)


def test_a_provider_that_is_too_slow_is_given_up_for_the_next() -> None:
    """On a loop with real time: a virtual one lets every answer from outside come before its timers."""

    async def asked(url: str) -> tuple[Kit, ModelReply]:
        client = OpenAIClient(Endpoint(url, KEY))
        k = kit(client, *(model(name, attempts=1, timeout_s=0.05) for name in (FIRST, SECOND)))
        try:
            return k, await k.run().ask()
        finally:
            await client.aclose()

    with serving(Simulator(faults=FaultPlan.at({1: "slow:0.3"}))) as url:
        k, reply = asyncio.run(asked(f"{url}/v1"))

    assert reply.pin == SECOND
    assert "ModelTimeout" in str(k.steps()[0].facts.notes)
    assert k.spent()[0] > 0  # What was not answered in time may have been billed.


async def test_a_wrong_key_is_told_with_its_mend_and_is_not_tried_again(served: Served) -> None:
    simulator = Simulator(api_key=KEY)
    async with served(simulator, key="sk-wrong-0123456789abcdef") as k:
        with pytest.raises(ModelAuthFailed) as raised:
            await k.run().ask()

    assert k.steps()[0].facts.attempts == 2  # Once per model.
    assert "api_key_env" in raised.value.mend
    assert "sk-wrong" not in str(raised.value)
    assert k.spent() == (0, 0)


async def test_a_server_that_is_not_there_is_unreachable_and_owes_nothing(served: Served) -> None:
    async with served(Simulator(), address="http://127.0.0.1:9/v1") as k:
        with pytest.raises(ModelUnreachable, match=r"127\.0\.0\.1:9"):
            await k.run().ask()

    assert k.spent() == (0, 0)
    assert k.steps()[0].error is not None
    assert k.steps()[0].error.retryable


async def test_an_unknown_model_is_told_apart_from_a_wrong_address(served: Served) -> None:
    async with served(Simulator(), names=("sim-other-2026-11-01",)) as k:
        with pytest.raises(ModelUnknown, match="sim-other-2026-11-01"):
            await k.run().ask()


async def test_a_conversation_too_long_for_the_first_model_is_answered_by_the_second(served: Served) -> None:
    simulator = Simulator(windows={FIRST: 100})
    async with served(simulator, limits=Limits(tokens_in=20_000)) as k:
        reply = await k.run().ask({"role": "user", "content": "word " * 400})

    assert reply.pin == SECOND
    assert "ContextOverflow" in str(k.steps()[0].facts.notes)


async def test_a_conversation_too_long_for_every_model_is_told_so(served: Served) -> None:
    simulator = Simulator(windows={FIRST: 100, SECOND: 100})
    async with served(simulator) as k:
        with pytest.raises(ContextOverflow):
            await k.run().ask({"role": "user", "content": "word " * 400})


async def test_fifty_calls_at_once_are_answered_over_few_connections(served: Served) -> None:
    async with served(Simulator()) as k:
        replies = await asyncio.gather(*(k.run(f"tsk_{number}").ask() for number in range(50)))

    assert all(reply.text for reply in replies)


def test_the_key_is_shown_nowhere() -> None:
    client = OpenAIClient(Endpoint("http://x/v1", KEY))

    assert KEY not in repr(client.endpoint)
    assert KEY not in str(vars(client))
