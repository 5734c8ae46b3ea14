"""An estimate of tokens is never far below what providers count, whatever is asked in whatever script."""

import base64
import gzip
import json
import random
import struct
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airworthy.core.errors import ConfigError
from airworthy.gateway.attached import parted, sight_of
from airworthy.gateway.errors import ModelError
from airworthy.gateway.tokens import COUNTS_KEPT, SAMPLE_BYTES, Estimate
from airworthy.gateway.wire.dialect import DIALECTS
from airworthy.gateway.wire.facts import Usage
from tests.gateway.texts import COUNTS, REPEATED, TEXTS

DATA = Path("/work/shared/data/wire_exchanges.jsonl.gz")
WIDE = "gpt-4.1-2025-04-14"
UNDER_MAX = 0.10
FORMULAS_UNDER_MAX = 0.15  # Of signs that each take several tokens; and escaped, they all count alike.


@pytest.mark.parametrize("kind", TEXTS)
def test_no_kind_of_text_has_many_more_tokens_than_estimated(kind: str) -> None:
    text = f"{TEXTS[kind]} " * REPEATED

    tokens = Estimate(WIDE).of_text(json.dumps(text, ensure_ascii=False).encode())

    under = FORMULAS_UNDER_MAX if kind == "mathematics" else UNDER_MAX
    assert COUNTS[kind] <= tokens * (1 + under)


@pytest.mark.parametrize("kind", sorted(set(TEXTS) - {"mathematics", "emoji"}))
def test_it_makes_little_difference_how_json_writes_a_script(kind: str) -> None:
    text = f"{TEXTS[kind]} " * REPEATED
    plain = Estimate(WIDE).of_text(json.dumps(text, ensure_ascii=False).encode())

    escaped = Estimate(WIDE).of_text(json.dumps(text).encode())

    assert 0.95 * plain <= escaped <= 1.15 * plain


def test_plain_english_is_not_overcounted_by_much() -> None:
    """Else a conversation that fits would be refused."""
    text = f"{TEXTS['english prose']} " * REPEATED

    assert Estimate(WIDE).of_text(text.encode()) <= 1.2 * COUNTS["english prose"]


@pytest.mark.parametrize("seed", range(5))
def test_long_texts_are_sampled_and_still_judged_well(seed: int) -> None:
    """Each part of a body is as likely in the sample as any other, whatever its kind."""
    kinds = random.Random(seed).choices(sorted(TEXTS), k=60)
    pieces = [(TEXTS[kind] + " ") * 4 for kind in kinds]
    assert len("".join(pieces).encode()) > 5 * SAMPLE_BYTES
    estimate = Estimate(WIDE)

    whole = estimate.of_text("".join(pieces).encode())

    assert whole == pytest.approx(sum(estimate.of_text(piece.encode()) for piece in pieces), rel=0.15)


# Recordings.

ELSEWHERE = (
    "[cut]", '"file_id"', '"previous_response_id": "', '"container":', '"conversation":', '"mcp_servers"',
    '"plugins"', '"web_search_options"', '"context_management"', '"prompt":', '"advisor', '"models"', ":online",
    '"mode": "pro"',
)  # fmt: skip
OWN_TOOLS = (
    "web_search", "web_fetch", "code_interpreter", "code_execution", "file_search", "memory_", "mcp",
    "image_generation", "tool_search", "computer", "bash_", "text_editor", "advisor", "compaction",
    "container_upload", "item_reference", "tool_reference", "openrouter:", "server_tool", "shell", "apply_patch",
)  # fmt: skip


def _recorded() -> list[tuple[str, str, bytes, Usage, bool]]:
    """Host, model, request, usage, and whether all that was counted is in the request."""
    found = []
    with gzip.open(DATA, "rt") as lines:
        for row in map(json.loads, lines):
            usage = _usage(row)
            if usage is not None and usage.known:
                text = json.dumps(row["request"])
                whole = not any(mark in text for mark in ELSEWHERE)
                whole &= not any(f'"type": "{tool}' in text for tool in OWN_TOOLS)
                raw = json.dumps(row["request"], separators=(",", ":"), ensure_ascii=False).encode()
                found.append((row["host"], row["model"] or "", raw, usage, whole))
    return found


def _usage(row: dict[str, Any]) -> Usage | None:
    endings = {"chat/completions": "chat", "/responses": "responses", "/v1/messages": "messages"}
    name = next((name for ending, name in endings.items() if row["path"].endswith(ending)), None)
    if name is None or row["status"] != 200:
        return None
    said = row["response"]
    raw = (said if isinstance(said, str) else json.dumps(said)).encode()
    try:
        if not row["stream"]:
            return DIALECTS[name].read_reply(raw).usage
        reader = DIALECTS[name].stream_reader(1 << 24)
        reader.feed(raw)
        reader.close()
        return reader.facts().usage
    except ModelError:
        return None


