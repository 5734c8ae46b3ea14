"""Any conversation, written in a protocol and read again, is the same conversation."""

import json
from base64 import b64encode
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airworthy.gateway.translate import Target, translate_request
from airworthy.gateway.translate.bridge import READERS, WRITERS
from airworthy.gateway.translate.conversation import (
    Choice,
    Conversation,
    DialectName,
    File,
    Format,
    Image,
    Part,
    Refusal,
    Settings,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
    merged,
)
from airworthy.gateway.translate.findings import Findings

PROTOCOLS: tuple[DialectName, ...] = ("chat", "responses", "messages")
TARGET = Target("m", 8000)
CLOSED = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}
OPEN = {
    "type": "object",
    "properties": {"a": {"type": "string"}, "b": {"type": "integer"}},
    "required": ["a"],
}

words = st.text(min_size=1, max_size=30).filter(lambda text: text.strip() and not text.startswith("[error] "))
texts = st.builds(Text, words)
encoded = st.binary(max_size=12).map(lambda raw: b64encode(raw).decode())
images = st.one_of(
    st.builds(Image, url=st.sampled_from(["https://example.com/a.png", "http://example.com/b?c=d"])),
    st.builds(Image, media_type=st.sampled_from(["image/png", "image/jpeg"]), data=encoded),
)
files = st.builds(File, name=st.just("a.pdf"), data=encoded)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
argument_texts = st.dictionaries(st.text(max_size=6), json_values, max_size=3).map(
    lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False)
)


@st.composite
def rounds(draw: st.DrawFn, protocol: str) -> list[Turn]:
    """User, assistant with calls, their results, and so on; the user has the last word."""
    turns = [Turn("system", (Text(text),)) for text in draw(st.lists(words, max_size=2))]
    rich = st.one_of(texts, images, files)
    turns.append(Turn("user", tuple(draw(st.lists(rich, min_size=1, max_size=3)))))
    ids = draw(st.lists(st.text(min_size=1, max_size=40), unique=True, max_size=5))
    while ids:
        calls = [ids.pop() for _ in range(draw(st.integers(1, len(ids))))]
        said: list[Part] = list(draw(st.lists(texts, max_size=2)))
        if protocol != "messages" and draw(st.booleans()):
            said.append(Refusal(draw(words)))
        said += [ToolCall(call_id, "tool_a", draw(argument_texts)) for call_id in calls]
        turns.append(Turn("assistant", tuple(said)))
        inner = texts if protocol == "chat" else rich
        turns += [
            Turn("user", (ToolResult(one, tuple(draw(st.lists(inner, min_size=1, max_size=2))), draw(st.booleans())),))
            for one in calls
        ]  # fmt: skip
        turns += [Turn("user", (Text(draw(words)),))] if draw(st.booleans()) else []
    return turns


@st.composite
def conversations(draw: st.DrawFn, protocol: str) -> Conversation:
    named = draw(st.dictionaries(st.sampled_from(["tool_a", "tool-b"]), st.booleans(), max_size=2))
    tools = tuple(
        Tool(name, draw(st.sampled_from(["", "does a thing"])), CLOSED if strict else OPEN, strict)
        for name, strict in named.items()
    )
    choices: list[Choice | None] = [None]
    if tools:
        choices += [Choice("auto"), Choice("none"), Choice("required"), Choice("tool", tools[0].name)]
        if protocol != "messages":
            choices += [
                Choice("auto", allowed=(tools[0].name,)),
                Choice("required", allowed=(tools[0].name,)),
            ]
    choice = draw(st.sampled_from(choices))
    free = tools and choice and choice.mode != "none"
    openai = protocol != "messages"
    values = Settings(
        temperature=draw(st.none() | st.floats(0, 1)),
        top_p=draw(st.none() | st.floats(0.1, 1)),
        stop=() if protocol == "responses" else tuple(draw(st.lists(words, max_size=4))),
        output_tokens_max=draw(st.integers(16, 8000)),
        effort=draw(st.sampled_from(["", "low", "high", "none"])) if openai else "",
        verbosity=draw(st.sampled_from(["", "low"])) if openai else "",
        user=draw(st.just("") | words),
        parallel=draw(st.none() | st.booleans()) if free else None,
        stream=draw(st.booleans()),
    )
    form = draw(st.sampled_from([None, Format(), Format(CLOSED, "form", "why", True), Format(OPEN, "form")]))
    return Conversation(
        tuple(draw(rounds(protocol))), tools, choice, form if protocol != "messages" else None, values
    )


