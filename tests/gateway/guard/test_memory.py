"""Calls that were dropped from a reply come back in the next request, with their refusals, where they belong."""

from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from airworthy.core.clock import US_PER_S
from airworthy.core.redact import Redactor
from airworthy.gateway.guard import (
    Dropped,
    Memory,
    dropped,
    judged,
    proposed,
    reinserted,
    sibling_ids,
    without,
)
from airworthy.gateway.guard.forms import IDS_MAX, assembled
from airworthy.gateway.guard.memory import KEEP_US
from airworthy.gateway.guard.parts import CALL_BYTES_MAX
from airworthy.gateway.guard.tables import MIGRATIONS as TABLES
from airworthy.gateway.wire.dialect import DIALECTS
from airworthy.store import Database, migrate
from airworthy.store.tables import MIGRATIONS as STORE
from tests.database import Before, memory
from tests.gateway.guard.kit import (
    DELETE,
    LOOK,
    LOOK_2,
    NAMES,
    POLICY,
    REFUND,
    Call,
    history,
    reply,
    request,
    stream,
    turn,
)

Kept = dict[str, tuple[Dropped, ...]]


def remembered(dialect: str, raw: bytes) -> Kept:
    found: dict[str, list[Dropped]] = {}
    for each in dropped(dialect, raw, judged(POLICY, proposed(dialect, raw))):
        found.setdefault(each.sibling, []).append(each)
    return {sibling: tuple(rows) for sibling, rows in found.items()}


def put_back(dialect: str, raw: bytes, memory: Kept) -> bytes:
    body = orjson.loads(raw)
    wanted = sibling_ids(dialect, body)
    again = reinserted(dialect, raw, body, {each: memory[each] for each in wanted if each in memory})
    DIALECTS[dialect].read_request(again)
    return again


CASES: list[tuple[list[Call], list[Call], list[str]]] = [
    ([LOOK, REFUND], [LOOK], ["call_a", "call_b"]),
    ([REFUND, LOOK], [LOOK], ["call_b", "call_a"]),
    ([LOOK, REFUND, LOOK_2], [LOOK, LOOK_2], ["call_a", "call_b", "call_c"]),
    ([REFUND, LOOK, DELETE], [LOOK], ["call_b", "call_a", "call_d"]),
    ([LOOK, REFUND, DELETE], [LOOK], ["call_a", "call_b", "call_d"]),
    ([REFUND, DELETE, LOOK, LOOK_2], [LOOK, LOOK_2], ["call_b", "call_d", "call_a", "call_c"]),
]


@pytest.mark.parametrize("dialect", NAMES)
@pytest.mark.parametrize("text", ["", "Let me see."])
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("calls", "kept", "order"), CASES)
def test_the_model_sees_every_call_and_every_result_in_its_order(
    dialect: str, text: str, streamed: bool, calls: list[Call], kept: list[Call], order: list[str]
) -> None:
    raw = assembled(dialect, stream(dialect, calls, text)) if streamed else reply(dialect, calls, text)
    later = turn(dialect, [LOOK_2], "Then.", results=[LOOK_2]) if LOOK_2 not in kept else []
    asked = request(dialect, [*turn(dialect, kept, text, results=kept), *later], temperature=0.5)

    again = put_back(dialect, asked, remembered(dialect, raw))

    told = history(dialect, again)
    first = told[: 2 * len(order)]
    assert [each for kind, each in first if kind == "call"] == order
    assert [each for kind, each in first if kind == "result"] == order
    assert told[2 * len(order) :] == history(dialect, request(dialect, later))
    assert b"The call of refund_order was not made" in again
    assert orjson.loads(again)["temperature"] == 0.5


@pytest.mark.parametrize("dialect", NAMES)
def test_what_the_caller_saw_and_the_refusals_make_the_turn_that_the_model_wrote(dialect: str) -> None:
    """Round trip: the assistant's turn is again what the provider sent, but for ids that only it knows."""
    raw = reply(dialect, [REFUND, LOOK, DELETE], "Hm")
    asked = request(dialect, turn(dialect, [LOOK], "Hm", results=[LOOK]))

    again = orjson.loads(put_back(dialect, asked, remembered(dialect, raw)))

    whole = orjson.loads(request(dialect, turn(dialect, [REFUND, LOOK, DELETE], "Hm", results=[])))
    match dialect:
        case "chat":
            assert again["messages"][1] == whole["messages"][1]
        case "messages":
            assert again["messages"][1] == whole["messages"][1]
            assert [block["type"] for block in again["messages"][2]["content"]] == ["tool_result"] * 3 + [
                "text"
            ]
        case _:
            items = [{key: value for key, value in item.items() if key != "id"} for item in again["input"]]
            expected = [{key: value for key, value in item.items() if key != "id"} for item in whole["input"]]
            assert items[:5] == expected[:5]


