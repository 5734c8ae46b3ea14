"""No number of callers passes a budget at the door by a nano-dollar, whatever fails, leaves or dies meanwhile."""

import asyncio
import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from airworthy.core.money import nano_from_usd
from airworthy.gateway.budget import KeyBudgets
from airworthy.gateway.errors import ModelTimeout
from airworthy.gateway.upstream import Reply, Sent
from airworthy.store import Database
from tests.gateway.budget.kit import Line, bury_all, row
from tests.gateway.door.kit import (
    EVENTS,
    FIRST,
    SECOND,
    House,
    Provider,
    Say,
    ask,
    bill,
    error,
    finished,
    house,
    rule,
    streamed,
    tables,
    text_of,
    whole,
)

DAY = "agent:support:day:2025-11-24"
SEED = 20_261_125


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("dialect", ["chat", "responses", "messages"])
async def test_of_500_callers_at_once_as_many_are_served_as_the_budget_pays_for(
    dialect: str, streams: bool
) -> None:
    """Every reservation is far above its bill, so callers wait for one another rather than being turned away early."""
    provider = "anthropic" if dialect == "messages" else "openai"
    say = (streamed if streams else whole)(dialect, "one")
    say = Say(say.pieces, headers=say.headers, delay_s=0.01)
    raw = ask(dialect, stream=streams)
    cap_nano = (
        3 * bill() + len(raw) * 1_000 + 100 * 4_000
    )  # Room for a reservation after three bills, not after four.
    async with house(
        {FIRST: say}, models=[rule(provider=provider)], budgets={"day_usd": cap_nano / 1e9}
    ) as made:
        answers = await asyncio.gather(*(made.said(dialect, raw) for _ in range(500)))
        records = await made.records()
        spend = made.standing(DAY)

    served = [record for record in records if record["ended_as"] == "answered"]
    stopped = [record for record in records if record["ended_as"] == "stopped"]
    assert len(served) == len(made[FIRST].asked) >= 3
    assert len(served) + len(stopped) == 500
    assert spend.settled_nano == len(served) * bill() <= cap_nano
    assert cap_nano - spend.settled_nano < bill() + len(raw) * 1_000 + 100 * 4_000
    assert {record["code"] for record in stopped} == {"budget"}
    texts = [text_of(dialect, body) for _, body in answers]
    assert sum(text == "one" for text in texts) == len(served)
    assert all("support on 2025-11-24" in text for text in texts if text != "one")


async def test_money_for_three_serves_three_of_500() -> None:
    """Here a bill is what was reserved for it, so three reservations are all there ever will be."""
    say = whole(text="one", delay_s=0.01)
    async with house({FIRST: say}, budgets={"day_usd": 1.0, "calls_per_day": 3}) as made:
        answers = await asyncio.gather(*(made.said() for _ in range(500)))

    assert len(made[FIRST].asked) == 3
    assert sum(b"3 are allowed" in body for _, body in answers) == 497


@pytest.mark.parametrize(
    "key", [KeyBudgets(total_usd=0.001), KeyBudgets(day_tokens=700), KeyBudgets(day_calls=2)]
)
async def test_each_kind_of_bound_of_a_key_holds_and_is_named(key: KeyBudgets) -> None:
    async with house({FIRST: whole(text="one", delay_s=0.01)}) as made:
        found = await asyncio.gather(*(made.said(budgets=key) for _ in range(100)))
        other = await made.said(budgets=KeyBudgets(), user="ann")

    stopped = [body for _, body in found if b"Stopped" in body]
    assert len(made[FIRST].asked) + len(stopped) == 101
    assert len(stopped) >= 20
    assert all(b"key key_1" in body for body in stopped)
    assert text_of("chat", other[1]) == "one"


class Counting(Provider):
    """Says what it truly charged in the moment it did the work."""

    charged: Callable[[int], None]
    price: int

    async def send(self, sent: Sent) -> Reply:
        self.charged(bill() * self.price)  # From here on it works, whatever becomes of the answer.
        return await super().send(sent)


@dataclass
class World:
    """Several processes on one database, with a true account of what providers charged for the agent and its users."""

    database: Database
    chance: random.Random
    cap_nano: int
    user_cap_nano: int
    true_nano: int = 0
    of_user: dict[str, int] = field(default_factory=dict)
    callers: set["asyncio.Task[None]"] = field(default_factory=set)

    def charged(self, nano: int) -> None:
        self.true_nano += nano
        self.check()

    def check(self) -> None:
        found = row(self.database, DAY)
        known = found.reserved_nano + found.settled_nano
        assert self.true_nano <= known <= self.cap_nano, (self.true_nano, found)
        assert found.lost_nano <= found.reserved_nano
        assert min(found.settled_nano, found.lost_nano, found.calls) >= 0
        for user in ("ann", "bob", "cy"):
            theirs = row(self.database, f"agent:support:user:{user}:2025-11-24")
            assert theirs.reserved_nano + theirs.settled_nano <= self.user_cap_nano


PRICES = {FIRST: 1, SECOND: 7, "sim-dear-2026-11-01": 40}


