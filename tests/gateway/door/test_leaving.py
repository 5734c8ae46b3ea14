"""A caller may leave at any moment: nothing of its call goes on, everything is counted, and the record says so."""

import asyncio
import random
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from airworthy.gateway.errors import ModelTimeout
from tests.gateway.door.kit import (
    EVENTS,
    FIRST,
    LOOK,
    SECOND,
    THIRD,
    House,
    Say,
    ask,
    error,
    events_of,
    finished,
    house,
    rule,
    streamed,
    whole,
)
from tests.gateway.guard.kit import REFUND, stream

SEED = 20_261_124
TOOLS = [{"type": "function", "function": {"name": "look"}}]
BROKEN = Say(
    [*events_of(stream("chat", (), "o|n|e"))[:3], ModelTimeout("broke", billed=True)], headers=EVENTS
)
RESTARTS = [rule(FIRST, broken_stream="restart"), rule(SECOND)]
# Each way a call can go: what the providers answer, the request, and what the policy adds.
WAYS: dict[str, tuple[dict[str, Any], bytes, dict[str, Any]]] = {
    "whole": ({FIRST: whole()}, ask(), {}),
    "stream": ({FIRST: streamed()}, ask(stream=True), {}),
    "stream with usage": ({FIRST: streamed()}, ask(stream=True, stream_options={"include_usage": True}), {}),
    "fallback": ({FIRST: error(503), SECOND: whole()}, ask(), {}),
    "fallback of a stream": ({FIRST: error(500), SECOND: streamed()}, ask(stream=True), {}),
    "retried": ({FIRST: [error(503), error(500), whole()]}, ask(), {"models": [rule(attempts=3)]}),
    "translated": ({FIRST: whole("messages")}, ask(), {"models": [rule(provider="anthropic")]}),
    "translated stream": (
        {FIRST: streamed("messages")}, ask(stream=True), {"models": [rule(provider="anthropic")]}
    ),
    "begun anew": ({FIRST: BROKEN, SECOND: streamed()}, ask(stream=True), {"models": RESTARTS}),
    "hedged": (
        {FIRST: whole(delay_s=0.003), SECOND: whole()}, ask(), {"models": [rule(hedge_after_s=0.001), rule(SECOND)]}
    ),
    "hedged stream": (
        {FIRST: Say(streamed().pieces, headers=EVENTS, delay_s=0.003), SECOND: streamed()}, ask(stream=True),
        {"models": [rule(hedge_after_s=0.001), rule(SECOND)]},
    ),
    "guarded": (
        {FIRST: [whole(calls=[REFUND]), whole(calls=[LOOK, REFUND])]}, ask(tools=TOOLS),
        {"gateway": {"guard_tools": True}, "tools": {"look": {}}},
    ),
    "guarded stream": (
        {FIRST: [streamed("chat", "", [REFUND]), streamed("chat", "", [LOOK, REFUND])]},
        ask(tools=TOOLS, stream=True), {"gateway": {"guard_tools": True}, "tools": {"look": {}}},
    ),
    "cached": (
        {FIRST: whole()}, ask(), {"gateway": {"cache": {"enabled": True, "shared": True}}},
    ),
}  # fmt: skip


WAIT_S = {"retried": 0.05, "hedged": 0.0005, "hedged stream": 0.0005}


async def left_after(way: str, turns: int, run: str) -> bool:
    """The caller's task is cancelled in that turn of the loop. True: it had ended before."""
    providers, raw, sections = WAYS[way]
    async with house(providers, budgets={"day_usd": 1.0}, **sections) as made:
        task = asyncio.ensure_future(made.said(raw=raw, run=run))
        for turn in range(turns):  # In between some time passes, for those that wait.
            await asyncio.sleep(0 if turn % 12 else WAIT_S.get(way, 0))
        ended = task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0)
        made.check_quiet()
        records = await made.records()
        if turns == 0:
            assert records == []  # It had not begun.
        else:
            assert [record["ended_as"] for record in records] in (["left"], ["answered"]), records
            check_counted(made, records[0])
    return ended


def check_counted(made: House, record: dict[str, Any]) -> None:
    """What the call cost is settled, or what was reserved for it stays."""
    row = made.standing("agent:support:day:2025-11-24")
    used = row.settled_nano + row.lost_nano
    asked = any(provider.asked for provider in made.providers.values())
    assert used >= (record["cost_nano"] or 0)
    if record["attempts"] == 0:
        assert used == 0
    elif asked and all(say.status == 200 for provider in made.providers.values() for say in provider.answers):
        assert used > 0


