"""Keys and other secrets go where they are needed and nowhere else; what callers and models write stays data."""

import asyncio
import contextlib
import logging
from typing import Any

import orjson
import pytest

from airworthy.core.redact import Redactor
from airworthy.gateway.http import Address, HttpClient, HttpUpstream
from airworthy.gateway.keys import NewKey
from airworthy.gateway.server import GatewayApp, Metrics, ServerRules, Surroundings
from airworthy.gateway.wire.dialect import DIALECTS
from airworthy.recorder import Payloads
from tests.dump import everything
from tests.gateway.door.kit import (
    FIRST,
    SECOND,
    House,
    Say,
    ask,
    error,
    house,
    rule,
    streamed,
    text_of,
    whole,
)
from tests.gateway.guard.kit import reply
from tests.gateway.http.kit import answering, on_real_loops, serving
from tests.gateway.keys.kit import made as minted
from tests.gateway.keys.kit import seeded
from tests.gateway.server.kit import Client, Gateway, Said

PLAIN = "correct-horse-battery-staple"  # A key that looks like none.
SHAPED = "sk-proj-" + "A1b2C3d4" * 6


def all_of(made: House) -> str:
    """What is in the database, as text."""
    found = []
    payloads = Payloads()
    for rows in everything(made.database).values():
        for row in rows:
            for value in row:
                if isinstance(value, bytes):
                    with contextlib.suppress(Exception):  # Not everything in bytes is a payload.
                        value = payloads.unpack(value)
                found.append(str(value))
    return "\n".join(found)


def raw(status: bytes, body: bytes, kind: bytes = b"application/json") -> bytes:
    head = b"HTTP/1.1 %b\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n" % (status, kind, len(body))
    return head + body


TELLS = [
    b'{"error":{"message":"Incorrect API key provided: KEY."}}',
    b"No such key: KEY",
    b'{"error":{"message":"bad","param":"KEY","headers":{"authorization":"Bearer KEY"}}}',
]


@pytest.mark.parametrize("key", [PLAIN, SHAPED])
@pytest.mark.parametrize("status", [b"401 No", b"400 Bad", b"500 Broken", b"429 Slow", b"200 OK"])
@pytest.mark.parametrize("tells", TELLS)
@on_real_loops
async def test_a_provider_that_repeats_its_key_tells_nobody(key: str, status: bytes, tells: bytes) -> None:
    async with serving(answering(raw(status, tells.replace(b"KEY", key.encode())))) as site:
        upstream = HttpUpstream(HttpClient(Address.of(site.url)), lambda: key)
        async with house({}, models=[rule(FIRST)], upstreams={FIRST: upstream}) as made:
            answer, body = await made.said()
            await made.said(raw=ask(stream=True))
            await made.records()
            kept = all_of(made)
            await upstream.aclose()

    assert answer.status >= 400
    assert key.encode() in site.requests[0]
    assert key.encode() not in body
    assert key not in str(answer.headers)
    assert key not in kept
    assert key not in repr(upstream) + repr(made.places[FIRST].upstream)


async def test_secrets_in_what_is_said_are_not_recorded_and_are_handed_on() -> None:
    """In the request, in a whole answer and over the seams of a stream; the caller gets what the model said."""
    secret = "AKIA" + "ABCDEFGHIJKLMNOP"
    split = streamed("chat", f"the key is {secret[:9]}|{secret[9:]}")
    async with house({FIRST: [whole(text=f"the key is {secret}"), split]}) as made:
        more = [{"role": "user", "content": f"mine is {secret}"}]
        _, first = await made.said(raw=ask(more=more))
        _, second = await made.said(raw=ask(more=more, stream=True))
        await made.records()
        kept = all_of(made)

    assert secret in text_of("chat", first)
    assert secret in text_of("chat", second)
    assert secret not in kept
    assert "the key is" in kept


