"""Probes go through the door like every call, are kept, and find a model that was changed under its name."""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from airworthy.app.build import App, assembled
from airworthy.app.gateway import Charge
from airworthy.app.probing import Probed, chosen, probed
from airworthy.app.project import UnknownAgent
from airworthy.core.errors import AirworthyError, InputError
from airworthy.gateway.budget import Question, report
from airworthy.gateway.probes.fixed import PROBES
from airworthy.gateway.probes.stored import newest
from airworthy.gateway.reading import CallQuery, calls, seen
from airworthy.gateway.simulator import FaultPlan, SimulatedModel, Simulator
from airworthy.gateway.upstream import Reply, Sent, WholeReply
from airworthy.policy import ModelRule, Policy
from tests.database import memory
from tests.gateway.kit import FIRST, SECOND, completion, model
from tests.virtual import LoopClock

PLACE = f"{FIRST} at its provider"


class Provider:
    """An `Upstream` that answers by a function of the request; keeps what it was asked."""

    def __init__(self, answer: Callable[[Any], tuple[int, bytes]]) -> None:
        self.bodies: list[Any] = []
        self._answer = answer

    async def send(self, sent: Sent) -> Reply:
        self.bodies.append(orjson.loads(sent.body))
        status, body = self._answer(self.bodies[-1])
        headers = {"content-type": "application/json", "openai-version": "2020-10-01", "x-request-id": "r"}
        return WholeReply(body, status, headers)

    async def aclose(self) -> None:
        return


def saying(**changes: Any) -> Provider:
    return Provider(lambda _: (200, completion(**{"system_fingerprint": "fp_1", **changes})))


def charge(*models: ModelRule, agent: str = "shop", **policy: Any) -> Charge:
    made = Policy(agent=agent, purpose="tests of probes", models=models or (model(),), **policy)
    return Charge(made, ())


def application() -> App:
    return assembled(memory(), clock=LoopClock())


async def ask(app: App, provider: Any, *charges: Charge, repeat: int = 1) -> list[Probed]:
    served = charges or (charge(),)
    await asyncio.sleep(1)  # Batches are told apart by when they were.
    return await probed(app, served, chosen(served), repeat, upstream=lambda _: provider)


async def test_answers_are_kept_with_all_that_the_provider_says_of_itself() -> None:
    app = application()
    (one,) = await ask(app, saying(text="eight"))

    batch = app.database.read_now(lambda tx: newest(tx, PLACE))
    assert one.comparison is not None
    assert one.comparison.since_us is None
    assert batch == one.batch
    assert batch is not None
    assert [answer.probe for answer in batch.answers] == [probe.name for probe in PROBES]
    first = batch.answers[0]
    assert (first.answered, first.fingerprint, first.text, first.finish) == (FIRST, "fp_1", "eight", "stop")
    assert (first.tokens_in, first.tokens_out) == (10, 5)
    assert first.versions == {"openai-version": "2020-10-01"}


async def test_every_question_is_cold_short_and_asks_for_the_pin() -> None:
    provider = saying()
    await ask(application(), provider, charge(model(output_tokens_max=8_000)))

    assert len(provider.bodies) == len(PROBES)
    for body in provider.bodies:
        assert (body["model"], body["temperature"], body["max_tokens"]) == (FIRST, 0, 1_024)


async def test_a_model_that_takes_no_temperature_is_asked_without() -> None:
    error = b'{"error": {"message": "Unsupported value: temperature", "type": "invalid_request_error"}}'
    provider = Provider(lambda body: (400, error) if "temperature" in body else (200, completion()))

    (one,) = await ask(application(), provider)

    assert one.failed is None
    assert [("temperature" in body) for body in provider.bodies] == [True] + [False] * len(PROBES)


async def test_costs_are_the_agents_under_the_feature_probe_and_every_call_is_recorded() -> None:
    app = application()
    await ask(app, saying())

    question = Question(("agent", "feature"))
    rows = app.database.read_now(lambda tx: report(tx, question))
    recorded = app.database.read_now(lambda tx: calls(tx, CallQuery(feature="probe")))
    assert [names for names, _ in rows] == [("shop", "probe")]
    assert rows[0][1].settled_nano == len(PROBES) * (10 * 1_000 + 5 * 4_000)
    assert rows[0][1].reserved_nano == 0
    assert {row.ended_as for row in recorded} == {"answered"}
    assert len(recorded) == len(PROBES)


async def test_a_budget_that_is_used_up_ends_the_probes_with_its_reason() -> None:
    provider = saying()
    (one,) = await ask(application(), provider, charge(budgets={"day_usd": 0.000001}))

    assert one.failed is not None
    assert "arithmetic" in one.failed.message
    assert "for shop on 2025-11-24" in one.failed.message
    assert provider.bodies == []


