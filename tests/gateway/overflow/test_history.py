"""What is left out of a history: never what must stay, never half of a call, and no more than once."""

import random
import zlib
from collections.abc import Sequence
from typing import Any

import pytest

from airworthy.gateway.overflow.history import KEEP, LEFT, Plan, applied, pieces_of, planned, sendable
from airworthy.policy import ContextRule

STRATEGIES = ("drop_results", "keep_selected")
ACTS = frozenset({"mail"})


def tokens(pieces: Sequence[bytes]) -> int:
    return sum(map(len, pieces)) // 4


def wobbly(pieces: Sequence[bytes]) -> int:
    """As estimates are that look at samples: less text may count for more."""
    return tokens(pieces) + zlib.crc32(b",".join(pieces)) % 1_000


def said(role: str, text: str, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": text, **more}


def called(*ids: str, name: str = "look") -> dict[str, Any]:
    calls = [{"id": each, "type": "function", "function": {"name": name, "arguments": "{}"}} for each in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def result(name: str, size: int = 4_000) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": name, "content": "x" * size}


def work(turns: int) -> list[dict[str, Any]]:
    told = [said("system", "You look."), said("user", "Look at all of them.")]
    for number in range(turns):
        told += [called(f"c{number}"), result(f"c{number}")]
    return told


def rule(strategy: str = "drop_results", **settings: Any) -> ContextRule:
    return ContextRule.model_validate({"strategy": strategy, **settings})


def cut(messages: list[dict[str, Any]], how: ContextRule, room: int) -> list[Any] | None:
    plan = planned(messages, how, ACTS, tokens, room)
    return None if plan is None else list(applied(messages, plan))


def test_a_marker_says_how_much_a_result_had_and_its_call_stays() -> None:
    left = cut(work(10), rule(), 6_000)

    assert left is not None
    assert len(left) == 22
    assert left[2] == called("c0")
    assert left[3] == {
        "role": "tool", "tool_call_id": "c0",
        "content": "[A result of 4,000 characters was left out to fit the model's window.]",
    }  # fmt: skip
    assert left[-4:] == work(10)[-4:]


def test_whole_turns_go_with_a_note_after_the_task() -> None:
    left = cut(work(10), rule("keep_selected"), 6_000)

    assert left is not None
    assert left[:2] == work(0)
    assert (
        left[2]["content"] == f"[{left[2][LEFT]} earlier messages were left out to fit the model's window.]"
    )
    assert left[2][LEFT] == 22 - (len(left) - 1)
    assert sendable(left)[2] == {"role": "user", "content": left[2]["content"]}


def test_a_later_cut_takes_the_place_of_an_earlier_ones_note() -> None:
    once = cut(work(10), rule("keep_selected"), 6_000)
    assert once is not None
    more = [message for number in range(10, 18) for message in (called(f"c{number}"), result(f"c{number}"))]
    twice = cut([*once, *more], rule("keep_selected"), 6_000)

    assert twice is not None
    assert [LEFT in message for message in twice].count(True) == 1
    assert twice[2][LEFT] == 2 + 2 * 18 - (len(twice) - 1)


def test_the_same_part_goes_for_several_calls() -> None:
    """Or the beginning changes at every call, and no provider's cache is of use."""
    beginnings = set()
    for turns in range(20, 28):
        plan = planned(work(turns), rule("keep_selected"), ACTS, tokens, 16_000)
        assert plan is not None
        beginnings.add(plan.left)
    assert len(beginnings) <= 3


def test_calls_that_act_and_marked_messages_stay() -> None:
    messages = work(10)
    messages[4] = called("c1", name="mail")
    messages[7][KEEP] = True
    for strategy in STRATEGIES:
        left = cut(messages, rule(strategy), 6_000)
        assert left is not None
        for index in (4, 5, 6, 7):
            assert messages[index] in left


def test_a_parallel_turn_goes_as_one() -> None:
    messages = [*work(0), called("a", "b"), result("b"), result("a"), *work(8)[2:]]
    plan = planned(messages, rule("keep_selected"), ACTS, tokens, 7_000)

    assert plan is not None
    assert {2, 3, 4} <= set(plan.left)


def test_a_call_that_nothing_answers_stays() -> None:
    messages = [*work(0), called("open"), *work(8)[2:]]
    for strategy in STRATEGIES:
        left = cut(messages, rule(strategy), 6_000)
        assert left is not None
        assert called("open") in left


@pytest.mark.parametrize(
    ("messages", "room", "why"),
    [
        ([said("system", "x" * 40_000), *work(5)[1:]], 6_000, "instructions alone are too long"),
        ([*work(5), called("z"), result("z", 40_000)], 6_000, "the newest result alone is too long"),
        ([said("system", "s"), said("user", "x" * 40_000)], 6_000, "there is only the task"),
        ([], 0, "there is nothing"),
    ],
)
def test_what_must_stay_may_be_too_long(messages: list[Any], room: int, why: str) -> None:
    for strategy in (*STRATEGIES, "summarise", "none"):
        assert planned(messages, rule(strategy), ACTS, tokens, room) is None, why


def test_an_old_result_that_fills_the_window_goes_alone() -> None:
    messages = work(3)
    messages[3] = result("c0", 400_000)
    plan = planned(messages, rule(), ACTS, tokens, 6_000)

    assert plan == Plan(emptied=(3,))


def conversation(chance: random.Random) -> list[dict[str, Any]]:
    """Well formed, and wild: parallel calls, results in any order, ids that come again, acts, late instructions."""
    told = [said("system", "i" * chance.randint(1, 300))] if chance.random() < 0.9 else []
    told += [said("user", "u" * chance.randint(1, 900)) for _ in range(chance.randint(1, 2))]
    for number in range(chance.randint(0, 25)):
        if chance.random() < 0.6:
            reused = chance.random() < 0.2
            ids = [f"c{k}" if reused else f"n{number}_{k}" for k in range(chance.randint(1, 3))]
            told.append(called(*ids, name=chance.choice(("look", "look", "look", "mail"))))
            results = [result(each, chance.randint(0, 5_000)) for each in ids]
            chance.shuffle(results)
            told += results
        else:
            told.append(said("assistant", "a" * chance.randint(1, 900)))
        if chance.random() < 0.3:
            told.append(said("user", "u" * chance.randint(1, 900)))
        if chance.random() < 0.05:
            told.append(said("developer", "d" * chance.randint(1, 100)))
    for message in told:
        if chance.random() < 0.05:
            message[KEEP] = True
    if told[-1].get("role") == "tool" and chance.random() < 0.2:
        told.append(called("pending"))
    return told


def well_formed(messages: Sequence[Any]) -> bool:
    """Every result follows the message that called for it, and every call but pending ones is answered there."""
    waiting: set[str] = set()
    for message in messages:
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                return False
            waiting.discard(message["tool_call_id"])
        elif message["role"] == "assistant":
            if waiting:
                return False
            waiting = {call["id"] for call in message.get("tool_calls") or ()}
        elif message["role"] == "user" and waiting:
            return False
    return waiting <= {"pending"}


def must_stay(messages: Sequence[Any], turns: int) -> list[Any]:
    models = [index for index, each in enumerate(messages) if each["role"] == "assistant"]
    users = [index for index, each in enumerate(messages) if each["role"] == "user"]
    newest = models[-turns] if len(models) >= turns else 0
    return [
        each
        for index, each in enumerate(messages)
        if index >= newest
        or each["role"] in ("system", "developer")
        or each.get(KEEP)
        or index == users[-1]
        or (each["role"] == "user" and (not models or index < models[0]))
        or any(call["function"]["name"] in ACTS for call in each.get("tool_calls") or ())
    ]


@pytest.mark.parametrize("seed", range(8))
def test_whatever_the_conversation_what_is_left_is_whole_and_fits(seed: int) -> None:
    chance = random.Random(seed)
    cuts = 0
    for _ in range(150):
        messages = conversation(chance)
        assert well_formed(messages)
        how = rule(chance.choice(STRATEGIES), keep_turns=chance.randint(1, 4))
        room = chance.randint(100, 12_000)
        if wobbly(pieces_of(messages)) <= room:
            continue
        plan = planned(messages, how, ACTS, wobbly, room)
        if plan is None:
            continue
        cuts += 1
        left = applied(messages, plan)
        assert wobbly(pieces_of(left)) <= room  # So the next fit leaves it as it is.
        assert well_formed(left)
        assert all(message in left for message in must_stay(messages, how.keep_turns))
        remaining = iter(messages)  # In their order: nothing is turned round.
        same = [m for m in left if LEFT not in m and not str(m.get("content")).startswith("[A result of")]
        assert all(any(each == message for each in remaining) for message in same)
    assert cuts > 20
