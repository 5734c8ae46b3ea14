"""Everything that is read: models, health, counters, the description; and what may not be done where."""

import orjson
import pytest

from airworthy.gateway.keys import NewKey
from airworthy.gateway.server import ServerRules
from airworthy.gateway.server.routes import CALLS
from tests.gateway.server.kit import CHAT, FIRST, SECOND, Gateway, ask


async def test_models_are_listed_with_their_aliases_in_the_policy_s_order() -> None:
    said = await ask(Gateway(), "GET", "/v1/models")

    assert said.json["object"] == "list"
    assert [entry["id"] for entry in said.json["data"]] == [FIRST, "sim-large", SECOND]
    assert said.json["data"][0] == {"id": FIRST, "object": "model", "created": 0, "owned_by": "openai"}


async def test_models_are_listed_in_anthropic_s_form_for_its_clients() -> None:
    gateway = Gateway()

    said = await ask(
        gateway, "GET", "/v1/models", b"", {"x-api-key": gateway.secret, "anthropic-version": "2023-06-01"}
    )

    assert said.json["has_more"] is False
    assert (said.json["first_id"], said.json["last_id"]) == (FIRST, SECOND)
    assert said.json["data"][0]["type"] == "model"


@pytest.mark.parametrize(
    ("name", "status"), [(FIRST, 200), ("sim-large", 200), ("gpt-9", 404), ("%0d%0a", 404)]
)
async def test_one_model_is_shown_or_is_not_there(name: str, status: int) -> None:
    said = await ask(Gateway(), "GET", f"/v1/models/{name}")

    assert said.status == status
    assert said.json["id" if status == 200 else "error"]


async def test_models_need_a_key_and_show_what_that_key_may_use() -> None:
    gateway = Gateway()

    assert (await ask(gateway, "GET", "/v1/models", b"", {})).status == 401
    assert (
        await ask(gateway, "GET", "/v1/models", b"", gateway.auth(gateway.key(NewKey("billing"))))
    ).status == 403


async def test_the_process_lives_without_a_key_and_without_a_store() -> None:
    gateway = Gateway()
    gateway.missing.append("The store cannot be written.")

    live, ready = [await ask(gateway, "GET", path, b"", {}) for path in ("/livez", "/readyz")]

    assert (live.status, live.json) == (200, {"status": "alive"})
    assert (ready.status, ready.json) == (
        503,
        {"status": "not ready", "missing": ["The store cannot be written."]},
    )


async def test_a_gateway_that_lacks_nothing_is_ready() -> None:
    said = await ask(Gateway(), "GET", "/readyz", b"", {})

    assert (said.status, said.json) == (200, {"status": "ready", "missing": []})


async def test_requests_are_counted_by_operation_and_status_and_never_by_the_caller_s_text() -> None:
    gateway = Gateway()
    await ask(gateway, "POST", "/run/r1/v1/chat/completions", CHAT)
    await ask(gateway, "POST", "/v1/chat/completions", b"{")
    await ask(gateway, "GET", "/v1/models/secret-name")
    await ask(gateway, "GET", "/secret-path")

    text = (await ask(gateway, "GET", "/metrics", b"", {})).body.decode()

    for path, status in (("chat", 200), ("chat", 400), ("models", 404), ("unknown", 404)):
        assert f'airworthy_gateway_responses_total{{path="{path}",status="{status}"}} 1\n' in text
    assert "secret" not in text
    assert "airworthy_gateway_open_calls 1\n" in text  # This one.


async def test_metrics_need_a_key_where_others_can_reach_them() -> None:
    gateway = Gateway(rules=ServerRules(metrics_open=False))

    assert (await ask(gateway, "GET", "/metrics", b"", {})).status == 401
    assert (await ask(gateway, "GET", "/metrics")).status == 200
    assert (await ask(gateway, "GET", "/livez", b"", {})).status == 200


async def test_the_description_names_every_path_and_refers_to_nothing_missing() -> None:
    document = (await ask(Gateway(), "GET", "/openapi.json", b"", {})).json

    assert document["openapi"] == "3.1.0"
    for path in CALLS:
        assert "post" in document["paths"][f"/v1{path}"]
        assert document["paths"][f"/run/{{run}}/v1{path}"]["post"]["parameters"][0]["name"] == "run"
    assert {"/v1/models", "/v1/models/{model}", "/livez", "/readyz", "/metrics"} <= set(document["paths"])
    operations = [one["post"]["operationId"] for one in document["paths"].values() if "post" in one]
    assert len(operations) == len(set(operations))
    assert b"$ref" not in orjson.dumps(document)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/v1/chat/completions", "POST, OPTIONS"), ("DELETE", "/v1/messages", "POST, OPTIONS"),
        ("POST", "/v1/models", "GET, HEAD, OPTIONS"), ("PUT", "/readyz", "GET, HEAD, OPTIONS"),
    ],
)  # fmt: skip
async def test_a_wrong_method_is_told_the_right_one(method: str, path: str, allow: str) -> None:
    said = await ask(Gateway(), method, path, b"", {})

    assert (said.status, said.headers["allow"]) == (405, allow)
    assert ("request_id" in said.json) == ("/messages" in path)


async def test_options_tell_the_methods_and_open_nothing_to_other_sites() -> None:
    said = await ask(Gateway(), "OPTIONS", "/v1/messages", b"", {"origin": "http://evil.example"})

    assert (said.status, said.headers, said.body) == (204, {"allow": "POST, OPTIONS"}, b"")


async def test_an_unknown_path_is_a_404_with_its_mend_and_without_its_odd_characters() -> None:
    said = await ask(Gateway(), "POST", "/chat/completions\x1b[2J", b"", {})

    assert said.status == 404
    assert said.json["error"]["code"] == "no_such_path"
    assert "\x1b" not in said.json["error"]["message"]