def says(chance: random.Random) -> Say:
    return chance.choice([
        whole(), whole(delay_s=0.3), streamed(), Say([0.2, *streamed().pieces], headers=EVENTS),
        Say([*streamed().pieces[:3], ModelTimeout("broke", billed=True)], headers=EVENTS),
        Say([*streamed().pieces[:3], 1e9], headers=EVENTS), error(503), error(500), error(429, "slow"),
        Say(delay_s=1e9), Say(fails=ModelTimeout("broke", billed=True)), Say((b"nonsense",)),
    ])  # fmt: skip


async def process(world: World, stack: AsyncExitStack, name: str) -> tuple[House, "asyncio.Task[None]"]:
    models = [
        rule(
            model, input_usd_per_mtok=1.0 * times, output_usd_per_mtok=4.0 * times, timeout_s=1.0, attempts=2,
            concurrency=20, broken_stream=world.chance.choice(("error", "restart")),
            **({"hedge_after_s": 0.5} if world.chance.random() < 0.3 else {}),
        )
        for model, times in PRICES.items()
    ]  # fmt: skip
    line = Line(world.database, world.chance, world.check)
    made = await stack.enter_async_context(
        house(
            {model: [says(world.chance) for _ in range(80)] for model in PRICES},
            models=models, database=world.database, line=line, owner=name, ends=False,
            limits={"seconds": 20.0, "steps": 60, "identical_calls": 50},
            budgets={"day_usd": world.cap_nano / 1e9, "user_day_usd": world.user_cap_nano / 1e9},
        )
    )  # fmt: skip
    for model, provider in made.providers.items():
        provider.__class__ = Counting
        provider.charged, provider.price = world.charged, PRICES[model]  # type: ignore[attr-defined]
    line.failing = world.chance.choice((0.0, 0.0, 0.1))
    return made, asyncio.ensure_future(made.door.run())


async def one_caller(world: World, made: House) -> None:
    chance = world.chance
    raw = ask(stream=chance.random() < 0.5, model=chance.choice(list(PRICES)), more=[])
    call = made.call(
        raw=raw, user=chance.choice(("", "ann", "bob", "cy")), run=chance.choice(("", "run_1", "run_2"))
    )
    _, body = await finished(await made.door.answer(call))
    assert body
    if b"Stopped" in body:
        assert any(
            why in body
            for why in (
                b"is spent",
                b"are spent",
                b"the very same",
                b"are allowed",
                b"came free",
                b"of a task",
            )
        ), body


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEED, SEED + 12))
async def test_200_callers_of_processes_that_fail_and_die_never_pass_a_budget(seed: int) -> None:
    """Two hundred callers with seeded chance, over some processes of which some die and are buried."""
    chance = random.Random(seed)
    cap_nano = nano_from_usd(chance.choice((0.08, 0.4, 1.5)))
    world = World(tables(), chance, cap_nano, cap_nano // 3)
    async with AsyncExitStack() as stack:
        alive = [await process(world, stack, f"gwy_{number}") for number in range(2)]
        of_process: dict[int, list[asyncio.Task[None]]] = {0: [], 1: []}
        dead = 0
        for number in range(200):
            at = chance.randrange(len(alive))
            task = asyncio.ensure_future(one_caller(world, alive[at][0]))
            of_process.setdefault(at, []).append(task)
            if chance.random() < 0.2:
                asyncio.get_running_loop().call_later(chance.random() * 3, task.cancel)
            await asyncio.sleep(chance.random() * 0.1)
            if number in (60, 130):
                at = chance.randrange(len(alive))
                await die(alive[at], of_process[at])
                of_process[at] = []
                if chance.random() < 0.5:
                    bury_all(world.database)
                    world.check()
                dead += 1
                alive[at] = await process(world, stack, f"gwy_again_{number}")
        tasks = [task for each in of_process.values() for task in each]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        faults = [
            each for each in results if each is not None and not isinstance(each, asyncio.CancelledError)
        ]
        assert faults == [], (seed, faults[:3])
        world.check()
        for made, run in alive:
            made.shared.ledger._database.failing = 0.0  # type: ignore[attr-defined]
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)
            made.check_quiet()
            await made.door.aclose()
            await made.shared.ledger.close()
        bury_all(world.database)
        world.check()
        for name, found in alive[0][0].scopes().items():
            assert found.reserved_nano == found.lost_nano, (seed, name, found)
            assert found.reserved_tokens == found.lost_tokens, (seed, name, found)
            assert found.reserved_calls == found.lost_calls, (seed, name, found)
        assert world.true_nano > 0
        assert dead == 2


async def die(process: tuple[House, "asyncio.Task[None]"], callers: list["asyncio.Task[None]"]) -> None:
    """Nothing of it is written any more: its memory is gone with all that stood in it."""
    made, run = process
    line: Any = made.shared.ledger._database
    line.moving.clear()
    line.failing = 1.0
    for task in (run, *made.shared.ledger._tasks, *callers):
        task.cancel()
    await asyncio.gather(run, *made.shared.ledger._tasks, *callers, return_exceptions=True)
