"""What we ourselves answer is well formed in the caller's protocol: our own readers understand it."""

from typing import Any

import orjson
import pytest

from airworthy.gateway.wire.dialect import DIALECTS
from airworthy.gateway.wire.facts import Usage
from airworthy.gateway.wire.sse import events
from tests.gateway.wire.kit import BYTES_MAX, dumped, fed

REQUEST = {"model": "m-1", "messages": [], "input": "x", "max_tokens": 5}
TALKING = ("chat", "messages", "responses")


def stopped(name: str, **fields: Any) -> list[bytes]:
    dialect = DIALECTS[name]
    facts = dialect.read_request(dumped(**REQUEST, **fields))
    return dialect.stop_reply("m-1", 'Stopped "here".', facts, {"limit": "cost", "at": 5})


@pytest.mark.parametrize("name", TALKING)
def test_a_plain_stop_is_a_normal_answer_with_the_evidence_beside_it(name: str) -> None:
    (body,) = stopped(name)

    reply = DIALECTS[name].read_reply(body)
    assert (reply.text, reply.finish, reply.model) == ('Stopped "here".', "stop", "m-1")
    assert reply.usage == Usage(0, 0)
    assert orjson.loads(body)["airworthy"] == {"stop": {"limit": "cost", "at": 5}}


@pytest.mark.parametrize("name", TALKING)
def test_a_streamed_stop_is_a_whole_stream(name: str) -> None:
    chunks = stopped(name, stream=True)
    stream = fed(DIALECTS[name].stream_reader(BYTES_MAX), chunks)

    assert (stream.committed, stream.ended, stream.error) == (True, True, None)
    facts = stream.facts()
    assert (facts.text, facts.finish, facts.model) == ('Stopped "here".', "stop", "m-1")
    assert not stream.malformed
    assert all(piece.endswith(b"\n\n") and len(events(piece)) == 1 for piece in chunks)


def test_a_streamed_stop_tells_usage_only_to_those_who_asked() -> None:
    asked = b"".join(stopped("chat", stream=True, stream_options={"include_usage": True}))

    assert b'"usage"' in asked
    assert b'"usage"' not in b"".join(stopped("chat", stream=True))


def test_a_stop_gives_as_many_answers_as_were_asked_for() -> None:
    (body,) = stopped("chat", n=3)

    assert [choice["index"] for choice in orjson.loads(body)["choices"]] == [0, 1, 2]


@pytest.mark.parametrize("name", ["embeddings", "count_tokens"])
def test_what_cannot_say_a_text_stops_with_an_error(name: str) -> None:
    (body,) = stopped(name)

    assert orjson.loads(body)["error"]["message"] == 'Stopped "here".'


ERRORS = [
    ("chat", 429, "", "rate_limit_error"),
    ("chat", 401, "", "authentication_error"),
    ("responses", 503, "", "server_error"),
    ("embeddings", 400, "", "invalid_request_error"),
    ("chat", 400, "budget_exceeded", "budget_exceeded"),
    ("messages", 429, "", "rate_limit_error"),
    ("messages", 529, "", "overloaded_error"),
    ("messages", 500, "", "api_error"),
    ("count_tokens", 400, "", "invalid_request_error"),
]


@pytest.mark.parametrize(("name", "status", "kind", "told"), ERRORS)
def test_an_error_is_in_the_protocols_form(name: str, status: int, kind: str, told: str) -> None:
    body = orjson.loads(DIALECTS[name].error_body(status, kind, 'No "more".', "some_code"))

    assert body["error"]["type"] == told
    assert body["error"]["message"] == 'No "more".'
    assert body["error"]["code"] == "some_code"
    assert (body.get("type") == "error") is (DIALECTS[name].protocol == "anthropic")