def _same(talk: Conversation) -> tuple[Any, ...]:
    """A conversation without what is only a spelling: how its turns are cut, and how its JSON is written."""

    def plain(part: Part) -> Any:
        match part:
            case ToolCall():
                return (part.id, part.name, json.loads(part.arguments))
            case Image():
                return replace(part, detail="")
            case ToolResult():
                return (part.call_id, part.is_error, tuple(plain(inner) for inner in part.parts))
            case _:
                return part

    turns = [(turn.role, [plain(part) for part in turn.parts]) for turn in merged(talk.turns)]
    return turns, talk.tools, talk.choice, talk.format, talk.settings


@pytest.mark.slow
@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(max_examples=30, deadline=None, derandomize=True)
@given(data=st.data())
def test_what_is_written_is_read_again(protocol: DialectName, data: st.DataObject) -> None:
    """Slow: draws whole conversations."""
    talk = data.draw(conversations(protocol))
    findings = Findings()

    raw = orjson.dumps(WRITERS[protocol](talk, TARGET, findings))
    again = READERS[protocol](_big_numbers_as_text(raw), {}, Findings())

    assert not findings.blocked
    assert _same(_with_big_numbers_as_text(again)) == _same(_with_big_numbers_as_text(talk))


def _big_numbers_as_text(raw: bytes) -> Any:
    return json.loads(raw, parse_int=lambda digits: digits if len(digits) > 18 else int(digits))


def _with_big_numbers_as_text(talk: Conversation) -> Conversation:
    """Only Anthropic has arguments parsed already, and no parser of ours holds more than 64 bits as a number."""

    def changed(part: Part) -> Part:
        if isinstance(part, ToolCall):
            return replace(part, arguments=json.dumps(_big_numbers_as_text(part.arguments.encode())))
        return part

    return replace(
        talk, turns=tuple(replace(turn, parts=tuple(map(changed, turn.parts))) for turn in talk.turns)
    )


@pytest.mark.slow
@pytest.mark.parametrize("other", PROTOCOLS)
@pytest.mark.slow
@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(max_examples=12, deadline=None, derandomize=True)
@given(data=st.data())
def test_what_goes_over_comes_back(protocol: DialectName, other: DialectName, data: st.DataObject) -> None:
    """What both can say; what only one can say has tests of its own. Slow: draws whole conversations."""
    if protocol == other:
        return
    talk = data.draw(conversations("chat"))
    turns = tuple(
        replace(turn, parts=tuple(part for part in turn.parts if not isinstance(part, Refusal)))
        for turn in talk.turns
    )
    choice = replace(talk.choice, allowed=()) if talk.choice else None
    kept = replace(talk.settings, effort="", verbosity="", stop=(), parallel=None)
    talk = _with_big_numbers_as_text(Conversation(turns, talk.tools, choice, None, kept))
    body = orjson.loads(orjson.dumps(WRITERS[protocol](talk, TARGET, Findings())))

    over = translate_request(body, protocol, other, target=TARGET)
    back = translate_request(orjson.loads(over.body), other, protocol, target=TARGET)

    want = READERS[protocol](body, {}, Findings())
    assert _same(READERS[protocol](orjson.loads(back.body), {}, Findings())) == _same(want)
    assert not any(isinstance(part, Thinking) for turn in want.turns for part in turn.parts)
