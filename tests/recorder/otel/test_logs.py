"""Log records: evaluation results become scores, messages become steps, the rest is counted and let go."""

from typing import Any

import orjson
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from airworthy.recorder.otel import Decoded, decode_logs
from airworthy.recorder.traces.span import Score
from tests.recorder.otel.kit import NOW_US, TRACE, attributes_of, payload_of, reading, value_of

SPAN = "cd" * 8


def record(name: str = "gen_ai.evaluation.result", body: Any = None, **more: Any) -> dict[str, Any]:
    made = {
        "traceId": TRACE,
        "spanId": SPAN,
        "eventName": name,
        "timeUnixNano": str((NOW_US - 5) * 1_000),
        **more,
        "attributes": attributes_of(more.get("attributes", {})),
    }
    return made if body is None else {**made, "body": value_of(body)}


def decoded(*records: Any) -> Decoded:
    body = orjson.dumps(
        {"resourceLogs": [{"resource": {}, "scopeLogs": [{"scope": {}, "logRecords": list(records)}]}]}
    )
    return decode_logs(body, "application/json", "", reading(), NOW_US)


def evaluation(**said: Any) -> dict[str, Any]:
    return {f"gen_ai.evaluation.{key.replace('_', '.')}": value for key, value in said.items()}


def test_an_evaluation_result_is_a_score_of_its_span() -> None:
    said = evaluation(name="relevance", score_value=0.75, score_label="pass", explanation="It\nfits.")

    assert decoded(record(attributes=said)).scores == [
        Score(TRACE, SPAN, "relevance", 0.75, "pass", "It\nfits.", NOW_US - 5)
    ]


def test_one_without_a_span_is_of_the_whole_trace_and_a_label_is_enough() -> None:
    (score,) = decoded(record(spanId="", attributes=evaluation(name="tone", score_label="rude"))).scores

    assert (score.span_id, score.value, score.label) == ("", None, "rude")


def test_older_records_name_the_event_in_an_attribute() -> None:
    said = {"event.name": "gen_ai.evaluation.result", **evaluation(name="tone", score_value=1)}

    assert [score.value for score in decoded(record("", attributes=said)).scores] == [1.0]


@pytest.mark.parametrize(
    "broken",
    [
        record(traceId="", attributes=evaluation(name="tone")),
        record(attributes=evaluation(score_value=1)),
        {"attributes": 3, "eventName": "gen_ai.evaluation.result"},
        7,
    ],
)
def test_a_result_of_nothing_or_without_a_name_is_rejected_and_costs_no_other(broken: Any) -> None:
    found = decoded(broken, record(attributes=evaluation(name="tone", score_value=1)))

    assert (len(found.scores), found.rejected) == (1, 1)
    assert found.reason


@pytest.mark.parametrize("value", ["high", True, float("inf")])
def test_a_score_that_is_no_number_is_unknown(value: Any) -> None:
    said = evaluation(name="tone", score_label="ok")
    found = decoded(record(attributes={**said, "gen_ai.evaluation.score.value": value}))

    assert [score.value for score in found.scores] == [None]


def test_secrets_and_control_characters_do_not_stay_in_a_score() -> None:
    secret = "sk-proj-abcdefghij0123456789abcd"
    said = evaluation(name="a\x1b[2J", score_label=secret, explanation=f"{secret}\x00")
    (score,) = decoded(record(attributes=said)).scores

    assert secret not in f"{score}"
    assert "\x1b" not in score.name
    assert "\x00" not in score.explanation


def test_a_time_ahead_of_ours_is_now() -> None:
    said = evaluation(name="tone", score_value=1)
    (score,) = decoded(record(timeUnixNano=str((NOW_US + 10**9) * 1_000), attributes=said)).scores

    assert score.at_us == NOW_US


def test_messages_of_one_call_are_one_step_of_it_and_the_same_when_sent_again() -> None:
    records = [
        record("gen_ai.user.message", {"content": "Where is 8812?"}),
        record("gen_ai.choice", {"index": 0, "message": {"content": "In Bremen."}, "finish_reason": "stop"}),
    ]
    first, again = decoded(*records), decoded(*records)
    (step,) = first.spans
    payload = payload_of(step)

    assert (step.parent_id, step.trace_id) == (SPAN, TRACE)
    assert payload["input"] == [{"role": "user", "parts": [{"type": "text", "content": "Where is 8812?"}]}]
    assert payload["output"][0]["parts"] == [{"type": "text", "content": "In Bremen."}]
    assert again.spans == first.spans


def test_other_records_are_counted_and_let_go() -> None:
    found = decoded(record("app.started"), record("", "plain text"), record("gen_ai.choice", "x", traceId=""))

    assert (found.spans, found.scores, found.ignored, found.rejected) == ([], [], 3, 0)


def test_protobuf_comes_to_the_same() -> None:
    request = ExportLogsServiceRequest()
    made = request.resource_logs.add().scope_logs.add().log_records.add(
        trace_id=bytes.fromhex(TRACE), span_id=bytes.fromhex(SPAN), event_name="gen_ai.evaluation.result",
        time_unix_nano=(NOW_US - 5) * 1_000,
    )  # fmt: skip
    made.attributes.add(key="gen_ai.evaluation.name").value.string_value = "tone"
    made.attributes.add(key="gen_ai.evaluation.score.value").value.double_value = 0.5
    found = decode_logs(request.SerializeToString(), "application/x-protobuf", "", reading(), NOW_US)

    assert found == decoded(record(attributes=evaluation(name="tone", score_value=0.5)))
