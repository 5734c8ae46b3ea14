"""From a request to a call: who may make it, in whose name, and what is refused before a model is asked."""

import asyncio
from typing import Any

import pytest

from airworthy.core.clock import US_PER_S
from airworthy.gateway.budget import KeyBudgets
from airworthy.gateway.call import Answer, Call
from airworthy.gateway.keys import NewKey, revoke
from airworthy.gateway.server import ServerRules
from airworthy.store import StoreError
from tests.gateway.server.kit import CHAT, FIRST, MESSAGE, Client, Gateway, ScriptedDoor, ask, asking
from tests.virtual import LoopClock

PATHS: list[tuple[str, str, dict[str, Any]]] = [
    ("chat", "/v1/chat/completions", CHAT),
    ("responses", "/v1/responses", {"model": FIRST, "input": "hello"}),
    ("embeddings", "/v1/embeddings", {"model": FIRST, "input": "hello"}),
    ("messages", "/v1/messages", MESSAGE),
    ("count_tokens", "/v1/messages/count_tokens", CHAT),
]


@pytest.mark.parametrize(("dialect", "path", "body"), PATHS)
async def test_each_path_is_a_call_in_its_dialect(dialect: str, path: str, body: dict[str, Any]) -> None:
    gateway = Gateway()

    said = await ask(gateway, "POST", path, body)

    (call,) = gateway.door.calls
    assert (said.status, said.body) == (200, b'{"fine":true}')
    assert (call.dialect.name, call.facts.model, call.caller.agent) == (dialect, FIRST, "support")
    name = "request-id" if "/messages" in path else "x-request-id"
    assert said.headers[name] == said.headers["x-airworthy-call"] == call.id
    assert said.headers["content-length"] == str(len(said.body))


@pytest.mark.parametrize(("dialect", "path", "body"), PATHS)
async def test_the_run_of_the_path_reaches_the_call(dialect: str, path: str, body: dict[str, Any]) -> None:
    gateway = Gateway()

    await ask(gateway, "POST", f"/run/tsk_1{path}", body)

    assert gateway.door.calls[0].caller.run == gateway.door.calls[0].task == "tsk_1"


async def test_the_body_reaches_the_call_byte_by_byte_however_it_was_cut() -> None:
    gateway = Gateway()
    raw = b'{ "model":"sim-large-2026-11-01",  "messages":[ ], "x": 1e400000 }'.replace(b"1e400000", b"1.0")

    await ask(gateway, "POST", "/v1/chat/completions", [raw[:1], b"", raw[1:20], raw[20:]])
    await ask(gateway, "POST", "/v1/chat/completions", [raw, b""])

    assert [call.raw for call in gateway.door.calls] == [raw, raw]


@pytest.mark.parametrize("name", ["authorization", "x-api-key"])
@pytest.mark.parametrize("run", ["", "tsk_1", "a.b"])
async def test_a_key_comes_in_either_header_and_may_carry_a_run(name: str, run: str) -> None:
    gateway = Gateway()
    text = gateway.secret + (f".{run}" if run else "")
    value = f"Bearer {text}" if name == "authorization" else text

    said = await ask(gateway, "POST", "/v1/messages", MESSAGE, {name: value})

    assert said.status == 200
    assert gateway.door.calls[0].caller.run == run


async def test_a_placeholder_in_the_other_header_does_no_harm() -> None:
    """SDKs of either kind fill both when an environment variable is set."""
    gateway = Gateway()
    for headers in (
        {"authorization": "Bearer sk-placeholder", "x-api-key": gateway.secret},
        {"authorization": f"bearer {gateway.secret}", "x-api-key": "unused"},
    ):
        assert (await ask(gateway, "POST", "/v1/messages", MESSAGE, headers)).status == 200


async def _revoked(gateway: Gateway) -> str:
    secret = gateway.key(NewKey("support"))
    gateway.database.write_now(lambda tx: revoke(tx, secret, gateway.clock.now_us()))
    return secret


async def _expired(gateway: Gateway) -> str:
    secret = gateway.key(NewKey("support", expires_us=gateway.clock.now_us() + US_PER_S))
    await asyncio.sleep(2)
    return secret


