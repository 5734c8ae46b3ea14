"""Whatever arrives: a request that is not OTLP is refused in words, one bad span costs no other, nothing crashes."""

import base64
import gzip
import sys
import zlib
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from airworthy.recorder.otel import (
    Bounds,
    Decoded,
    Malformed,
    OtlpError,
    TooLarge,
    Unsupported,
    answers,
    decode_logs,
    decode_traces,
    encode,
    from_json,
    text_of,
)
from airworthy.recorder.traces.span import SpanKind
from tests.recorder.otel.kit import NOW_US, TRACE, one, payload_of, reading, request, span, taken

JSON, PROTOBUF = "application/json", "application/x-protobuf"


def decoded(body: bytes, kind: str = JSON, encoding: str = "", **more: Any) -> Decoded:
    return decode_traces(body, kind, encoding, reading(**more), NOW_US)


def as_protobuf(*spans: Any) -> bytes:
    return encode.encoded(from_json.spans(request(*spans)).spans, "http/protobuf")[1]


@pytest.mark.parametrize(
    ("body", "kind", "encoding", "error", "says"),
    [
        (b"{", JSON, "", Malformed, "not JSON"),
        (b"[1]", JSON, "", Malformed, "stands where an object belongs"),
        (b'{"resourceSpans":{}}', JSON, "", Malformed, "not an array"),
        (b'{"resourceSpans":[{"scopeSpans":[3]}]}', JSON, "", Malformed, "stands where"),
        (b"\xff\xff\xff", PROTOBUF, "", Malformed, "not OTLP as protobuf"),
        (b'{"resourceSpans":[]}', PROTOBUF, "", Malformed, "not OTLP as protobuf"),
        (b"not gzip", JSON, "gzip", Malformed, "not gzip"),
        (gzip.compress(b"{}" * 1_000, mtime=0)[:-9], JSON, "gzip", Malformed, "ends too early"),
        (gzip.compress(b"{}", mtime=0) + b"rest", JSON, "gzip", Malformed, "not gzip"),
        (b"{}", JSON, "br", Unsupported, "'br' is not read here"),
        (b"{}", "text/plain", "", Unsupported, "'text/plain' is not read here"),
        (b"{}", "", "", Unsupported, "is not read here"),
    ],
)
def test_a_request_that_is_not_otlp_is_refused_with_what_is_wrong_and_a_mend(
    body: bytes, kind: str, encoding: str, error: type[OtlpError], says: str
) -> None:
    with pytest.raises(error) as told:
        decoded(body, kind, encoding)

    assert says in told.value.message
    assert told.value.mend


def test_each_refusal_has_its_status() -> None:
    assert (Malformed.status, TooLarge.status, Unsupported.status) == (400, 413, 415)


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("", lambda body: body),
        ("identity", lambda body: body),
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("deflate", zlib.compress),
        ("gzip", lambda body: gzip.compress(body[:9], mtime=0) + gzip.compress(body[9:], mtime=0)),
    ],
)
def test_encodings_that_are_read(encoding: str, packed: Any) -> None:
    assert len(decoded(packed(request(span())), JSON, encoding).spans) == 1


def test_a_small_body_cannot_fill_the_memory() -> None:
    bomb = gzip.compress(b" " * 5_000_000, mtime=0)

    with pytest.raises(TooLarge):
        decoded(bomb, JSON, "gzip", bounds=Bounds(request_bytes_max=100_000))


def test_the_bound_of_a_request_is_reached_before_it_is_passed() -> None:
    body = request(span())

    assert decoded(
        gzip.compress(body, mtime=0), JSON, "gzip", bounds=Bounds(request_bytes_max=len(body))
    ).spans
    with pytest.raises(TooLarge):
        decoded(gzip.compress(body, mtime=0), JSON, "gzip", bounds=Bounds(request_bytes_max=len(body) - 1))


def test_without_the_extra_protobuf_is_refused_by_the_name_of_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As Python does where the package is not installed.
    monkeypatch.setitem(sys.modules, "opentelemetry.proto.collector.trace.v1.trace_service_pb2", None)
    with pytest.raises(Unsupported) as told:
        decoded(b"", PROTOBUF)

    assert "otlp" in told.value.message
    assert "airworthy[otlp]" in told.value.mend
    assert len(decoded(request(span())).spans) == 1


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (span(2, traceId="zz" * 16), "no hex"),
        (span(2, traceId="00" * 16), "all zero"),
        (span(2, traceId=""), "no trace id"),
        (span(2, spanId="abc"), "too short"),
        (span(2, spanId=7), "a number"),
        (span(2) | {"name": {"a": 1}}, "a name that is none"),
        (span(2, startTimeUnixNano="yesterday"), "a time that is none"),
        (span(2) | {"attributes": [{"value": 1}]}, "an attribute without a key"),
        (span(2) | {"events": [3]}, "an event that is none"),
        ("a span", "no object"),
        (None, "nothing"),
    ],
)
def test_a_broken_span_is_told_of_and_costs_no_other(broken: Any, why: str) -> None:
    found = decoded(request(span(1), broken, span(3)))

    assert [each.span_id for each in found.spans] == [f"{1:016x}", f"{3:016x}"], why
    assert found.rejected == 1
    assert found.reason


