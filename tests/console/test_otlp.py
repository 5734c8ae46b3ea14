"""The OTLP endpoints over HTTP: who may send, what is answered, and that a 200 means stored."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from airworthy.app.console import revoked
from airworthy.app.intake_settings import IntakeRule
from airworthy.app.otlp import otlp_of
from airworthy.console.otlp import OtlpDoor
from airworthy.recorder.traces.read import intake_counts, scores_of, spans_of
from airworthy.store import StoreFull
from tests.console.kit import Api, api

TRACE = "5b8efff798038103d269b633813fc60c"
JSON = {"content-type": "application/json"}


class Door:
    """The endpoints on the API's own store and keys."""

    def __init__(self, **settings: Any) -> None:
        self.api: Api = api()
        self.door: OtlpDoor = otlp_of(self.api.app, IntakeRule(**settings), lambda: self.api.people[0])

    async def send(
        self, body: bytes, path: str = "/v1/traces", who: str = "submitter", **headers: str
    ) -> httpx.Response:
        given = {"authorization": f"Bearer {self.api.keys[who]}"} if who else {}
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(self.door), base_url="http://otlp"
        ) as client:
            return await client.post(path, content=body, headers={**JSON, **given, **headers})

    async def counts(self) -> dict[str, int]:
        await self.door.intake.settle()
        found: dict[str, int] = {}
        for counts in self.api.app.database.read_now(intake_counts).values():
            found |= counts
        return found

    def stored(self) -> int:
        return self.api.app.database.read_now(lambda tx: spans_of(tx, TRACE)).total


def request(*numbers: int, **more: Any) -> bytes:
    spans = [
        {
            "traceId": TRACE, "spanId": f"{number:016x}", "name": f"chat {number}",
            "startTimeUnixNano": "1763999990000000000", "endTimeUnixNano": "1763999991000000000",
            "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}], **more,
        }
        for number in numbers
    ]  # fmt: skip
    return orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})


def protobuf() -> bytes:
    made = ExportTraceServiceRequest()
    span = made.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id, span.name = bytes.fromhex(TRACE), b"12345678", "step"
    span.start_time_unix_nano = span.end_time_unix_nano = 1_763_999_990_000_000_000
    return bytes(made.SerializeToString())


async def test_spans_are_stored_when_the_answer_is_200() -> None:
    door = Door()
    answer = await door.send(request(1, 2))

    assert (answer.status_code, answer.json(), door.stored()) == (200, {}, 2)


async def test_protobuf_is_answered_in_protobuf_and_may_be_packed() -> None:
    door = Door()
    kind = "application/x-protobuf"
    answer = await door.send(gzip.compress(protobuf()), content_type=kind, content_encoding="gzip")

    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"", kind)
    assert door.stored() == 1


async def test_spans_that_cannot_stand_are_told_of_and_the_others_are_stored() -> None:
    door = Door()
    made = ExportTraceServiceRequest.FromString(protobuf())
    broken = made.resource_spans[0].scope_spans[0].spans.add()
    broken.trace_id, broken.span_id = b"short", b"12345678"
    answer = await door.send(made.SerializeToString(), content_type="application/x-protobuf")
    said = ExportTraceServiceResponse.FromString(answer.content).partial_success

    assert (answer.status_code, said.rejected_spans, door.stored()) == (200, 1, 1)
    assert "trace id" in said.error_message
    assert await door.counts() == {"accepted": 1, "rejected": 1}


@pytest.mark.parametrize(
    ("how", "status", "counted", "why"),
    [
        ({"body": b"{"}, 400, "malformed", "not JSON"),
        ({"body": b"\xff\xff", "content_type": "application/x-protobuf"}, 400, "malformed", "not protobuf"),
        ({"body": b"no gzip", "content_encoding": "gzip"}, 400, "malformed", "not packed as it says"),
        ({"body": b"{}", "content_type": "text/plain"}, 415, "malformed", "no content type of OTLP's"),
        ({"body": b"{}", "content_encoding": "br"}, 415, "malformed", "an encoding that is not read"),
        ({"body": b" " * 70_000}, 413, "too_large", "more than may be sent at once"),
        (
            {"body": gzip.compress(b" " * 100_000), "content_encoding": "gzip"},
            413,
            "too_large",
            "unpacked, too",
        ),
        ({"body": b"{}", "path": "/v1/metrics"}, 404, None, "no metrics"),
    ],
)
async def test_a_request_is_refused_as_otlp_has_it(
    how: dict[str, Any], status: int, counted: str | None, why: str
) -> None:
    door = Door(body_max=65_536, request_max=80_000)
    answer = await door.send(how.pop("body"), **how)

    assert answer.status_code == status, why
    assert await door.counts() == ({counted: 1} if counted else {})


async def test_only_post_does_anything() -> None:
    door = Door()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(door.door), base_url="http://otlp") as client:
        answer = await client.get("/v1/traces")

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("who", "status"),
    [("submitter", 200), ("operator", 200), ("admin", 200), ("viewer", 403), ("reviewer", 403), ("", 401)],
)
async def test_who_may_send(who: str, status: int) -> None:
    door = Door()
    answer = await door.send(request(1), who=who)

    assert (answer.status_code, door.stored()) == (status, 1 if status == 200 else 0)


