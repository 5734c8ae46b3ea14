"""How faults look: to the guards around a tool, and to the gateway at a provider's door."""

import random
from typing import Any

import orjson
import pytest

from airworthy.gateway.errors import ModelError, ModelMalformed, ModelTimeout, ModelUnreachable
from airworthy.gateway.upstream import Reply, Sent, WholeReply
from airworthy.gateway.wire.dialect import DIALECTS
from airworthy.gateway.wire.failure import classify
from airworthy.preflight.faults.damage import EXTRA_NAME, PAGE, applies, damaged
from airworthy.preflight.faults.models import faulty as faulty_model
from airworthy.preflight.faults.tools import faulty as faulty_tool
from airworthy.preflight.stage.values import ToolCall
from airworthy.resilience.chaos import KINDS, Fault
from airworthy.tools import LockedOut, Permanent, Transient

ORDER = {"id": 1001, "note": "gift", "lines": [{"price": "12.90", "count": 2}], "placed": "2026-11-03"}
SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"}, "note": {"type": "string"}, "placed": {"type": "string"},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}},
    },
    "required": ["id", "lines"],
    "$defs": {"Line": {"type": "object", "properties": {"price": {}, "count": {}}, "required": ["price"]}},
}  # fmt: skip


def _chance(seed: int = 0) -> random.Random:
    return random.Random(seed)


class World:
    def __init__(self, result: Any = None) -> None:
        self.result = ORDER if result is None else result
        self.done = 0

    async def perform(self) -> Any:
        self.done += 1
        return self.result


def _call(effect: str = "read") -> ToolCall:
    return ToolCall("get_order", {"order_id": 1001}, effect, result_schema=SCHEMA)


@pytest.mark.parametrize(
    ("kind", "error", "happened", "retry_after_s", "done"),
    [
        ("http_500", Transient, "maybe", None, 0),
        ("http_503", Transient, "no", 2.0, 0),
        ("http_429", Transient, "no", 1.0, 0),
        ("http_401", LockedOut, "no", None, 0),
        ("http_404", Permanent, "no", None, 0),
        ("reset_before", ConnectionResetError, "", None, 0),
        ("reset_after", ConnectionResetError, "", None, 1),
    ],
)
async def test_a_tool_raises_what_its_own_function_would(
    kind: str, error: type[Exception], happened: str, retry_after_s: float | None, done: int
) -> None:
    world = World()

    with pytest.raises(error) as raised:
        await faulty_tool(Fault(kind), _call(), world.perform, _chance())

    assert world.done == done
    if isinstance(raised.value, Transient | Permanent):
        assert (raised.value.happened, raised.value.retry_after_s) == (happened, retry_after_s)


async def test_success_is_reported_and_nothing_is_done() -> None:
    world = World()
    report = {"refund_id": 7}

    result = await faulty_tool(Fault("not_done", result=report), _call("write"), world.perform, _chance())

    assert (result, world.done) == (report, 0)


async def test_a_damaged_answer_comes_after_the_act() -> None:
    for kind in ("empty", "truncated", "wrong_content_type", "missing_field", "null", "wrong_type", "huge"):
        world = World()
        result = await faulty_tool(Fault(kind), _call("write"), world.perform, _chance())

        assert world.done == 1, kind
        assert result != ORDER, kind


async def test_what_cannot_be_damaged_comes_as_it_is() -> None:
    result = await faulty_tool(Fault("missing_field"), _call(), World(17).perform, _chance())

    assert result == 17


def test_damage_is_repeatable_and_leaves_the_original_alone() -> None:
    before = orjson.dumps(ORDER)
    for kind in (name for name, kind in KINDS.items() if kind.damages and name != "not_done"):
        once = damaged(kind, ORDER, SCHEMA, _chance(5), huge_bytes=4_000)

        assert once == damaged(kind, ORDER, SCHEMA, _chance(5), huge_bytes=4_000), kind
        assert once != ORDER, kind
        assert orjson.dumps(ORDER) == before, kind


def test_what_the_schema_asks_for_is_what_is_missing() -> None:
    found = [damaged("missing_field", ORDER, SCHEMA, _chance(seed)) for seed in range(20)]

    assert all("id" not in each or "lines" not in each or "price" not in each["lines"][0] for each in found)


def test_the_page_the_field_and_the_old_data_are_as_they_say() -> None:
    assert damaged("wrong_content_type", ORDER, SCHEMA, _chance()) == PAGE
    assert damaged("extra_field", ORDER, SCHEMA, _chance())[EXTRA_NAME]
    assert damaged("stale", ORDER, SCHEMA, _chance())["placed"] == "2026-08-05"
    assert damaged("stale", {"price": "12.90 EUR", "id": 1001}, None, _chance()) == {
        "price": "11.61 EUR",
        "id": 1001,
    }
    assert len(orjson.dumps(damaged("huge", ORDER, SCHEMA, _chance(), huge_bytes=5_000))) > 5_000


