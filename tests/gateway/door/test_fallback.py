"""When one model does not answer another does, whatever the reason and whichever protocols they speak."""

import asyncio
from typing import Any

import pytest

from airworthy.gateway.errors import ModelTimeout, ModelUnreachable
from airworthy.policy.model_rule import WHYS
from tests.gateway.door.kit import (
    FIRST,
    LOOK,
    NEVER,
    SECOND,
    THIRD,
    Say,
    ask,
    bill,
    error,
    header,
    house,
    rule,
    streamed,
    text_of,
    whole,
)
from tests.gateway.guard.kit import read, read_stream, turn

BOTH = [False, True]
FAILURES: list[tuple[str, Say]] = [
    ("outage", error(503)),
    ("outage", error(500)),
    ("outage", Say(fails=ModelUnreachable("no connection"))),
    ("timeout", Say(delay_s=NEVER)),
    ("timeout", error(504)),
    ("rate_limit", error(429, "slow down", **{"retry-after": "7"})),
    ("overflow", error(400, "This model's maximum context length is 8192 tokens.")),
    ("overflow", error(413, "request too large")),
    (
        "filter",
        error(400, "The response was filtered due to our content management policy (content_filter)."),
    ),
    ("malformed", Say((b"<html>hello</html>",))),
    ("malformed", Say((b'{"id":"c1"',))),
    ("malformed", Say((b"",))),
    ("refused_key", error(401, "Incorrect API key provided")),
    ("refused_key", error(403, "no")),
    ("refused_key", error(404, "The model does not exist")),
]


@pytest.mark.parametrize("streams", BOTH)
@pytest.mark.parametrize(("why", "say"), FAILURES)
async def test_each_failure_is_answered_by_the_fallback(why: str, say: Say, streams: bool) -> None:
    answers = {FIRST: say, SECOND: streamed() if streams else whole(text="one")}
    async with house(answers) as made:
        answer, body = await made.said(raw=ask(stream=streams))
        record = await made.record()

    assert text_of("chat", body) == "one"
    assert header(answer, "x-airworthy-model") == SECOND
    assert (record["ended_as"], record["model"], record["attempts"]) == ("answered", SECOND, 2)
    assert record["notes"][0]["model"] == FIRST
    assert record["cost_nano"] == bill()


@pytest.mark.parametrize("streams", BOTH)
@pytest.mark.parametrize(("why", "say"), FAILURES)
async def test_a_failure_the_policy_leaves_out_is_the_callers(why: str, say: Say, streams: bool) -> None:
    others = [each for each in WHYS if each != why]
    answers = {FIRST: say, SECOND: whole()}
    models = [rule(FIRST, fallback_on=others), rule(SECOND)]
    async with house(answers, models=models) as made:
        answer, body = await made.said(raw=ask(stream=streams))

    assert answer.status >= 400
    assert b"error" in body
    assert made[SECOND].asked == []


@pytest.mark.parametrize("streams", BOTH)
async def test_a_request_that_is_wrong_everywhere_is_asked_once(streams: bool) -> None:
    async with house({FIRST: error(400, "messages: too odd"), SECOND: whole()}) as made:
        answer, _ = await made.said(raw=ask(stream=streams))

    assert answer.status == 400
    assert header(answer, "x-should-retry") == "false"
    assert made[SECOND].asked == []


@pytest.mark.parametrize(
    ("fallback", "asked", "order"),
    [
        (None, FIRST, [FIRST, SECOND, THIRD]),
        (None, SECOND, [SECOND]),
        ((THIRD, SECOND), FIRST, [FIRST, THIRD, SECOND]),
        ((THIRD,), FIRST, [FIRST, THIRD]),
        ((), FIRST, [FIRST]),
        ((THIRD,), "large", [FIRST, THIRD]),
    ],
)
async def test_the_order_is_the_policys(fallback: Any, asked: str, order: list[str]) -> None:
    models = [rule(FIRST, aliases=["large"]), rule(SECOND), rule(THIRD)]
    if fallback is not None:
        models[0]["fallback"] = list(fallback)
    async with house(dict.fromkeys((FIRST, SECOND, THIRD), error(503, "down")), models=models) as made:
        answer, _ = await made.said(raw=ask(model=asked))
        record = await made.record()

    assert answer.status == 503
    assert [note["model"] for note in record["notes"]] == order
    assert [bool(made[name].asked) for name in (FIRST, SECOND, THIRD)] == [
        name in order for name in (FIRST, SECOND, THIRD)
    ]
    assert all(body["model"] == name for name in order for body in made[name].bodies)


