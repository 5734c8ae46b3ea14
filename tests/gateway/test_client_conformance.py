"""What every model client promises; the client over HTTP and the one in process answer and fail alike."""

import asyncio

import orjson
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
    ModelRefusedRequest,
    ModelTimeout,
    ModelUnknown,
    OpenAIClient,
)
from airworthy.gateway.reply import ModelReply, read_chat_completion
from airworthy.testing import FaultPlan, SimulatedModel, Simulator, serving

MODEL = "sim-large-2026-11-01"
KEY = "key-for-tests-1"


class Clients:
    """Makes the same client over two roads; `complete` reads the reply as the gateway does."""

    def __init__(self, road: str) -> None:
        self.road = road

    def complete(
        self, simulator: Simulator, *, api_key: str = KEY, timeout_s: float = 5.0, body: bytes | None = None
    ) -> ModelReply:
        sent = body if body is not None else request()
        if self.road == "process":
            return asyncio.run(_complete(SimulatedModel(simulator, api_key=api_key), sent, timeout_s))
        with serving(simulator) as base_url:
            client = OpenAIClient(Endpoint(f"{base_url}/v1", api_key))
            return asyncio.run(_complete(client, sent, timeout_s))


async def _complete(client: ModelClient, body: bytes, timeout_s: float) -> ModelReply:
    try:
        return read_chat_completion(await client.complete(body, timeout_s), MODEL)
    finally:
        await client.aclose()


def request(**changes: object) -> bytes:
    body: dict[str, object] = {
        "model": MODEL,
        "messages": [{"role": "user", "content": "What is the weather in Paris?"}],
        **changes,
    }
    return orjson.dumps(body)


@pytest.fixture(params=["http", "process"])
def clients(request: pytest.FixtureRequest) -> Clients:
    return Clients(request.param)


def test_a_good_reply_is_read_whole(clients: Clients) -> None:
    reply = clients.complete(Simulator(seed=1, api_key=KEY))

    assert reply.finish == "stop"
    assert reply.text
    assert reply.model == MODEL
    assert reply.usage.tokens_in > 0


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("http_429", ModelRateLimited),
        ("http_500", ModelOutage),
        ("http_503", ModelOutage),
        ("connection_reset", ModelTimeout),
        ("truncated", ModelError),
        ("invalid_json", ModelMalformed),
        ("empty", ModelMalformed),
    ],
)
def test_each_fault_of_the_provider_is_one_kind_of_error(
    clients: Clients, fault: str, error: type[ModelError]
) -> None:
    simulator = Simulator(seed=1, faults=FaultPlan.at({1: fault}))

    with pytest.raises(error) as raised:
        clients.complete(simulator)

    assert raised.value.retryable


def test_a_rate_limit_says_when_to_come_back(clients: Clients) -> None:
    simulator = Simulator(seed=1, faults=FaultPlan.at({1: "http_429"}))

    with pytest.raises(ModelRateLimited) as raised:
        clients.complete(simulator)

    assert raised.value.retry_after_s is not None
    assert raised.value.retry_after_s >= 0


def test_a_slow_reply_is_a_timeout_that_may_have_been_billed(clients: Clients) -> None:
    simulator = Simulator(seed=1, faults=FaultPlan.parse("slow=1:0.4"))

    with pytest.raises(ModelTimeout) as raised:
        clients.complete(simulator, timeout_s=0.05)

    assert raised.value.billed


@pytest.mark.parametrize(
    ("body", "key", "error"),
    [
        (None, "wrong-key", ModelAuthFailed),
        (request(model="sim-unknown"), KEY, ModelUnknown),
        (request(messages=[]), KEY, ModelRefusedRequest),
        (request(messages=[{"role": "user", "content": "word " * 150_000}]), KEY, ContextOverflow),
    ],
)
def test_what_is_our_own_mistake_is_told_apart_and_not_billed(
    clients: Clients, body: bytes | None, key: str, error: type[ModelError]
) -> None:
    with pytest.raises(error) as raised:
        clients.complete(Simulator(seed=1, api_key=KEY), api_key=key, body=body)

    assert not raised.value.billed
    assert not raised.value.retryable