@pytest.mark.parametrize("header", ["api_key", "x_api_key"])
async def test_a_key_may_come_in_a_header_of_its_own(header: str) -> None:
    door = Door()
    answer = await door.send(request(1), who="", **{header: door.api.keys["submitter"]})

    assert answer.status_code == 200


@pytest.mark.parametrize("key", ["awp_nope", "aw_nope", "awp_\xe9", "", "x" * 5_000])
async def test_every_bad_key_gets_the_same_answer(key: str) -> None:
    door = Door()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(door.door), base_url="http://otlp") as client:
        answer = await client.post(
            "/v1/traces", headers=[(b"authorization", b"Bearer " + key.encode("latin-1"))]
        )

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


async def test_a_revoked_key_is_out_within_a_second() -> None:
    door = Door()
    key = door.api.keys["submitter"]
    first = await door.send(request(1))
    revoked(door.api.app, key[:12])
    door.api.clock.advance(1)
    second = await door.send(request(2))

    assert (first.status_code, second.status_code) == (200, 401)


async def test_a_full_store_is_503_with_a_time_to_come_back_and_nothing_is_acknowledged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The store's write is replaced: a disk cannot be filled at will."""
    door = Door()

    async def full(op: object, **more: object) -> None:
        raise StoreFull("No room to write the database.", mend="Free disk space.")

    with monkeypatch.context() as patched:
        patched.setattr(door.api.app.database, "write", full)
        answer = await door.send(request(1))
    stored = door.stored()
    again = await door.send(request(1))

    assert (answer.status_code, answer.headers["retry-after"], stored) == (503, "5", 0)
    assert "No room" in answer.json()["message"]
    assert (again.status_code, door.stored()) == (200, 1)
    assert await door.counts() == {"accepted": 1, "not_stored": 1}


async def test_a_full_queue_is_429_with_a_time_to_come_back() -> None:
    door = Door(bytes_max=65_536)
    with door.door.intake.held(60_000):
        answer = await door.send(request(*range(1, 100)))
    again = await door.send(request(*range(1, 100)))

    assert (answer.status_code, answer.headers["retry-after"], again.status_code) == (429, "1", 200)
    assert await door.counts() == {"accepted": 99, "turned_away": 1}


async def test_evaluation_results_come_by_logs() -> None:
    door = Door()
    attributes = {"gen_ai.evaluation.name": "helpful", "gen_ai.evaluation.score.label": "fair"}
    record = {
        "eventName": "gen_ai.evaluation.result", "traceId": TRACE, "timeUnixNano": "1763999990000000000",
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()],
    }  # fmt: skip
    body = orjson.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]})
    answer = await door.send(body, "/v1/logs")
    (score,) = door.api.app.database.read_now(lambda tx: scores_of(tx, TRACE))

    assert (answer.status_code, score.name, score.label) == (200, "helpful", "fair")


@pytest.mark.parametrize(
    ("said", "cost_nano", "why"),
    [
        (
            {"gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-2024-08-06"},
            2_500_000,
            "by the list",
        ),
        (
            {"gen_ai.provider.name": "langchain", "gen_ai.request.model": "gpt-4o-2024-08-06"},
            2_500_000,
            "by its name",
        ),
        (
            {"gen_ai.provider.name": "openai", "gen_ai.request.model": "nobody-knows-me"},
            None,
            "unpriced, not 0",
        ),
    ],
)
async def test_calls_of_models_are_priced_by_the_list(
    said: dict[str, str], cost_nano: int | None, why: str
) -> None:
    door = Door()
    tokens = {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "1000"}}
    attributes = [{"key": key, "value": {"stringValue": value}} for key, value in said.items()]
    chat = {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}
    await door.send(request(1, attributes=[chat, tokens, *attributes]))
    (row,) = door.api.app.database.read_now(lambda tx: spans_of(tx, TRACE)).spans

    assert row.cost_nano == cost_nano, why


async def test_ten_megabytes_of_attributes_are_taken_and_cut() -> None:
    """Slow by nature: the megabytes."""
    door = Door()
    body = request(1, attributes=[{"key": "big", "value": {"stringValue": "x" * 10_000_000}}])
    answer = await door.send(body)
    (row,) = door.api.app.database.read_now(lambda tx: spans_of(tx, TRACE)).spans

    assert answer.status_code == 200
    assert row.payload is not None
    assert len(row.payload) < 1 << 20


async def test_a_server_that_ends_waits_for_no_body_and_says_when_to_send_it_again() -> None:
    door = Door()
    stuck = asyncio.Event()

    async def half() -> AsyncIterator[bytes]:
        yield request(1)[:40]
        door.door.stop()
        await stuck.wait()

    key = door.api.keys["submitter"]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(door.door), base_url="http://otlp") as client:
        answer = await asyncio.wait_for(
            client.post("/v1/traces", content=half(), headers={**JSON, "authorization": f"Bearer {key}"}), 5
        )

    assert (answer.status_code, door.stored()) == (503, 0)
    assert int(answer.headers["retry-after"]) >= 1
