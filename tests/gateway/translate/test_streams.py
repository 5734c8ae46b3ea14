"""Streams: order of events, calls that overlap, formats, errors and ends, however the bytes are cut."""

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airworthy.gateway.translate import Bridge, stream_translator
from airworthy.gateway.translate import sse as sse_module
from airworthy.gateway.translate.conversation import DialectName
from airworthy.gateway.wire.anthropic_messages import Messages
from airworthy.gateway.wire.dialect import Dialect
from airworthy.gateway.wire.openai_chat import ChatCompletions
from airworthy.gateway.wire.openai_responses import Responses
from tests.gateway.translate.reading import Heard, arguments
from tests.gateway.translate.streaming import listened, sse

PROTOCOLS: tuple[DialectName, ...] = ("chat", "responses", "messages")
USAGE = {
    "prompt_tokens": 20,
    "completion_tokens": 6,
    "total_tokens": 26,
    "prompt_tokens_details": {"cached_tokens": 8},
}


def ids() -> Callable[[], str]:
    counter = itertools.count()
    return lambda: f"new{next(counter)}"


def chunk(delta: dict[str, Any], reason: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 5,
        "model": "gpt",
        "choices": [choice],
    }
    return b"data: " + json.dumps(body | more).encode() + b"\n\n"


def fragment(index: int, name: str = "", words: str = "", call_id: str = "") -> dict[str, Any]:
    function = ({"name": name} if name else {}) | {"arguments": words}
    head: dict[str, Any] = {"id": call_id or f"c{index}", "type": "function"} if name else {}
    return {"tool_calls": [{"index": index, **head, "function": function}]}


def event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind} | fields)}\n\n".encode()


DONE = b"data: [DONE]\n\n"
COUNTED = chunk({}, choices=[], usage=USAGE)
STARTED = {"input_tokens": 12, "cache_read_input_tokens": 8, "output_tokens": 1}
START = event("message_start", message={"id": "msg_1", "model": "claude", "usage": STARTED})
STOP = event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 6}) + event(
    "message_stop"
)


def taken(caller: DialectName, provider: DialectName, raw: bytes, step: int = 0, **bridge: Any) -> bytes:
    translator = stream_translator(Bridge(caller, provider, **bridge), new_id=ids(), now_s=9)
    pieces = [raw[i : i + step] for i in range(0, len(raw), step)] if step else [raw]
    return b"".join([translator.feed(piece) for piece in pieces]) + translator.finish()


@pytest.mark.parametrize("caller", ["messages", "responses"])
@pytest.mark.parametrize("step", [0, 1, 5])
def test_text_and_calls_and_usage_of_a_chat_stream_arrive(caller: DialectName, step: int) -> None:
    raw = b"".join(
        [
            chunk({"role": "assistant", "content": ""}),
            chunk({"content": "Grüße"}),
            chunk({"content": " 😀"}),
            chunk(fragment(0, "look")),
            chunk(fragment(0, words='{"a"')),
            chunk(fragment(0, words=": 1}")),
            chunk(fragment(1, "look")),
            chunk({}, "tool_calls"),
            COUNTED,
            DONE,
        ]
    )

    got = listened(caller, taken(caller, "chat", raw, step))

    assert got.text == "Grüße 😀"
    assert got.calls == [("look", {"a": 1}), ("look", {})]
    assert got.tokens == (20, 6, 8)
    assert got.model == "gpt"


def test_calls_that_overlap_stand_one_after_the_other_at_anthropic() -> None:
    raw = b"".join(
        [
            chunk(fragment(0, "one", '{"a":')),
            chunk(fragment(1, "two", '{"b":')),
            chunk(fragment(0, words="1}")),
            chunk({"content": "Done."}),
            chunk(fragment(1, words="2}")),
            chunk({}, "tool_calls"),
            DONE,
        ]
    )

    there = listened("messages", taken("messages", "chat", raw))

    assert there.calls == [("one", {"a": 1}), ("two", {"b": 2})]
    assert there.text == "Done."
    assert there.finish == "tool_use"


def test_servers_that_give_every_call_the_same_index_or_none_are_understood() -> None:
    same = chunk(fragment(0, "one", "{}", "x")) + chunk(fragment(0, "two", "{}", "y"))
    none = same.replace(b'"index": 0, "id"', b'"id"')

    for raw in (same, none):
        got = listened("messages", taken("messages", "chat", raw + chunk({}, "stop") + DONE))
        assert [name for name, _ in got.calls] == ["one", "two"]
        assert got.finish == "tool_use"


