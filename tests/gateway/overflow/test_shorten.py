"""A conversation without its oldest part is still a conversation, and nothing but whole turns and steps went."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airworthy.gateway.overflow import Shortened, shortened
from airworthy.gateway.overflow.told import told
from airworthy.gateway.wire.dialect import DIALECTS as SPOKEN
from tests.gateway.overflow.conversations import (
    DIALECTS,
    KEY,
    Step,
    Turn,
    body_of,
    by_letters,
    conversations,
    dumped,
    flaws,
)

LONG = Step((300,), 10)


def cut(dialect: str, body: dict[str, Any], tokens_max: int) -> tuple[Shortened, dict[str, Any]] | None:
    raw = dumped(body)
    found = shortened(dialect, raw, body, by_letters, tokens_max)
    return None if found is None else (found, orjson.loads(found.raw(raw, body, found.note)))


@pytest.mark.slow
@pytest.mark.parametrize("dialect", DIALECTS)
@given(said=conversations, share=st.floats(0.02, 0.98), same_ids=st.booleans())
def test_what_remains_is_valid_fits_and_is_what_was_there(
    dialect: str, said: list[Turn], share: float, same_ids: bool
) -> None:
    """Slow: a hundred conversations."""
    body = body_of(dialect, said, same_ids=same_ids)
    assert flaws(dialect, body) == []
    tokens_max = int(by_letters(dumped(body)) * share)

    done = cut(dialect, body, tokens_max)

    if done is None:
        return
    found, short = done
    whole, kept = body[KEY[dialect]], short[KEY[dialect]]
    assert flaws(dialect, short) == []
    assert by_letters(dumped(short)) <= tokens_max
    SPOKEN[dialect].read_request(dumped(short))
    # Whole messages went, none was changed but the one with the note, and all else of the request is as it was.
    assert len(found.left) + len(kept) == len(whole)
    assert [each for each in kept if each not in whole] == [kept[found.stay.index(found.noted)]]
    assert {**short, KEY[dialect]: None} == {**body, KEY[dialect]: None}
    # Instructions stay, in their places; the last user message stays; and so does the end.
    assert not [each for each in found.left if each.get("role") in ("system", "developer")]
    assert f"question {len(said) - 1}." in orjson.dumps(kept).decode()
    assert kept[-1] == whole[-1] or len(kept) - 1 == found.stay.index(found.noted)
    # Images went with their words.
    assert orjson.dumps(kept).count(b"pictures.example") == sum(
        b"pictures.example" in dumped(whole[index]) for index in found.stay
    )


@pytest.mark.slow
@pytest.mark.parametrize("dialect", DIALECTS)
@given(said=conversations)
def test_none_only_when_even_the_least_does_not_fit(dialect: str, said: list[Turn]) -> None:
    """Slow: a hundred conversations."""
    body = body_of(dialect, said)
    turn = said[-1]
    last = body_of(dialect, [Turn(turn.says, turn.steps[-1:], turn.image)])
    enough = by_letters(dumped(last)) + 200

    assert cut(dialect, body, enough) is not None or len(said) == 1


TURNS = [Turn(50, (Step((100,)),)), Turn(50), Turn(50, (Step((100, 100)),)), Turn(5)]
WORK = [Turn(5, (LONG, LONG, LONG, LONG))]

# what, conversation, room as a share of the whole, user messages left, model's steps left, why
CUTS: list[tuple[str, list[Turn], float, int, bool, str]] = [
    ("a little too long", TURNS, 0.9, 3, True, "the first turn is enough, and goes whole, with its calls and results"),
    ("far too long", TURNS, 0.1, 1, True, "the last turn is always there"),
    ("one long task", WORK, 0.8, 1, False, "an agent at work has one user message, which is its task: steps go"),
    ("a very long task", WORK, 0.4, 1, False, "the model must see what it asked for last"),
]  # fmt: skip


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("what", "said", "share", "users", "first", "why"), CUTS, ids=[c[0] for c in CUTS])
def test_as_few_turns_go_as_possible(
    dialect: str, what: str, said: list[Turn], share: float, users: int, first: bool, why: str
) -> None:
    body = body_of(dialect, said)

    done = cut(dialect, body, int(by_letters(dumped(body)) * share))

    assert done is not None
    found, short = done
    own = [m for m in short[KEY[dialect]] if m.get("role") == "user" and "question" in str(m["content"])]
    assert len(own) == users, why
    assert found.note_first is first
    text = own[0]["content"]
    assert text.startswith("[") if first else text.endswith("]"), "the note stands where something is missing"
    assert f"[{len(found.left)} earlier message" in text


# what, dialect, body, why
NOT_CUT: list[tuple[str, str, dict[str, Any], str]] = [
    ("one message", "chat", {"messages": [{"role": "user", "content": "x" * 9999}]}, "the last turn stays"),
    ("instructions", "chat",
     {"messages": [{"role": "system", "content": "x" * 9999}, {"role": "user", "content": "hi"}]}, "they stay"),
    ("one step", "chat", body_of("chat", [Turn(1, (Step((900,)),))]), "what the model asked for last stays"),
    ("no user", "chat", {"messages": [{"role": "assistant", "content": "x" * 9999}] * 3}, "nothing to hold on to"),
    ("kept elsewhere", "responses",
     {"previous_response_id": "r", "input": [{"role": "user", "content": "x" * 999}] * 9}, "the provider has it"),
    ("a text", "responses", {"input": "x" * 9999}, "it is one turn"),
    ("embeddings", "embeddings", {"input": ["x" * 9999] * 9}, "no conversation"),
    ("broken", "chat", {"messages": ["x" * 9999, 7]}, "the provider shall say so"),
    ("several questions", "chat", {"messages": [{"role": "user", "content": "x" * 999}] * 9}, "they are one turn"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "dialect", "body", "why"), NOT_CUT, ids=[case[0] for case in NOT_CUT])
def test_what_may_not_go_stays_and_the_call_is_refused(
    what: str, dialect: str, body: dict[str, Any], why: str
) -> None:
    assert shortened(dialect, dumped(body), body, by_letters, 100) is None, why


def test_a_call_that_is_answered_only_later_keeps_what_lies_between() -> None:
    user = {"role": "user", "content": "q " * 400}
    call = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "c1", "output": "r " * 400}
    last = {"role": "user", "content": "and?"}
    body = {"input": [user, call, user, result, last]}

    done = cut("responses", body, 600)

    assert done is not None
    assert done[1]["input"] == [{"role": "user", "content": f"{done[0].note}\n\nand?"}]
    assert cut("responses", {"input": [user, call, user, result]}, 600) is None


def test_the_same_part_goes_at_the_next_calls_too() -> None:
    """Else the beginning would change at each call: no cache of a provider would help, no summary be used again."""
    said = [Turn(20)] * 60
    bodies = [body_of("chat", said[:count]) for count in range(40, 60)]
    room = by_letters(dumped(bodies[0])) - 1

    left = [len(done[0].left) for body in bodies if (done := cut("chat", body, room)) is not None]

    assert len(left) == 20
    assert len(set(left)) <= 3


def test_more_that_was_added_since_stays() -> None:
    """A model that was told what was withheld: the conversation has grown at its end."""
    body = body_of("chat", TURNS)
    done = cut("chat", body, by_letters(dumped(body)) // 2)
    assert done is not None
    more = {**body, "messages": [*body["messages"], {"role": "assistant", "content": "x"}]}

    again = orjson.loads(done[0].raw(dumped(more), more, "[gone]"))

    assert again["messages"][-1] == {"role": "assistant", "content": "x"}
    assert len(again["messages"]) == len(done[1]["messages"]) + 1


def test_all_but_the_conversation_is_left_byte_by_byte() -> None:
    body = body_of("chat", TURNS)
    raw = b'{ "seed": 12345678901234567890123, "model":"m" ,"messages" : ' + dumped(body["messages"]) + b"}"
    found = shortened("chat", raw, orjson.loads(raw), by_letters, len(raw) // 8)
    assert found is not None

    short = found.raw(raw, orjson.loads(raw), found.note)

    assert short.startswith(b'{ "seed": 12345678901234567890123, "model":"m" ,"messages" : [')


# what, dialect, message, text, why
TOLD: list[tuple[str, str, dict[str, Any], str]] = [
    ("chat", "words", {"role": "user", "content": "hi"}, "user: hi"),
    ("chat", "a call", {"role": "assistant", "content": None, "tool_calls": [
        {"id": "1", "function": {"name": "f", "arguments": "{}"}}]}, "assistant: [calls f with {}]"),
    ("chat", "an image", {"role": "user", "content": [{"type": "image_url", "image_url": {}}]}, "user: [image_url]"),
    ("messages", "a call", {"role": "assistant", "content": [
        {"type": "tool_use", "id": "1", "name": "f", "input": {"a": 1}}]}, 'assistant: [calls f with {"a":1}]'),
    ("messages", "a result", {"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "ok"}]}]}, "user: ok"),
    ("responses", "a call", {"type": "function_call", "name": "f", "arguments": "{}"}, "assistant: [calls f with {}]"),
    ("responses", "a result", {"type": "function_call_output", "output": "ok"}, "tool: ok"),
    ("responses", "a thought", {"type": "reasoning", "summary": [], "encrypted_content": "x"}, ""),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "what", "message", "text"), TOLD, ids=[f"{c[0]} {c[1]}" for c in TOLD])
def test_what_was_left_out_can_be_read(dialect: str, what: str, message: dict[str, Any], text: str) -> None:
    assert told([message], 1000) == text


def test_what_is_told_is_bounded_and_loses_the_length_of_messages_first() -> None:
    messages = [{"role": "user", "content": f"{count} " + "x" * 5000} for count in range(10)]

    text = told(messages, 6000)

    assert len(text) <= 6000
    assert [f"user: {count} " in text for count in range(10)] == [True] * 10
    assert len(told(messages, 500)) == 500
    assert told(messages, 0) == ""
