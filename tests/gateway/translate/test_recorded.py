"""Real exchanges of many providers, taken to each other protocol and back; skipped where the recordings are not."""

import gzip
import itertools
import json
import random
from pathlib import Path
from typing import Any

import pytest

from airworthy.gateway.errors import ModelMalformed
from airworthy.gateway.translate import (
    Bridge,
    Target,
    Untranslatable,
    stream_translator,
    translate_reply,
    translate_request,
)
from airworthy.gateway.translate.conversation import DialectName
from tests.gateway.translate.reading import heard, said, tokens
from tests.gateway.translate.streaming import listened, sse

RECORDED = Path("/work/shared/data/wire_exchanges.jsonl.gz")
PROTOCOLS: tuple[DialectName, ...] = ("chat", "responses", "messages")
TARGET = Target("other-model", 100_000)
OPENING = ("text", "(The conversation begins.)")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not RECORDED.exists(), reason="the recordings are not on this machine"),
]


def _protocol(path: str) -> DialectName | None:
    path = path.partition("?")[0]
    ends: dict[str, DialectName] = {
        "/chat/completions": "chat",
        "/responses": "responses",
        "/v1/messages": "messages",
    }
    return next((name for end, name in ends.items() if path.endswith(end)), None)


def _recorded() -> list[tuple[DialectName, dict[str, Any]]]:
    if not RECORDED.exists():
        return []
    with gzip.open(RECORDED) as lines:
        rows = [json.loads(line) for line in lines]
    return [(protocol, row) for row in rows if (protocol := _protocol(row["path"]))]


ROWS = _recorded()


def _ids() -> Any:
    counter = itertools.count()
    return lambda: f"new{next(counter)}"


def _others(protocol: DialectName) -> list[DialectName]:
    return [other for other in PROTOCOLS if other != protocol]


def test_every_request_comes_over_and_back_or_names_what_stands_in_the_way() -> None:
    """Slow: goes through all recordings."""
    carried, refusals = 0, []
    for protocol, row in ROWS:
        body = row["request"]
        for other in _others(protocol):
            try:
                there = translate_request(body, protocol, other, target=TARGET)
            except Untranslatable as refused:
                refusals.append(refused)
                continue
            carried += 1
            over = json.loads(there.body)
            again = translate_request(over, other, protocol, target=TARGET)
            want = said(protocol, body)
            for got, bridge in (
                (said(other, over), there.bridge),
                (said(protocol, json.loads(again.body)), again.bridge),
            ):
                assert got.system == want.system, row["id"]
                turns = got.turns
                if turns[0] == ("user", [OPENING]):
                    turns = turns[1:]
                assert turns == want.turns, row["id"]
                # A format may travel as a tool, which stands last.
                tools = want.tools + [tool for tool in got.tools if tool[0] == bridge.format_tool]
                assert got.tools[: len(want.tools)] == want.tools, row["id"]
                assert len(got.tools) - len(tools) <= int(bool(there.bridge.format_tool)), row["id"]
    assert carried > 700
    assert all(refused.parts and all(part in str(refused) for part in refused.parts) for refused in refusals)


def test_every_whole_reply_keeps_its_text_calls_and_usage() -> None:
    """Slow: goes through all recordings."""
    carried = 0
    for protocol, row in ROWS:
        if row["stream"] or row["status"] != 200:
            continue
        reply = row["response"] if isinstance(row["response"], dict) else json.loads(row["response"])
        for other in _others(protocol):
            try:
                there = translate_reply(
                    json.dumps(reply).encode(), Bridge(other, protocol), new_id=_ids(), now_s=1
                )
            except ModelMalformed:
                assert reply.get("status") == "queued"
                continue
            carried += 1
            want, got = heard(protocol, reply), heard(other, json.loads(there.body))
            assert got.text == want.text + (want.refusal if other == "messages" else ""), row["id"]
            assert got.calls == want.calls, row["id"]
            counted = _whole_tokens(protocol, reply)
            unknown = (0, 0, 0) if other == "messages" else None
            assert got.tokens == (counted or unknown), row["id"]
            assert got.model == reply["model"]
    assert carried > 700