async def test_a_fallback_never_answers_for_the_model_that_is_asked() -> None:
    app = application()
    down = b'{"error": {"message": "overloaded"}}'
    provider = Provider(
        lambda body: (503, down) if body["model"] == FIRST else (200, completion(model=SECOND))
    )

    first, second = await ask(app, provider, charge(model(attempts=1), model(SECOND)))

    assert first.failed is not None
    assert "overloaded" in first.failed.message
    assert second.comparison is not None
    assert second.comparison.models == (SECOND,)


async def test_a_cache_never_answers_for_the_model() -> None:
    app = application()
    served = charge(gateway={"cache": {"enabled": True, "shared": True}})
    provider = saying()
    await ask(app, provider, served)
    await ask(app, provider, served)

    assert len(provider.bodies) == 2 * len(PROBES)


@pytest.mark.parametrize(
    ("then", "changed", "differ", "why"),
    [
        ({}, False, 0, "all as it was"),
        ({"text": "other"}, False, 8, "texts alone prove nothing"),
        ({"model": "sim-large-2027-01-01"}, True, 0, "it calls itself otherwise"),
        ({"system_fingerprint": "fp_2"}, True, 0, "a fingerprint that never was"),
    ],
)
async def test_a_silent_change_is_found(then: dict[str, Any], changed: bool, differ: int, why: str) -> None:
    app = application()
    await ask(app, saying())
    (one,) = await ask(app, saying(**then))
    (again,) = await ask(app, saying(**then))

    assert one.comparison is not None
    assert again.comparison is not None
    assert (one.comparison.changed, len(one.comparison.differing)) == (changed, differ), why
    assert not again.comparison.changed, "what is known is no change any more"


async def test_the_simulators_wrong_model_is_found_among_right_answers() -> None:
    app = application()
    right, wrong = (SimulatedModel(Simulator(faults=FaultPlan.parse(plan))) for plan in ("", "wrong_model=1"))
    await ask(app, right)
    (one,) = await ask(app, wrong)

    assert one.comparison is not None
    assert one.comparison.new_models
    assert one.comparison.new_fingerprints


async def test_repeated_questions_are_one_batch() -> None:
    app = application()
    (one,) = await ask(app, saying(), repeat=3)

    assert one.batch is not None
    assert len(one.batch.answers) == 3 * len(PROBES)
    assert one.comparison is not None
    assert one.comparison.compared == 0


async def test_an_anthropic_model_is_asked_in_its_own_words() -> None:
    app = application()
    rule = model("claude-sonnet-4-5-20250929", provider="anthropic")
    reply = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": rule.name, "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "eight"}], "usage": {"input_tokens": 3, "output_tokens": 1},
    }  # fmt: skip
    provider = Provider(lambda _: (200, orjson.dumps(reply)))

    (one,) = await ask(app, provider, charge(rule))

    assert one.batch is not None
    assert one.batch.answers[0].text == "eight"
    assert one.batch.answers[0].answered == rule.name
    assert provider.bodies[0]["max_tokens"] == 100


async def test_secrets_are_taken_out_of_what_is_kept_and_make_no_difference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = application()
    said = "the key is sk-abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKL"
    await ask(app, saying(text=said))
    (one,) = await ask(app, saying(text=said))

    assert one.batch is not None
    assert one.comparison is not None
    assert "abcdefghij" not in one.batch.answers[0].text
    assert one.comparison.differing == ()


async def test_two_addresses_of_one_model_are_two_models_to_ask() -> None:
    app = application()
    twice = (model(), model(base_url="http://127.0.0.1:9/v1", provider="compatible"))
    results = await ask(app, saying(), charge(*twice))

    assert len({one.wanted.place for one in results}) == 2
    assert {row.place for row in app.database.read_now(seen)} == {one.wanted.place for one in results}


def test_a_model_of_several_agents_is_asked_once() -> None:
    both = [charge(), charge(agent="desk")]

    assert [(one.agent, one.place) for one in chosen(both)] == [("shop", PLACE)]
    assert [one.agent for one in chosen(both, agent="desk")] == ["desk"]


@pytest.mark.parametrize(
    ("words", "error", "says"),
    [
        ({"agent": "nobody"}, UnknownAgent, "shop"),
        ({"model": "gpt-9"}, InputError, FIRST),
    ],
)
def test_who_is_not_there_cannot_be_asked(
    words: dict[str, str], error: type[AirworthyError], says: str
) -> None:
    with pytest.raises(error) as raised:
        chosen([charge()], **words)

    assert says in raised.value.mend
