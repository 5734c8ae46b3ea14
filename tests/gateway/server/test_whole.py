"""The whole gateway: what callers do reaches store and provider, and what people decide reaches callers.

Slow, because gateway and provider talk over sockets and look at the store in their own time.
"""

import http.client
import json
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from airworthy.app.gateway_keys import revoked
from airworthy.gateway.budget import KeyBudgets
from airworthy.gateway.simulator import FaultPlan, Simulator
from tests.gateway.server.whole import LARGE, SMALL, Whole, chat, events, whole

pytestmark = pytest.mark.slow
WAIT_S = 10.0


@pytest.fixture(scope="module")
def gateway() -> Iterator[Whole]:
    with whole() as made:
        yield made


def said(
    gateway: Whole, path: str = "/v1/chat/completions", body: Any = None, key: str = "", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """POST, or GET where `body` is empty."""
    connection = http.client.HTTPConnection(urlsplit(gateway.url).netloc, timeout=WAIT_S)
    sent = chat() if body is None else body
    try:
        connection.request(
            "POST" if sent else "GET", path, json.dumps(sent) if sent else None,
            {"authorization": f"Bearer {key or gateway.key}", **headers},
        )  # fmt: skip
        response = connection.getresponse()
        return (
            response.status,
            {name.lower(): value for name, value in response.getheaders()},
            response.read(),
        )
    finally:
        connection.close()


def eventually(check: Any) -> Any:
    """What another thread is about to bring about."""
    pause = threading.Event()
    for _ in range(1_000):
        found = check()
        if found:
            return found
        pause.wait(0.01)
    raise AssertionError("It did not come about.")


def test_a_call_is_answered_priced_and_recorded(gateway: Whole) -> None:
    status, headers, body = said(
        gateway, "/run/tsk_17/v1/chat/completions", None, "", **{"x-airworthy-user": "ann"}
    )

    call = headers["x-airworthy-call"]
    row = eventually(
        lambda: gateway.rows(f'SELECT task_id, agent, "user", model, status FROM calls WHERE id = {call!r}')
    )
    assert status == 200
    assert headers["x-airworthy-model"] == LARGE
    assert float(headers["x-airworthy-cost-usd"]) > 0
    assert json.loads(body)["choices"]
    assert row == [("tsk_17", "support", "ann", LARGE, 200)]


def test_an_alias_is_answered_by_its_pin(gateway: Whole) -> None:
    _, headers, body = said(gateway, body=chat() | {"model": "small"})

    assert headers["x-airworthy-model"] == SMALL
    assert json.loads(body)["object"] == "chat.completion"


def test_a_stream_comes_as_events_with_its_mark_at_the_end(gateway: Whole) -> None:
    status, headers, body = said(gateway, body=chat(stream=True))

    assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    found = events(body)
    assert found[-1] == "[DONE]"
    assert found[0]["object"] == "chat.completion.chunk"


def test_what_is_counted_is_what_was_done() -> None:
    with whole() as gateway:
        said(gateway)
        said(gateway, body=chat() | {"model": "nobody"})
        text = said(gateway, "/metrics", {})[2].decode()

    assert f'calls_total{{agent="support",model="{LARGE}",outcome="answered"}} 1' in text
    assert 'calls_total{agent="support",model="",outcome="model_not_allowed"} 1' in text
    assert f'tokens_total{{agent="support",model="{LARGE}",kind="output"}}' in text
    assert f'breaker{{place="{LARGE} at ' in text
    assert 'mode="closed"} 1' in text
    assert "airworthy_gateway_dropped_records 0" in text


def test_a_revoked_key_is_refused_within_a_second(gateway: Whole) -> None:
    key = gateway.new_key()
    eventually(lambda: said(gateway, key=key)[0] == 200)

    revoked(gateway.app, key)

    eventually(lambda: said(gateway, key=key)[0] == 401)


def test_a_paused_agent_s_calls_are_stopped_until_it_is_resumed() -> None:
    with whole(more='on_stop = "error"') as gateway:
        gateway.app.operations.pause("agent:support", "dana", "wrong prices")
        stopped = eventually(lambda: (found := said(gateway))[0] != 200 and found)
        gateway.app.operations.resume("agent:support")
        eventually(lambda: said(gateway)[0] == 200)

    assert stopped[0] == 402
    assert b"wrong prices" in stopped[2]


def test_a_caller_that_leaves_a_stream_is_recorded_as_gone_and_pays_for_what_came() -> None:
    with whole(Simulator(faults=FaultPlan.of({"stream_trickle:0.2": 1.0}))) as gateway:
        connection = http.client.HTTPConnection(urlsplit(gateway.url).netloc, timeout=WAIT_S)
        connection.request(
            "POST",
            "/v1/chat/completions",
            json.dumps(chat(stream=True)),
            {"authorization": f"Bearer {gateway.key}"},
        )
        connection.getresponse().read(100)
        connection.close()
        row = eventually(lambda: gateway.rows("SELECT ended_as, code, cost_nano, estimated FROM calls"))

    ((ended_as, code, cost_nano, estimated),) = row
    assert (ended_as, code, estimated) == ("left", "caller_left", 1)
    assert cost_nano > 0


def test_stopping_writes_everything_that_was_answered() -> None:
    with whole() as gateway:
        for _ in range(5):
            said(gateway)

    assert gateway.records == [("answered", "", 200)] * 5


def test_a_gateway_is_ready_while_its_store_takes_writes(gateway: Whole) -> None:
    status, _, body = said(gateway, "/readyz", {})

    assert (status, json.loads(body)) == (200, {"status": "ready", "missing": []})


@pytest.mark.parametrize(("record", "kept"), [("facts", 0), ("full", 1), (None, 1)])
def test_the_settings_say_whether_bodies_are_kept(record: Any, kept: int) -> None:
    with whole(record=record) as gateway:
        said(gateway)
        eventually(lambda: gateway.rows("SELECT 1 FROM calls"))
        bodies = len(gateway.rows("SELECT 1 FROM call_bodies"))

    assert bodies == kept


def test_a_key_s_own_budget_bounds_it_and_no_other(gateway: Whole) -> None:
    poor = gateway.new_key(budgets=KeyBudgets(total_usd=0.000_000_1))
    eventually(lambda: said(gateway, key=poor)[0] != 401)

    _, headers, body = said(gateway, key=poor)

    assert headers["x-airworthy-stop"] == "budget"
    assert b"Stopped" in body
    assert "x-airworthy-stop" not in said(gateway)[1]


def test_a_provider_that_is_down_is_told_as_a_5xx_to_come_back_to() -> None:
    with whole(Simulator(faults=FaultPlan.of({"http_503": 1.0}))) as gateway:
        status, headers, body = said(gateway)

    assert status == 503
    assert json.loads(body)["error"]["code"] == "model_outage"
    assert "x-should-retry" not in headers