async def test_a_key_that_is_missing_unknown_expired_or_revoked_is_told_the_same() -> None:
    gateway = Gateway(clock=LoopClock())
    revoked, expired = await _revoked(gateway), await _expired(gateway)
    said = [
        await ask(gateway, "POST", "/v1/chat/completions", CHAT, headers)
        for headers in (
            {}, {"authorization": ""}, {"authorization": gateway.secret}, {"authorization": "Bearer aw_" + "x" * 32},
            {"authorization": f"Bearer {revoked}"}, {"authorization": f"Bearer {expired}"}, {"x-api-key": "\xff"},
        )
    ]  # fmt: skip

    assert {one.status for one in said} == {401}
    assert len({one.body for one in said}) == 1
    assert said[0].json["error"]["code"] == "invalid_api_key"
    assert said[0].headers["www-authenticate"] == "Bearer"
    assert said[0].headers["x-should-retry"] == "false"
    assert gateway.door.calls == []


async def test_a_key_for_an_agent_that_is_not_served_is_refused_by_name() -> None:
    gateway = Gateway()

    said = await ask(gateway, "POST", "/v1/messages", MESSAGE, gateway.auth(gateway.key(NewKey("billing"))))

    assert said.status == 403
    assert said.json["error"]["type"] == "permission_error"
    assert "'billing'" in said.json["error"]["message"]


async def test_what_a_key_is_bound_to_reaches_the_call() -> None:
    gateway = Gateway()
    budgets = KeyBudgets(day_usd=2.0)
    secret = gateway.key(NewKey("support", "ann", "refunds", priority=7, budgets=budgets))

    await ask(gateway, "POST", "/v1/messages", MESSAGE, gateway.auth(secret))
    await ask(gateway, "POST", "/v1/messages", MESSAGE)

    bound, free = (call.caller for call in gateway.door.calls)
    assert (bound.user, bound.feature, bound.priority, bound.budgets) == ("ann", "refunds", 7, budgets)
    assert (bound.key_id, free.key_id) == (secret[:11], gateway.secret[:11])
    assert (free.user, free.feature, free.priority, free.budgets) == ("", "", 0, None)


async def test_headers_name_user_feature_and_session() -> None:
    gateway = Gateway()
    names = {"x-airworthy-user": "ann", "x-airworthy-feature": "refunds", "x-airworthy-session": "s-1"}

    await ask(gateway, "POST", "/v1/messages", MESSAGE, {**gateway.auth(), **names})

    caller = gateway.door.calls[0].caller
    assert (caller.user, caller.feature, caller.session) == ("ann", "refunds", "s-1")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {**CHAT, "user": "ann"}),
        ("/v1/messages", {**MESSAGE, "metadata": {"user_id": "ann"}}),
    ],
)
async def test_the_body_names_the_user_where_nobody_else_does(path: str, body: dict[str, Any]) -> None:
    gateway = Gateway()

    await ask(gateway, "POST", path, body)
    await ask(gateway, "POST", path, body, {**gateway.auth(), "x-airworthy-user": "bob"})
    await ask(gateway, "POST", path, body, gateway.auth(gateway.key(NewKey("support", "cat"))))

    assert [call.caller.user for call in gateway.door.calls] == ["ann", "bob", "cat"]


async def test_a_user_that_is_no_plain_name_is_known_by_its_hash_and_always_the_same() -> None:
    gateway = Gateway()
    odd = "a@b.c\r\nx-injected: 1"

    for _ in range(2):
        await ask(gateway, "POST", "/v1/chat/completions", {**CHAT, "user": odd})

    first, second = (call.caller.user for call in gateway.door.calls)
    assert first == second
    assert first.startswith("u-")
    assert len(first) == 34


@pytest.mark.parametrize("word", ["user", "feature"])
async def test_a_header_cannot_contradict_what_the_key_is_bound_to(word: str) -> None:
    gateway = Gateway()
    secret = gateway.key(NewKey("support", "ann", "refunds"))
    same, other = {"user": "ann", "feature": "refunds"}[word], "mallory"

    fits = await ask(
        gateway, "POST", "/v1/messages", MESSAGE, {**gateway.auth(secret), f"x-airworthy-{word}": same}
    )
    not_ = await ask(
        gateway, "POST", "/v1/messages", MESSAGE, {**gateway.auth(secret), f"x-airworthy-{word}": other}
    )

    assert (fits.status, not_.status) == (200, 403)
    assert "ann" not in not_.body.decode()