@pytest.mark.parametrize("dialect", NAMES)
def test_a_request_that_tells_of_nothing_dropped_is_the_same_bytes(dialect: str) -> None:
    memory = remembered(dialect, reply(dialect, [LOOK, REFUND]))
    for raw in (
        request(dialect),
        request(dialect, turn(dialect, [LOOK_2], results=[LOOK_2])),
        request(dialect, turn(dialect, [], "Hi", results=[])),
    ):
        raw = raw.replace(b",", b" ,\n")

        assert put_back(dialect, raw, memory) is raw


@pytest.mark.parametrize("dialect", NAMES)
def test_another_call_of_the_same_id_brings_nothing_back(dialect: str) -> None:
    """Some servers number the calls of every reply anew."""
    memory = remembered(dialect, reply(dialect, [LOOK, REFUND]))
    for other in (Call("call_a", "look", '{"x":9}'), Call("call_a", "find", '{"x":1}')):
        raw = request(dialect, turn(dialect, [other], results=[other]))

        assert put_back(dialect, raw, memory) is raw


@pytest.mark.parametrize("dialect", NAMES)
def test_arguments_spelt_anew_are_the_same_call(dialect: str) -> None:
    memory = remembered(dialect, reply(dialect, [LOOK, REFUND]))
    spelt = Call("call_a", "look", '{ "x" : 1 }')

    again = put_back(dialect, request(dialect, turn(dialect, [spelt], results=[spelt])), memory)

    assert ("call", "call_b") in history(dialect, again)


@pytest.mark.parametrize("dialect", NAMES)
def test_what_was_put_back_is_not_put_back_twice(dialect: str) -> None:
    memory = remembered(dialect, reply(dialect, [LOOK, REFUND]))
    once = put_back(dialect, request(dialect, turn(dialect, [LOOK], results=[LOOK])), memory)

    assert put_back(dialect, once, memory) is once


def test_results_told_in_another_order_find_theirs() -> None:
    memory = remembered("chat", reply("chat", [LOOK, REFUND, LOOK_2]))
    asked = request("chat", turn("chat", [LOOK, LOOK_2], results=[LOOK_2, LOOK]))

    told = history("chat", put_back("chat", asked, memory))

    assert told[3:] == [("result", "call_c"), ("result", "call_a"), ("result", "call_b")]


def test_a_sibling_without_a_result_leaves_a_valid_history() -> None:
    chat = remembered("chat", reply("chat", [LOOK, REFUND]))
    asked = request("chat", [*turn("chat", [LOOK], results=[]), {"role": "user", "content": "never mind"}])
    told = history("chat", put_back("chat", asked, chat))
    assert told == [("call", "call_a"), ("call", "call_b"), ("result", "call_b")]

    messages = remembered("messages", reply("messages", [LOOK, REFUND]))
    asked = request("messages", turn("messages", [LOOK], results=[]))
    assert put_back("messages", asked, messages) is asked

    responses = remembered("responses", reply("responses", [LOOK, REFUND]))
    asked = request("responses", turn("responses", [LOOK], results=[]))
    told = history("responses", put_back("responses", asked, responses))
    assert told == [("call", "call_a"), ("call", "call_b"), ("result", "call_b")]


def test_a_history_that_the_provider_keeps_gets_the_refusal_alone() -> None:
    memory = remembered("responses", reply("responses", [REFUND, LOOK, DELETE]))
    outputs = turn("responses", [], results=[LOOK])
    for kept in ({"previous_response_id": "resp_1"}, {"conversation": "conv_1"}):
        asked = request("responses", outputs, **kept)

        told = history("responses", put_back("responses", asked, memory))

        assert told == [("result", "call_b"), ("result", "call_a"), ("result", "call_d")]


def test_a_response_all_of_whose_calls_were_withheld_is_answered_by_its_id() -> None:
    raw = reply("responses", [REFUND, DELETE])
    memory = remembered("responses", raw)
    assert set(memory) == {"resp_1"}
    for given in ("hi", [{"role": "user", "content": "hi"}]):
        asked = orjson.dumps({"model": "m", "previous_response_id": "resp_1", "input": given})

        told = history("responses", put_back("responses", asked, memory))

        assert told == [("result", "call_b"), ("result", "call_d")]


@pytest.mark.parametrize("dialect", ["chat", "messages"])
def test_a_reply_without_any_call_left_needs_no_memory(dialect: str) -> None:
    assert remembered(dialect, reply(dialect, [REFUND, DELETE])) == {}