def test_a_broken_span_among_protobuf_costs_no_other() -> None:
    good = as_protobuf(span(1, name="good"), span(2, name="evil"), span(3, name="good"))
    body = good.replace(b"evil", b"\xff\xfe\xfd\xfc")  # no UTF-8

    found = decoded(body, PROTOBUF)

    assert [each.name for each in found.spans] == ["good", "good"]
    assert (found.rejected, found.reason) == (1, "A span is not valid protobuf.")
    assert payload_of(found.spans[0])["resource"] == {"service.name": "shop"}


def test_protobuf_and_json_come_to_the_same() -> None:
    spans = [
        span(
            1,
            attributes={"gen_ai.operation.name": "chat", "n": 1, "f": 0.5, "b": True, "l": ["a", 1], "e": ""},
        ),
        span(2, 1, status={"code": 2, "message": "no"}),
    ]

    assert decoded(as_protobuf(*spans), PROTOBUF).spans == decoded(request(*spans)).spans


def test_ids_in_base64_are_understood() -> None:
    ids = {
        "traceId": base64.b64encode(bytes.fromhex(TRACE)).decode(),
        "spanId": base64.b64encode(bytes.fromhex("cd" * 8)).decode(),
    }
    (found,) = taken(span() | ids)

    assert (found.trace_id, found.span_id) == (TRACE, "cd" * 8)


def test_capital_hex_is_the_same_id() -> None:
    assert taken(span(traceId=TRACE.upper()))[0].trace_id == TRACE


def test_a_parent_that_is_none_makes_a_root() -> None:
    assert taken(span(1, parentSpanId="0" * 16))[0].parent_id == ""
    assert taken(span(1, parentSpanId="nonsense"))[0].parent_id == ""
    assert taken(span(1, parent=1))[0].parent_id == ""


def ns(us: int) -> int:
    return us * 1_000