def test_a_chat_caller_sees_usage_only_if_it_asked() -> None:
    text = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    text += event("content_block_delta", index=0, delta={"type": "text_delta", "text": "a"})
    raw = START + text + event("content_block_stop", index=0) + STOP

    asked = sse(taken("chat", "messages", raw))
    silent = sse(taken("chat", "messages", raw, wants_usage=False))

    assert asked[-2][1]["usage"]["prompt_tokens"] == 20
    assert asked[-2][1]["choices"] == []
    assert all("usage" not in data for _, data in silent[:-1])
    assert len(silent) == len(asked) - 1


def test_the_first_chunk_has_the_role_and_the_last_the_reason() -> None:
    chunks = [data["choices"][0] for _, data in sse(taken("chat", "messages", START + STOP))[:-2]]

    assert [entry["delta"] for entry in chunks] == [{"role": "assistant", "content": ""}, {}]
    assert [entry["finish_reason"] for entry in chunks] == [None, "stop"]


def _format_stream(before: str) -> bytes:
    out = START
    if before:
        out += event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        out += event("content_block_delta", index=0, delta={"type": "text_delta", "text": before})
        out += event("content_block_stop", index=0)
    block = {"type": "tool_use", "id": "t", "name": "form", "input": {}}
    out += event("content_block_start", index=1, content_block=block)
    for words in ("", '{"a": ', "1}"):
        out += event(
            "content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": words}
        )
    return out + event("content_block_stop", index=1) + STOP.replace(b"end_turn", b"tool_use")


@pytest.mark.parametrize("before", ["", "Here it is:"])
@pytest.mark.parametrize("caller", ["chat", "responses"])
def test_the_formats_call_streams_as_text(caller: DialectName, before: str) -> None:
    got = listened(caller, taken(caller, "messages", _format_stream(before), format_tool="form"))

    assert got.text == '{"a": 1}'
    assert got.calls == []
    assert got.finish in {"stop", "completed"}


def test_text_is_kept_where_the_formats_call_never_comes() -> None:
    raw = START + event("content_block_start", index=0, content_block={"type": "text", "text": "No."}) + STOP

    assert listened("chat", taken("chat", "messages", raw, format_tool="form")).text == "No."


def test_thinking_and_pings_keep_the_line_alive_and_say_nothing() -> None:
    raw = START + event("content_block_start", index=0, content_block={"type": "thinking", "thinking": ""})
    raw += event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "hm"}) + event(
        "ping"
    )
    translator = stream_translator(Bridge("chat", "messages"), new_id=ids())

    out = translator.feed(raw)

    assert out.count(b": keep-alive\n\n") == 3
    assert b"hm" not in out


FAILURES: dict[DialectName, bytes] = {
    "chat": b'data: {"error": {"message": "Too busy", "type": "overloaded_error"}}\n\n',
    "messages": event("error", error={"type": "overloaded_error", "message": "Too busy"}),
    "responses": event(
        "response.failed", response={"error": {"code": "server_error", "message": "Too busy"}}
    ),
}
BEGINNINGS: dict[DialectName, bytes] = {
    "chat": chunk({"content": "Hel"}),
    "messages": START + event("content_block_start", index=0, content_block={"type": "text", "text": "Hel"}),
    "responses": event("response.created", response={"id": "r", "model": "gpt"})
    + event("response.output_text.delta", output_index=0, content_index=0, delta="Hel"),
}
PAIRS = [(caller, provider) for caller in PROTOCOLS for provider in PROTOCOLS if caller != provider]


@pytest.mark.parametrize(("caller", "provider"), PAIRS)
def test_an_error_within_a_stream_is_told_in_the_callers_form_and_is_the_last_word(
    caller: DialectName, provider: DialectName
) -> None:
    raw = BEGINNINGS[provider] + FAILURES[provider]

    got = listened(caller, taken(caller, provider, raw + DONE + STOP))

    assert got.error == "Too busy"


@pytest.mark.parametrize(("caller", "provider"), PAIRS)
@pytest.mark.parametrize("broken", [b"", b"data: {\n\n", b"data: 1\n\n", b'data: {"id'])
def test_a_stream_that_breaks_off_never_looks_whole(
    caller: DialectName, provider: DialectName, broken: bytes
) -> None:
    got = listened(caller, taken(caller, provider, BEGINNINGS[provider] + broken))

    assert got.error


@pytest.mark.parametrize("caller", ["messages", "responses"])
def test_a_stream_without_its_last_mark_is_whole_once_the_model_said_why_it_ended(
    caller: DialectName,
) -> None:
    raw = chunk({"content": "a"}) + chunk({}, "stop").removesuffix(b"\n\n")

    assert listened(caller, taken(caller, "chat", raw)).text == "a"


