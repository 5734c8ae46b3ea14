"""Calls of agents in this process that are too long: shortened as over HTTP, while the journal knows them as asked."""

from typing import Any

import pytest

from airworthy.core.halt import Stop
from airworthy.core.outcome import ReasonCode
from airworthy.policy import Limits
from airworthy.policy.gateway_rule import GatewayRules
from airworthy.recorder import StepState
from tests.gateway.kit import Kit, Script, completion, kit, model, script
from tests.gateway.overflow.conversations import Turn, body_of

SAID = tuple(body_of("chat", [*[Turn(80)] * 8, Turn(3)])["messages"])
WIDE, NARROW = Limits(tokens_in=30_000), Limits(tokens_in=4000)


def long_kit(client: Script, mode: str, window: int = 4000, limits: Limits = NARROW) -> Kit:
    rules = GatewayRules.model_validate({"on_overflow": mode})
    return kit(client, model(window=window), gateway=rules, limits=limits)


def notes(k: Kit) -> list[Any]:
    return [note.get("note") for note in k.steps()[0].facts.notes]


async def test_a_limit_of_one_calls_tokens_stops_it_as_long_as_the_policy_says_nothing() -> None:
    client = script(completion())

    with pytest.raises(Stop) as stopped:
        await long_kit(client, "refuse").run().ask(*SAID)

    assert stopped.value.reason.code is ReasonCode.LIMIT_TOKENS_IN
    assert client.bodies == []


# what, window, limits, why
PLACES = [
    ("the limit", 100_000, NARROW, "the policy allows less than the model"),
    ("both", 4000, NARROW, "as a policy has it that names small models"),
]


@pytest.mark.parametrize(("what", "window", "limits", "why"), PLACES, ids=[case[0] for case in PLACES])
async def test_it_is_made_to_fit_the_smaller_of_window_and_limit(
    what: str, window: int, limits: Limits, why: str
) -> None:
    client = script(completion("fine"))
    k = long_kit(client, "truncate", window, limits)

    reply = await k.run().ask(*SAID)

    (body,) = client.bodies
    assert reply.text == "fine"
    assert len(str(body["messages"])) < 16_000, why
    assert body["messages"][0] == SAID[0]
    assert notes(k) == ["earlier messages were left out"]


async def test_the_journal_holds_the_call_as_it_was_asked_and_answers_its_replay() -> None:
    client = script(completion("fine"))
    short, whole = long_kit(client, "truncate"), long_kit(script(completion()), "truncate", 100_000, WIDE)

    first = await short.run().ask(*SAID)
    again = await short.run().ask(*SAID)
    await whole.run().ask(*SAID)

    assert first == again
    assert len(client.bodies) == 1
    assert short.steps()[0].arguments == whole.steps()[0].arguments


async def test_a_summary_counts_for_the_task_and_stands_with_its_step() -> None:
    client = script(completion("They spoke.", (3000, 50)), completion("fine", (1000, 5)))
    k = long_kit(client, "summarise")

    reply = await k.run().ask(*SAID)

    (step,) = k.steps()
    assert reply.text == "fine"
    assert (reply.usage.tokens_in, step.facts.tokens_in, step.facts.tokens_out) == (1000, 4000, 55)
    assert step.facts.cost_nano == 4000 * 1000 + 55 * 4000
    assert k.spent() == (0, step.facts.cost_nano)
    assert step.facts.attempts == 2
    assert notes(k) == ["a summary was made", "earlier messages were left out"]


async def test_a_summary_is_paid_even_if_the_call_then_fails() -> None:
    client = script(completion("They spoke.", (3000, 50)), ValueError("not a model error"))
    k = long_kit(client, "summarise")

    with pytest.raises(ValueError, match="not a model"):
        await k.run().ask(*SAID)

    assert sum(k.spent()) >= 3000 * 1000


async def test_what_cannot_be_made_to_fit_passes_the_limit() -> None:
    client = script(completion())

    with pytest.raises(Stop) as stopped:
        await long_kit(client, "summarise").run().ask({"role": "user", "content": "word " * 9000})

    assert stopped.value.reason.code is ReasonCode.LIMIT_TOKENS_IN
    assert client.bodies == []


async def test_a_conversation_that_fits_is_sent_as_it_is() -> None:
    client = script(completion())
    k = long_kit(client, "summarise", 100_000, WIDE)

    await k.run().ask(*SAID)

    assert tuple(client.bodies[0]["messages"]) == SAID
    assert k.steps()[0].state is StepState.DONE
    assert notes(k) == []
