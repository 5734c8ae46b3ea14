"""OpenAI's Responses and embeddings: what only these protocols have."""

import base64
import math
import struct
from typing import Any

import orjson
import pytest

from airworthy.gateway.simulator import MODELS, FaultPlan, Simulator
from airworthy.gateway.simulator.dialects.responses import Responses
from airworthy.gateway.simulator.spoken import Spoken
from tests.gateway.simulator.conversations import QUESTION, ask, request, user
from tests.gateway.simulator.protocols import LOOKUP, RESPONSES, asked, events, faulty, joined, sent, whole

EMBEDDINGS = "/v1/embeddings"


def told(simulator: Simulator, **extra: Any) -> Any:
    return orjson.loads(sent(simulator, RESPONSES, asked(RESPONSES, **extra)).body)


def test_a_response_comes_back_in_the_shape_of_the_protocol_and_repeats_the_request() -> None:
    body = told(Simulator(), instructions="Be brief.", temperature=0.5)

    (item,) = body["output"]
    assert (body["object"], body["status"], body["model"]) == ("response", "completed", MODELS[0])
    assert body["id"].startswith("resp_")
    assert item["id"].startswith("fc_")
    assert item["call_id"].startswith("call_")
    assert (item["type"], item["name"], item["arguments"]) == (
        "function_call",
        "find_order",
        '{"order_id":"ORD-1042"}',
    )
    assert (body["instructions"], body["temperature"], body["top_p"]) == ("Be brief.", 0.5, 1.0)
    assert body["usage"]["total_tokens"] == body["usage"]["input_tokens"] + body["usage"]["output_tokens"]


def test_the_events_of_a_text_are_typed_and_in_order() -> None:
    made = events(joined(sent(Simulator(), RESPONSES, asked(RESPONSES, "Hi", stream=True))))

    kinds = [event["type"].removeprefix("response.") for event in made]
    assert kinds[:5] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
    ]
    assert kinds[-4:] == ["output_text.done", "content_part.done", "output_item.done", "completed"]
    assert set(kinds[4:-4]) == {"output_text.delta"}
    assert made[0]["response"]["status"] == "in_progress"
    assert made[-1]["response"] == told(Simulator(), text="Hi")


def test_the_events_of_a_call_are_typed_and_in_order() -> None:
    made = events(joined(sent(Simulator(), RESPONSES, asked(RESPONSES, stream=True))))

    kinds = [event["type"].removeprefix("response.") for event in made]
    assert kinds[2:4] == ["output_item.added", "function_call_arguments.delta"]
    assert kinds[-3:] == ["function_call_arguments.done", "output_item.done", "completed"]
    assert made[-3]["arguments"] == '{"order_id":"ORD-1042"}'


def test_a_refusal_is_a_part_and_a_stream_of_its_own() -> None:
    made = events(joined(sent(faulty("refusal"), RESPONSES, asked(RESPONSES, stream=True))))

    assert {"response.refusal.delta", "response.refusal.done"} <= {event["type"] for event in made}
    (item,) = made[-1]["response"]["output"]
    assert item["content"][0]["type"] == "refusal"