def _whole_tokens(protocol: str, reply: dict[str, Any]) -> tuple[int, int, int] | None:
    """Some count thoughts only in the total, and rounds within a call only apart; both were paid for."""
    usage = reply.get("usage")
    counted = tokens(protocol, usage)
    if usage is None or counted is None:
        return None
    if protocol == "chat":
        extra = usage["total_tokens"] - usage["prompt_tokens"] - usage["completion_tokens"]
        written = (usage.get("prompt_tokens_details") or {}).get("cache_write_tokens") or 0
        if written + counted[2] > counted[0]:
            return None  # Parts larger than the whole: such a count is not believed, here as anywhere in the gateway.
        hits = counted[2] or usage.get("prompt_cache_hit_tokens") or usage.get("cached_tokens") or 0
        return (counted[0], counted[1] + max(extra, 0), hits or usage.get("num_cached_tokens") or 0)
    rounds = [tokens(protocol, entry) for entry in usage.get("iterations") or ()]
    if len(rounds) > 1:
        first, second, third = (sum(entry[i] for entry in rounds if entry) for i in range(3))
        return (first, second, third)
    return counted


def _source_stream(protocol: str, raw: str) -> tuple[str, list[str], bool]:
    """Text, arguments' text of each call, and whether the recording is whole."""
    text, whole = "", False
    calls: dict[int, str] = {}
    for name, event in sse(raw.encode()):
        kind = name or (event.get("type", "") if isinstance(event, dict) else "")
        if event == "[DONE]":
            pass
        elif protocol == "chat":
            for choice in event.get("choices", ()):
                whole = whole or bool(choice.get("finish_reason"))
                delta = choice["delta"]
                text += delta.get("content") or ""
                for call in delta.get("tool_calls") or ():
                    calls[call["index"]] = calls.get(call["index"], "") + (
                        call["function"]["arguments"] or ""
                    )
        elif kind == "content_block_start" and event["content_block"]["type"] == "tool_use":
            calls[event["index"]] = ""
        elif kind == "content_block_delta":
            text += event["delta"].get("text", "")
            if event["index"] in calls:
                calls[event["index"]] += event["delta"].get("partial_json", "")
        elif kind == "response.output_text.delta":
            text += event["delta"]
        elif kind == "response.function_call_arguments.delta":
            calls[event["output_index"]] = calls.get(event["output_index"], "") + event["delta"]
        elif kind in {"message_delta", "response.completed"}:
            whole = True
    return text, [calls[key] for key in sorted(calls)], whole


def test_every_stream_says_the_same_however_its_bytes_are_cut() -> None:
    """Slow: goes through all recordings."""
    carried = 0
    for protocol, row in ROWS:
        if not row["stream"] or row["status"] != 200 or not isinstance(row["response"], str):
            continue
        raw = row["response"].encode()
        text, calls, whole = _source_stream(protocol, row["response"])
        for other in _others(protocol):
            chance = random.Random(f"{row['id']}{other}")
            translator = stream_translator(Bridge(other, protocol), new_id=_ids(), now_s=1)
            out, at = b"", 0
            while at < len(raw):
                step = chance.choice((1, 2, 3, 7, 40, 300, 5000))
                out += translator.feed(raw[at : at + step])
                at += step
            out += translator.finish()
            got = listened(other, out)
            carried += 1
            assert bool(got.error) == (not whole), (row["id"], got.error)
            if got.error:
                continue
            assert got.text == text, row["id"]
            assert [given for _, given in got.calls] == [json.loads(one or "{}") for one in calls], row["id"]
    assert carried > 200


def test_a_translated_stream_ends_with_the_usage_of_its_source() -> None:
    """Slow: goes through all recordings."""
    counted = 0
    for protocol, row in ROWS:
        if not row["stream"] or row["status"] != 200 or not isinstance(row["response"], str):
            continue
        wanted = None
        usage: dict[str, Any] = {}
        for _, event in sse(row["response"].encode()):
            if event != "[DONE]":
                found = event.get("usage") or (event.get("message") or event.get("response") or {}).get(
                    "usage"
                )
                usage |= {key: value for key, value in (found or {}).items() if value is not None}
                wanted = tokens(protocol, usage) if usage else None
        for other in _others(protocol):
            translator = stream_translator(Bridge(other, protocol), new_id=_ids(), now_s=1)
            got = listened(other, translator.feed(row["response"].encode()) + translator.finish())
            if (
                got.error
                or wanted is None
                or usage.get("iterations")
                or not got.tokens
                or not any(got.tokens)
            ):
                continue
            counted += 1
            assert got.tokens[0] == wanted[0], row["id"]
            assert got.tokens[2] == wanted[2], row["id"]
            assert got.tokens[1] >= wanted[1], row["id"]
    assert counted > 60