@pytest.mark.parametrize("caller", ["messages", "responses"])
@pytest.mark.parametrize("late", [FAILURES["chat"], b"data: {\n\n"])
def test_an_error_after_the_model_said_why_it_ended_changes_nothing(caller: DialectName, late: bytes) -> None:
    raw = chunk({"content": "a"}) + chunk({}, "stop") + COUNTED + late

    got = listened(caller, taken(caller, "chat", raw))

    assert got.text == "a"
    assert got.tokens == (20, 6, 8)


DIALECTS: dict[DialectName, Dialect] = {
    "chat": ChatCompletions(),
    "responses": Responses(),
    "messages": Messages(),
}


@pytest.mark.parametrize("step", [0, 1, 17])
@pytest.mark.parametrize(("caller", "provider"), PAIRS)
def test_the_gateways_own_readers_find_a_translated_stream_whole(
    caller: DialectName, provider: DialectName, step: int
) -> None:
    calls = chunk({"content": "Hi"}) + chunk(fragment(0, "look", '{"a":1}')) + chunk(fragment(1, "look"))
    raw = calls + chunk({}, "tool_calls") + COUNTED + DONE
    if provider != "chat":
        raw = taken(provider, "chat", raw)
    raw = taken(caller, provider, raw)
    reader = DIALECTS[caller].stream_reader(10**6)

    for i in range(0, len(raw), step or len(raw)):
        reader.feed(raw[i : i + (step or len(raw))])
    reader.close()

    facts = reader.facts()
    assert reader.ended
    assert not reader.malformed
    assert facts.text == "Hi"
    assert [(call.name, json.loads(call.arguments)) for call in facts.tool_calls] == [
        ("look", {"a": 1}),
        ("look", {}),
    ]
    assert (facts.usage.tokens_in, facts.usage.tokens_out, facts.usage.cached) == (20, 6, 8)
    assert facts.finish == "tool_calls"


@pytest.mark.parametrize("caller", ["messages", "responses"])
def test_done_without_a_reason_is_no_end(caller: DialectName) -> None:
    assert listened(caller, taken(caller, "chat", chunk({"content": "a"}) + DONE)).error


def test_lines_may_end_as_on_windows_and_comments_are_no_events() -> None:
    raw = b": hello\r\n\r\n" + (chunk({"content": "a"}) + chunk({}, "stop") + DONE).replace(b"\n", b"\r\n")

    for step in (0, 1, 3):
        assert listened("messages", taken("messages", "chat", raw, step)).text == "a"


def test_a_character_cut_in_two_escapes_is_put_together() -> None:
    raw = chunk({"content": "X"}).replace(b"X", b"\\ud83d") + chunk({"content": "X"}).replace(
        b"X", b"\\ude00!"
    )

    assert listened("messages", taken("messages", "chat", raw + chunk({}, "stop") + DONE)).text == "😀!"


def test_an_event_without_end_is_refused_at_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    # Patched: the real bound is 16 MiB, which would only make the test slow.
    monkeypatch.setattr(sse_module, "EVENT_BYTES_MAX", 100)

    within = taken("messages", "chat", chunk({"content": "a"})[:90], 10)
    beyond = taken("messages", "chat", b"data: " + b"x" * 200, 10)

    assert "more than" not in listened("messages", within).error
    assert "more than" in listened("messages", beyond).error


CHAINS: list[tuple[DialectName, ...]] = [("messages",), ("responses",), ("messages", "responses", "chat")]
pieces = st.lists(st.text(min_size=1, max_size=8), max_size=4)
values = st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=4), max_size=3)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, derandomize=True)
@given(texts=pieces, calls=st.lists(values, max_size=3), cut=st.integers(1, 50), data=st.data())
def test_any_chat_stream_says_the_same_through_any_chain_of_protocols(
    texts: list[str], calls: list[dict[str, Any]], cut: int, data: st.DataObject
) -> None:
    """Slow: many streams, each in many pieces."""
    raw = b"".join([chunk({"content": text}) for text in texts])
    for i, given_values in enumerate(calls):
        words = json.dumps(given_values)
        at = data.draw(st.integers(0, len(words)))
        raw += chunk(fragment(i, "look", words[:at])) + chunk(fragment(i, words=words[at:]))
    raw += chunk({}, "tool_calls" if calls else "stop") + COUNTED + DONE
    chain = data.draw(st.sampled_from(CHAINS))
    spoken: DialectName = "chat"
    for protocol in chain:
        raw, spoken = taken(protocol, spoken, raw, cut), protocol

    got = listened(spoken, raw)

    assert got == Heard(
        "".join(texts), "", [("look", entry) for entry in calls], (20, 6, 8), got.finish, "gpt"
    )
    assert arguments("") == {}
