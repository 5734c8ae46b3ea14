"""The simulator over real HTTP on loopback: protocol, errors, limits, and the faults of the line."""

import http.client
import threading
from collections.abc import Callable

import orjson
import pytest

from airworthy.core.errors import ConfigError
from airworthy.gateway.simulator import MODELS, FaultPlan, Simulator
from airworthy.gateway.simulator.server import REQUEST_BYTES_MAX
from tests.gateway.simulator.conftest import Client
from tests.gateway.simulator.conversations import AFTER_LOOKUP, QUESTION, ask, request, used, user

Serve = Callable[[Simulator], Client]


def test_a_tool_call_comes_back_in_the_shape_of_the_protocol(served: Serve) -> None:
    answer = served(Simulator()).chat(request(user(QUESTION)))

    body = answer.json
    choice = body["choices"][0]
    call = choice["message"]["tool_calls"][0]
    assert (answer.status, body["object"], body["model"]) == (200, "chat.completion", MODELS[0])
    assert body["id"].startswith("chatcmpl-")
    assert body["system_fingerprint"].startswith("fp_")
    assert (choice["index"], choice["finish_reason"], choice["message"]["content"]) == (0, "tool_calls", None)
    assert call["id"].startswith("call_")
    assert call["type"] == "function"
    assert call["function"] == {"name": "find_order", "arguments": '{"order_id":"ORD-1042"}'}
    usage = body["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["prompt_tokens_details"]["cached_tokens"] == 0
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 0


def test_a_final_answer_ends_with_stop_and_no_tool_calls(served: Serve) -> None:
    choice = served(Simulator()).chat(request(*AFTER_LOOKUP)).json["choices"][0]

    assert choice["finish_reason"] == "stop"
    assert "tool_calls" not in choice["message"]
    assert "shipped" in choice["message"]["content"]


def test_answers_carry_request_id_and_rate_limit_headers(served: Serve) -> None:
    client = served(Simulator())

    first, second = client.chat(request(user("Hi"))), client.chat(request(user("Hi")))

    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    for unit in ("requests", "tokens"):
        for name in ("limit", "remaining", "reset"):
            assert f"x-ratelimit-{name}-{unit}" in first.headers
    assert "x-sim-fault" not in first.headers


def test_equal_requests_get_equal_bodies_whatever_the_order_of_their_keys(served: Serve) -> None:
    client = served(Simulator())
    body = request(user(QUESTION))

    assert client.chat(body).body == client.chat(dict(reversed(body.items()))).body


def test_another_seed_gives_another_answer_of_the_same_kind() -> None:
    answers = [ask(Simulator(seed=seed), request(*AFTER_LOOKUP)) for seed in range(8)]

    assert len({answer["id"] for answer in answers}) == 8
    assert len({answer["choices"][0]["message"]["content"] for answer in answers}) > 1
    assert all("shipped" in answer["choices"][0]["message"]["content"] for answer in answers)


def test_models_are_listed_and_described(served: Serve) -> None:
    client = served(Simulator())

    listed = client.send("GET", "/v1/models").json

    assert [model["id"] for model in listed["data"]] == list(MODELS)
    assert client.send("GET", f"/v1/models/{MODELS[1]}").json["object"] == "model"
    assert client.send("GET", "/v1/models/gpt-5").status == 404


def test_stats_count_calls_faults_and_nothing_else(served: Serve) -> None:
    simulator = Simulator(faults=FaultPlan.at({2: "http_500"}))
    client = served(simulator)

    statuses = [client.chat(request(user("Hi"))).status for _ in range(3)]

    assert statuses == [200, 500, 200]
    assert simulator.calls == 3
    assert client.send("GET", "/sim/stats").json == {
        "calls": 3,
        "faults": {"http_500": 1},
        "rules": {},
        "seed": 7,
    }


REFUSALS = [
    ("model", request(user("Hi")) | {"model": "sim-large"}, 404, "model_not_found", "'sim-large'"),
    ("no messages", {"model": MODELS[0]}, 400, "missing_required_parameter", "'messages'"),
    ("bad role", request({"role": "robot", "content": "Hi"}), 400, "invalid_value", "messages[0].role"),
    ("two choices", request(user("Hi"), n=2), 400, "unsupported_value", "'n'"),
    (
        "orphan result",
        request(user("Hi"), {"role": "tool", "tool_call_id": "x", "content": "1"}),
        400,
        None,
        "answers no",
    ),
    (
        "missing result",
        request(user("Hi"), used("find_order", {}, {})[0]),
        400,
        None,
        "call_1 have no result",
    ),
    (
        "result too late",
        request(user("Hi"), used("find_order", {}, {})[0], user("So?")),
        400,
        None,
        "comes before",
    ),
    (
        "nameless tool",
        request(user("Hi"), tools=[{"type": "function"}]),
        400,
        "missing_required_parameter",
        "tools[0]",
    ),
]


@pytest.mark.parametrize(
    ("body", "status", "code", "words"), [row[1:] for row in REFUSALS], ids=[r[0] for r in REFUSALS]
)
def test_a_request_the_protocol_forbids_is_refused_in_its_error_shape(
    served: Serve, body: object, status: int, code: str | None, words: str
) -> None:
    simulator = Simulator()

    answer = served(simulator).chat(body)

    error = answer.json["error"]
    assert (answer.status, error["code"], error["type"]) == (status, code, "invalid_request_error")
    assert words in error["message"]
    assert set(error) == {"message", "type", "param", "code"}
    assert simulator.calls == 0


def test_a_body_that_is_not_json_and_a_path_that_is_not_there_are_refused(served: Serve) -> None:
    client = served(Simulator())

    assert client.send("POST", "/v1/chat/completions", b"{").status == 400
    assert client.send("POST", "/v1/completions", b"{}").status == 404


def test_a_wrong_key_is_refused_and_the_right_one_is_not(served: Serve) -> None:
    client = served(Simulator(api_key="s3cret"))

    refused = client.chat(request(user("Hi")), key="other")

    assert (refused.status, refused.json["error"]["code"]) == (401, "invalid_api_key")
    assert "s3cret" not in refused.body.decode()
    assert client.chat(request(user("Hi")), key="s3cret").status == 200


def test_a_conversation_over_the_window_of_its_model_is_refused_and_one_within_is_not(served: Serve) -> None:
    simulator = Simulator(windows={MODELS[1]: 100})
    long = request(user("x" * 400), tools=[])

    refused = served(simulator).chat(long | {"model": MODELS[1]})

    assert (refused.status, refused.json["error"]["code"]) == (400, "context_length_exceeded")
    assert served(simulator).chat(long).status == 200
    assert served(simulator).chat(request(user("x" * 300), tools=[]) | {"model": MODELS[1]}).status == 200


def test_a_body_over_the_bound_is_refused(served: Serve) -> None:
    assert (
        served(Simulator()).send("POST", "/v1/chat/completions", b" " * (REQUEST_BYTES_MAX + 1)).status == 413
    )


def test_a_window_for_a_model_that_is_not_served_is_an_error() -> None:
    with pytest.raises(ConfigError, match="sim-huge"):
        Simulator(windows={"sim-huge": 1})


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_the_answer_stops_at_the_token_limit_and_says_so(name: str) -> None:
    body = ask(Simulator(), request(*AFTER_LOOKUP) | {name: 5})

    choice = body["choices"][0]
    assert choice["finish_reason"] == "length"
    assert len(choice["message"]["content"]) <= 20
    assert body["usage"]["completion_tokens"] <= 5


def test_a_tool_call_cut_by_the_token_limit_has_half_its_arguments() -> None:
    choice = ask(Simulator(), request(user(QUESTION), max_tokens=6))["choices"][0]

    assert choice["finish_reason"] == "length"
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(choice["message"]["tool_calls"][0]["function"]["arguments"])


def test_the_part_of_a_long_prompt_that_was_sent_before_counts_as_cached() -> None:
    long = {"role": "system", "content": "x" * 10_000}

    first = ask(Simulator(), request(long, user(QUESTION)))["usage"]
    second = ask(Simulator(), request(long, *AFTER_LOOKUP))["usage"]

    assert first["prompt_tokens_details"]["cached_tokens"] == 0
    assert 2_000 < second["prompt_tokens_details"]["cached_tokens"] < second["prompt_tokens"]


def test_429_says_when_to_come_back_and_the_retry_succeeds(served: Serve) -> None:
    client = served(Simulator(faults=FaultPlan.when("order", "http_429:1.5", attempts_max=1)))

    refused, retried = client.chat(request(user(QUESTION))), client.chat(request(user(QUESTION)))

    assert (refused.status, refused.json["error"]["code"]) == (429, "rate_limit_exceeded")
    assert (refused.headers["retry-after"], refused.headers["retry-after-ms"]) == ("2", "1500")
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert refused.headers["x-sim-fault"] == "http_429"
    assert retried.status == 200


@pytest.mark.parametrize(("fault", "status"), [("http_500", 500), ("http_503", 503)])
def test_a_failing_provider_answers_with_a_server_error(served: Serve, fault: str, status: int) -> None:
    answer = served(Simulator(faults=FaultPlan.of({fault: 1.0}))).chat(request(user("Hi")))

    assert (answer.status, answer.json["error"]["type"]) == (status, "server_error")


def test_a_reset_connection_gives_no_answer_and_the_server_goes_on(served: Serve) -> None:
    client = served(Simulator(faults=FaultPlan.at({1: "connection_reset"})))

    with pytest.raises(ConnectionResetError):
        client.chat(request(user("Hi")))

    assert client.chat(request(user("Hi"))).status == 200


def test_a_truncated_body_is_shorter_than_its_announced_length(served: Serve) -> None:
    client = served(Simulator(faults=FaultPlan.of({"truncated": 1.0})))

    with pytest.raises(http.client.IncompleteRead) as raised:
        client.chat(request(user("Hi")))

    assert raised.value.partial.startswith(b'{"id"')
    assert raised.value.expected


def test_an_invalid_body_is_complete_and_not_json(served: Serve) -> None:
    answer = served(Simulator(faults=FaultPlan.of({"invalid_json": 1.0}))).chat(request(user("Hi")))

    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(answer.body)


def test_a_slow_answer_is_right_and_holds_up_nobody_else(served: Serve) -> None:
    """The wait is on the server's loop: a call that is not slow is answered while the slow one waits."""
    simulator = Simulator(faults=FaultPlan.when("slowly", "slow:0.15"))
    client = served(simulator)
    order: list[str] = []

    def slowly() -> None:
        assert client.chat(request(user("slowly"))).status == 200
        order.append("slow")

    thread = threading.Thread(target=slowly)
    thread.start()
    while simulator.calls == 0 and thread.is_alive():
        pass
    client.chat(request(user("quick")))
    order.append("quick")
    thread.join()

    assert order == ["quick", "slow"]


def test_many_clients_at_once_each_get_their_own_answer(served: Serve) -> None:
    simulator = Simulator()
    client = served(simulator)
    answers: dict[int, str] = {}

    def talk(number: int) -> None:
        body = client.chat(request(user(f"Where is order ORD-{1000 + number}?"))).json
        answers[number] = body["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == {number: f'{{"order_id":"ORD-{1000 + number}"}}' for number in range(16)}
    assert simulator.calls == 16
