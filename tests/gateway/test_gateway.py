"""One call on its way through the gateway: replayed, bounded, tried again, handed on to the next model, recorded."""

import asyncio
from typing import Any

import pytest

from airworthy.core.canonical import NotSerialisable
from airworthy.core.halt import Halt, Stop
from airworthy.core.outcome import ReasonCode
from airworthy.gateway import (
    ContextOverflow,
    ModelAuthFailed,
    ModelError,
    ModelMalformed,
    ModelNotAllowed,
    ModelOutage,
    ModelRateLimited,
    ModelRefusedRequest,
    ModelRequest,
    ModelTimeout,
    ModelUnknown,
    ModelUnreachable,
    place_of,
)
from airworthy.gateway.tokens import Estimate
from airworthy.policy import Limits
from airworthy.recorder import StepState
from tests.gateway.kit import FIRST, HELLO, SECOND, completion, kit, model, script

TWO = (model(FIRST), model(SECOND))


async def test_a_call_is_made_recorded_and_answered_from_the_record_on_every_replay() -> None:
    client = script(completion("hi"))
    k = kit(client)

    first = await k.run().ask()
    again = await k.run().ask()

    (step,) = k.steps()
    assert first == again
    assert first.text == "hi"
    assert len(client.bodies) == 1
    assert (step.kind, step.state, step.facts.model) == ("model", StepState.DONE, FIRST)
    assert (step.facts.tokens_in, step.facts.tokens_out, step.facts.cost_nano) == (10, 5, 30_000)


async def test_equal_calls_in_one_run_are_two_calls_and_replay_as_two() -> None:
    k = kit(script(completion("one"), completion("two")))
    run = k.run()
    first = [(await run.ask()).text, (await run.ask()).text]
    run = k.run()
    again = [(await run.ask()).text, (await run.ask()).text]

    assert first == again == ["one", "two"]


async def test_a_body_carries_the_pin_and_never_asks_for_more_than_the_policy_allows() -> None:
    client = script(completion())
    k = kit(client, model(temperature=0.5))
    run = k.run()
    await run.ask(tokens_out_max=10**6, tools=[{"type": "function"}], response_format={"type": "json_object"})
    await run.ask(tokens_out_max=7, extra={"model": "another", "seed": 1})

    assert client.bodies[0] == {
        "model": FIRST, "messages": list(HELLO), "tools": [{"type": "function"}], "temperature": 0.5,
        "response_format": {"type": "json_object"}, "max_tokens": 100,
    }  # fmt: skip
    assert client.bodies[1] == {
        "model": FIRST, "messages": list(HELLO), "seed": 1, "max_tokens": 7, "temperature": 0.5,
    }  # fmt: skip


async def test_messages_without_a_json_form_are_told_before_anything_is_recorded() -> None:
    k = kit(script(completion()))

    with pytest.raises(NotSerialisable):
        await k.run().ask({"role": "user", "content": object()})

    assert k.steps() == []


LOST = ModelTimeout("lost", billed=True)
WAYS = [
    ([ModelUnreachable("x"), b"1"], [], "1", (2, 0), "nobody there: again"),
    ([LOST, b"1"], [], "1", (2, 0), "lost: again"),
    ([ModelOutage("x", billed=True), b"1"], [], "1", (2, 0), "an outage: again"),
    ([ModelRateLimited("x", retry_after_s=3), b"1"], [], "1", (2, 0), "too fast: after the wait that was asked for"),
    ([b"nonsense!", b"1"], [], "1", (2, 0), "nonsense: again"),
    ([LOST], [b"2"], "2", (3, 1), "to the end: the next model"),
    ([ModelRateLimited("x", retry_after_s=3600)], [b"2"], "2", (1, 1), "too long a wait: the next model at once"),
    ([ContextOverflow("x")], [b"2"], "2", (1, 1), "too long for this one: the next at once"),
    ([ModelAuthFailed("x")], [b"2"], "2", (1, 1), "a wrong key: the next at once"),
    ([ModelUnknown("x")], [b"2"], "2", (1, 1), "unknown there: the next at once"),
    ([ModelRefusedRequest("x")], [b"2"], ModelRefusedRequest, (1, 0), "wrong everywhere: nobody else is asked"),
    ([LOST], [LOST], ModelTimeout, (3, 3), "nobody answers"),
    ([LOST], [ModelAuthFailed("x")], ModelAuthFailed, (3, 1), "the last one's error is told"),
]  # fmt: skip


