"""A run over HTTP is a task: its money, tokens, calls, time and circles are bounded as those of one in process."""

import asyncio
from typing import Any

import pytest

from airworthy.gateway import repeats
from tests.gateway.door.kit import FIRST, Say, ask, bill, error, header, house, rule, streamed, text_of, whole


def question(number: int, **fields: Any) -> bytes:
    return ask(more=[{"role": "user", "content": f"question {number}"}], **fields)


@pytest.mark.parametrize(
    ("limits", "code", "words", "most"),
    [
        ({"cost_usd": 0.0006}, "limit_cost", b"for this task", 20),
        ({"tokens": 300, "tokens_in": 200}, "limit_tokens", b"for this task", 20),
        ({"steps": 4}, "limit_steps", b"4 are allowed", 4),
    ],
)
@pytest.mark.parametrize("streams", [False, True])
async def test_a_run_ends_at_each_of_its_limits_and_another_is_not_touched(
    limits: Any, code: str, words: bytes, most: int, streams: bool
) -> None:
    async with house({FIRST: streamed() if streams else whole()}, limits=limits) as made:
        bodies = [
            (await made.said(raw=question(number, stream=streams), run="run_1"))[1] for number in range(30)
        ]
        asked = len(made[FIRST].asked)
        _, other = await made.said(run="run_2")
        records = await made.records()

    assert 1 <= asked <= most
    assert all(words in body for body in bodies[asked:])
    assert {each["code"] for each in records[asked:30]} == {code}
    assert {each["task_id"] for each in records[:30]} == {"run_1"}
    assert b"Stopped" not in other


async def test_parallel_calls_of_a_run_do_not_pass_its_steps_together() -> None:
    async with house({FIRST: whole(delay_s=0.5)}, limits={"steps": 5}) as made:
        found = await asyncio.gather(*(made.said(raw=question(number), run="run_1") for number in range(50)))

    assert len(made[FIRST].asked) == 5
    assert sum(b"5 are allowed" in body for _, body in found) == 45


async def test_a_retry_is_a_step_when_it_may_have_been_billed() -> None:
    models = [rule(attempts=3)]
    async with house({FIRST: [error(500), error(500), whole()]}, models=models, limits={"steps": 4}) as made:
        await made.said(raw=question(1), run="run_1")
        _, second = await made.said(raw=question(2), run="run_1")
        _, third = await made.said(raw=question(3), run="run_1")

    assert text_of("chat", second) == "hi"
    assert b"4 are allowed" in third


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("dialect", ["chat", "responses", "messages"])
async def test_a_run_that_asks_the_very_same_again_and_again_is_stopped(dialect: str, streams: bool) -> None:
    provider = "anthropic" if dialect == "messages" else "openai"
    say = (streamed if streams else whole)(dialect, "one")
    async with house({FIRST: say}, models=[rule(provider=provider)], limits={"identical_calls": 2}) as made:
        raw = ask(dialect, stream=streams)
        found = [await made.said(dialect, raw, run="run_1") for _ in range(4)]
        _, other_run = await made.said(dialect, raw, run="run_2")
        _, no_run = await made.said(dialect, raw)
        _, another = await made.said(dialect, ask(dialect, stream=streams, temperature=0.5), run="run_1")
        records = await made.records()

    texts = [text_of(dialect, body) for _, body in found]
    assert texts[:2] == ["one", "one"]
    assert all("the very same 2 times" in text for text in texts[2:])
    assert header(found[3][0], "x-airworthy-stop") == "loop_identical"
    assert [text_of(dialect, body) for body in (other_run, no_run, another)] == ["one"] * 3
    assert [each["code"] for each in records] == ["", "", "loop_identical", "loop_identical", "", "", ""]


async def test_asking_again_what_was_not_answered_is_no_loop() -> None:
    """An SDK that tries again after an error, or after its own timeout, does its duty."""
    says = [error(503), error(429, "slow"), Say(delay_s=9.0), whole(text="one")]
    async with house({FIRST: says}, limits={"identical_calls": 1}) as made:
        first = [(await made.said(run="run_1"))[0].status for _ in range(2)]
        left = asyncio.ensure_future(made.said(run="run_1"))
        await asyncio.sleep(1)
        left.cancel()
        await asyncio.gather(left, return_exceptions=True)
        _, answered = await made.said(run="run_1")
        _, looping = await made.said(run="run_1")

    assert first == [503, 429]
    assert text_of("chat", answered) == "one"
    assert b"the very same" in looping


async def test_counting_tokens_is_no_step_in_a_circle() -> None:
    counted = Say((b'{"input_tokens": 5}',))
    models = [rule(provider="anthropic")]
    async with house({FIRST: counted}, models=models, limits={"identical_calls": 1}) as made:
        found = [(await made.said("count_tokens", ask("messages"), run="run_1"))[0].status for _ in range(3)]

    assert found == [200, 200, 200]


async def test_tokens_may_be_counted_of_what_is_too_long_to_be_asked() -> None:
    counted = Say((b'{"input_tokens": 9000}',))
    models = [rule(provider="anthropic")]
    long = [{"role": "user", "content": "word " * 2_000}]
    async with house({FIRST: counted}, models=models, limits={"tokens_in": 500}) as made:
        found, _ = await made.said("count_tokens", ask("messages", more=long))
        refused, body = await made.said("messages", ask("messages", more=long))

    assert (found.status, refused.status) == (200, 400)
    assert b"500 for one call" in body


async def test_the_memory_of_runs_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "RUNS_MAX", 3)
    monkeypatch.setattr(repeats, "DIFFERENT_MAX", 4)
    async with house({FIRST: whole()}, limits={"identical_calls": 1, "steps": 50}) as made:
        for run in range(20):
            for number in range(10):
                await made.said(raw=question(number), run=f"run_{run}")
        known = made.door._repeats._runs

    assert len(known) == 3
    assert all(len(asked) == 4 for asked in known.values())


async def test_a_call_that_takes_longer_than_a_task_may_is_stopped_and_costs_its_reservation() -> None:
    async with house({FIRST: Say(delay_s=1e9)}, limits={"seconds": 5.0}) as made:
        answer, body = await made.said()
        record = await made.record()
        row = made.standing("agent:support:day:2025-11-24")

    assert b"The call took 5 s" in body
    assert (answer.status, record["code"], record["ended_as"]) == (200, "limit_seconds", "stopped")
    assert row.lost_nano > 0


async def test_a_pause_is_told_before_anything_is_asked_and_ends_nothing_under_way() -> None:
    async with house({FIRST: whole(text="one", delay_s=2.0)}) as made:
        under_way = asyncio.ensure_future(made.said())
        await asyncio.sleep(1)
        made.paused.append("maintenance")
        answer, body = await made.said()
        first = await under_way
        made.paused.clear()
        _, again = await made.said()

    assert b"maintenance" in body
    assert header(answer, "x-airworthy-stop") == "paused"
    assert text_of("chat", first[1]) == text_of("chat", again) == "one"
    assert len(made[FIRST].asked) == 2


async def test_the_run_s_bill_is_all_its_calls() -> None:
    async with house({FIRST: whole()}) as made:
        for number in range(3):
            await made.said(raw=question(number), run="run_1")
        await asyncio.sleep(3)
        row = made.standing("task:run_1")

    assert (row.settled_nano, row.settled_tokens, row.calls) == (3 * bill(), 21, 3)
