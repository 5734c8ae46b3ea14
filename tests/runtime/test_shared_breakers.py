"""Breakers of models are one for all processes: what a person opens, every worker obeys within a second."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from airworthy.app.build import App, worker
from airworthy.app.places import Places, shared_places
from airworthy.core.outcome import Outcome
from airworthy.gateway import ModelOutage
from airworthy.resilience.shared import Hand, decide, listing
from airworthy.runtime import Agent, Run
from airworthy.store.lease import Owner
from tests.gateway.kit import FIRST, Script, completion, model, script
from tests.runtime.kit import Bench, bench

NAME = f"model:{FIRST} at its provider"


async def ask(run: Run) -> str:
    return (await run.model([{"role": "user", "content": run.text}])).text


def asking(client: Script) -> Bench:
    return bench(ask, clients={FIRST: client}, models=(model(attempts=1),))


@contextlib.asynccontextmanager
async def working(app: App, agent: Agent, name: str) -> AsyncIterator[Places]:
    """A process: a worker, and its places beside it."""
    owner = Owner(name, "", 1, "")
    async with shared_places(app.database, app.clock, owner) as places:
        made = worker(app, [agent], concurrency=4, owner=owner, places=places)
        running = asyncio.create_task(made.run())
        try:
            yield places
        finally:
            made.stop()
            await running


def told(app: App, *, opens: bool) -> None:
    """What `airworthy breaker open` and `close` write."""
    hand = Hand(opens=opens, reason="wrong answers", by_whom="dana")
    app.database.write_now(lambda tx: decide(tx, NAME, hand, app.clock.now_us()))


async def ended(on: Bench, text: str) -> Outcome | None:
    id_ = on.submit(text)
    await asyncio.sleep(2)
    return on.task(id_).outcome


async def test_a_breaker_opened_by_hand_stops_the_model_calls_of_every_worker_within_a_second() -> None:
    client = script(completion())
    on = asking(client)
    other = Agent(on.agent.policy.model_copy(update={"agent": "second"}), clients={FIRST: client})
    other.task(ask)
    second = Bench(on.app, other)
    async with working(on.app, on.agent, "wkr_1"), working(on.app, other, "wkr_2"):
        before = [await ended(on, "one"), await ended(second, "two")]
        asked = len(client.bodies)
        told(on.app, opens=True)
        await asyncio.sleep(1)
        while_open = [await ended(on, "three"), await ended(second, "four")]
        asked_while_open = len(client.bodies) - asked
        told(on.app, opens=False)
        await asyncio.sleep(1)
        after = [await ended(on, "five"), await ended(second, "six")]

    assert before == [Outcome.ANSWERED] * 2
    assert asked_while_open == 0
    assert Outcome.ANSWERED not in while_open
    assert after == [Outcome.ANSWERED] * 2


async def test_what_one_worker_finds_down_the_other_does_not_ask() -> None:
    """Each has a client of its own; only the breaker is shared, by the model's name."""
    down, fine = script(ModelOutage("down")), script(completion())
    first, on = asking(down), asking(fine)
    second = Bench(
        first.app, Agent(on.agent.policy.model_copy(update={"agent": "second"}), clients={FIRST: fine})
    )
    second.agent.task(ask)
    async with working(first.app, first.agent, "wkr_1"), working(first.app, second.agent, "wkr_2"):
        for number in range(20):
            first.submit(f"inquiry {number}")
        await asyncio.sleep(5)
        outcome = await ended(second, "hello")

    (row,) = first.app.database.read_now(listing)
    assert row.by_whom == "wkr_1"
    assert row.name == NAME
    assert outcome is not Outcome.ANSWERED
    assert fine.bodies == []


async def test_two_agents_with_one_rule_share_its_place_and_clients_of_their_own_are_not_shared() -> None:
    on = asking(script(completion()))
    async with shared_places(on.app.database, on.app.clock, Owner("wkr_1", "", 1, "")) as places:
        mine = places.of(on.agent.policy)
        theirs = places.of(on.agent.policy.model_copy(update={"agent": "second"}))
        own = places.of(on.agent.policy, on.agent.clients)

    (name,) = mine
    assert mine[name] is theirs[name]
    assert own[name] is not mine[name]
    assert own[name].circuit is mine[name].circuit
    assert places.all == [mine[name]]