@pytest.mark.parametrize(
    ("fault", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter")]
)
def test_an_unfinished_response_says_why(fault: str, reason: str) -> None:
    body = told(faulty(fault), text="Hi")
    last = events(joined(sent(faulty(fault), RESPONSES, asked(RESPONSES, "Hi", stream=True))))[-1]

    assert (body["status"], body["incomplete_details"]) == ("incomplete", {"reason": reason})
    assert last["type"] == "response.incomplete"


def test_a_response_goes_on_from_an_earlier_one() -> None:
    simulator = Simulator()
    first = told(simulator, instructions="Be brief.")
    output = {"type": "function_call_output", "call_id": first["output"][0]["call_id"], "output": LOOKUP}

    body = asked(RESPONSES) | {"input": [output], "previous_response_id": first["id"]}
    second = sent(simulator, RESPONSES, body)

    assert "shipped" in whole(RESPONSES, second).text
    assert orjson.loads(second.body)["previous_response_id"] == first["id"]


def test_a_streamed_response_is_remembered_too_and_one_not_to_be_stored_is_not() -> None:
    simulator = Simulator()
    streamed = events(joined(sent(simulator, RESPONSES, asked(RESPONSES, "Hi", stream=True))))
    kept = streamed[0]["response"]["id"]
    unkept = told(simulator, text="Bye", store=False)["id"]

    assert sent(simulator, RESPONSES, asked(RESPONSES, previous_response_id=kept)).status == 200
    refused = sent(simulator, RESPONSES, asked(RESPONSES, previous_response_id=unkept))
    assert refused.status == 400
    assert orjson.loads(refused.body)["error"]["code"] == "previous_response_not_found"


@pytest.mark.parametrize(("bounds", "kept"), [((2, 10**6), 2), ((10, 350), 2), ((10, 10), 0)])
def test_what_is_remembered_is_bounded_in_number_and_bytes(bounds: tuple[int, int], kept: int) -> None:
    dialect = Responses(*bounds)
    read = [dialect.read({"model": MODELS[0], "input": f"{number} {'x' * 20}"}, {}) for number in range(3)]
    for number, question in enumerate(read):
        dialect.remember(Spoken(ask(Simulator(), request(user("Hi"))), bytes([number]) * 16), question)

    assert len(dialect._remembered) == kept
    assert dialect._bytes == sum(map(len, dialect._remembered.values()))


REFUSALS: list[tuple[str, dict[str, Any], str | None]] = [
    ("no input", {"input": []}, "missing_required_parameter"),
    ("odd item", {"input": [{"type": "item_reference", "id": "x"}]}, "invalid_value"),
    ("background", {"background": True}, "unsupported_value"),
    ("orphan result", {"input": [{"type": "function_call_output", "call_id": "x", "output": "1"}]}, None),
]


@pytest.mark.parametrize(("change", "code"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_a_request_the_protocol_forbids_is_refused(change: dict[str, Any], code: str | None) -> None:
    simulator = Simulator()

    answer = sent(simulator, RESPONSES, asked(RESPONSES) | change)

    assert (answer.status, orjson.loads(answer.body)["error"]["code"]) == (400, code)
    assert simulator.calls == 0


def test_a_wanted_form_and_a_forced_tool_are_honoured() -> None:
    schema = {"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]}
    form = {"format": {"type": "json_schema", "name": "answer", "schema": schema}}
    forced = {"type": "function", "name": "get_customer"}

    typed = sent(Simulator(), RESPONSES, asked(RESPONSES, looked_up=True, text=QUESTION) | {"text": form})
    assert orjson.loads(whole(RESPONSES, typed).text) == {"status": "shipped"}
    assert told(Simulator(), tool_choice=forced)["output"][0]["name"] == "get_customer"


def embedded(simulator: Simulator, given: Any, **extra: Any) -> Any:
    answer = sent(simulator, EMBEDDINGS, {"model": MODELS[0], "input": given, **extra})
    return orjson.loads(answer.body)


def test_embeddings_are_unit_vectors_that_stay_the_same() -> None:
    body = embedded(Simulator(), ["green teapot", "…", [1, 2, 3]])

    assert [item["index"] for item in body["data"]] == [0, 1, 2]
    for item in body["data"]:
        assert len(item["embedding"]) == 1536
        assert math.isclose(math.hypot(*item["embedding"]), 1, rel_tol=1e-5)
    assert body == embedded(Simulator(), ["green teapot", "…", [1, 2, 3]])
    assert body["usage"]["prompt_tokens"] == body["usage"]["total_tokens"] > 0
    assert body["data"] != embedded(Simulator(seed=8), ["green teapot", "…", [1, 2, 3]])["data"]


def test_texts_with_common_words_are_near_each_other() -> None:
    one, near, far = (
        item["embedding"]
        for item in embedded(Simulator(), ["the green teapot", "a green teapot", "night train"])["data"]
    )

    assert sum(a * b for a, b in zip(one, near, strict=True)) > 0.4
    assert abs(sum(a * b for a, b in zip(one, far, strict=True))) < 0.2


@pytest.mark.parametrize("size", [1, 2, 64, 4096])
def test_base64_carries_the_same_numbers_in_any_size(size: int) -> None:
    plain = embedded(Simulator(), "green teapot", dimensions=size)["data"][0]["embedding"]
    packed = embedded(Simulator(), "green teapot", dimensions=size, encoding_format="base64")["data"][0]

    assert list(struct.unpack(f"<{size}f", base64.b64decode(packed["embedding"]))) == plain
    assert math.isclose(math.hypot(*plain), 1, rel_tol=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        {"input": ""},
        {"input": []},
        {"input": ["a", ""]},
        {"dimensions": 0},
        {"dimensions": 4097},
        {"encoding_format": "hex"},
    ],
    ids=str,
)
def test_an_odd_request_for_embeddings_is_refused(change: dict[str, Any]) -> None:
    body = {"model": MODELS[0], "input": "a", **change}

    assert sent(Simulator(), EMBEDDINGS, body).status == 400


def test_faults_of_the_line_and_the_count_apply_to_embeddings_and_those_of_words_do_not() -> None:
    plan = FaultPlan.when("a", "refusal") | FaultPlan.when("a", "stream_cut")

    assert embedded(Simulator(faults=plan), "a") == embedded(Simulator(), "a")
    assert sent(faulty("http_503"), EMBEDDINGS, {"model": MODELS[0], "input": "a"}).status == 503
    assert embedded(faulty("odd_usage:negative"), "a")["usage"]["prompt_tokens"] < 0
    assert "usage" not in embedded(faulty("no_usage"), "a")
    assert embedded(faulty("wrong_model"), "a")["model"] == MODELS[1]