async def test_a_name_outside_the_policy_is_told_and_nobody_is_asked() -> None:
    async with house({FIRST: whole()}) as made:
        answer, body = await made.said(raw=ask(model="gpt-9"))
        record = await made.record()

    assert answer.status == 404
    assert b"not in the policy" in body
    assert record["code"] == "model_not_allowed"
    assert made[FIRST].asked == []


PAIRS = [
    (caller, provider)
    for caller in ("chat", "responses", "messages")
    for provider in ("openai", "anthropic", "compatible")
]
SPOKEN = {
    ("chat", "anthropic"): "messages", ("responses", "anthropic"): "messages", ("messages", "openai"): "chat",
    ("messages", "compatible"): "chat", ("responses", "compatible"): "chat",
}  # fmt: skip
TOOLS: dict[str, list[Any]] = {
    "chat": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
    "responses": [{"type": "function", "name": "look", "parameters": {"type": "object"}}],
    "messages": [{"name": "look", "input_schema": {"type": "object"}}],
}


@pytest.mark.parametrize("streams", BOTH)
@pytest.mark.parametrize(("dialect", "provider"), PAIRS)
async def test_a_conversation_with_tools_goes_on_at_another_provider(
    dialect: str, provider: str, streams: bool
) -> None:
    """The first model made a call; when it fails on the next turn, the other sees call and result, and answers."""
    first = "anthropic" if dialect == "messages" else "openai"
    theirs = SPOKEN.get((dialect, provider), dialect)
    made_call = (streamed if streams else whole)(dialect, "Wait.", [LOOK])
    last = (streamed if streams else whole)(theirs, "It is 7.", [])
    again = (streamed if streams else whole)(theirs, "", [LOOK])
    base = {"base_url": "http://127.0.0.1:9/v1"} if provider == "compatible" else {}
    models = [rule(FIRST, provider=first), rule(SECOND, provider=provider, **base)]
    async with house({FIRST: [made_call, error(503)], SECOND: [last, again]}, models=models) as made:
        fields: dict[str, Any] = {"tools": TOOLS[dialect], "stream": streams}
        await made.said(dialect, ask(dialect, **fields))
        more = turn(dialect, [LOOK], "Wait.", results=[LOOK])
        answer, body = await made.said(dialect, ask(dialect, more=more, **fields))
        _, called = await made.said(dialect, ask(dialect, more=more, **fields))
        sent = made[SECOND].asked[0].body

    found = (read_stream if streams else read)(dialect, called)
    assert text_of(dialect, body) == "It is 7."
    assert header(answer, "x-airworthy-model") == SECOND
    assert [call.name for call in found.tool_calls] == ["look"]
    assert found.tool_calls[0].arguments.replace(" ", "") == '{"x":1}'
    assert b"did call_a" in sent
    assert sent.count(b"call_a") >= 2  # The call and its result still belong together.


@pytest.mark.parametrize("run", ["", "run_1"])
async def test_fallbacks_and_retries_together_stay_within_the_tasks_limit(run: str) -> None:
    """Each failed attempt may have been billed, so each counts; together they must not pass what one task may cost."""
    models = [rule(name, attempts=20, timeout_s=1.0) for name in (FIRST, SECOND)]
    silent = Say(delay_s=NEVER)
    async with house({FIRST: silent, SECOND: silent}, models=models, limits={"cost_usd": 0.0012}) as made:
        answer, body = await made.said(run=run)
        record = await made.record()
        lost = made.standing("agent:support:day:2025-11-24").lost_nano

    assert b"Stopped: " in body
    assert (answer.status, record["ended_as"], record["code"]) == (200, "stopped", "limit_cost")
    assert 0 < lost <= 1_200_000


async def test_a_fallback_that_the_budget_has_no_room_for_is_not_asked() -> None:
    models = [rule(FIRST), rule(SECOND, output_usd_per_mtok=400.0)]
    async with house({FIRST: error(503), SECOND: whole()}, models=models, budgets={"day_usd": 0.01}) as made:
        _, body = await made.said()
        record = await made.record()

    assert (record["ended_as"], record["code"]) == ("stopped", "budget")
    assert b"Stopped" in body
    assert made[SECOND].asked == []


def hedged(**settings: Any) -> list[dict[str, Any]]:
    return [rule(FIRST, hedge_after_s=2.0, **settings), rule(SECOND), rule(THIRD)]