@pytest.mark.parametrize(
    ("start", "end", "times", "notes"),
    [
        (ns(NOW_US - 9), ns(NOW_US - 4), (NOW_US - 9, NOW_US - 4), 0),
        (NOW_US - 9, NOW_US - 4, (NOW_US - 9, NOW_US - 4), 2),
        (NOW_US // 1_000, NOW_US // 1_000, (NOW_US, NOW_US), 2),
        (NOW_US // 10**6, NOW_US // 10**6, (NOW_US, NOW_US), 2),
        (NOW_US / 10**6, ns(NOW_US), (NOW_US, NOW_US), 1),
        (ns(NOW_US - 9), 0, (NOW_US - 9, NOW_US - 9), 1),
        (0, ns(NOW_US - 9), (NOW_US - 9, NOW_US - 9), 1),
        (0, 0, (NOW_US, NOW_US), 1),
        (-5, ns(NOW_US - 9), (NOW_US - 9, NOW_US - 9), 2),
        (ns(NOW_US - 4), ns(NOW_US - 9), (NOW_US - 4, NOW_US - 4), 1),
        (7, 7, (NOW_US, NOW_US), 3),
        (ns(NOW_US + 60_000_000), ns(NOW_US + 61_000_000), (NOW_US + 60_000_000, NOW_US + 61_000_000), 1),
        (ns(NOW_US + 10**12), ns(NOW_US + 10**12 + 5), (NOW_US - 5, NOW_US), 1),
        (ns(NOW_US - 9), 2**64 - 1, (NOW_US - 9, NOW_US), 1),
        (2**64 - 1, 2**64 - 1, (NOW_US, NOW_US), 1),
        (10**30, 10**30, (NOW_US, NOW_US), 3),
    ],
)
def test_times_in_another_unit_or_none_are_mended_and_told(
    start: float, end: float, times: tuple[int, int], notes: int
) -> None:
    (found,) = taken(span(startTimeUnixNano=start, endTimeUnixNano=end))

    assert (found.started_us, found.ended_us) == times
    assert len(payload_of(found).get("notes", [])) == notes


def test_a_clock_ahead_of_ours_is_kept_and_told() -> None:
    (found,) = taken(span(startTimeUnixNano=ns(NOW_US), endTimeUnixNano=ns(NOW_US + 5_000_000)))

    assert found.ended_us == NOW_US + 5_000_000
    assert payload_of(found)["notes"] == ["Its clock is at least 5000000 us ahead of ours."]


def test_a_mended_time_keeps_what_was_sent() -> None:
    (found,) = taken(span(startTimeUnixNano=NOW_US // 1_000))

    assert f"sent as {NOW_US // 1_000}, read as milliseconds" in payload_of(found)["notes"][0]


def test_text_that_is_no_unicode_costs_the_character_alone() -> None:
    half = rb"a half \ud800 and \\ud800, a pair \ud83d\ude00"
    body = request(span(name="NAME")).replace(b"NAME", half)

    assert decoded(body).spans[0].name == "a half \ufffd and \\ud800, a pair 😀"
    assert decoded(request(span(name="NAME")).replace(b"NAME", b"\xff!")).spans[0].name == "\ufffd!"


def test_control_characters_stay_in_the_payload_and_nowhere_else() -> None:
    evil = "a\x00b\x1b[2Jc\u202ed\ne"
    found = one({"user.id": evil, "gen_ai.agent.name": evil, "input.value": evil}, name=evil)

    for label in (found.user, found.agent, found.name):
        assert label.isprintable()
    assert "\x00" not in found.text
    assert payload_of(found)["input"] == evil


def test_secrets_are_in_no_payload_label_or_text() -> None:
    secret = "sk-proj-abcdefghij0123456789abcd"
    found = one(
        {"user.id": secret, "input.value": f"my key is {secret}", "deep": [{"a": secret}]}, name=secret
    )

    for where in (found.payload.decode(), found.user, found.name, found.text):
        assert secret not in where
    assert found.text == text_of(found.payload)


def test_secrets_of_the_resource_are_written_over_too() -> None:
    secret = "sk-proj-abcdefghij0123456789abcd"
    (found,) = taken(span(), resource={"service.name": secret, "process.command": f"run {secret}"})

    assert secret not in found.payload.decode()
    assert secret not in found.agent


def test_an_attribute_of_ten_megabytes_is_cut_and_the_cut_is_told() -> None:
    found = one({"input.value": "word " * 2_000_000, "small": "stays"})
    payload = payload_of(found)

    assert len(found.payload) < 300_000
    assert payload["cut"]["chars"] > 9_700_000
    assert payload["attributes"]["small"] == "stays"
    assert len(found.text) <= Bounds().text_chars_max
    assert found.text == text_of(found.payload)


def test_many_large_attributes_are_cut_to_the_bound_of_a_span() -> None:
    found = one({f"n{number}": "x y " * 20_000 for number in range(40)})

    assert len(found.payload) <= Bounds().span_bytes_max + 1_000
    assert payload_of(found)["cut"]["chars"] > 0


@pytest.mark.slow
def test_tens_of_thousands_of_attributes_are_cut_to_the_bound_of_a_span() -> None:
    """Slow: it is much to read."""
    found = one({f"n{number}": "some small value" for number in range(40_000)})

    assert len(found.payload) <= Bounds().span_bytes_max + 1_000


def test_a_secret_at_the_edge_of_a_cut_does_not_stay_in_part() -> None:
    secret = "sk-proj-abcdefghij0123456789abcd"
    text = "w " * 49_990 + secret
    found = taken(span(attributes={"a": text}), reader=reading(bounds=Bounds(value_chars_max=99_992)))[0]

    assert "sk-proj" not in found.payload.decode()
    assert payload_of(found)["cut"]["chars"] >= len(secret)


def test_values_nested_without_end_are_cut() -> None:
    deep: Any = "bottom"
    for _ in range(200):
        deep = {"arrayValue": {"values": [deep if isinstance(deep, dict) else {"stringValue": deep}]}}
    body = span()
    body["attributes"] = [{"key": "deep", "value": deep}]
    as_text = one({"input.value": "[" * 900 + "]" * 900})

    assert "nested too deep" in taken(body)[0].payload.decode()
    assert payload_of(as_text)["cut"]["levels"] == 1


def test_numbers_beyond_64_bits_are_kept_as_text() -> None:
    body = span()
    body["attributes"] = [
        {"key": "n", "value": {"intValue": "9" * 30}},
        {"key": "d", "value": {"doubleValue": "NaN"}},
    ]
    payload = payload_of(taken(body)[0])

    assert payload["attributes"] == {"n": "9" * 30, "d": None}


def test_nan_in_json_costs_the_number_alone() -> None:
    for word in (b"NaN", b"Infinity", b"1" * 400):
        body = request(span(attributes={"a": 0.5})).replace(b"0.5", word)
        assert payload_of(decoded(body).spans[0])["attributes"]["a"] in (None, "1" * 400)


def test_an_empty_request_is_a_good_one() -> None:
    for body, kind in ((b"", PROTOBUF), (b"", JSON), (b"{}", JSON)):
        assert decoded(body, kind) == Decoded()


def test_what_was_not_taken_is_answered_as_otlp_says() -> None:
    kind, body = answers.taken(PROTOBUF, 3, "too old")
    answer = ExportTraceServiceResponse.FromString(body)

    assert (kind, answer.partial_success.rejected_spans, answer.partial_success.error_message) == (
        PROTOBUF, 3, "too old",
    )  # fmt: skip
    assert answers.taken(PROTOBUF, 0, "") == (PROTOBUF, b"")
    assert answers.taken(JSON, 0, "") == (JSON, b"{}")
    assert orjson.loads(answers.taken(JSON, 3, "too old")[1]) == {
        "partialSuccess": {"rejectedSpans": "3", "errorMessage": "too old"}
    }
    assert b"rejectedLogRecords" in answers.taken(JSON, 3, "too old", logs=True)[1]
    assert answers.told_rejected(*answers.taken(PROTOBUF, 300, "too old")) == (300, "too old")


def test_a_refusal_is_answered_as_a_status_in_the_form_of_the_request() -> None:
    error = Malformed("It is none.", mend="Send one.")

    assert orjson.loads(answers.refused(JSON, error)[1]) == {"code": 3, "message": "It is none. Send one."}
    assert answers.refused(PROTOBUF, error)[1] == b"\x08\x03\x12\x15It is none. Send one."
    assert answers.busy("text/html", "Wait.")[0] == JSON


_NESTED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ["resourceSpans", "scopeSpans", "spans", "resource", "attributes", "key", "value", "stringValue",
             "intValue",
             "arrayValue", "values", "traceId", "spanId", "name", "startTimeUnixNano", "events", "status", "links"]
        ),
        inner,
        max_size=6,
    ),
    max_leaves=20,
)  # fmt: skip


@pytest.mark.slow
@given(_NESTED)
@settings(max_examples=80, deadline=None)
def test_no_json_crashes_the_decoder(value: Any) -> None:
    """Slow: many examples."""
    body = (
        orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
        if _fits(value)
        else repr(value).encode("utf-8", "replace")
    )
    mends = []
    for decode in (decode_traces, decode_logs):
        try:
            decode(body, JSON, "", reading(), NOW_US)
        except OtlpError as error:
            mends.append(error.mend)

    assert all(mends)


def _fits(value: Any) -> bool:
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True


_ATTRIBUTES = st.dictionaries(
    st.sampled_from(
        ["gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.prompt.0.role", "gen_ai.prompt.x.content", "events",
         "gen_ai.prompt", "llm.input_messages.0.message.content", "llm.input_messages..", "gen_ai.usage.input_tokens",
         "llm.input_messages.0", "llm.input_messages.0.message.tool_calls.0.tool_call", "llm.cost.total", "user.id",
         "gen_ai.operation.name", "error.type", "retrieval.documents.99999.x", "airworthy.outcome"]
    ),
    st.sampled_from(["[]", "[1,{}]",
                      "{", '[{"role":1,"tool_calls":[1,{}]}]', '{"content":[{"text":3}]}', "chat", "9" * 50])
    | st.integers() | st.floats() | st.text(max_size=6) | st.lists(st.text(max_size=3), max_size=3),
    max_size=8,
)  # fmt: skip


@given(_ATTRIBUTES)
@settings(max_examples=80, deadline=None)
def test_no_attributes_crash_the_normaliser_and_the_text_follows_from_the_payload(
    attributes: dict[str, Any],
) -> None:
    found = one({key: value for key, value in attributes.items() if value == value})

    assert isinstance(found.kind, SpanKind)
    assert found.text == text_of(found.payload)


@pytest.mark.slow
@given(st.binary(max_size=120), st.integers(0, 400))
@settings(max_examples=80, deadline=None)
def test_no_bytes_crash_the_decoder(noise: bytes, at: int) -> None:
    """Slow: many examples."""
    good = as_protobuf(span(1, attributes={"gen_ai.operation.name": "chat", "input.value": "hello"}), span(2))
    mends = []
    for body in (noise, good[:at] + noise + good[at:]):
        for decode in (decode_traces, decode_logs):
            try:
                decode(body, PROTOBUF, "", reading(), NOW_US)
            except OtlpError as error:
                mends.append(error.mend)
    assert all(mends)
    ExportTraceServiceRequest.FromString(good)