@pytest.mark.parametrize("run", ["", "run_1"])
@pytest.mark.parametrize("way", WAYS)
async def test_a_caller_that_is_cancelled_in_any_turn_leaves_nothing_behind(way: str, run: str) -> None:
    for turns in range(400):
        if await left_after(way, turns, run):
            break
    else:
        raise AssertionError("the call never ended")


@pytest.mark.parametrize("way", [name for name in WAYS if b'"stream":true' in WAYS[name][1]])
async def test_a_stream_closed_after_any_piece_is_settled_and_recorded(way: str) -> None:
    providers, raw, sections = WAYS[way]
    for pieces in range(1, 40):
        async with house(providers, **sections) as made:
            answer = await made.door.answer(made.call(raw=raw))
            body = answer.body
            assert isinstance(body, AsyncGenerator)
            ended = False
            for _ in range(pieces):
                try:
                    await anext(body)
                except StopAsyncIteration:
                    ended = True
                    break
            await body.aclose()
            await asyncio.sleep(0)
            made.check_quiet()
            (record,) = await made.records()
        assert (record["ended_as"], record["code"]) == (
            ("answered", "") if ended else ("left", "caller_left")
        )
        assert record["cost_nano"] > 0
        assert record["first_us"] is not None
        if ended:
            return
    raise AssertionError("the stream never ended")


async def test_a_stream_left_in_its_middle_stops_the_provider_and_costs_what_came() -> None:
    say = Say([*events_of(stream("chat", (), "o|n|e")), 1e9], headers=EVENTS)
    async with house({FIRST: say}) as made:
        answer = await made.door.answer(made.call(raw=ask(stream=True)))
        assert isinstance(answer.body, AsyncGenerator)
        await anext(answer.body)
        await answer.body.aclose()
        assert made[FIRST].replies[0].closed
        record = await made.record()

    assert (record["ended_as"], record["estimated"], record["status"]) == ("left", 1, 200)
    assert record["tokens_out"] is None
    assert 0 < record["cost_nano"] < 1_000_000


@pytest.mark.parametrize("seed", range(SEED, SEED + 30))
async def test_many_callers_that_come_and_leave_at_random_leave_nothing_behind(seed: int) -> None:
    chance = random.Random(seed)
    models = [
        rule(FIRST, concurrency=3, attempts=2, broken_stream="restart", requests_per_min=600),
        rule(SECOND, concurrency=2, hedge_after_s=0.5),
        rule(THIRD, provider="anthropic"),
    ]
    providers = {
        FIRST: [chance.choice(SAYS["chat"])() for _ in range(60)],
        SECOND: [chance.choice(SAYS["chat"])() for _ in range(60)],
        THIRD: [chance.choice(SAYS["messages"])() for _ in range(60)],
    }
    async with house(providers, models=models, budgets={"day_usd": 0.02}) as made:

        async def one(number: int) -> None:
            await asyncio.sleep(chance.random() * 3)
            raw = ask(stream=chance.random() < 0.5, model=chance.choice((FIRST, SECOND)))
            await finished(await made.door.answer(made.call(raw=raw, run=f"run_{number % 7}")))

        tasks = [asyncio.ensure_future(one(number)) for number in range(60)]
        for task in tasks:
            if chance.random() < 0.4:
                asyncio.get_running_loop().call_later(chance.random() * 5, task.cancel)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        unexpected = [
            each for each in results if each is not None and not isinstance(each, asyncio.CancelledError)
        ]
        assert unexpected == [], seed
        for _ in range(3):
            await asyncio.sleep(0)
        made.check_quiet()
        records = await made.records()
        assert len(records) == made.calls, seed
        assert {record["ended_as"] for record in records} <= {"answered", "failed", "stopped", "left"}, seed


SAYS: dict[str, list[Any]] = {
    dialect: [
        lambda dialect=dialect: whole(dialect),
        lambda dialect=dialect: whole(dialect, delay_s=0.7),
        lambda dialect=dialect: streamed(dialect),
        lambda dialect=dialect: Say([0.4, *streamed(dialect).pieces], headers=EVENTS),
        lambda dialect=dialect: Say(
            [*streamed(dialect).pieces[:3], 0.5, ModelTimeout("broke", billed=True)], headers=EVENTS
        ),
        lambda dialect=dialect: error(503),
        lambda dialect=dialect: error(500),
        lambda dialect=dialect: error(429, "slow", **{"retry-after": "1"}),
        lambda dialect=dialect: Say(delay_s=1e9),
    ]
    for dialect in ("chat", "messages")
}  # fmt: skip
