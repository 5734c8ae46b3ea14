"""Bytes in, messages out, whatever strangers send: bounded, and the same however the bytes were cut."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp.shared.inbound import decode_header_value, encode_header_value, mcp_param_headers, x_mcp_header_map

from airworthy.tools.mcp import headers
from airworthy.tools.mcp.peer import Full, Table
from airworthy.tools.mcp.sse import Event, Events, written
from airworthy.tools.mcp.wire import (
    DEPTH_MAX,
    MESSAGE_BYTES_MAX,
    Garbage,
    Lines,
    dump,
    kind,
    notification,
    parse,
    request,
    result,
)


def _cut(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(places)]


@given(
    st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), max_size=8),
    st.lists(st.integers(0, 500)),
)
def test_lines_are_the_same_however_they_are_cut(lines: list[bytes], cuts: list[int]) -> None:
    data = b"".join(line + b"\n" for line in lines)
    reader = Lines(20)

    found = [line for piece in _cut(data, cuts) for line in reader.feed(piece)]

    expected = [line if len(line) <= 20 else Garbage for line in lines if line.strip() or len(line) > 20]
    assert [Garbage if isinstance(line, Garbage) else line for line in found] == expected


def test_a_line_without_an_end_is_dropped_at_its_bound_and_costs_no_memory() -> None:
    reader = Lines(1000)
    seen = [each for _ in range(2000) for each in reader.feed(b"x" * 997)]

    after = list(reader.feed(b"\n{}\n"))

    assert [type(each) for each in seen] == [Garbage]
    assert after == [b"{}"]


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "nothing"),
        (b"\xff\xfe{}", "no UTF-8"),
        (b"hello", "no JSON"),
        (b"[]", "a batch"),
        (b'{"id":1,"method":"x"}', "no version"),
        (b'{"jsonrpc":"2.0"}', "neither"),
        (b'{"jsonrpc":"2.0","id":1}', "neither, with an id"),
        (b'{"jsonrpc":"2.0","id":1,"result":{},"error":{}}', "both"),
        (b'{"jsonrpc":"2.0","id":true,"method":"x"}', "an id that is none"),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"x"}', "likewise"),
        (b'{"jsonrpc":"2.0","id":null,"method":"x"}', "a request without an id"),
        (b'{"jsonrpc":"2.0","id":"' + b"x" * 300 + b'","method":"x"}', "an id without end"),
        (b'{"jsonrpc":"2.0","method":7}', "a method that is none"),
        (b'{"jsonrpc":"2.0","result":{}}', "an answer to nothing"),
        (b'{"jsonrpc":"2.0","method":"x","params":' + b"[" * 500 + b"]" * 500 + b"}", "too deep"),
        (b'{"jsonrpc":"2.0","method":"x","params":' + b'{"a":' * 5000 + b"1" + b"}" * 5001, "far too deep"),
    ],
)
def test_what_is_no_message_is_told_apart(raw: bytes, why: str) -> None:
    assert isinstance(parse(raw), Garbage), why


@settings(max_examples=30, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=10,
    )
)
def test_messages_survive_the_wire(value: Any) -> None:
    for message in (
        request(1, "x", {"v": value}),
        notification("y", {"v": value}),
        result("i", {"v": value}),
    ):
        raw = dump(message)
        assert parse(raw) == message
        assert b"\n" not in raw


def test_depth_is_bounded_at_its_name() -> None:
    def nested(depth: int) -> bytes:
        return b'{"jsonrpc":"2.0","method":"x","params":' + b"[" * depth + b"]" * depth + b"}"

    assert not isinstance(parse(nested(DEPTH_MAX - 1)), Garbage)
    assert isinstance(parse(nested(DEPTH_MAX)), Garbage)


def test_a_message_beyond_the_bound_is_none() -> None:
    assert isinstance(parse(b" " * (MESSAGE_BYTES_MAX + 1)), Garbage)


@given(
    st.lists(
        st.sampled_from([b"data: a", b"data:b", b"id: 7", b": c", b"retry: 20", b"event: x", b"", b"x"]),
        max_size=12,
    ),
    st.sampled_from([b"\n", b"\r\n", b"\r"]),
    st.lists(st.integers(0, 200)),
)
def test_events_are_the_same_however_they_are_cut(lines: list[bytes], end: bytes, cuts: list[int]) -> None:
    data = b"".join(line + end for line in lines)
    whole = list(Events().feed(data))
    reader = Events()

    cut = [event for piece in _cut(data, cuts) for event in reader.feed(piece)]

    assert cut == whole


def test_an_event_has_its_data_id_and_time_to_wait() -> None:
    found = list(Events().feed(b"id: 1\nretry: 250\ndata: {\ndata: }\n\nid: 2\ndata:\n\n"))

    assert found == [Event(b"{\n}", "1", 250), Event(b"", "2", None)]


def test_what_is_written_is_read() -> None:
    found = list(Events().feed(written(b"{}")))

    assert found == [Event(b"{}")]


def test_an_event_without_an_end_is_garbage() -> None:
    reader = Events(1000)

    found = [each for _ in range(3) for each in reader.feed(b"data: " + b"x" * 500 + b"\n")]

    assert any(isinstance(each, Garbage) for each in found)


@given(st.text(max_size=30))
def test_header_values_are_coded_as_the_sdk_codes_them(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        return
    assert headers.coded(value) == encode_header_value(value)
    assert headers.decoded(headers.coded(value)) == decode_header_value(encode_header_value(value)) == value


def test_arguments_are_told_in_headers_as_the_sdk_tells_them() -> None:
    schema = {
        "type": "object",
        "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "deep": {"type": "object", "properties": {"n": {"type": "integer", "x-mcp-header": "N"}}},
            "on": {"type": "boolean", "x-mcp-header": "On"},
            "plain": {"type": "string"},
        },
    }
    arguments = {"region": "höhe", "deep": {"n": 3}, "on": True, "plain": "x"}
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
    message = request(1, "tools/call", {"name": "t", "arguments": arguments, "_meta": meta})

    ours = headers.of_request(message, schema)

    theirs = mcp_param_headers(x_mcp_header_map(schema), arguments)
    assert {k: v for k, v in ours.items() if k.startswith("mcp-param-")} == {
        k.lower(): v for k, v in theirs.items()
    }
    assert (ours["mcp-method"], ours["mcp-name"]) == ("tools/call", "t")


def test_an_answer_to_nothing_or_for_the_second_time_reaches_nobody() -> None:
    table: Table[None] = Table()
    came: list[Any] = []
    pending, out = table.begin(request("mine", "x"), None, came.append)
    answer = result(out["id"], {})

    said = [
        table.answer(each)
        for each in (result(99, {}), result(str(pending.out), {}), answer, result(None, {}))
    ]

    assert said == [False, True, False, False]
    assert came == [result("mine", {})]
    assert table.strange == 3


def test_requests_under_way_are_bounded() -> None:
    table: Table[None] = Table(2)
    for number in range(2):
        table.begin(request(number, "x"), None, lambda _: None)

    with pytest.raises(Full):
        table.begin(request(3, "x"), None, lambda _: None)


@given(st.lists(st.tuples(st.sampled_from(["begin", "answer", "end"]), st.integers(0, 20))))
def test_no_answer_ever_reaches_another_request(deeds: list[tuple[str, int]]) -> None:
    """In whatever order requests begin, are answered and are given up, under ids that clash."""
    table: Table[None] = Table()
    got: dict[int, list[Any]] = {}
    for deed, number in deeds:
        match deed:
            case "begin":
                inbox: list[Any] = []
                pending, _ = table.begin(request(number % 3, "x"), None, inbox.append)
                got[pending.out] = inbox
            case "answer":
                table.answer(result(number, {"for": number}))
            case "end":
                table.end(number)

    for out, inbox in got.items():
        assert [message["result"]["for"] for message in inbox] in ([], [out])


def test_kinds() -> None:
    assert kind(request(1, "x")) == "request"
    assert kind(notification("x")) == "notification"
    assert kind(result(1, {})) == "response"