recorded = pytest.mark.skipif(not DATA.exists(), reason="the recordings are not on this machine")


@recorded
def test_recorded_calls_of_no_provider_have_many_more_tokens_than_estimated() -> None:
    over: dict[str, list[float]] = defaultdict(list)
    for host, model, raw, usage, whole in _recorded():
        if whole:
            over[host].append(usage.tokens_in / Estimate(model).of(raw))

    assert len(over) >= 12
    assert sum(map(len, over.values())) > 300
    for host, shares in over.items():
        beyond = [share for share in shares if share > 1 + UNDER_MAX]
        assert len(beyond) <= 0.01 * len(shares), host


@recorded
def test_no_recorded_count_sends_an_estimate_astray() -> None:
    """Searches, files and caches are among them: all counts of one model, in their order, then once more backwards."""
    estimates: dict[str, Estimate] = {}
    calls = _recorded()
    for _, model, raw, usage, _ in [*calls, *reversed(calls)]:
        estimates.setdefault(model, Estimate(model)).learn(raw, usage.tokens_in)

    assert all(0.5 <= estimate.factor <= 1.5 for estimate in estimates.values())


# Learning. What a model makes of 40 kB of text, call by call, as a share of what is assumed; then the factor.
LEARNT: list[tuple[str, list[float], float, str]] = [
    ("nothing", [], 1.0, "what is assumed"),
    ("one higher", [1.4], 1.0, "one count may be a search that the provider made"),
    ("two higher", [1.4, 1.3], 1.3, "it rises at once, lest calls be sent that do not fit"),
    ("a strange one among many", [1.0] * 8 + [2.4] + [1.0] * 8, 1.0, "the largest is not believed"),
    ("always less", [0.8] * COUNTS_KEPT, 0.8, "it falls when all of the last counts are lower"),
    ("not always less yet", [0.8] * (COUNTS_KEPT - 1), 1.0, "and not before"),
    ("nonsense", [0.01, 30.0] * COUNTS_KEPT, 1.0, "a server that counts only what was not cached, or adds pages"),
    ("to and fro", [0.8, 1.2] * COUNTS_KEPT, 1.2, "it stands at the upper of two kinds of calls, and does not swing"),
    ("higher, then lower", [1.5] * 4 + [0.9] * COUNTS_KEPT, 0.9, "what is past is forgotten"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "shares", "factor", "why"), LEARNT, ids=[case[0] for case in LEARNT])
def test_counts_correct_the_estimate(what: str, shares: list[float], factor: float, why: str) -> None:
    raw = (TEXTS["english prose"] * 200).encode()
    estimate = Estimate(WIDE)
    assumed = estimate.of_text(raw)

    for share in shares:
        estimate.learn(raw, round(assumed * share) + 80)

    assert estimate.factor == pytest.approx(factor, rel=0.01), why


def test_small_calls_teach_nothing() -> None:
    """What a provider adds of its own, such as a prompt for tools, is several times their size."""
    estimate = Estimate(WIDE)

    for _ in range(50):
        estimate.learn(b'{"messages":[{"role":"user","content":"hi"}]}', 900)

    assert estimate.factor == 1.0


# Counters.


def test_a_counter_makes_the_estimate_exact() -> None:
    estimate = Estimate(WIDE, counter=lambda raw: len(raw.split()))

    estimate.learn(b"a b " * 9000, 99)

    assert estimate.of(b"one two three") == 3


