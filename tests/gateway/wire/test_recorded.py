"""Held against recorded exchanges with real providers, where a machine has them."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airworthy.gateway.errors import ContextOverflow, ModelRefusedRequest, ModelUnknown
from airworthy.gateway.wire.dialect import DIALECTS
from airworthy.gateway.wire.failure import classify
from airworthy.gateway.wire.splice import spans
from airworthy.gateway.wire.usage_filter import UsageFilter
from tests.gateway.wire.kit import BYTES_MAX, fed, pieces

DATA = Path("/work/shared/data/wire_exchanges.jsonl.gz")
NAMES = {
    "/chat/completions": "chat",
    "/responses": "responses",
    "/embeddings": "embeddings",
    "/v1/messages": "messages",
    "/count_tokens": "count_tokens",
}
FOR_THE_CALLER = (
    "function_call", "custom_tool_call", "computer_call", "local_shell_call", "shell_call", "apply_patch_call",
)  # fmt: skip
CUT = "[cut]"  # Where whoever recorded it shortened it.

pytestmark = pytest.mark.skipif(not DATA.exists(), reason="the recordings are not on this machine")


@pytest.fixture(scope="module")
def exchanges() -> list[tuple[str, dict[str, Any]]]:
    return list(_exchanges())


def _exchanges() -> Iterator[tuple[str, dict[str, Any]]]:
    with gzip.open(DATA, "rt") as lines:
        for line in lines:
            row = json.loads(line)
            for ending, name in NAMES.items():
                if row["path"].endswith(ending):
                    yield name, row


def test_every_request_is_understood_and_only_what_is_set_changes(
    exchanges: list[tuple[str, dict[str, Any]]],
) -> None:
    for name, row in exchanges:
        raw = json.dumps(row["request"], ensure_ascii=bool(row["seq"] % 2)).encode()
        dialect = DIALECTS[name]
        facts = dialect.read_request(raw)

        kept = dialect.spliced(raw, facts, model=facts.model, output_tokens_max=None, include_usage=False)
        changed = dialect.spliced(raw, facts, model="another", output_tokens_max=None, include_usage=False)
        bounded = dialect.spliced(raw, facts, model=None, output_tokens_max=7, include_usage=True)

        assert kept is raw
        ((start, end),) = spans(raw, "model")
        assert changed == raw[:start] + b'"another"' + raw[end:]
        new = json.loads(bounded)
        told = {key for key in new if new[key] != row["request"].get(key)}
        assert told <= {
            "max_tokens",
            "max_completion_tokens",
            "max_output_tokens",
            "stream_options",
        }
        assert list(new)[: len(row["request"])] == list(row["request"])


def test_every_reply_is_read(exchanges: list[tuple[str, dict[str, Any]]]) -> None:
    plain = [(name, row) for name, row in exchanges if row["status"] == 200 and type(row["response"]) is dict]
    assert len(plain) > 400
    for name, row in plain:
        body = row["response"]
        reply = DIALECTS[name].read_reply(json.dumps(body).encode())

        assert reply.text == _text(name, body), row["id"]
        assert len(reply.tool_calls) == _calls(name, body), row["id"]
        if name != "count_tokens":
            assert reply.model == body["model"]
        usage = body.get("usage")
        if usage:
            # One provider counted the same tokens as read from the cache and as written to it.
            overlap = (usage.get("prompt_tokens_details") or {}).get("cache_write_tokens") == 2161
            assert reply.usage.known is not overlap, row["id"]
        if reply.usage.known and usage and "total_tokens" in usage:
            assert reply.usage.tokens_in + reply.usage.tokens_out == usage["total_tokens"], row["id"]


def _text(name: str, body: dict[str, Any]) -> str:
    match name:
        case "chat":
            content = body["choices"][0]["message"].get("content") or ""
            return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
        case "responses":
            return "".join(
                part.get("text", "")
                for item in body["output"]
                if item["type"] == "message"
                for part in item["content"]
            )
        case "messages":
            return "".join(block["text"] for block in body["content"] if block["type"] == "text")
    return str(body["input_tokens"])


def _calls(name: str, body: dict[str, Any]) -> int:
    match name:
        case "chat":
            return len(body["choices"][0]["message"].get("tool_calls") or ())
        case "responses":
            own = (
                "function_call",
                "custom_tool_call",
                "computer_call",
                "local_shell_call",
                "shell_call",
                "apply_patch_call",
            )
            return sum(item["type"] in own for item in body["output"])
        case "messages":
            return sum(block["type"] == "tool_use" for block in body["content"])
    return 0


@pytest.mark.slow
def test_every_stream_is_read_alike_however_it_is_cut(exchanges: list[tuple[str, dict[str, Any]]]) -> None:
    """Slow, because a hundred streams are fed in small pieces, three times each."""
    streams = [
        (name, row) for name, row in exchanges if row["status"] == 200 and type(row["response"]) is str
    ]
    assert len(streams) > 100
    for name, row in streams:
        raw = row["response"].encode()
        dialect = DIALECTS[name]
        whole = fed(dialect.stream_reader(BYTES_MAX), [raw])
        facts = whole.facts()
        for seed in (0, 1, 5):
            stream = fed(dialect.stream_reader(BYTES_MAX), pieces(raw, seed))
            assert stream.facts() == facts, row["id"]
            assert (stream.committed, stream.ended, stream.malformed) == (
                whole.committed,
                whole.ended,
                whole.malformed,
            ), row["id"]

        assert (facts.text, len(facts.tool_calls)) == _streamed(name, raw), row["id"]
        if CUT not in row["response"]:
            assert whole.ended, row["id"]
            assert whole.error is None, row["id"]
            assert not whole.malformed, row["id"]


def _streamed(name: str, raw: bytes) -> tuple[str, int]:
    """Read another way: line by line, with nothing but the deltas."""
    text: list[str] = []
    calls = set()
    for line in raw.split(b"\n"):
        try:
            body = json.loads(line.removeprefix(b"data:"))
        except ValueError:
            continue
        if name == "chat":
            for choice in body.get("choices", ()):
                text.append(choice["delta"].get("content") or "")
                calls |= {call["index"] for call in choice["delta"].get("tool_calls") or ()}
        elif body.get("type") == "content_block_delta":
            text.append(body["delta"].get("text", ""))
        elif body.get("type") == "response.output_text.delta":
            text.append(body["delta"])
        elif body.get("type") == "content_block_start" and body["content_block"]["type"] == "tool_use":
            calls.add(body["index"])
        elif body.get("type") == "response.output_item.added" and body["item"]["type"] == "function_call":
            calls.add(body["output_index"])
    return "".join(text), len(calls)


def test_the_usage_filter_takes_out_nothing_but_the_usage(
    exchanges: list[tuple[str, dict[str, Any]]],
) -> None:
    taken = 0
    for name, row in exchanges:
        if name != "chat" or type(row["response"]) is not str:
            continue
        raw = row["response"].encode()
        blocks = raw.split(b"\n\n")
        left = b"\n\n".join(
            block for block in blocks if not (b'"choices":[]' in block and b'"usage":{' in block)
        )
        for seed in (0, 1, 5):
            usage_filter = UsageFilter()
            out = b"".join([*(usage_filter.feed(piece) for piece in pieces(raw, seed)), usage_filter.end()])
            assert out == left, row["id"]
        taken += left != raw
    assert taken > 5


def test_every_refusal_is_told_by_what_can_be_done(exchanges: list[tuple[str, dict[str, Any]]]) -> None:
    refused = [(name, row) for name, row in exchanges if row["status"] != 200]
    assert len(refused) > 5
    for name, row in refused:
        raw = json.dumps(row["response"]).encode()
        headers = {key.lower(): str(value) for key, value in row["response_headers"].items()}
        error = classify(DIALECTS[name].protocol, row["host"], row["status"], headers, raw, 0)
        wanted = ModelUnknown if row["status"] == 404 else ModelRefusedRequest
        assert type(error) is wanted, row["id"]
        assert not isinstance(error, ContextOverflow)