BAD_NAMES = ["a b", "a\tb", "\xe9", "x" * 129, "a/b", "a,b"]


@pytest.mark.parametrize("value", BAD_NAMES)
@pytest.mark.parametrize("word", ["user", "feature", "session"])
async def test_a_name_that_could_forge_a_record_is_refused(word: str, value: str) -> None:
    gateway = Gateway()

    said = await ask(
        gateway, "POST", "/v1/messages", MESSAGE, {**gateway.auth(), f"x-airworthy-{word}": value}
    )

    assert said.status == 400
    assert value not in said.body.decode("latin-1")


async def test_a_key_s_run_must_be_an_id_and_agree_with_the_path() -> None:
    gateway = Gateway()
    statuses = [
        (await ask(gateway, "POST", path, MESSAGE, gateway.auth(f"{gateway.secret}.{run}"))).status
        for path, run in (
            ("/v1/messages", "a b"), ("/v1/messages", "x" * 129), ("/run/r1/v1/messages", "r2"),
            ("/run/r1/v1/messages", "r1"),
        )
    ]  # fmt: skip

    assert statuses == [400, 400, 400, 200]


async def test_what_concerns_the_provider_is_passed_on_and_nothing_else() -> None:
    gateway = Gateway()
    headers = {
        **gateway.auth(), "anthropic-beta": "a-1,b-2", "anthropic-version": "2023-06-01", "openai-beta": "x",
        "openai-organization": "o", "cookie": "c", "x-other": "y", "x-airworthy-user": "ann",
    }  # fmt: skip

    await ask(gateway, "POST", "/v1/messages", MESSAGE, headers)

    assert dict(gateway.door.calls[0].headers) == {
        "anthropic-beta": "a-1,b-2", "anthropic-version": "2023-06-01", "openai-beta": "x", "openai-organization": "o",
    }  # fmt: skip


async def test_a_header_that_came_twice_is_passed_on_joined() -> None:
    gateway = Gateway()
    await gateway.ring.refresh()
    client = Client("POST", "/v1/messages", b"{}", gateway.auth())
    client.scope["headers"] += [(b"anthropic-beta", b"a"), (b"anthropic-beta", b"b")]  # type: ignore[operator]
    client._parts = [b'{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}]}']

    await gateway.app(client.scope, client.receive, client.send)

    assert gateway.door.calls[0].headers["anthropic-beta"] == "a, b"


@pytest.mark.parametrize("value", ["a\x01b", "\xe9", "x" * 2_001])
async def test_a_passed_header_that_is_no_plain_text_is_refused(value: str) -> None:
    gateway = Gateway()

    said = await ask(gateway, "POST", "/v1/messages", MESSAGE, {**gateway.auth(), "anthropic-beta": value})

    assert said.status == 400
    assert "anthropic-beta" in said.json["error"]["message"]


@pytest.mark.parametrize(("_dialect", "path", "_body"), PATHS)
@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"{}", b'{"model":7}', b"\xff\xfe", b'{"model":"m"']
)
async def test_what_is_no_request_is_a_400_in_the_caller_s_protocol(
    _dialect: str, path: str, _body: Any, body: bytes
) -> None:
    gateway = Gateway()

    said = await ask(gateway, "POST", path, body)

    assert said.status == 400
    assert said.headers["x-should-retry"] == "false"
    assert said.json["error"]["type"] == "invalid_request_error"
    assert ("request_id" in said.json) == ("/messages" in path)
    assert gateway.door.calls == []


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_is_bounded_whether_or_not_it_says_its_length(declared: bool) -> None:
    gateway = Gateway(rules=ServerRules(body_bytes_max=1_000))
    headers = {**gateway.auth(), **({"content-length": "1001"} if declared else {})}

    said = await ask(gateway, "POST", "/v1/messages", [b"x" * 600, b"x" * 401], headers)
    fits = await ask(gateway, "POST", "/v1/messages", [b"{" + b" " * 599, b" " * 399 + b"}"])

    assert said.status == 413
    assert said.json["error"]["type"] == "request_too_large"
    assert said.headers.get("connection") == (None if declared else "close")
    assert fits.status == 400  # Not too large, only empty.