FAILING: list[tuple[str, Callable[[bytes], Any]]] = [
    ("raises", lambda raw: 1 // 0),
    ("gives a text", lambda raw: "7"),
    ("gives less than nothing", lambda raw: -1),
]


@pytest.mark.parametrize(("what", "counter"), FAILING, ids=[case[0] for case in FAILING])
def test_a_counter_that_fails_is_told_so(what: str, counter: Callable[[bytes], Any]) -> None:
    with pytest.raises(ConfigError) as failed:
        Estimate(WIDE, counter=counter).of(b"{}")

    assert "leave it out" in failed.value.mend


# Attachments.


def png(wide: int, high: int, size: int = 5000) -> bytes:
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", wide, high)
    return head + random.Random(1).randbytes(size)


def jpeg(wide: int, high: int) -> bytes:
    comment = b"\xff\xfe" + struct.pack(">H", 1002) + bytes(1000)
    frame = b"\xff\xc0" + struct.pack(">HBHH", 17, 8, high, wide)
    return b"\xff\xd8" + comment + frame + random.Random(1).randbytes(3000)


def gif(wide: int, high: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", wide, high) + random.Random(1).randbytes(3000)


def webp(wide: int, high: int) -> bytes:
    size = (wide - 1).to_bytes(3, "little") + (high - 1).to_bytes(3, "little")
    return b"RIFF\0\0\0\0WEBPVP8X" + bytes(8) + size + random.Random(1).randbytes(3000)


# what, file, model, tokens, why
IMAGES: list[tuple[str, bytes, str, int, str]] = [
    ("a square", png(1024, 1024), "gpt-4o-2024-08-06", 85 + 4 * 170, "shrunk to 768, which has 4 tiles"),
    ("a tall one", png(2048, 4096), "gpt-4o-2024-08-06", 85 + 6 * 170, "shrunk to 768 by 1536"),
    ("a small one", png(200, 100), "gpt-4o-2024-08-06", 85 + 170, "one tile"),
    ("for a small model", png(512, 512), "gpt-4o-mini-2024-07-18", 2833 + 5667, "it takes more of them"),
    ("in patches", png(1024, 1024), "gpt-4.1-mini-2025-04-14", round(1024 * 1.62), "32 by 32 patches"),
    ("in too many patches", png(1800, 2400), "gpt-4.1-mini-2025-04-14", round(1536 * 1.62), "bounded"),
    ("by pixels", jpeg(1000, 1000), "claude-sonnet-4-5-20250929", 1333, "a token for 750 of them"),
    ("very large", gif(4000, 3000), "claude-sonnet-4-5-20250929", 1600, "bounded"),
    ("very large, newer", webp(4000, 4000), "claude-opus-4-8", 4784, "it sees more of it"),
    ("of no known size", b"\xff\xd8\xff" + bytes(3000), "claude-sonnet-4-5-20250929", 1600, "taken for the largest"),
    ("speech", b"RIFF\0\0\0\0WAVE" + bytes(48_000), "gpt-4o-2024-08-06", 192, "by its length"),
    ("a PDF", b"%PDF-1.7" + random.Random(1).randbytes(99_992), "claude-sonnet-4-5-20250929", 6000, "by its size"),
    ("a text", b"hello world " * 1000, "claude-sonnet-4-5-20250929", 4000, "its letters are read"),
]  # fmt: skip
FORMS = [
    ("chat", '{"type":"image_url","image_url":{"url":"data:image/png;base64,%s"}}'),
    ("messages", '{"type":"image","source":{"type":"base64","media_type":"image/png","data":"%s"}}'),
    ("responses", '{"type":"input_image","image_url":"data:image/png;base64,%s"}'),
    ("spaced", '{"type": "image", "source": {"type": "base64", "data": "%s"}}'),
]


@pytest.mark.parametrize("form", FORMS, ids=[form[0] for form in FORMS])
@pytest.mark.parametrize(("what", "file", "model", "tokens", "why"), IMAGES, ids=[case[0] for case in IMAGES])
def test_files_count_by_formula_and_not_by_their_letters(
    what: str, file: bytes, model: str, tokens: int, why: str, form: tuple[str, str]
) -> None:
    part = form[1] % base64.b64encode(file).decode()
    if file[:4] in (b"%PDF", b"RIFF", b"hell") and b"WEBP" not in file[:16]:
        part = (
            part.replace("image_url", "file_data")
            .replace("input_image", "file")
            .replace('"image"', '"document"')
        )
    raw = b'{"messages":[' + part.encode() + b"]}"

    rest, found = parted(raw, sight_of(model))

    assert found == pytest.approx(tokens, abs=2), why
    assert len(rest) < 200


def test_images_by_address_count_as_the_largest_and_words_about_them_as_words() -> None:
    sight = sight_of("claude-sonnet-4-5-20250929")
    image = b'{"type":"image","source":{"type":"url","url":"https://pictures.example/1.png"}}'

    assert parted(b"[" + image + b"," + image + b"]", sight)[1] == 2 * 1600
    spoken = json.dumps(
        {"content": json.dumps({"type": "image", "text": ";base64," + "a word " * 99})}
    ).encode()
    assert parted(spoken, sight) == (spoken, 0)


@given(st.binary(max_size=400), st.integers(0, 40))
def test_any_bytes_can_be_estimated(raw: bytes, times: int) -> None:
    estimate = Estimate("claude-opus-4-8")

    for body in (
        raw,
        raw * times * 4,
        b'"data":"' + base64.b64encode(raw * 9) + b'"',
        b'\\ud83d\\ude00"' + raw,
    ):
        assert estimate.of(body) > 0
        assert estimate.of_text(body) > 0
        estimate.learn(body, 10)


def test_an_estimate_can_be_had_as_it_was_before_it_learnt() -> None:
    raw = b"and then it rained. " * 1_000
    estimate = Estimate("gpt-4o-2024-08-06")
    first = estimate.of(raw)
    estimate.learn(raw, 2 * first)
    estimate.learn(raw, 2 * first)

    assert estimate.of(raw) > first
    assert estimate.unlearnt().of(raw) == first