@pytest.mark.parametrize("streams", BOTH)
@pytest.mark.parametrize(
    ("slow_s", "winner"), [(1.0, FIRST), (2.5, FIRST), (3.0, SECOND), (9.0, SECOND), (NEVER, SECOND)]
)
async def test_the_first_answer_of_two_counts(slow_s: float, winner: str, streams: bool) -> None:
    """The second is asked after 2 s and takes 1 s less than nothing at all, so from 3 s on it wins."""
    say = streamed() if streams else whole(text="one")
    slow, quick = (
        Say(say.pieces, headers=say.headers, delay_s=slow_s),
        Say(say.pieces, headers=say.headers, delay_s=0.9),
    )
    async with house({FIRST: slow, SECOND: quick, THIRD: error(503)}, models=hedged()) as made:
        answer, body = await made.said(raw=ask(stream=streams))
        made.check_quiet()
        record = await made.record()
        row = made.standing("agent:support:day:2025-11-24")

    assert text_of("chat", body) == "one"
    assert header(answer, "x-airworthy-model") == record["model"] == winner
    assert record["cost_nano"] == row.settled_nano == bill()
    assert (row.lost_nano > 0) == (slow_s > 2.0)
    assert row.reserved_nano == row.lost_nano


@pytest.mark.parametrize("streams", BOTH)
async def test_of_two_answers_in_one_moment_the_other_is_closed_and_counted(streams: bool) -> None:
    say = streamed() if streams else whole(text="one")
    both = [Say(say.pieces, headers=say.headers, delay_s=delay) for delay in (5.0, 3.0)]
    async with house({FIRST: both[0], SECOND: both[1], THIRD: error(503)}, models=hedged()) as made:
        _, body = await made.said(raw=ask(stream=streams))
        made.check_quiet()
        assert all(reply.closed for name in (FIRST, SECOND) for reply in made[name].replies)

    assert text_of("chat", body) == "one"


@pytest.mark.parametrize("streams", BOTH)
async def test_when_both_fail_the_next_is_asked_and_neither_again(streams: bool) -> None:
    failing = Say(fails=ModelTimeout("broke", billed=True), delay_s=3.0)
    last = streamed() if streams else whole(text="one")
    async with house({FIRST: failing, SECOND: error(503), THIRD: last}, models=hedged()) as made:
        answer, body = await made.said(raw=ask(stream=streams))
        record = await made.record()

    assert text_of("chat", body) == "one"
    assert header(answer, "x-airworthy-model") == THIRD
    assert [len(made[name].asked) for name in (FIRST, SECOND, THIRD)] == [1, 1, 1]
    assert {note["model"] for note in record["notes"] if "error" in note} == {FIRST, SECOND}


async def test_a_hedge_the_budget_has_no_room_for_leaves_the_first_alone() -> None:
    models = [rule(FIRST, hedge_after_s=2.0), rule(SECOND, output_usd_per_mtok=400.0)]
    slow = whole(text="one", delay_s=5.0)
    async with house({FIRST: slow, SECOND: whole()}, models=models, budgets={"day_usd": 0.01}) as made:
        _, body = await made.said()

    assert text_of("chat", body) == "one"
    assert made[SECOND].asked == []


@pytest.mark.parametrize("at_s", [0.0, 1.0, 2.0, 2.5, 3.0, 3.0001])
@pytest.mark.parametrize("streams", BOTH)
async def test_a_caller_that_leaves_a_hedged_call_leaves_nothing_behind(at_s: float, streams: bool) -> None:
    say = streamed() if streams else whole()
    async with house(
        {FIRST: Say(say.pieces, headers=say.headers, delay_s=3.0), SECOND: Say(delay_s=NEVER), THIRD: say},
        models=hedged(),
    ) as made:
        task = asyncio.ensure_future(made.said(raw=ask(stream=streams)))
        await asyncio.sleep(at_s)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0)
        made.check_quiet()


async def test_a_pause_stops_a_call_that_waits_to_be_asked_again_or_elsewhere() -> None:
    models = [rule(FIRST, attempts=5), rule(SECOND)]
    async with house({FIRST: Say((b"{}",), 503, delay_s=1.0), SECOND: whole()}, models=models) as made:
        task = asyncio.ensure_future(made.said())
        await asyncio.sleep(0.5)
        made.paused.append("wrong prices")
        _, body = await task

    assert b"wrong prices" in body
    assert len(made[FIRST].asked) == 1
    assert made[SECOND].asked == []


async def test_a_pause_stops_a_call_that_waits_in_line() -> None:
    models = [rule(FIRST, concurrency=1)]
    async with house({FIRST: whole(delay_s=5.0)}, models=models) as made:
        tasks = [asyncio.ensure_future(made.said()) for _ in range(2)]
        await asyncio.sleep(1.0)
        made.paused.append("wrong prices")
        (_, first), (_, second) = await asyncio.gather(*tasks)

    assert text_of("chat", first) == "hi"
    assert b"wrong prices" in second
    assert len(made[FIRST].asked) == 1
