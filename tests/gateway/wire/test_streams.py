"""A stream is followed while it passes: when it is committed, when it is whole, what was in it, what was wrong."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airworthy.gateway.errors import ModelMalformed, ModelOutage, ModelRateLimited, ModelRefusedRequest
from airworthy.gateway.wire.dialect import DIALECTS, StreamReader
from airworthy.gateway.wire.facts import UNKNOWN, ProposedCall, ReplyFacts, Usage
from tests.gateway.wire.kit import (
    BYTES_MAX,
    CALL_ITEM,
    CHAT_STREAM,
    DONE,
    MESSAGES_STREAM,
    RESPONSES_STREAM,
    STREAMS,
    USAGE_ONLY,
    chunk,
    event,
    fed,
    message_event,
    pieces,
    response_body,
    said,
)

LOOK = ProposedCall("a", "look", '{"x":1}')
WHOLE = {
    "chat": ReplyFacts(
        text='Hello "finish_reason": [DONE] "error"',
        finish="tool_calls",
        usage=Usage(5, 2),
        tool_calls=(ProposedCall("a", "look", '{"x": "é"}'), ProposedCall("b", "go", "{}")),
        model="m-1",
        id="c1",
    ),
    "messages": ReplyFacts(
        text="Hello message_stop",
        finish="tool_calls",
        usage=Usage(99, 12, cached=90),
        tool_calls=(ProposedCall("t", "look", '{"x":1}'),),
        model="c-1",
        id="msg_1",
    ),
    "responses": ReplyFacts(
        text="Hello",
        finish="tool_calls",
        usage=Usage(8, 3, reasoning=1),
        tool_calls=(LOOK,),
        model="m-1",
        id="resp_1",
    ),
}
COMMIT_AT = {"chat": 1, "messages": 3, "responses": 3}  # The first event with something for the caller in it.


def reader(name: str, bytes_max: int = BYTES_MAX) -> StreamReader:
    return DIALECTS[name].stream_reader(bytes_max)


def read(name: str, *chunks: bytes) -> StreamReader:
    return fed(reader(name), chunks)


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_committed_by_its_first_content_and_whole_at_its_end(name: str) -> None:
    stream = reader(name)
    states = []
    for piece in STREAMS[name]:
        stream.feed(piece)
        states.append((stream.committed, stream.ended))

    commit = COMMIT_AT[name]
    last = len(states) - 1
    assert [committed for committed, _ in states] == [at >= commit for at in range(last + 1)]
    assert [ended for _, ended in states] == [at == last for at in range(last + 1)]
    assert stream.error is None
    assert stream.facts() == WHOLE[name]
    assert not stream.malformed


@settings(deadline=None)  # The machine may be busy.
@given(
    name=st.sampled_from(sorted(STREAMS)),
    seed=st.integers(0, 10_000),
    ending=st.sampled_from([b"\n", b"\r\n", b"\r"]),
    comments=st.booleans(),
)
def test_it_does_not_matter_how_a_stream_is_cut_or_its_lines_end(
    name: str, seed: int, ending: bytes, comments: bool
) -> None:
    raw = (b": PROCESSING\n\n" if comments else b"").join([b"", *STREAMS[name]])
    raw = raw.replace(b"\n", ending)

    stream = fed(reader(name), pieces(raw, seed))

    assert (stream.committed, stream.finish_seen, stream.ended) == (True, True, True)
    assert stream.error is None
    assert stream.facts() == WHOLE[name]
    assert not stream.malformed


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.8])
def test_a_stream_that_breaks_off_says_what_there_was(name: str, kept: float) -> None:
    raw = b"".join(STREAMS[name])
    stream = fed(reader(name), pieces(raw[: int(len(raw) * kept)], seed=1))

    assert not stream.ended
    facts = stream.facts()
    assert WHOLE[name].text.startswith(facts.text)
    assert stream.malformed


@pytest.mark.parametrize("name", STREAMS)
def test_the_last_event_counts_without_its_blank_line(name: str) -> None:
    *most, last = STREAMS[name]
    stream = read(name, *most, last.rstrip())

    assert stream.ended
    assert stream.facts() == WHOLE[name]


def test_data_of_several_lines_is_one_document() -> None:
    body = (
        b'data: {"choices":[{"index":0,\ndata: "delta":{"content":"hi"},\ndata:"finish_reason":"stop"}]}\n\n'
    )
    stream = read("chat", body, DONE)

    assert (stream.committed, stream.ended, stream.facts().text) == (True, True, "hi")


COMMITS = [
    ("chat", chunk({"role": "assistant", "content": ""}), False, "a role"),
    ("chat", chunk({}), False, "nothing"),
    ("chat", b": OPENROUTER PROCESSING\n\n", False, "a sign of life"),
    ("chat", event({"choices": [], "prompt_filter_results": []}), False, "Azure's opening"),
    ("chat", chunk({"content": "h"}), True, "text"),
    ("chat", chunk({"refusal": "No"}), True, "a refusal"),
    ("chat", chunk({"tool_calls": [{"index": 0, "function": {"name": "f"}}]}), True, "a call"),
    ("chat", chunk({"reasoning_content": "hm"}), True, "thinking that is shown"),
    ("messages", message_event("ping"), False, "a ping"),
    ("messages", MESSAGES_STREAM[0], False, "the opening"),
    (
        "messages",
        message_event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        False,
        "an empty block",
    ),
    (
        "messages",
        message_event("content_block_start", index=0, content_block={"type": "tool_use"}),
        True,
        "a call",
    ),
    (
        "messages",
        message_event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "hm"}),
        True,
        "thinking that is shown",
    ),
    (
        "messages",
        message_event("content_block_delta", index=0, delta={"type": "signature_delta", "signature": "x"}),
        False,
        "a signature",
    ),
    ("responses", RESPONSES_STREAM[0], False, "the opening"),
    ("responses", RESPONSES_STREAM[1], False, "an empty message"),
    ("responses", RESPONSES_STREAM[3], True, "text"),
    ("responses", RESPONSES_STREAM[6], True, "a call"),
]


@pytest.mark.parametrize(("name", "piece", "committed", "why"), COMMITS)
def test_what_commits_a_stream(name: str, piece: bytes, committed: bool, why: str) -> None:
    stream = read(name, piece)

    assert stream.committed is committed, why
    assert stream.error is None, why


ERRORS = [
    ("chat", event({"error": {"message": "x", "code": 502}}), ModelOutage, "OpenRouter"),
    ("chat", event({"error": {"message": "x", "type": "rate_limit_exceeded"}}), ModelRateLimited, "OpenAI"),
    ("chat", event({"object": "error", "message": "x", "code": 400}), ModelRefusedRequest, "vLLM"),
    ("chat", chunk({}, "error"), ModelOutage, "a finish reason that is none"),
    ("chat", b"data: <html>\n\n", ModelMalformed, "garbage"),
    ("chat", b"data: [1]\n\n", ModelMalformed, "a list"),
    ("messages", message_event("error", error={"type": "overloaded_error"}), ModelOutage, "Anthropic"),
    (
        "messages",
        event({"error": {"type": "rate_limit_error"}}, "error"),
        ModelRateLimited,
        "named by its event",
    ),
    ("responses", message_event("error", code="server_error", message="x"), ModelOutage, "OpenAI"),
    (
        "responses",
        message_event("response.failed", response={"error": {"code": "rate_limit_exceeded"}}),
        ModelRateLimited,
        "failed",
    ),
]


@pytest.mark.parametrize(("name", "piece", "error", "why"), ERRORS)
def test_an_error_before_the_commit_is_told_at_once(
    name: str, piece: bytes, error: type[Exception], why: str
) -> None:
    stream = reader(name)
    stream.feed(piece)

    assert type(stream.error) is error, why
    assert not stream.committed
    assert not stream.ended


@pytest.mark.parametrize(
    ("name", "piece", "error", "why"), [row for row in ERRORS if row[2] is not ModelMalformed]
)
@pytest.mark.parametrize("seed", range(4))
def test_an_error_after_the_commit_is_met_and_was_billed(
    name: str, piece: bytes, error: type[Exception], why: str, seed: int
) -> None:
    begun = b"".join(STREAMS[name][: COMMIT_AT[name] + 1])
    stream = fed(reader(name), pieces(begun + piece + DONE, seed))

    assert stream.error is not None, why
    assert type(stream.error) is error, why
    assert stream.error.billed
    assert not stream.ended


def test_an_error_after_the_finish_reason_changes_nothing() -> None:
    stream = read("chat", chunk({"content": "h"}), chunk({}, "length"), event({"error": {"code": 400}}), DONE)

    assert (stream.error, stream.ended, stream.facts().finish) == (None, True, "length")


def test_garbage_after_the_commit_is_only_told_in_the_end() -> None:
    stream = read("chat", chunk({"content": "h"}), b'data: {"cho\n\n', chunk({}, "stop"), DONE)

    assert (stream.error, stream.ended) == (None, True)
    assert stream.facts().text == "h"
    assert "not JSON" in stream.malformed


ENDS = [
    ("chat", [chunk({"content": "h"}, "stop")], (True, True), "no mark, but closed cleanly after a reason"),
    ("chat", [chunk({"content": "h"}), DONE], (False, False), "a mark without a reason"),
    ("chat", [chunk({"content": "h"})], (False, False), "neither"),
    (
        "chat",
        [chunk({"content": "h"}), b'data: {"choices":[{"delta":{},"finish_reason" : "stop"}]}\n\n', DONE],
        (True, True),
        "JSON with odd spaces",
    ),
    ("messages", MESSAGES_STREAM[:-1], (True, False), "no message_stop"),
    ("messages", [*MESSAGES_STREAM[:-2], MESSAGES_STREAM[-1]], (False, False), "no stop reason"),
    ("responses", RESPONSES_STREAM[:-1], (False, False), "no last event"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "chunks", "states", "why"), ENDS)
def test_a_stream_is_whole_only_with_a_reason_and_its_end(
    name: str, chunks: list[bytes], states: tuple[bool, bool], why: str
) -> None:
    stream = read(name, *chunks)

    assert (stream.finish_seen, stream.ended) == states, why
    stream.facts()
    assert bool(stream.malformed) is not states[1], why


def test_nothing_at_all_is_a_stream_without_an_end() -> None:
    for name in STREAMS:
        stream = read(name)
        assert stream.facts().text == ""
        assert stream.facts().usage is UNKNOWN
        assert stream.malformed


def test_an_empty_answer_is_malformed() -> None:
    stream = read("chat", chunk({"role": "assistant", "content": ""}), chunk({}, "stop"), DONE)

    assert (stream.committed, stream.ended) == (False, True)
    stream.facts()
    assert stream.malformed == "it is empty"


def test_usage_in_groqs_drawer_and_beside_choices_is_read() -> None:
    drawer = {"id": "r", "usage": {"prompt_tokens": 5, "completion_tokens": 2}}
    beside = {"prompt_tokens": 6, "completion_tokens": 3}

    assert read("chat", chunk({"content": "h"}, "stop", x_groq=drawer), DONE).facts().usage == Usage(5, 2)
    assert read("chat", chunk({"content": "h"}, "stop", usage=beside), DONE).facts().usage == Usage(6, 3)


def test_parallel_calls_that_all_have_number_0_are_told_apart_by_id() -> None:
    calls = [{"index": 0, "id": key, "function": {"name": key, "arguments": "{}"}} for key in "ab"]
    stream = read(
        "chat", chunk({"tool_calls": calls[:1]}), chunk({"tool_calls": calls[1:]}), chunk({}, "stop"), DONE
    )

    assert [call.name for call in stream.facts().tool_calls] == ["a", "b"]


def test_of_several_answers_the_first_is_put_together() -> None:
    second = {"index": 1, "delta": {"content": "two"}, "finish_reason": "length"}
    stream = read("chat", chunk({"content": "one"}), event({"choices": [second]}), chunk({}, "stop"), DONE)

    assert (stream.facts().text, stream.facts().finish) == ("one", "stop")


def test_a_response_whose_last_event_leaves_out_its_output_is_read_from_the_pieces() -> None:
    last = message_event("response.completed", response=response_body([]))
    stream = read("responses", *RESPONSES_STREAM[:-1], last)

    assert stream.facts() == WHOLE["responses"]


def test_a_broken_response_is_read_from_its_pieces() -> None:
    stream = read("responses", *RESPONSES_STREAM[:5], RESPONSES_STREAM[6], RESPONSES_STREAM[7])

    assert stream.facts().text == "Hello"
    assert stream.facts().tool_calls == (LOOK,)
    assert stream.facts().usage is UNKNOWN


def long_stream(words: int) -> list[bytes]:
    return [*[chunk({"content": "word "}) for _ in range(words)], chunk({}, "stop"), USAGE_ONLY, DONE]


@pytest.mark.parametrize("seed", range(3))
def test_what_is_kept_is_bounded_and_the_end_and_the_usage_are_met_all_the_same(seed: int) -> None:
    stream = fed(reader("chat", bytes_max=2_000), pieces(b"".join(long_stream(200)), seed))

    assert stream.overflowed
    assert stream.ended
    facts = stream.facts()
    assert facts.text.startswith("word word ")
    assert len(facts.text) < 2_000
    assert (facts.finish, facts.usage) == ("stop", Usage(5, 2))
    assert not stream.malformed


def test_a_stream_that_just_fits_is_kept_whole() -> None:
    chunks = long_stream(20)
    size = sum(map(len, chunks))

    assert not fed(reader("chat", bytes_max=size), chunks).overflowed
    assert fed(reader("chat", bytes_max=size - 1), chunks).overflowed


@pytest.mark.parametrize("piece", [b"x" * 100, b"x" * 99 + b"\n", b"data: {" + b" " * 92 + b"\r\n"])
def test_an_endless_event_before_any_content_is_garbage(piece: bytes) -> None:
    stream = reader("chat", bytes_max=1_000)
    for _ in range(20):
        stream.feed(piece)

    assert isinstance(stream.error, ModelMalformed)


@pytest.mark.parametrize("piece", [b"x" * 100, b'"error"' + b"x" * 92 + b"\n"])
def test_an_endless_event_after_content_is_not_held_in_memory(piece: bytes) -> None:
    stream = reader("chat", bytes_max=1_000)
    stream.feed(chunk({"content": "h"}))
    for _ in range(100):
        stream.feed(piece)
    held: Any = stream
    assert sum(map(len, held._open)) <= 1_100

    stream.feed(b"\n\n" + chunk({}, "stop") + DONE)

    assert stream.ended


def test_several_messages_and_custom_tools_are_put_together() -> None:
    custom = {"type": "custom_tool_call", "call_id": "q", "name": "sql", "input": ""}
    stream = read(
        "responses",
        message_event("response.output_item.done", output_index=0, item=said("a")),
        message_event("response.output_item.added", output_index=1, item=custom),
        message_event("response.custom_tool_call_input.delta", output_index=1, delta="select 1"),
        message_event("response.output_item.done", output_index=2, item=CALL_ITEM),
    )

    assert stream.facts().text == "a"
    assert stream.facts().tool_calls == (ProposedCall("q", "sql", "select 1"), LOOK)


def test_the_chat_stream_of_the_kit_has_every_trap_in_it() -> None:
    """The words that mark an end or an error also stand in its text."""
    text = b"".join(CHAT_STREAM)
    assert b'\\"finish_reason\\"' in text
    assert text.count(b"[DONE]") == 2