def spelled(answers: list[Any]) -> list[Any]:
    return [completion(a.decode()) if isinstance(a, bytes) and len(a) == 1 else a for a in answers]


@pytest.mark.parametrize(("first", "second", "comes", "calls", "why"), WAYS)
async def test_a_failure_is_tried_again_or_handed_on_and_a_replay_says_the_same(
    first: list[Any], second: list[Any], comes: Any, calls: tuple[int, int], why: str
) -> None:
    clients = {FIRST: script(*spelled(first)), SECOND: script(*spelled(second or [b"2"]))}
    k = kit(clients, *TWO)

    for _ in range(2):
        if isinstance(comes, str):
            assert (await k.run().ask()).text == comes, why
        else:
            with pytest.raises(comes):
                await k.run().ask()

    (step,) = k.steps()
    assert (len(clients[FIRST].bodies), len(clients[SECOND].bodies)) == calls
    assert step.facts.attempts == sum(calls)
    assert step.facts.model == (SECOND if calls[1] else FIRST if isinstance(comes, str) else SECOND)
    assert step.state is (StepState.DONE if isinstance(comes, str) else StepState.FAILED)
    assert len(step.facts.notes) >= 1  # What went before the answer is in the record.


async def test_the_same_version_at_two_addresses_is_asked_at_both() -> None:
    here, there = model(base_url="http://here/v1"), model(base_url="http://there/v1")
    clients = {place_of(here): script(ModelAuthFailed("x")), place_of(there): script(completion("there"))}
    k = kit(clients, here, there)

    assert (await k.run().ask()).text == "there"
    assert len(clients[place_of(here)].bodies) == 1


async def test_an_agent_may_choose_among_the_policys_models_and_no_other() -> None:
    clients = {FIRST: script(completion("1")), SECOND: script(completion("2"))}
    k = kit(clients, *TWO)

    chosen = await k.run("tsk_1").ask(model=SECOND)
    with pytest.raises(ModelNotAllowed, match="sim-huge") as raised:
        await k.run("tsk_2").ask(model="sim-huge-2026-11-01")

    assert chosen.text == "2"
    assert clients[FIRST].bodies == []
    assert FIRST in raised.value.mend
    assert k.steps("tsk_2") == []


async def test_a_chosen_model_is_not_replaced_by_another() -> None:
    clients = {FIRST: script(LOST), SECOND: script(completion("2"))}
    k = kit(clients, *TWO)

    with pytest.raises(ModelTimeout):
        await k.run().ask(model=FIRST)

    assert clients[SECOND].bodies == []


async def test_a_conversation_too_long_for_a_model_is_not_sent_to_it_and_costs_nothing() -> None:
    clients = {FIRST: script(completion("1")), SECOND: script(completion("2"))}
    k = kit(clients, model(FIRST, window=1000), model(SECOND, window=100_000))

    reply = await k.run().ask({"role": "user", "content": "x" * 4000})

    assert reply.text == "2"
    assert clients[FIRST].bodies == []
    assert k.calls("task:tsk_1") == 1


async def test_a_conversation_too_long_for_every_model_is_told_so() -> None:
    client = script(completion())
    k = kit(client, model(window=1000), limits=Limits(tokens_in=1000))

    with pytest.raises(ContextOverflow, match="window"):
        await k.run().ask({"role": "user", "content": "x" * 3200})

    assert client.bodies == []