async def test_known_secrets_of_any_shape_are_not_recorded() -> None:
    payloads = Payloads(Redactor([PLAIN]))
    async with house({FIRST: whole(text=f"it is {PLAIN}")}, payloads=payloads) as made:
        await made.said(user="ann", session="s", feature="f")
        await made.records()
        kept = all_of(made)

    assert PLAIN not in kept
    assert "it is" in kept


ODD = 'a"b\\c\u2028\u0000\x1b[31m</script>\r\nset-cookie: x=1\r\n\r\ndata: {"hacked":true}\n\n'


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(
    ("dialect", "provider", "theirs"),
    [("chat", "openai", "chat"), ("chat", "anthropic", "messages"), ("messages", "openai", "chat"),
     ("responses", "openai", "responses"), ("messages", "anthropic", "messages")],
)  # fmt: skip
async def test_whatever_a_model_writes_stays_data(
    dialect: str, provider: str, theirs: str, streams: bool
) -> None:
    say = (streamed if streams else whole)(theirs, ODD)
    async with house({FIRST: say}, models=[rule(provider=provider)]) as made:
        answer, body = await made.said(dialect, ask(dialect, stream=streams))
        record = await made.record()
        made_of = all_of(made)

    assert text_of(dialect, body) == ODD
    assert b'\n\ndata: {"hacked' not in body
    assert "set-cookie" not in str(answer.headers)
    assert record["ended_as"] == "answered"
    assert "hacked" in made_of


async def test_odd_words_of_a_provider_are_kept_and_told_as_words() -> None:
    says = Say((orjson.dumps({"error": {"message": ODD, "code": ODD}}),), 500)
    body = orjson.loads(reply("chat", (), "hi"))
    named = Say((orjson.dumps({**body, "model": ODD, "system_fingerprint": ODD}),))
    async with house({FIRST: [says, named]}) as made:
        answer, told = await made.said()
        _, second = await made.said()
        records = await made.records()

    assert answer.status == 503
    assert "\x1b" not in orjson.loads(told)["error"]["message"]
    assert "\n" not in orjson.loads(told)["error"]["message"]
    assert text_of("chat", second) == "hi"
    assert records[1]["ended_as"] == "answered"
    for name, value in [*answer.headers]:
        assert b"\n" not in name + value


class OfDoor:
    """The server over a whole door, as the application puts it together."""

    def __init__(self, made: House) -> None:
        self.told: list[str] = []
        self._base = Gateway(database=made.database, clock=made.shared.clock)
        around = Surroundings(made.shared.clock, made.shared.ids, self._ready, self.told.append, "1.0")
        self.ring = self._base.ring
        self.app = GatewayApp(made.door, self.ring, {"support"}, DIALECTS, around, ServerRules(), Metrics())
        self.clock = made.shared.clock
        self.database = made.database
        self.secret = self._base.secret

    async def _ready(self) -> list[str]:
        return []

    def key(self, new: NewKey) -> str:
        return minted(self.database, self.clock, seeded(), new)[0]

    async def said(self, path: str, body: bytes, headers: dict[str, str]) -> Said:
        await self.ring.refresh()
        client = Client("POST", path, body, headers)
        await self.app(client.scope, client.receive, client.send)
        return client.said


async def test_the_callers_key_is_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with house({FIRST: [whole(), error(503), whole(text="one")], SECOND: whole()}) as made:
            server = OfDoor(made)
            auth = {"authorization": f"Bearer {server.secret}"}
            said = [await server.said("/v1/chat/completions", ask(), auth) for _ in range(2)]
            said.append(await server.said("/run/r1/v1/chat/completions", ask(), {"x-api-key": server.secret}))
            said.append(await server.said("/v1/chat/completions", b"{", auth))
            said.append(
                await server.said(
                    "/v1/chat/completions", ask(), {"authorization": f"Bearer {server.secret}x"}
                )
            )
            await made.records()
            kept = all_of(made)
            seen = [str(each) for provider in made.providers.values() for each in provider.asked]
            known = server.app.metrics.text().decode() + repr(server.app) + repr(made.shared)

    assert [each.status for each in said] == [200, 200, 200, 400, 401]
    for text in (kept, known, caplog.text, *seen, *(str(each.headers) + str(each.body) for each in said)):
        assert server.secret not in text
        assert server.secret.removeprefix("aw_") not in text


