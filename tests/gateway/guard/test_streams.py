"""Streams whose calls are held until they are judged: the same bytes, or fewer calls in a stream as well formed."""

import orjson
import pytest

from airworthy.gateway.guard import StreamGuard, judged, stream_without
from airworthy.gateway.guard.stream import HELD_BYTES_MAX
from tests.gateway.guard.kit import (
    DELETE,
    DONE,
    LOOK,
    LOOK_2,
    NAMES,
    POLICY,
    REFUND,
    Call,
    chunk,
    event,
    guarded,
    ids,
    pieces,
    read_stream,
    stream,
)
from tests.gateway.guard.test_replies import CASES

SEEDS = range(12)
TEXT = 'I |will "tool_calls": [{| see "type":"tool_use" "type":"function_call"'


@pytest.mark.parametrize("dialect", NAMES)
@pytest.mark.parametrize("text", ["", TEXT])
@pytest.mark.parametrize("calls", [[], [LOOK], [LOOK, LOOK_2], [REFUND, LOOK]])
def test_held_and_passed_are_the_stream_byte_for_byte(dialect: str, text: str, calls: list[Call]) -> None:
    raw = stream(dialect, calls, text or ("" if calls else "x"))

    for seed in SEEDS:
        passed, held = guarded(dialect, pieces(raw, seed))

        assert passed + held.raw == raw, seed
        assert [call.id for call in held.calls] == [call.id for call in calls], seed
        assert [call.arguments for call in held.calls] == [call.arguments for call in calls], seed
        assert not any(call.name.encode() in passed for call in calls), seed
        assert held.said == bool(text or not calls), seed


@pytest.mark.parametrize("dialect", NAMES)
@pytest.mark.parametrize("text", ["", TEXT])
@pytest.mark.parametrize("ending", [b"\r\n", b"\r"])
def test_other_line_ends_are_read_as_well(dialect: str, text: str, ending: bytes) -> None:
    raw = stream(dialect, [LOOK, REFUND], text).replace(b"\n", ending)

    passed, held = guarded(dialect, pieces(raw, 3))
    thin = stream_without(dialect, held.raw, judged(POLICY, held.calls))

    assert passed + held.raw == raw
    assert ids(read_stream(dialect, (passed + thin).replace(ending, b"\n"))) == ["call_a"]


@pytest.mark.parametrize("dialect", NAMES)
@pytest.mark.parametrize("text", ["", TEXT])
@pytest.mark.parametrize(
    ("why", "calls", "kept"), CASES, ids=lambda value: value if type(value) is str else ""
)
def test_a_stream_of_which_some_calls_are_withheld_is_well_formed(
    dialect: str, text: str, why: str, calls: list[Call], kept: list[Call]
) -> None:
    for seed in SEEDS:
        passed, held = guarded(dialect, pieces(stream(dialect, calls, text), seed))

        thin = passed + stream_without(dialect, held.raw, judged(POLICY, held.calls))

        assert read_stream(dialect, thin) == read_stream(dialect, stream(dialect, kept, text)), seed
        assert read_stream(dialect, thin).finish == "tool_calls", seed


@pytest.mark.parametrize("dialect", NAMES)
@pytest.mark.parametrize("text", ["", TEXT])
@pytest.mark.parametrize("calls", [[REFUND], [REFUND, DELETE]])
def test_a_stream_without_its_last_call_ends_and_names_what_was_withheld(
    dialect: str, text: str, calls: list[Call]
) -> None:
    raw = stream(dialect, calls, text)
    passed, held = guarded(dialect, pieces(raw, 1))

    facts = read_stream(dialect, passed + stream_without(dialect, held.raw, judged(POLICY, held.calls)))

    assert facts.tool_calls == ()
    assert facts.finish == "stop"
    assert facts.text.startswith(text.replace("|", ""))
    assert facts.text.endswith("]")
    assert "refund_order: the policy" in facts.text
    assert facts.usage == read_stream(dialect, raw).usage


@pytest.mark.parametrize("dialect", NAMES)
def test_text_is_not_kept_waiting(dialect: str) -> None:
    guard = StreamGuard(dialect)
    events = [part + b"\n\n" for part in stream(dialect, [], "one|two|three").split(b"\n\n") if part]
    waiting: list[bytes] = []
    for each in events:
        waiting.append(each)
        passed = guard.feed(each)
        if b"one" in each or b"two" in each or b"three" in each:
            assert passed.endswith(each)

    assert guard.finish().raw == b""


def test_servers_that_mention_no_calls_in_every_chunk_stream_all_the_same() -> None:
    guard = StreamGuard("chat")
    chunks = [
        chunk({"content": "a", "tool_calls": None}),
        chunk({"content": "b", "tool_calls": []}),
        chunk({"content": "c", "function_call": None}),
    ]

    assert [guard.feed(each) for each in chunks] == chunks