@pytest.mark.parametrize(("size", "stopped"), [(100, False), (500, True)])
async def test_one_calls_input_is_bounded_before_it_is_sent(size: int, stopped: bool) -> None:
    client = script(completion())
    k = kit(client, limits=Limits(tokens_in=100, tokens=1000))

    if stopped:
        with pytest.raises(Stop) as raised:
            await k.run().ask({"role": "user", "content": "x" * size})
        assert raised.value.reason.code is ReasonCode.LIMIT_TOKENS_IN
        assert client.bodies == []
    else:
        await k.run().ask({"role": "user", "content": "x" * size})


async def test_calls_in_parallel_cannot_pass_the_tasks_tokens_together() -> None:
    may_take = Estimate(FIRST).of_text(ModelRequest(HELLO).canonical()) + 100
    client = script(completion(tokens=(20, 100)), delay_s=5)
    k = kit(client, limits=Limits(tokens=8 * may_take, tokens_in=500, identical_calls=20))
    run = k.run()

    answers = await asyncio.gather(*(run.ask() for _ in range(20)), return_exceptions=True)

    assert len(client.bodies) == 8
    stops = [answer for answer in answers if isinstance(answer, Halt)]
    assert len(stops) == 12


async def test_tokens_that_were_not_used_are_free_again_and_failed_calls_hold_none() -> None:
    client = script(completion(tokens=(14, 1)), ModelRefusedRequest("x"), completion(tokens=(14, 1)))
    k = kit(client, limits=Limits(tokens=200, tokens_in=200, identical_calls=9))
    run = k.run()
    await run.ask()
    with pytest.raises(ModelRefusedRequest):
        await run.ask()
    for _ in range(3):
        await run.ask()

    assert len(client.bodies) == 5


async def test_another_model_than_the_pin_is_noted() -> None:
    k = kit(script(completion(model="sim-large-2026-12-24")))
    await k.run().ask()

    (step,) = k.steps()
    assert {
        "note": "the provider answered as another model", "pin": FIRST, "answered": "sim-large-2026-12-24",
    } in step.facts.notes  # fmt: skip


async def test_a_reply_with_a_secret_is_stored_without_it_and_asked_for_again_on_replay() -> None:
    client = script(completion("key ghp_abcdefghijklmnopqrstuvwxyz0123456789"))
    k = kit(client)
    first = await k.run().ask()
    again = await k.run().ask()

    assert "ghp_" in first.text
    assert "ghp_" in again.text
    assert len(client.bodies) == 2
    assert "ghp_" not in str(k.steps())


async def test_a_model_that_never_answers_ends_with_the_tasks_own_time() -> None:
    client = script(completion(), delay_s=1e6)
    k = kit(client, limits=Limits(seconds=20.0))
    before = asyncio.get_running_loop().time()

    with pytest.raises(Stop) as raised:
        await k.run().ask()

    assert raised.value.reason.code is ReasonCode.LIMIT_SECONDS
    assert asyncio.get_running_loop().time() - before == pytest.approx(20, abs=0.1)


async def test_more_calls_than_the_concurrency_wait_their_turn() -> None:
    running = peak = 0

    class Counting:
        async def complete(self, body: bytes, timeout_s: float) -> bytes:
            nonlocal running, peak
            running += 1
            peak = max(peak, running)
            await asyncio.sleep(1)
            running -= 1
            return completion()

        async def aclose(self) -> None:
            return

    k = kit(Counting(), model(concurrency=3))
    await asyncio.gather(*(k.run(f"tsk_{number}").ask() for number in range(12)))

    assert peak == 3


async def test_an_error_of_the_record_reads_as_the_error_it_was() -> None:
    for error in (ModelMalformed, ModelOutage, ModelUnreachable, ModelAuthFailed, ContextOverflow):
        k = kit(script(error("what it said", mend="Do this.", billed=True)), model(attempts=1))
        with pytest.raises(error):
            await k.run().ask()
        with pytest.raises(ModelError) as raised:
            await k.run().ask()

        assert type(raised.value) is error
        assert str(raised.value) == "what it said Do this."
        assert raised.value.seq == 1