BAD = ["a\r\nset-cookie: x=1", "a\nb", "a b", "a\x00b", "é", "a" * 129, '{"a":1}', "../../etc", "<script>"]


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize(
    "where", ["x-airworthy-user", "x-airworthy-feature", "x-airworthy-session", "key", "path"]
)
async def test_names_that_could_be_more_than_names_are_refused(where: str, value: str) -> None:
    async with house({FIRST: whole()}) as made:
        server = OfDoor(made)
        headers = {"authorization": f"Bearer {server.secret}"}
        path = "/v1/chat/completions"
        if where == "key":
            headers["authorization"] += f".{value}"
        elif where == "path":
            path = f"/run/{value}/v1/chat/completions"
        else:
            headers[where] = value
        said = await server.said(path, ask(), headers)

    assert said.status in (400, 401, 404)
    assert made[FIRST].asked == []
    assert all(
        "\n" not in each and "set-cookie" not in each for pair in said.headers.items() for each in pair
    )


@pytest.mark.parametrize("user", ["ann@example.com", 'a"b\r\nx: y', "\u202e", "x" * 5_000])
async def test_the_user_in_a_body_is_known_by_a_name_that_is_only_a_name(user: str) -> None:
    async with house({FIRST: whole()}) as made:
        server = OfDoor(made)
        body = ask(user=user)
        said = await server.said("/v1/chat/completions", body, {"authorization": f"Bearer {server.secret}"})
        await made.records()
        rows = made.database.read_now(lambda tx: tx.rows('SELECT "user" FROM calls'))
        scopes = list(made.scopes())

    assert said.status == 200
    ((name,),) = rows
    assert name.startswith("u-")
    assert all("\n" not in scope and "@" not in scope for scope in scopes)


@pytest.mark.parametrize("name", ["anthropic-beta", "openai-organization"])
@pytest.mark.parametrize("value", ["a\r\nauthorization: Bearer x", "a\x00", "é"])
async def test_headers_for_the_provider_carry_no_others(name: str, value: str) -> None:
    async with house({FIRST: whole()}) as made:
        server = OfDoor(made)
        said = await server.said(
            "/v1/chat/completions", ask(), {"authorization": f"Bearer {server.secret}", name: value}
        )

    assert said.status == 400
    assert made[FIRST].asked == []


async def test_no_header_of_the_caller_reaches_the_provider_but_those_it_should_see() -> None:
    async with house({FIRST: whole()}) as made:
        server = OfDoor(made)
        await server.said(
            "/v1/chat/completions", ask(),
            {"authorization": f"Bearer {server.secret}", "cookie": "c=1", "x-secret": "s", "openai-beta": "b1"},
        )  # fmt: skip
        (sent,) = made[FIRST].asked

    assert dict(sent.headers) == {"openai-beta": "b1"}


async def test_a_fault_of_ours_is_told_without_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    async with house({FIRST: whole()}) as made:
        server = OfDoor(made)

        def fault(*_: Any) -> Any:
            raise KeyError(PLAIN)

        monkeypatch.setattr(DIALECTS["chat"].__class__, "read_reply", fault)
        said = await server.said("/v1/chat/completions", ask(), {"authorization": f"Bearer {server.secret}"})
        monkeypatch.undo()
        await asyncio.sleep(0)
        record = await made.record()

    assert said.status == 500
    assert PLAIN.encode() not in said.body
    assert (record["ended_as"], record["code"]) == ("failed", "gateway_error")