@pytest.mark.parametrize(
    ("kind", "result", "fits"),
    [("missing_field", 17, False), ("extra_field", [], False), ("null", 17, True), ("stale", "hello", False),
     ("truncated", "", False), ("wrong_type", {"a": None}, True)],
)  # fmt: skip
def test_a_fault_that_would_change_nothing_is_told(kind: str, result: Any, fits: bool) -> None:
    assert applies(kind, result, None, 0) is fits


CHAT = {
    "id": "1", "object": "chat.completion", "model": "m", "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "It is shipped."}}
    ],
    "usage": {"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9},
}  # fmt: skip
MESSAGE = {
    "id": "1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
    "content": [{"type": "text", "text": "It is shipped."}], "usage": {"input_tokens": 5, "output_tokens": 4},
}  # fmt: skip
RESPONSE = {
    "id": "1", "object": "response", "model": "m", "status": "completed",
    "usage": {"input_tokens": 5, "output_tokens": 4},
    "output": [{"type": "message", "role": "assistant", "content": [
        {"type": "output_text", "text": "It is shipped."}]}],
}  # fmt: skip
ANSWERS = {"/chat/completions": CHAT, "/messages": MESSAGE, "/responses": RESPONSE}


class Provider:
    def __init__(self) -> None:
        self.asked = 0

    async def send(self, sent: Sent) -> Reply:
        self.asked += 1
        return WholeReply(orjson.dumps(ANSWERS[sent.path]))

    async def aclose(self) -> None:
        return


def _sent(path: str = "/chat/completions", body: bytes = b"{}") -> Sent:
    return Sent(path, body, {}, 0.001)


async def _read(kind: str, path: str) -> Any:
    """As the gateway reads a reply: its facts, or the error that it means."""
    dialect = next(each for each in DIALECTS.values() if each.path == path)
    reply = await faulty_model(Fault(kind, seconds=0.001), Provider(), _chance()).send(_sent(path))
    raw = await reply.read(32 * 1024 * 1024)
    if reply.status != 200:
        raise classify(dialect.protocol, "the model", reply.status, reply.headers, raw, 0)
    return dialect.read_reply(raw)


@pytest.mark.parametrize("path", list(ANSWERS))
@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if "model" in kind.on])
async def test_every_fault_of_a_model_is_understood_in_every_protocol(kind: str, path: str) -> None:
    if kind in ("slow", "extra_field"):
        assert (await _read(kind, path)).text == "It is shipped."
        return
    with pytest.raises(ModelError) as raised:
        await _read(kind, path)

    assert raised.value.retryable is (kind not in ("http_401", "http_404"))
    if kind in ("http_503", "http_429"):
        assert raised.value.retry_after_s == {"http_503": 2.0, "http_429": 1.0}[kind]
    if KINDS[kind].damages:
        assert isinstance(raised.value, ModelMalformed)


async def test_a_lost_reply_was_paid_for_and_a_lost_request_was_not() -> None:
    before, after = Provider(), Provider()

    with pytest.raises(ModelUnreachable) as early:
        await faulty_model(Fault("reset_before"), before, _chance()).send(_sent())
    with pytest.raises(ModelTimeout) as late:
        await faulty_model(Fault("reset_after"), after, _chance()).send(_sent())

    assert (before.asked, after.asked) == (0, 1)
    assert (early.value.billed, late.value.billed) == (False, True)


class Streaming(Provider):
    def __init__(self) -> None:
        super().__init__()
        events = [
            {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "It is"}}]},
            {"choices": [{"index": 0, "delta": {"content": " shipped."}, "finish_reason": "stop"}]},
        ]
        self.raw = (
            b"".join(b"data: " + orjson.dumps(event) + b"\n\n" for event in events) + b"data: [DONE]\n\n"
        )

    async def send(self, sent: Sent) -> Reply:
        return WholeReply(self.raw, 200, {"content-type": "text/event-stream"})


@pytest.mark.parametrize("kind", ["truncated", "missing_field", "null", "wrong_type", "extra_field"])
async def test_a_stream_is_damaged_event_by_event(kind: str) -> None:
    provider = Streaming()
    reply = await faulty_model(Fault(kind), provider, _chance()).send(_sent(body=b'{"stream":true}'))
    raw = await reply.read(10_000)
    reader = next(each for each in DIALECTS.values() if each.path == "/chat/completions").stream_reader(
        10_000
    )

    assert raw != provider.raw
    assert kind == "truncated" or raw.endswith(b"data: [DONE]\n\n")
    reader.feed(raw)
    reader.close()
    usable = reader.error is None and reader.committed and reader.finish_seen
    assert usable is (kind == "extra_field")


async def test_a_huge_stream_says_nothing_for_longer_than_anybody_listens() -> None:
    reply = await faulty_model(Fault("huge"), Streaming(), _chance()).send(_sent(body=b'{"stream":true}'))
    size = 0
    async for chunk in reply.chunks():
        assert chunk.startswith(b":")
        size += len(chunk)
        if size > 4 * 1024 * 1024:
            break

    assert "event-stream" in reply.headers["content-type"]