@pytest.mark.parametrize("dialect", NAMES)
def test_bodies_that_make_no_sense_have_no_ids(dialect: str) -> None:
    turn: dict[str, Any] = {"role": "assistant", "content": 5, "tool_calls": 5}
    odd: list[Any] = [None, 5, "x", [None, 5, "x", [], {}], [turn]]
    for key in ("messages", "input"):
        for value in odd:
            assert sibling_ids(dialect, {key: value}) == ()


def test_only_the_newest_calls_of_a_long_history_are_looked_up() -> None:
    calls = [Call(f"call_{at}", "look") for at in range(IDS_MAX + 10)]
    body = orjson.loads(request("chat", turn("chat", calls, results=[])))

    found = sibling_ids("chat", body)

    assert len(found) == IDS_MAX
    assert found[-1] == f"call_{IDS_MAX + 9}"


@pytest.mark.parametrize("dialect", NAMES)
def test_a_very_long_call_is_kept_without_its_arguments(dialect: str) -> None:
    long = Call("call_b", "refund_order", orjson.dumps({"x": "y" * CALL_BYTES_MAX}).decode())
    memory = remembered(dialect, reply(dialect, [LOOK, long]))

    again = put_back(dialect, request(dialect, turn(dialect, [LOOK], results=[LOOK])), memory)

    assert len(again) < 2000
    assert b"left_out" in again


class Ticking:
    def __init__(self) -> None:
        self.at_us = 1_000_000 * US_PER_S

    def now_us(self) -> int:
        return self.at_us


class Counted(Before):
    reads = 0

    async def read(self, query: Any) -> Any:
        self.reads += 1
        return await super().read(query)


def store() -> Counted:
    database = Counted(memory())
    migrate(database, [*STORE, *TABLES])
    return database


def rows(calls: Sequence[Call] = (REFUND, LOOK, DELETE)) -> list[Dropped]:
    raw = reply("chat", calls)
    return dropped("chat", raw, judged(POLICY, proposed("chat", raw)))


async def recalled(database: Database, clock: Ticking, scope: str = "run_1", agent: str = "support") -> Kept:
    return await Memory(database, clock).recalled(agent, scope, ["call_a", "call_x"])


async def test_another_process_recalls_what_was_dropped_in_its_order() -> None:
    database, clock = store(), Ticking()
    await Memory(database, clock).remember("support", "run_1", rows())

    assert await recalled(database, clock) == {"call_a": tuple(rows())}
    assert await recalled(database, clock, scope="run_2") == {}
    assert await recalled(database, clock, agent="other") == {}


async def test_an_id_is_looked_up_once() -> None:
    database, clock = store(), Ticking()
    memory = Memory(database, clock)
    await memory.remember("support", "run_1", rows())

    for _ in range(3):
        assert set(await memory.recalled("support", "run_1", ["call_a", "call_x"])) == {"call_a"}
        assert await memory.recalled("support", "run_1", []) == {}

    assert database.reads == 1


async def test_what_is_dropped_beside_the_same_call_again_takes_the_place_of_the_first() -> None:
    database, clock = store(), Ticking()
    memory = Memory(database, clock)
    await memory.remember("support", "run_1", rows())
    await memory.remember("support", "run_1", rows([LOOK, DELETE]))

    assert await recalled(database, clock) == {"call_a": tuple(rows([LOOK, DELETE]))}


async def test_what_is_older_than_the_bound_goes_with_the_next_write() -> None:
    database, clock = store(), Ticking()
    await Memory(database, clock).remember("support", "run_1", rows())
    for age_us, left in ((KEEP_US, 3), (1, 1)):
        clock.at_us += age_us
        await Memory(database, clock).remember("support", "run_2", rows([LOOK_2, DELETE]))

        assert database.read_now(lambda tx: tx.row("SELECT COUNT(*) FROM withheld")) == (left,)


async def test_what_is_stored_is_cleaned_first() -> None:
    database, clock = store(), Ticking()
    memory = Memory(database, clock, Redactor(["A-1-long-enough"]))
    secret = Call("call_b", "refund_order", '{"order":"A-1-long-enough"}')
    await memory.remember("support", "run_1", rows([LOOK, secret]))

    (kept,) = (await recalled(database, clock)).values()
    assert b"A-1-long-enough" not in kept[0].call
    assert orjson.loads(kept[0].call)["id"] == "call_b"


def test_the_thinned_reply_and_the_memory_agree_on_the_sibling() -> None:
    raw = reply("chat", [REFUND, LOOK])
    withheld = judged(POLICY, proposed("chat", raw))

    thin = orjson.loads(without("chat", raw, withheld))

    assert thin["choices"][0]["message"]["tool_calls"][0]["id"] == dropped("chat", raw, withheld)[0].sibling
