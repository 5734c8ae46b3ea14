"""The upstream port over both roads: the one over HTTP and the one in process answer, fail and bill alike."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import orjson
import pytest

from airworthy.gateway.errors import ModelError, ModelMalformed, ModelTimeout
from airworthy.gateway.http import Address, HttpClient, HttpUpstream
from airworthy.gateway.simulator import FaultPlan, SimulatedModel, Simulator
from airworthy.gateway.simulator.serving import serving_async
from airworthy.gateway.simulator.streaming import STREAM
from airworthy.gateway.upstream import Sent, Upstream
from tests.gateway.http.kit import LOOPS

KEY = "key-for-tests-1"
SHORT_S = 0.2
LONG = "120"  # Seconds a fault lasts: longer than anybody waits.


@dataclass(frozen=True)
class Seen:
    """What a caller of the port can tell. `error`: type and whether it may have been billed."""

    status: int = 0
    kind: str = ""
    retry_after: str = ""
    body: bytes = b""
    error: tuple[type[ModelError], bool] | None = None


async def whole(upstream: Upstream, body: bytes, timeout_s: float, bytes_max: int) -> Seen:
    try:
        reply = await upstream.send(Sent("/chat/completions", body, {}, timeout_s))
    except ModelError as error:
        return Seen(error=(type(error), error.billed))
    heads = (reply.status, reply.headers.get("content-type", ""), reply.headers.get("retry-after", ""))
    try:
        return Seen(*heads, await reply.read(bytes_max))
    except ModelError as error:
        return Seen(*heads, error=(type(error), error.billed))
    finally:
        reply.close()


async def streamed(upstream: Upstream, body: bytes, timeout_s: float, bytes_max: int) -> Seen:
    try:
        reply = await upstream.send(Sent("/chat/completions", body, {}, timeout_s))
    except ModelError as error:
        return Seen(error=(type(error), error.billed))
    heads = (reply.status, reply.headers.get("content-type", ""), reply.headers.get("retry-after", ""))
    got = b""
    try:
        async for piece in reply.chunks():
            assert piece
            got += piece
    except ModelError as error:
        return Seen(*heads, got, (type(error), error.billed))
    finally:
        reply.close()
    return Seen(*heads, got)


Way = Callable[[Upstream, bytes, float, int], "asyncio.Future[Seen]"]


def request(*, stream: bool, model: str = "sim-large-2026-11-01") -> bytes:
    asked = {"model": model, "messages": [{"role": "user", "content": "What is the weather in Paris?"}]}
    return orjson.dumps({**asked, "stream": True} if stream else asked)


def seen(
    loops: str, road: str, fault: str, *, stream: bool, timeout_s: float = 5.0, bytes_max: int = 10**7,
    key: str = KEY, body: bytes | None = None,
) -> Seen:  # fmt: skip
    simulator = Simulator(seed=1, faults=FaultPlan.at({1: fault} if fault else {}), api_key=KEY)
    sent = body if body is not None else request(stream=stream)

    async def main() -> Seen:
        way = streamed if stream else whole
        if road == "process":
            return await way(SimulatedModel(simulator, api_key=key), sent, timeout_s, bytes_max)
        async with serving_async(simulator) as url:
            upstream = HttpUpstream(HttpClient(Address.of(f"{url}/v1")), lambda: key)
            try:
                return await way(upstream, sent, timeout_s, bytes_max)
            finally:
                await upstream.aclose()

    with asyncio.Runner(loop_factory=LOOPS[loops]) as runner:
        return runner.run(main())


both = pytest.mark.parametrize("loops", list(LOOPS))


@pytest.mark.parametrize("stream", [False, True])
@both
def test_a_good_answer_is_the_same_to_the_byte(loops: str, stream: bool) -> None:
    far, near = (seen(loops, road, "", stream=stream) for road in ("http", "process"))

    assert far == near
    assert (far.status, far.error) == (200, None)
    assert far.kind.startswith("text/event-stream" if stream else "application/json")


REFUSED = [
    ("a wrong key", {"key": "wrong"}, 401),
    ("an unknown model", {"body": request(stream=False, model="nobody")}, 404),
    ("nonsense", {"body": b"{"}, 400),
]


@pytest.mark.parametrize(("why", "asked", "status"), REFUSED, ids=[row[0] for row in REFUSED])
@both
def test_a_refusal_is_a_reply_and_no_error_of_the_port(
    loops: str, why: str, asked: dict[str, bytes], status: int
) -> None:
    far, near = (seen(loops, road, "", stream=False, **asked) for road in ("http", "process"))  # type: ignore[arg-type]  # By name.

    assert far == near
    assert (far.status, far.error) == (status, None)


FAULTS = [
    "http_429:7", "http_500", "http_503", "connection_reset", "truncated", "invalid_json", "empty:null_content",
    "empty:no_choices", "length", "content_filter", "refusal", "no_usage", "odd_usage:negative", "error_in_200",
    "content_type", "content_length:short", "huge:0.5", f"hang:{LONG}", f"slow:{LONG}", "content_length:long",
]  # fmt: skip
STREAM_FAULTS = [
    f"stream_wait:{LONG}", f"stream_stall:{LONG}", f"stream_trickle:{LONG}", "stream_trickle:0.001",
    "stream_cut:early", "stream_cut:late", "stream_cut:reset", "stream_no_end:no_done",
    "stream_no_end:no_finish", "stream_garbage", "stream_error:early", "stream_error:late",
]  # fmt: skip
LATE = (LONG, "content_length:long")


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("stream", [False, True])
@both
def test_each_fault_looks_the_same_over_both_roads(loops: str, stream: bool, fault: str) -> None:
    timeout_s = SHORT_S if fault.endswith(LATE) else 5.0
    far, near = (seen(loops, road, fault, stream=stream, timeout_s=timeout_s) for road in ("http", "process"))

    assert far == near
    assert far.error is None or far.error == (ModelTimeout, True)


@pytest.mark.parametrize("fault", STREAM_FAULTS)
@both
def test_each_fault_of_a_stream_looks_the_same_over_both_roads(loops: str, fault: str) -> None:
    timeout_s = SHORT_S if fault.endswith(LATE) else 5.0
    far, near = (seen(loops, road, fault, stream=True, timeout_s=timeout_s) for road in ("http", "process"))

    if fault != "stream_cut:reset":
        assert far == near
    else:  # A reset may overtake what was sent before it; what came is the beginning all the same.
        assert (far.status, far.kind, far.error) == (near.status, near.kind, near.error)
        assert near.body.startswith(far.body)
    assert far.error is None or far.error == (ModelTimeout, True)


def test_every_fault_of_a_stream_is_among_them() -> None:
    assert {fault.partition(":")[0] for fault in STREAM_FAULTS} == STREAM


@both
def test_an_answer_that_is_too_large_is_refused_by_both(loops: str) -> None:
    far, near = (seen(loops, road, "", stream=False, bytes_max=100) for road in ("http", "process"))

    assert far == near
    assert far.error == (ModelMalformed, True)