def test_calls_that_are_all_numbered_0_are_told_apart_by_id() -> None:
    raw = stream("chat", [LOOK, REFUND, LOOK_2]).replace(b'{"index":1,"id"', b'{"index":0,"id"')
    raw = raw.replace(b'{"index":1,"fun', b'{"index":0,"fun').replace(b'{"index":2,', b'{"index":0,')

    passed, held = guarded("chat", pieces(raw, 5))
    thin = passed + stream_without("chat", held.raw, judged(POLICY, held.calls))

    assert [(call.id, call.arguments) for call in read_stream("chat", thin).tool_calls] == [
        ("call_a", '{"x":1}'),
        ("call_c", '{"x":2}'),
    ]


def test_a_whole_call_in_one_chunk_with_the_role_and_the_end() -> None:
    """As Gemini's server sends it."""
    entries = [
        {"index": at, "id": each.id, "type": "function", "function": {"name": each.name, "arguments": "{}"}}
        for at, each in enumerate((REFUND, LOOK))
    ]
    raw = chunk({"role": "assistant", "content": None, "tool_calls": entries}, "tool_calls") + DONE

    passed, held = guarded("chat", [raw])
    facts = read_stream("chat", passed + stream_without("chat", held.raw, judged(POLICY, held.calls)))

    assert ids(facts) == ["call_a"]
    assert not held.said


def test_every_choice_of_a_stream_is_judged() -> None:
    def call(at: int, index: int, each: Call) -> bytes:
        function = {"name": each.name, "arguments": each.arguments}
        entry = {"index": index, "id": each.id, "type": "function", "function": function}
        return chunk({"tool_calls": [entry]}, index=at)

    raw = call(1, 0, REFUND) + call(0, 0, LOOK) + call(2, 0, DELETE) + call(2, 1, LOOK_2) + call(0, 1, DELETE)
    raw += b"".join(chunk({}, "tool_calls", index=at) for at in range(3)) + DONE

    _, held = guarded("chat", pieces(raw, 2))
    withheld = judged(POLICY, held.calls)
    thin = stream_without("chat", held.raw, withheld)
    reply = orjson.loads(guarded("chat", [thin])[1].reply)

    assert [each.call.id for each in withheld] == ["call_d", "call_b", "call_d"]
    first, second, third = reply["choices"]
    assert [each["id"] for each in first["message"]["tool_calls"]] == ["call_a"]
    assert "refund_order" in second["message"]["content"]
    assert second["finish_reason"] == "stop"
    assert [each["id"] for each in third["message"]["tool_calls"]] == ["call_c"]


def test_a_stream_without_a_reason_for_its_end_still_says_what_was_withheld() -> None:
    entry = {"index": 0, "id": "b", "function": {"name": "refund_order", "arguments": "{}"}}
    _, held = guarded("chat", [chunk({"tool_calls": [entry]}), DONE])

    thin = stream_without("chat", held.raw, judged(POLICY, held.calls))

    assert b"refund_order: the policy" in thin
    assert thin.endswith(DONE)


def test_a_response_whose_last_event_alone_has_the_call() -> None:
    whole = [
        part for part in stream("responses", [LOOK, REFUND]).split(b"\n\n") if b"response.completed" in part
    ]
    raw = whole[0] + b"\n\n"

    passed, held = guarded("responses", [raw])

    assert passed == b""
    assert [call.id for call in held.calls] == ["call_a", "call_b"]


def test_hosted_calls_of_a_response_are_handed_on_at_once() -> None:
    item = {"type": "web_search_call", "id": "ws_1", "status": "in_progress"}
    raw = event({"type": "response.output_item.added", "output_index": 0, "item": item, "sequence_number": 1})

    assert StreamGuard("responses").feed(raw) == raw


def test_blocks_after_a_withheld_call_move_up() -> None:
    raw = stream("messages", [REFUND, LOOK], "Hm").replace(b"ping", b"ping")

    passed, held = guarded("messages", [raw])
    thin = passed + stream_without("messages", held.raw, judged(POLICY, held.calls))

    assert b'"index":2' not in thin
    assert ids(read_stream("messages", thin)) == ["call_a"]


@pytest.mark.parametrize("dialect", NAMES)
def test_calls_too_long_to_be_held_are_all_withheld(dialect: str) -> None:
    events = stream(dialect, [LOOK]).split(b"\n\n")
    begun = next(at for at, each in enumerate(events) if b"look" in each)
    guard = StreamGuard(dialect)
    passed = b"".join(guard.feed(each + b"\n\n") for each in events[: begun + 1])
    piece = b": " + b"x" * 1_000_000 + b"\n\n"
    for _ in range(HELD_BYTES_MAX // len(piece) + 1):
        passed += guard.feed(piece)

    held = guard.finish()

    assert held.overflowed
    assert held.raw == passed == b""
    assert held.calls == ()


@pytest.mark.parametrize("dialect", NAMES)
def test_as_much_as_can_be_held_is_held(dialect: str) -> None:
    raw = stream(dialect, [LOOK])
    guard = StreamGuard(dialect)
    guard.feed(raw)
    guard.feed(b":" + b"x" * (HELD_BYTES_MAX - len(raw) - 3) + b"\n\n")

    held = guard.finish()

    assert not held.overflowed
    assert len(held.raw) == HELD_BYTES_MAX