async def test_a_compressed_body_is_refused_with_the_mend() -> None:
    gateway = Gateway()

    said = await ask(gateway, "POST", "/v1/messages", b"x", {**gateway.auth(), "content-encoding": "gzip"})

    assert said.status == 415


async def test_a_body_that_does_not_come_is_not_waited_for_for_ever() -> None:
    gateway = Gateway(clock=LoopClock(), rules=ServerRules(body_s_max=10))
    began_us = gateway.clock.now_us()
    client = Client("POST", "/v1/messages", [], gateway.auth())

    async with asking(gateway, client) as task:
        await task

    assert client.said.status == 408
    assert client.said.headers["connection"] == "close"
    assert 10 <= (gateway.clock.now_us() - began_us) / US_PER_S <= 20


async def test_a_caller_that_leaves_before_its_body_is_whole_is_answered_nothing() -> None:
    gateway = Gateway()
    client = Client("POST", "/v1/messages", [], gateway.auth())
    client.hang_up()

    async with asking(gateway, client) as task:
        await task

    assert client.said.status == 0
    assert gateway.app.metrics.open_calls == 0


async def test_more_calls_at_once_than_allowed_are_asked_to_come_back() -> None:
    release = asyncio.Event()

    async def slow(call: Call) -> Answer:
        await release.wait()
        return Answer(200, [], b"{}")

    gateway = Gateway(ScriptedDoor(slow), LoopClock(), ServerRules(calls_max=2))
    first = [asyncio.create_task(ask(gateway, "POST", "/v1/messages", MESSAGE)) for _ in range(2)]
    await asyncio.sleep(0.1)

    third = await ask(gateway, "POST", "/v1/messages", MESSAGE)
    release.set()

    assert (third.status, third.headers["retry-after"], third.headers["x-should-retry"]) == (503, "1", "true")
    assert third.json["error"]["type"] == "overloaded_error"
    assert [(await task).status for task in first] == [200, 200]


async def test_a_fault_of_ours_is_a_500_whose_cause_only_the_operator_hears() -> None:
    async def broken(call: Call) -> Answer:
        raise ZeroDivisionError("the secret plan")

    gateway = Gateway(ScriptedDoor(broken))

    said = await ask(gateway, "POST", "/v1/chat/completions", CHAT)

    assert said.status == 500
    assert said.json["error"]["type"] == "server_error"
    assert b"secret plan" not in said.body
    assert "secret plan" in gateway.told[0]
    assert gateway.told[0].startswith(said.headers["x-request-id"])


async def test_a_store_that_fails_is_a_503_to_come_back_to() -> None:
    async def down(call: Call) -> Answer:
        raise StoreError("The disk is gone.")

    gateway = Gateway(ScriptedDoor(down))

    said = await ask(gateway, "POST", "/v1/chat/completions", CHAT)

    assert (said.status, said.headers["retry-after"], said.json["error"]["code"]) == (503, "5", "store_down")
    assert b"disk" not in said.body


@pytest.mark.parametrize(("refuse", "status"), [(True, 503), (False, 200)])
async def test_once_revocations_cannot_be_seen_calls_are_refused_unless_allowed(
    refuse: bool, status: int
) -> None:
    gateway = Gateway(clock=LoopClock(), rules=ServerRules(refuse_stale=refuse))
    await gateway.ring.refresh()
    await asyncio.sleep(60)
    client = Client("POST", "/v1/messages", b"", gateway.auth())
    client._parts = [b'{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}]}']

    await gateway.app(client.scope, client.receive, client.send)

    assert client.said.status == status


async def test_other_kinds_of_connection_are_ignored() -> None:
    gateway = Gateway()
    client = Client("GET", "/v1/models")

    await gateway.app({**client.scope, "type": "websocket"}, client.receive, client.send)

    assert client.said.status == 0
